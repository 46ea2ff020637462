/* publisher: live readings in, MQTT values out. */
#ifndef PUBLISHER_H
#define PUBLISHER_H

#include "link.h"
#include "live.h"
#include "mqtt.h"
#include "record.h"
#include "svc.h"

/** Places of publisher_metrics. */
enum publisher_metric {
    PUBLISHER_READINGS,
    PUBLISHER_PUBLISHED,
    PUBLISHER_HELD,
    PUBLISHER_UNREADABLE,
};

extern const struct metric_def publisher_metrics[];

struct publisher {
    struct svc svc;
    struct mqtt_conf mqtt_conf;
    char *client_id;
    char *topic;
    char *readings_connect;
    int64_t skew_seconds;

    struct mqtt *mqtt;
    struct link *readings;
    struct live *live;
    struct record_memory memory;
    struct record record;
    char only_meter[METER_ID_CHARS + 1]; /* the one meter of a topic without {meter} or {name} */
};

int publisher_check(void *self);
int publisher_open(struct publisher *p) __attribute__((warn_unused_result));
void publisher_close(struct publisher *p);

#endif
