/* mqtt_ingest: an ingest whose payloads come from the broker, and its place among its replicas. */
#ifndef MQTT_INGEST_H
#define MQTT_INGEST_H

#include "ingest.h"
#include "mqtt.h"
#include "retire.h"
#include "slots.h"

/** Places of mqtt_ingest_metrics behind those of every ingest. */
enum { INGEST_ORPHANS = INGEST_OWN, INGEST_UNSERVED };

extern const struct metric_def mqtt_ingest_metrics[];
extern const struct conf_option mqtt_ingest_options[];
extern const struct svc_info mqtt_ingest_info;

struct neighbour {
    bool seen; /* in trouble at the last look */
    int64_t warned_ms;
};

/** What is known of the other slots. */
struct neighbours {
    int64_t next_ms;
    bool noted;      /* that the slot's filters are subscribed */
    char **leftover; /* filters of earlier settings that the session still has */
    struct neighbour list[SLOTS_MAX];
};

struct mqtt_ingest {
    struct ingest ingest;
    struct mqtt_conf mqtt_conf;
    char *client_id;
    char *raw_topics;
    char *values_topic;
    struct slots_conf slots;

    struct retire retire;
    struct slot slot;
    char *session;  /* the client id of the slot */
    char **filters; /* all */
    char **own;     /* those of the slot */
    struct neighbours neighbours;
    struct mqtt *mqtt;
};

/** Refuse settings under which the service would read its own output, or its slots do not fit. */
int mqtt_ingest_check(void *self);

int mqtt_ingest_open(struct mqtt_ingest *i) __attribute__((warn_unused_result));

/** Close all; what is not acknowledged stays in the journal. Takes a zeroed struct. */
void mqtt_ingest_close(struct mqtt_ingest *i);

/** replicas.c: the slot of this ingest, and an eye on those of others. */
int replicas_open(struct mqtt_ingest *i) __attribute__((warn_unused_result));
void replicas_close(struct mqtt_ingest *i);
void replicas_step(struct mqtt_ingest *i, int64_t now_ms);

#endif
