/* mqtt: what is sent. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mqtt_client.h"

static int send_message(struct mqtt *m,
                        const char *topic,
                        const MQTTAsync_message *message,
                        MQTTAsync_responseOptions *response)
{
    if (!m->connected)
        return -ENOTCONN;
    switch (MQTTAsync_sendMessage(m->client, topic, message, response)) {
    case MQTTASYNC_SUCCESS:
        return 0;
    case MQTTASYNC_DISCONNECTED:
        return -ENOTCONN;
    default:
        return -EAGAIN;
    }
}

static void on_sent(void *arg, MQTTAsync_successData *data)
{
    (void)data;
    ((struct mqtt *)arg)->pending--;
}

static void on_unsent(void *arg, MQTTAsync_failureData *data)
{
    (void)data;
    ((struct mqtt *)arg)->pending--;
}

static void on_sent5(void *arg, MQTTAsync_successData5 *data)
{
    (void)data;
    ((struct mqtt *)arg)->pending--;
}

static void on_unsent5(void *arg, MQTTAsync_failureData5 *data)
{
    (void)data;
    ((struct mqtt *)arg)->pending--;
}

static MQTTAsync_responseOptions counted(struct mqtt *m)
{
    MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;

    response.context = m;
    if (m->v5) {
        response.onSuccess5 = on_sent5;
        response.onFailure5 = on_unsent5;
    } else {
        response.onSuccess = on_sent;
        response.onFailure = on_unsent;
    }
    return response;
}

int mqtt_publish_for(struct mqtt *m,
                     const char *topic,
                     const void *payload,
                     size_t len,
                     int qos,
                     bool retain,
                     uint32_t seconds)
{
    MQTTAsync_message message = MQTTAsync_message_initializer;
    MQTTAsync_responseOptions response = counted(m);
    MQTTProperty expiry = {.identifier = MQTTPROPERTY_CODE_MESSAGE_EXPIRY_INTERVAL,
                           .value.integer4 = seconds};
    int rc;

    message.payload = (void *)payload;
    message.payloadlen = (int)len;
    message.qos = qos;
    message.retained = retain;
    if (m->v5 && seconds > 0 && MQTTProperties_add(&message.properties, &expiry) != 0)
        return -ENOMEM;
    m->pending++;
    rc = send_message(m, topic, &message, &response); /* it carries the properties */
    if (rc != 0)
        m->pending--;
    MQTTProperties_free(&message.properties);
    return rc;
}

int mqtt_publish(
    struct mqtt *m, const char *topic, const void *payload, size_t len, int qos, bool retain)
{
    return mqtt_publish_for(m, topic, payload, len, qos, retain, 0);
}

int mqtt_pending(const struct mqtt *m)
{
    return m->pending;
}

/* Codes below 128; paho 1.3.12 tells none of them apart, so not 16 either: no subscriber. */
static void on_acknowledged(void *arg, MQTTAsync_successData5 *data)
{
    struct mqtt *m = arg;

    (void)data;
    m->handler.acknowledged(m->handler.arg, NULL);
}

static void on_not_acknowledged(void *arg, MQTTAsync_failureData5 *data)
{
    struct mqtt *m = arg;

    m->handler.acknowledged(m->handler.arg, data->reasonCode != MQTTREASONCODE_SUCCESS
                                                ? MQTTReasonCode_toString(data->reasonCode)
                                            : data->message != NULL ? data->message
                                                                    : "not delivered");
}

int mqtt_replay(
    struct mqtt *m, const char *topic, const void *payload, size_t len, int64_t arrival_ms)
{
    MQTTAsync_message message = MQTTAsync_message_initializer;
    MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
    char name[] = MQTT_ARRIVAL_PROPERTY, text[24];
    MQTTProperty arrival = {.identifier = MQTTPROPERTY_CODE_USER_PROPERTY};
    int rc;

    snprintf(text, sizeof text, "%lld", (long long)arrival_ms);
    arrival.value.data = (MQTTLenString){(int)strlen(name), name};
    arrival.value.value = (MQTTLenString){(int)strlen(text), text};
    message.payload = (void *)payload;
    message.payloadlen = (int)len;
    message.qos = 1;
    response.context = m;
    response.onSuccess5 = on_acknowledged;
    response.onFailure5 = on_not_acknowledged;
    if (MQTTProperties_add(&message.properties, &arrival) != 0)
        return -ENOMEM;
    rc = send_message(m, topic, &message, &response);
    MQTTProperties_free(&message.properties);
    return rc;
}
