/* mqtt: the connection, and what comes over it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "mqtt_client.h"

enum {
    KEEP_ALIVE_SECONDS = 30,
    CONNECT_SECONDS = 10,
    BACKOFF_FIRST_MS = 1000,
    BACKOFF_MAX_MS = 30000,
    QUEUE_MAX = 10000,
    AHEAD_MAX_MS = 600000, /* of a stated arrival */
    TLS_PORT = 8883,
    PACKET_MAX = 1024 * 1024, /* a larger message stays at the broker, which drops it */
};

static void tell(struct mqtt *m, bool connected, const char *reason)
{
    if (m->handler.state != NULL)
        m->handler.state(m->handler.arg, connected, reason == NULL ? "" : reason);
}

int64_t mqtt_arrival(const char *text, size_t len, int64_t now_ms)
{
    int64_t ms = 0;

    if (len == 0 || len > 16)
        return -1;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        ms = ms * 10 + (text[i] - '0');
    }
    return ms > 0 && ms <= now_ms + AHEAD_MAX_MS ? ms : -1;
}

static bool is_arrival(const MQTTProperty *p)
{
    return p->identifier == MQTTPROPERTY_CODE_USER_PROPERTY &&
           p->value.data.len == (int)strlen(MQTT_ARRIVAL_PROPERTY) &&
           memcmp(p->value.data.data, MQTT_ARRIVAL_PROPERTY, strlen(MQTT_ARRIVAL_PROPERTY)) == 0;
}

/* The arrival that a message states once, or -1. */
static int64_t stated_arrival(const MQTTProperties *properties)
{
    const MQTTProperty *found = NULL;

    for (int i = 0; i < properties->count; i++) {
        if (!is_arrival(&properties->array[i]))
            continue;
        if (found != NULL)
            return -1;
        found = &properties->array[i];
    }
    return found == NULL ? -1
                         : mqtt_arrival(found->value.value.data, (size_t)found->value.value.len,
                                        clock_utc_ms());
}

static int on_message(void *arg, char *topic, int topic_len, MQTTAsync_message *message)
{
    struct mqtt *m = arg;
    char *copy = NULL;

    if (topic_len > 0) { /* it holds NULs: paho gives the length then */
        copy = calloc(1, (size_t)topic_len + 1);
        for (int i = 0; copy != NULL && i < topic_len; i++)
            copy[i] = (char)(topic[i] == '\0' ? '?' : topic[i]);
    }
    if (m->handler.message != NULL)
        m->handler.message(m->handler.arg, copy != NULL ? copy : topic, message->payload,
                           (size_t)message->payloadlen,
                           m->v5 ? stated_arrival(&message->properties) : -1);
    free(copy);
    MQTTAsync_freeMessage(&message);
    MQTTAsync_free(topic);
    return 1; /* 0 would park the message in paho's memory and acknowledge it all the same */
}

static void fell(struct mqtt *m, const char *reason)
{
    m->connected = m->subscribed = false;
    tell(m, false, reason);
    m->busy = false;
}

static void on_lost(void *arg, char *cause)
{
    fell(arg, cause == NULL || *cause == '\0' ? "connection lost" : cause);
}

/* MQTT 5: the broker says why it will close; connectionLost follows. */
static void on_disconnected(void *arg, MQTTProperties *properties, enum MQTTReasonCodes code)
{
    (void)properties;
    tell(arg, false, MQTTReasonCode_toString(code));
}

static int count_filters(const char *const *filters)
{
    int n = 0;

    while (n < MQTT_FILTERS_MAX && filters[n] != NULL)
        n++;
    return n;
}

static void subscribe_failed(struct mqtt *m, const char *why)
{
    char text[120];

    m->refused = true;
    snprintf(text, sizeof text, "the broker refuses the subscription: %s", why);
    tell(m, false, text);
}

static void on_subscribe_failure(void *arg, MQTTAsync_failureData *data)
{
    subscribe_failed(arg, data->message != NULL ? data->message : "refused");
}

static void on_subscribe_failure5(void *arg, MQTTAsync_failureData5 *data)
{
    subscribe_failed(arg, MQTTReasonCode_toString(data->reasonCode));
}

static void on_subscribed(struct mqtt *m)
{
    m->subscribed = true;
    tell(m, true, "");
}

/* The broker answers for each filter; paho takes the refusal of one among several for success. */
static void on_subscribe_success(void *arg, MQTTAsync_successData *data)
{
    const struct mqtt *m = arg;
    int n = count_filters(m->filters);

    for (int i = 0; n > 1 && i < n; i++)
        if (data->alt.qosList[i] >= 0x80) {
            subscribe_failed(arg, m->filters[i]);
            return;
        }
    on_subscribed(arg);
}

static void on_subscribe_success5(void *arg, MQTTAsync_successData5 *data)
{
    const struct mqtt *m = arg;
    int n = count_filters(m->filters);

    for (int i = 0; n > 1 && i < n && i < data->alt.sub.reasonCodeCount; i++)
        if (data->alt.sub.reasonCodes[i] >= MQTTREASONCODE_UNSPECIFIED_ERROR) {
            subscribe_failed(arg, MQTTReasonCode_toString(data->alt.sub.reasonCodes[i]));
            return;
        }
    on_subscribed(arg);
}

static void subscribe(struct mqtt *m)
{
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    int qos[MQTT_FILTERS_MAX];
    int n = count_filters(m->filters);

    for (int i = 0; i < n; i++)
        qos[i] = 1;
    options.context = m;
    if (m->v5) {
        options.onSuccess5 = on_subscribe_success5;
        options.onFailure5 = on_subscribe_failure5;
    } else {
        options.onSuccess = on_subscribe_success;
        options.onFailure = on_subscribe_failure;
    }
    if (MQTTAsync_subscribeMany(m->client, n, (char *const *)m->filters, qos, &options) != 0)
        subscribe_failed(m, "not sent");
}

/* CONNACK: subscribe whatever the broker says of an old session; it may have lost subscriptions. */
static void on_connected(void *arg, char *cause)
{
    struct mqtt *m = arg;

    (void)cause;
    m->trying = false;
    m->refused = false;
    m->pending = 0;
    m->connected = true;
    m->backoff_ms = BACKOFF_FIRST_MS;
    if (m->filters != NULL)
        subscribe(m);
    else
        on_subscribed(m);
}

/* paho calls this for a connection that stood, too, when it falls: on_lost has told that. */
static void refused(struct mqtt *m, const char *why)
{
    if (!m->trying)
        return;
    m->trying = false;
    tell(m, false, why);
    m->busy = false;
}

/* There was no CONNACK: TLS, or the lack of it, may be the reason. */
static void unanswered(struct mqtt *m, const char *words)
{
    char why[MQTT_WHY_CHARS];

    if (!m->trying)
        return;
    if (m->conf->tls)
        words = mqtt_tls_why(m->conf, words, why);
    else if (m->conf->port == TLS_PORT)
        words = "no answer: this is the usual port of TLS, and MQTT_TLS is 0";
    refused(m, words);
}

/* A positive code is the broker's CONNACK; paho's message then says no more than that. */
static void on_connect_failure(void *arg, MQTTAsync_failureData *data)
{
    static const char *const connack[] = {[1] = "the broker does not speak this MQTT version",
                                          [2] = "the broker refuses the client id",
                                          [3] = "the broker is unavailable",
                                          [4] = "bad user name or password",
                                          [5] = "not authorized"};
    char text[80];

    snprintf(text, sizeof text, "refused, code %d", data->code);
    if (data->code > 0 && (size_t)data->code < sizeof connack / sizeof connack[0])
        refused(arg, connack[data->code]);
    else if (data->code > 0)
        refused(arg, text);
    else
        unanswered(arg, data->message != NULL ? data->message : text);
}

static void on_connect_failure5(void *arg, MQTTAsync_failureData5 *data)
{
    if (data->code > 0)
        refused(arg, MQTTReasonCode_toString((enum MQTTReasonCodes)data->code));
    else if (data->reasonCode != MQTTREASONCODE_SUCCESS)
        refused(arg, MQTTReasonCode_toString(data->reasonCode));
    else
        unanswered(arg, data->message != NULL ? data->message : "no answer");
}

struct mqtt *mqtt_new(const struct mqtt_conf *conf,
                      const char *client_id,
                      bool persistent,
                      const char *const *filters,
                      const struct mqtt_handler *handler)
{
    MQTTAsync_createOptions options = MQTTAsync_createOptions_initializer5;
    struct mqtt *m = calloc(1, sizeof *m);
    char uri[512];

    if (m == NULL)
        return NULL;
    m->conf = conf;
    m->handler = *handler;
    m->filters = filters;
    m->persistent = persistent;
    m->v5 = strcmp(conf->protocol, "5") == 0;
    m->expiry_seconds = persistent ? 0xFFFFFFFFU : 0;
    m->backoff_ms = BACKOFF_FIRST_MS;
    options.MQTTVersion = m->v5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
    options.maxBufferedMessages = QUEUE_MAX;
    snprintf(uri, sizeof uri, strchr(conf->host, ':') != NULL ? "%s://[%s]:%lld" : "%s://%s:%lld",
             conf->tls ? "ssl" : "tcp", conf->host, (long long)conf->port);
    if (MQTTAsync_createWithOptions(&m->client, uri, client_id, MQTTCLIENT_PERSISTENCE_NONE, NULL,
                                    &options) != 0 ||
        MQTTAsync_setCallbacks(m->client, m, on_lost, on_message, NULL) != 0 ||
        MQTTAsync_setConnected(m->client, m, on_connected) != 0 ||
        (m->v5 && MQTTAsync_setDisconnected(m->client, m, on_disconnected) != 0)) {
        mqtt_free(m, 0);
        return NULL;
    }
    return m;
}

/* Connect properties of MQTT 5: the session never expires; what we cannot hold is not sent. */
static void add_properties(const struct mqtt *m, MQTTProperties *properties)
{
    MQTTProperty expiry = {.identifier = MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL,
                           .value.integer4 = m->expiry_seconds};
    MQTTProperty packet = {.identifier = MQTTPROPERTY_CODE_MAXIMUM_PACKET_SIZE,
                           .value.integer4 = PACKET_MAX};

    MQTTProperties_add(properties, &expiry);
    MQTTProperties_add(properties, &packet);
}

static int start(struct mqtt *m)
{
    MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
    MQTTAsync_connectOptions v3 = MQTTAsync_connectOptions_initializer;
    MQTTAsync_connectOptions v5 = MQTTAsync_connectOptions_initializer5;
    MQTTAsync_connectOptions options = m->v5 ? v5 : v3;
    MQTTAsync_SSLOptions ssl = MQTTAsync_SSLOptions_initializer;
    MQTTProperties properties = MQTTProperties_initializer;
    int rc;

    options.keepAliveInterval = KEEP_ALIVE_SECONDS;
    options.connectTimeout = CONNECT_SECONDS;
    options.maxInflight = 65535;
    options.context = m;
    if (m->v5) {
        options.cleanstart = !m->persistent;
        options.connectProperties = &properties;
        add_properties(m, &properties);
        options.onFailure5 = on_connect_failure5;
    } else {
        options.MQTTVersion = MQTTVERSION_3_1_1;
        options.cleansession = !m->persistent;
        options.onFailure = on_connect_failure;
    }
    if (m->will_topic != NULL) {
        will.topicName = m->will_topic;
        will.message = m->will_payload;
        will.qos = 1;
        will.retained = 1;
        options.will = &will;
    }
    if (m->conf->user[0] != '\0')
        options.username = m->conf->user;
    if (m->conf->password[0] != '\0')
        options.password = m->conf->password;
    if (m->conf->tls) {
        mqtt_tls_options(m, &ssl);
        options.ssl = &ssl;
    }
    rc = MQTTAsync_connect(m->client, &options);
    MQTTProperties_free(&properties);
    return rc;
}

void mqtt_step(struct mqtt *m, int64_t now_ms)
{
    if (m->held && m->connected)
        mqtt_hold(m, true); /* an attempt was under way, or the last disconnect failed */
    if (m->held || m->busy || now_ms < m->next_ms)
        return;
    m->busy = m->trying = true;
    m->next_ms = now_ms + m->backoff_ms;
    m->backoff_ms = m->backoff_ms * 2 < BACKOFF_MAX_MS ? m->backoff_ms * 2 : BACKOFF_MAX_MS;
    if (start(m) != 0)
        refused(m, "the connection could not be started");
}

void mqtt_hold(struct mqtt *m, bool hold)
{
    MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer;

    m->held = hold;
    if (hold && m->connected && MQTTAsync_disconnect(m->client, &options) == 0)
        fell(m, "held back");
}

bool mqtt_connected(const struct mqtt *m)
{
    return m->connected;
}

void mqtt_expire(struct mqtt *m, uint32_t seconds)
{
    m->expiry_seconds = seconds;
}

void mqtt_will(struct mqtt *m, const char *topic, const char *payload)
{
    m->will_topic = topic;
    m->will_payload = payload;
}

bool mqtt_subscribed(const struct mqtt *m)
{
    return m->subscribed;
}

bool mqtt_refused(const struct mqtt *m)
{
    return m->connected && m->refused;
}

static void on_unsubscribe_success(void *arg, MQTTAsync_successData *data)
{
    struct mqtt *m = arg;

    (void)data;
    m->unsubscribed++;
}

static void on_unsubscribe_success5(void *arg, MQTTAsync_successData5 *data)
{
    struct mqtt *m = arg;

    (void)data;
    m->unsubscribed++;
}

int mqtt_unsubscribe(struct mqtt *m, const char *const *filters, int timeout_ms)
{
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    unsigned before = m->unsubscribed;
    int n = count_filters(filters);

    options.context = m;
    if (m->v5)
        options.onSuccess5 = on_unsubscribe_success5;
    else
        options.onSuccess = on_unsubscribe_success;
    if (n == 0)
        return 0;
    if (!m->connected ||
        MQTTAsync_unsubscribeMany(m->client, n, (char *const *)filters, &options) != 0)
        return -ENOTCONN;
    for (int waited = 0; waited < timeout_ms && m->unsubscribed == before && m->connected;
         waited += 10)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    return m->unsubscribed != before ? 0 : m->connected ? -ETIMEDOUT : -ENOTCONN;
}

void mqtt_free(struct mqtt *m, int timeout_ms)
{
    MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer;

    if (m == NULL)
        return;
    m->handler.state = NULL; /* an end that is wanted is no trouble */
    if (m->client != NULL) {
        options.timeout = timeout_ms;
        if (m->connected && MQTTAsync_disconnect(m->client, &options) == 0)
            for (int waited = 0; waited < timeout_ms && MQTTAsync_isConnected(m->client);
                 waited += 10)
                nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        MQTTAsync_destroy(&m->client);
    }
    free(m);
}

/* Both may be filters: + and # on either side match what they could stand for. */
bool mqtt_filter_matches(const char *filter, const char *topic)
{
    for (;; filter++, topic++) {
        size_t f = strcspn(filter, "/"), t = strcspn(topic, "/");
        bool wild = (f == 1 && *filter == '+') || (t == 1 && *topic == '+');

        if ((f == 1 && *filter == '#') || (t == 1 && *topic == '#'))
            return true;
        if (!wild && (f != t || memcmp(filter, topic, f) != 0))
            return false;
        filter += f;
        topic += t;
        if (*filter == '\0' || *topic == '\0')
            break;
    }
    return (*filter == '\0' || strcmp(filter, "/#") == 0) &&
           (*topic == '\0' || strcmp(topic, "/#") == 0);
}
