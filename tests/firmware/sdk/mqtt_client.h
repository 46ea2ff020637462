#ifndef MQTT_CLIENT_SDK_H
#define MQTT_CLIENT_SDK_H

#include <stdbool.h>
#include <stdint.h>

#include "esp_err.h"

typedef enum {
    MQTT_EVENT_CONNECTED,
    MQTT_EVENT_DISCONNECTED,
    MQTT_EVENT_PUBLISHED,
    MQTT_EVENT_DATA
} esp_mqtt_event_id_t;

typedef struct {
    esp_mqtt_event_id_t event_id;
    void *user_context;
    char *data;
    int data_len;
    char *topic;
    int topic_len;
    int msg_id;
} esp_mqtt_event_t;

typedef esp_mqtt_event_t *esp_mqtt_event_handle_t;
typedef struct esp_mqtt_client *esp_mqtt_client_handle_t;
typedef enum { MQTT_TRANSPORT_OVER_TCP, MQTT_TRANSPORT_OVER_SSL } esp_mqtt_transport_t;

typedef struct {
    esp_err_t (*event_handle)(esp_mqtt_event_handle_t event);
    void *user_context;
    const char *host;
    uint32_t port;
    esp_mqtt_transport_t transport;
    const char *cert_pem, *client_id, *username, *password;
    bool disable_clean_session;
    int keepalive;
    const char *lwt_topic, *lwt_msg;
    int lwt_qos, lwt_retain, task_stack, buffer_size;
} esp_mqtt_client_config_t;

esp_mqtt_client_handle_t esp_mqtt_client_init(const esp_mqtt_client_config_t *config);
esp_err_t esp_mqtt_client_start(esp_mqtt_client_handle_t client);
esp_err_t esp_mqtt_client_stop(esp_mqtt_client_handle_t client);
int esp_mqtt_client_subscribe(esp_mqtt_client_handle_t client, const char *topic, int qos);
int esp_mqtt_client_publish(esp_mqtt_client_handle_t client,
                            const char *topic,
                            const char *data,
                            int len,
                            int qos,
                            int retain);

#endif
