/* publisher: live readings in, MQTT values out. */
#ifndef PUBLISHER_H
#define PUBLISHER_H

#include <stdatomic.h>

#include "gate.h"
#include "link.h"
#include "live.h"
#include "mailbox.h"
#include "meters.h"
#include "mqtt.h"
#include "names.h"
#include "record.h"
#include "silence.h"
#include "svc.h"

/** Places of publisher_metrics. */
enum publisher_metric {
    PUBLISHER_READINGS,
    PUBLISHER_PUBLISHED,
    PUBLISHER_HELD,
    PUBLISHER_UNREADABLE,
    PUBLISHER_REJECTS,
    PUBLISHER_ONLINE,
    PUBLISHER_METERS,
    PUBLISHER_SILENT,
    PUBLISHER_LATENCY,
    PUBLISHER_LAST,
    PUBLISHER_POWER,
};

extern const struct metric_def publisher_metrics[];

enum { PUBLISHER_TOPIC_SIZE = 512 };

struct publisher {
    struct svc svc;
    struct mqtt_conf mqtt_conf;
    char *client_id;
    char *topic;
    char *topics; /* "both", "json" or "fields" */
    char *when;   /* "every" or "change" */
    bool retain, discovery, per_meter;
    int64_t qos, min_seconds, offline_seconds;
    char *publisher_topic;
    char *timezone;
    char *discovery_prefix;
    char *readings_connect;
    int64_t skew_seconds;

    struct mqtt *mqtt;
    struct mailbox *mailbox;
    struct link *readings;
    struct live *live;
    struct meters *meters;
    struct silence *silence;
    struct gate_rule rule;
    struct record_memory memory;
    struct record record;
    struct names *owners; /* of values topics: the meter's id, char[METER_ID_CHARS + 1] */

    bool tells; /* the values topic tells meters apart */
    char totals_filter[PUBLISHER_TOPIC_SIZE + 16];
    char birth_topic[PUBLISHER_TOPIC_SIZE];
    char status_topic[PUBLISHER_TOPIC_SIZE + 16]; /* of the last will */
    const char *filters[3];
    atomic_bool came; /* the connection, since the loop looked last */
    bool owes_status;
    int64_t subscribed_ms; /* since when retained totals could be heard; 0: not yet */
    int64_t looked_ms;
};

int publisher_check(void *self);
int publisher_open(struct publisher *p) __attribute__((warn_unused_result));
void publisher_close(struct publisher *p);

/* announce.c: what is retained: who is online, what Home Assistant is told, totals' state. */

/** Settle on topics and filters; before mqtt_new. */
void announce_open(struct publisher *p);

/** A message that the publisher subscribes to. */
void announce_letter(struct publisher *p, const struct letter *letter);

/** The connection has come: everything is owed again. */
void announce_all(struct publisher *p);

/** Say what is owed of the publisher itself and, as far as the queue takes it, of all meters. */
void announce_step(struct publisher *p, int64_t now_ms);

/** Say what is owed of one meter. */
void announce_meter(struct publisher *p, struct meter *meter, int64_t now_ms);

/** The meter's readings come on another topic from now on. */
void announce_gone(struct publisher *p, const char *topic);

/** An orderly stop: all are offline, totals are saved. */
void announce_stop(struct publisher *p);

/** True when fields have topics of their own. */
bool publisher_has_fields(const struct publisher *p);

#endif
