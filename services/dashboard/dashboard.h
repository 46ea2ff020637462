/* dashboard: what people see, wired together. */
#ifndef DASHBOARD_H
#define DASHBOARD_H

#include <stdatomic.h>

#include "board.h"
#include "events.h"
#include "health.h"
#include "jobs.h"
#include "link.h"
#include "live.h"
#include "record.h"
#include "store.h"
#include "svc.h"
#include "web.h"

/** Places of dashboard_metrics. */
enum dashboard_metric {
    DASHBOARD_READINGS,
    DASHBOARD_HELD,
    DASHBOARD_UNREADABLE,
    DASHBOARD_ANSWERS,
    DASHBOARD_LISTENERS,
    DASHBOARD_EVENTS_DROPPED,
    DASHBOARD_DATABASE,
};

extern const struct metric_def dashboard_metrics[];

struct dashboard {
    struct svc svc;
    struct store_conf store;
    char *listen, *password, *trusted_header;
    bool local; /* only this machine reaches `listen`, whatever its address */
    int64_t clients;
    char *status_urls;
    char *price_import, *price_export, *currency;
    char *timezone;
    char *readings_connect;
    int64_t skew_seconds;

    struct listen_address address;
    struct prices prices;

    struct guard *guard;
    struct board *board;
    struct events *events;
    struct jobs *jobs;
    struct health *health;
    struct web *web;
    struct link *readings;
    struct live *live;
    struct record_memory memory;
    struct record record;

    int64_t seconds, asked_at; /* ticks so far; that of the last question for a picture */
    atomic_bool asking, got;   /* it is not answered yet; it was, and not told */
    atomic_bool adding;        /* sums are asked for */
    bool want;                 /* a picture soon: a meter is new */
    size_t dropped;            /* events, as last counted */
};

int dashboard_check(void *self);
int dashboard_open(struct dashboard *d) __attribute__((warn_unused_result));
void dashboard_close(struct dashboard *d);

#endif
