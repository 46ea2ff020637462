/* ingest: MQTT payloads in, telegram records out. */
#ifndef INGEST_H
#define INGEST_H

#include "buf.h"
#include "inbox.h"
#include "link.h"
#include "mqtt.h"
#include "record.h"
#include "svc.h"
#include "topics.h"

/** Places of ingest_metrics. */
enum ingest_metric {
    INGEST_PAYLOADS,
    INGEST_TELEGRAMS,
    INGEST_REJECTS,
    INGEST_INCOMPLETE,
    INGEST_WAITING,
};

extern const struct metric_def ingest_metrics[];

struct ingest {
    struct svc svc;
    struct mqtt_conf mqtt_conf;
    char *client_id;
    char *raw_topics;
    char *values_topic;
    char *streams;
    char *bind;
    int64_t reassembly_ms;
    int64_t window;

    char **filters;
    struct mqtt *mqtt;
    struct link *telegrams;
    struct inbox *inbox;
    struct topics *topics;
    struct buf octets; /* of the payload in work */
    struct record record;
    struct buf packed;
    struct outgoing *first, **last; /* records that no decryptor has taken yet */
    uint64_t seq;
};

/** Refuse settings under which the service would read its own output. */
int ingest_check(void *self);

int ingest_open(struct ingest *i) __attribute__((warn_unused_result));

/** Let what arrived go out for up to two seconds, then close; takes a zeroed struct. */
void ingest_close(struct ingest *i);

#endif
