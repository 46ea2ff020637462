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
    char *ca_file;                   /* "" for the system's certificates */
    char *cert_file, *cert_key_file; /* our own certificate, for brokers that want one; or "" */
};

/**
 * Whether TLS can work: the certificate files are there and fit, and stand beside MQTT_TLS=1.
 * Returns 0, or -EINVAL and logged.
 */
int mqtt_check(const struct mqtt_conf *conf);

#define MQTT_FILTERS_MAX 64

/** User property of MQTT 5 that states a payload's first arrival: ms since 1970 UTC, in decimal. */
#define MQTT_ARRIVAL_PROPERTY "zaehlwerk-arrival"

/** The calls that paho makes, from its own threads. Any may be NULL. */
struct mqtt_handler {
    /**
     * One message arrived. With QoS 1 it is acknowledged to the broker when this returns, so what
     * must not be lost is safe before that. The views live until the return.
     * arrival_ms: the first arrival that the message states, or -1.
     */
    void (*message)(
        void *arg, const char *topic, const void *payload, size_t len, int64_t arrival_ms);

    /** The broker has acknowledged a message of mqtt_replay; refused: NULL, or why it did not take
     * it. */
    void (*acknowledged)(void *arg, const char *refused);

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

/** While held the client stays away from the broker, which keeps its session and queues. */
void mqtt_hold(struct mqtt *m, bool hold);

bool mqtt_connected(const struct mqtt *m);

/**
 * Hand one message to paho's sender. Returns 0; -ENOTCONN; -EAGAIN when its queue is full. Delivery
 * with QoS 1 goes on in the background; nothing is kept over a lost connection.
 */
int mqtt_publish(
    struct mqtt *m, const char *topic, const void *payload, size_t len, int qos, bool retain)
    __attribute__((warn_unused_result));

/**
 * As mqtt_publish, for what is true only for a while: over MQTT 5 the broker forgets the message
 * after so many seconds, a retained one as well as one that waits for a client that is away.
 */
int mqtt_publish_for(struct mqtt *m,
                     const char *topic,
                     const void *payload,
                     size_t len,
                     int qos,
                     bool retain,
                     uint32_t seconds) __attribute__((warn_unused_result));

/**
 * About how many messages of mqtt_publish paho has not sent (QoS 0) or not finished. Each one that
 * waits makes the next mqtt_publish slower: paho walks its list.
 */
int mqtt_pending(const struct mqtt *m);

/**
 * Let the broker publish this, retained and with QoS 1, when a connection ends without a goodbye:
 * one will a client. Before the first mqtt_step; both texts kept by reference.
 */
void mqtt_will(struct mqtt *m, const char *topic, const char *payload);

/** Let the session of a persistent client end so many seconds after the connection (MQTT 5 only;
 * before the first mqtt_step). */
void mqtt_expire(struct mqtt *m, uint32_t seconds);

/** True while connected and, if there are filters, subscribed. */
bool mqtt_subscribed(const struct mqtt *m);

/** True while connected, with the subscription refused: publishing goes on. */
bool mqtt_refused(const struct mqtt *m);

/**
 * End subscriptions of the session, whether it has them or not, at most MQTT_FILTERS_MAX. Waits for
 * the broker's answer. Returns 0; -ENOTCONN; -ETIMEDOUT.
 */
int mqtt_unsubscribe(struct mqtt *m, const char *const *filters, int timeout_ms)
    __attribute__((warn_unused_result));

/**
 * As mqtt_publish with QoS 1, over MQTT 5, stating the payload's first arrival; its acknowledgement
 * comes by the handler. Also -ENOMEM.
 */
int mqtt_replay(struct mqtt *m,
                const char *topic,
                const void *payload,
                size_t len,
                int64_t arrival_ms) __attribute__((warn_unused_result));

/**
 * The arrival that text states, ms since 1970 UTC, or -1: digits alone, after 1970 and no more than
 * 10 minutes after now_ms.
 */
int64_t mqtt_arrival(const char *text, size_t len, int64_t now_ms);

/** Disconnect within timeout_ms (letting what is queued go out) and free; NULL is fine. */
void mqtt_free(struct mqtt *m, int timeout_ms);

/** True when an MQTT topic filter (with + and #) matches a topic, or could match another filter. */
bool mqtt_filter_matches(const char *filter, const char *topic);

#endif
