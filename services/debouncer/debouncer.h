/* debouncer: readings in, the earliest of each window out. */
#ifndef DEBOUNCER_H
#define DEBOUNCER_H

#include "acks.h"
#include "buf.h"
#include "link.h"
#include "record.h"
#include "svc.h"
#include "windows.h"

/** Places of debouncer_metrics. */
enum debouncer_metric {
    DEBOUNCER_READINGS,
    DEBOUNCER_FORWARDED,
    DEBOUNCER_PASSED_OVER,
    DEBOUNCER_DROPPED,
    DEBOUNCER_UNREADABLE,
    DEBOUNCER_METERS,
};

extern const struct metric_def debouncer_metrics[];

struct debouncer {
    struct svc svc;
    int64_t seconds;
    char *debounce_connect;
    char *store_bind;
    char *acks_bind;
    char *acks_connect;

    struct windows *windows;
    struct link *input, *store, *acks_link;
    struct link *committed; /* acks of the db-writers */
    struct acks acks;
    struct record_memory memory;
    struct record record;
    struct buf packed;
};

int debouncer_open(struct debouncer *d) __attribute__((warn_unused_result));
void debouncer_close(struct debouncer *d);

#endif
