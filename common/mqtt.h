/* mqtt: one connection to the broker that comes back by itself (paho MQTTAsync). */
#ifndef MQTT_H
#define MQTT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Where the broker is; a part of a service's configuration (MQTT_OPTIONS in conf.h). */
struct mqtt_conf {
    char *host;
    int64_t port;
    char *user;     /* "" for none */
    char *password; /* "" for none */
    char *protocol; /* "5" or "3.1.1" */
    bool tls;
    char *ca_file; /* "" for the system's certificates */
};

#define MQTT_FILTERS_MAX 64

/** The calls that paho makes, from its own threads. Any may be NULL. */
struct mqtt_handler {
    /**
     * One message arrived. With QoS 1 it is acknowledged to the broker when this returns, so what
     * must not be lost is safe before that. The views live until the return.
     */
    void (*message)(void *arg, const char *topic, const void *payload, size_t len);

    /** The connection came (true) or went (false); reason is "" or paho's words. */
    void (*state)(void *arg, bool connected, const char *reason);
    void *arg;
};

struct mqtt;

/**
 * Prepare a client. Nothing happens on the network before mqtt_step.
 *
 * client_id  fixed for a session that shall outlive the process; persistent: keep that session
 *            (clean start 0, expiry never).
 * filters    at most MQTT_FILTERS_MAX, subscribed with QoS 1 after every CONNACK; NULL-terminated;
 * NULL for none. Kept by reference. Returns NULL out of memory or when paho refuses.
 */
struct mqtt *mqtt_new(const struct mqtt_conf *conf,
                      const char *client_id,
                      bool persistent,
                      const char *const *filters,
                      const struct mqtt_handler *handler);

/**
 * Start a connection attempt when there is none and its back-off (1 s to 30 s) has passed. Call it
 * about four times a second, with a monotonic clock. Never blocks on the network.
 */
void mqtt_step(struct mqtt *m, int64_t now_ms);

bool mqtt_connected(const struct mqtt *m);

/**
 * Hand one message to paho's sender. Returns 0; -ENOTCONN; -EAGAIN when its queue is full. Delivery
 * with QoS 1 goes on in the background; nothing is kept over a lost connection.
 */
int mqtt_publish(
    struct mqtt *m, const char *topic, const void *payload, size_t len, int qos, bool retain)
    __attribute__((warn_unused_result));

/** Disconnect within timeout_ms (letting what is queued go out) and free; NULL is fine. */
void mqtt_free(struct mqtt *m, int timeout_ms);

/** True when an MQTT topic filter (with + and #) matches a topic, or could match another filter. */
bool mqtt_filter_matches(const char *filter, const char *topic);

#endif
