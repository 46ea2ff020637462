/* mqtt_client: what the files of mqtt share, paho's part; nobody else includes it. */
#ifndef MQTT_CLIENT_H
#define MQTT_CLIENT_H

#include <MQTTAsync.h>
#include <stdatomic.h>

#include "mqtt.h"

struct mqtt {
    MQTTAsync client;
    const struct mqtt_conf *conf;
    struct mqtt_handler handler;
    const char *const *filters;
    const char *will_topic, *will_payload;
    bool persistent;
    bool v5;
    bool held;
    atomic_bool connected;
    atomic_bool subscribed;
    atomic_bool refused;      /* the subscription, on this connection */
    atomic_uint unsubscribed; /* answers to UNSUBSCRIBE */
    atomic_int pending;       /* messages that paho has not sent, on this connection */
    uint32_t expiry_seconds;
    atomic_bool trying; /* an attempt is under way */
    atomic_bool busy;   /* an attempt is under way, or the connection stands */
    int64_t next_ms;    /* when the next attempt may start */
    int64_t backoff_ms;
};

enum { MQTT_WHY_CHARS = 200 };

/** The certificates for an attempt; they live as long as m->conf. */
void mqtt_tls_options(const struct mqtt *m, MQTTAsync_SSLOptions *ssl);

/**
 * Why an attempt with TLS failed, in words that a person can act on: asks the broker anew, for at
 * most some seconds, so only from paho's thread. Returns them, in why or constant; or `other`,
 * paho's words, when TLS is not the reason.
 */
const char *mqtt_tls_why(const struct mqtt_conf *conf, const char *other, char why[MQTT_WHY_CHARS]);

#endif
