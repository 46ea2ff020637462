#include "broker.h"

#include <stdlib.h>
#include <string.h>

#include "esp_log.h"
#include "esp_system.h"
#include "esp_timer.h"
#include "freertos/queue.h"
#include "freertos/task.h"
#include "mqtt_client.h"

#include "fw_join.h"
#include "fw_text.h"
#include "pin.h"
#include "trial.h"
#include "watch.h"

enum {
    ACK_MS = 20000, /* less than the 30 s after which the client forgets what it sent */
    IDLE_MS = 1000,
    STATUS_MS = 60000,
    LAST_MS = 120000, /* for what came while an update was fetched */
    KEEP_ALIVE_S = 30,
    STACK = 3072,
    CLIENT_STACK = 6144, /* a TLS handshake happens in it */
    CLIENT_OCTETS = 1024,
    PRIORITY = 5,
    TOPIC_ROOM = 96,
};

struct broker {
    struct broker_parts parts;
    esp_mqtt_client_handle_t client;
    QueueHandle_t acked;             /* of message ids */
    volatile bool up, fresh, update; /* fresh: connected since the status was sent last */
    volatile uint32_t connects;
    bool stopped;          /* the client: it has to be started again */
    bool fetched;          /* an update: a restart is due */
    TickType_t fetched_at; /* when */
    char online_topic[TOPIC_ROOM], update_topic[TOPIC_ROOM];
    char text[2 * FW_TELEGRAM_MAX + 1]; /* of one message */
};

static const char *reset_reason(void)
{
    switch (esp_reset_reason()) {
    case ESP_RST_POWERON:
        return "power";
    case ESP_RST_EXT:
        return "pin";
    case ESP_RST_SW:
    case ESP_RST_FAST_SW:
        return "restart";
    case ESP_RST_PANIC:
        return "panic";
    case ESP_RST_INT_WDT:
    case ESP_RST_TASK_WDT:
    case ESP_RST_WDT:
        return "watchdog";
    case ESP_RST_BROWNOUT:
        return "brownout";
    default:
        return "unknown";
    }
}

static void take_message(struct broker *b, const esp_mqtt_event_t *e)
{
    static const char start[] = "start";

    if (e->topic_len == (int)strlen(b->update_topic) &&
        memcmp(e->topic, b->update_topic, (size_t)e->topic_len) == 0 &&
        e->data_len == (int)strlen(start) && memcmp(e->data, start, strlen(start)) == 0)
        b->update = true;
}

static esp_err_t on_event(esp_mqtt_event_handle_t e)
{
    struct broker *b = e->user_context;

    watch_step(WATCH_MQTT);
    if (e->event_id == MQTT_EVENT_CONNECTED) {
        b->connects++;
        b->up = b->fresh = true;
        board_show(b->parts.board, BOARD_RUNNING);
    } else if (e->event_id == MQTT_EVENT_DISCONNECTED) {
        b->up = false;
        if (net_up(b->parts.net))
            board_show(b->parts.board, BOARD_NO_MQTT);
    } else if (e->event_id == MQTT_EVENT_PUBLISHED) {
        (void)xQueueSend(b->acked, &e->msg_id, 0);
    } else if (e->event_id == MQTT_EVENT_DATA) {
        take_message(b, e);
    }
    return ESP_OK;
}

/* True when the broker has acknowledged this message in time. */
static bool wait_for_ack(struct broker *b, int id)
{
    TickType_t begun = xTaskGetTickCount(), patience = pdMS_TO_TICKS(ACK_MS), past;
    int got;

    while (b->up && (past = xTaskGetTickCount() - begun) < patience) {
        TickType_t left = patience - past, some = pdMS_TO_TICKS(IDLE_MS);

        watch_step(WATCH_BROKER);
        if (xQueueReceive(b->acked, &got, left < some ? left : some) == pdTRUE && got == id)
            return true;
    }
    return false;
}

/* One message with QoS 1; true when it is with the broker. */
static bool deliver(struct broker *b, const char *topic, bool retain)
{
    int id = esp_mqtt_client_publish(b->client, topic, b->text, 0, 1, retain);

    return id >= 0 && wait_for_ack(b, id);
}

static bool send_status(struct broker *b)
{
    struct fw_ring ring = unsent_look(b->parts.unsent);
    struct fw_status s = {.version = ZW_VERSION,
                          .reset = reset_reason(),
                          .uptime_s = (uint32_t)(esp_timer_get_time() / 1000000),
                          .rssi_dbm = net_rssi(),
                          .wifi_reconnects = net_reconnects(b->parts.net),
                          .mqtt_reconnects = b->connects - 1,
                          .ring = ring.count,
                          .ring_octets = (uint32_t)ring.used,
                          .dropped = ring.dropped,
                          .heap = esp_get_free_heap_size(),
                          .heap_least = esp_get_minimum_free_heap_size()};

    meter_status(b->parts.meter, &s);
    return fw_status_json(&s, b->text, sizeof b->text) > 0 &&
           deliver(b, b->parts.settings->status_topic, true);
}

static bool send_discovery(struct broker *b)
{
    const struct fw_settings *s = b->parts.settings;
    char topic[TOPIC_ROOM];

    for (unsigned i = 0; i < FW_DIAGNOSTICS && s->discovery; i++)
        if (fw_discovery(i, s->name, s->status_topic, ZW_VERSION, topic, sizeof topic, b->text,
                         sizeof b->text) == 0 ||
            !deliver(b, topic, true))
            return false;
    return true;
}

/* What a new connection begins with. */
static bool greet(struct broker *b)
{
    esp_mqtt_client_subscribe(b->client, b->update_topic, 1);
    strcpy(b->text, "online");
    if (!deliver(b, b->online_topic, true) || !send_discovery(b) || !send_status(b))
        return false;
    trial_passed();
    return true;
}

static void send_telegrams(struct broker *b)
{
    uint32_t id;

    while (b->up && unsent_oldest_hex(b->parts.unsent, b->text, sizeof b->text, &id)) {
        if (!deliver(b, b->parts.settings->topic, false))
            return;
        unsent_release(b->parts.unsent, id);
    }
}

static void start_client(struct broker *b)
{
    b->stopped =
        esp_mqtt_client_start(b->client) != ESP_OK; /* no memory: again in the next round */
}

/* Who leaves in order has no last will, and gets no event for it. */
static void stop_client(struct broker *b)
{
    strcpy(b->text, "offline");
    (void)deliver(b, b->online_topic, true);
    esp_mqtt_client_stop(b->client);
    b->up = false;
}

static bool all_sent(const struct broker *b)
{
    return b->up && !b->fresh && unsent_look(b->parts.unsent).count == 0;
}

static void update(struct broker *b)
{
    b->update = false;
    if (b->parts.settings->update_url[0] == '\0' || b->parts.ca == NULL) {
        ESP_LOGE("broker", "an update needs its address and a CA certificate");
        return;
    }
    b->text[0] = '\0'; /* a retained request is taken back, or it would come after each restart */
    if (!deliver(b, b->update_topic, true))
        return;
    stop_client(b); /* memory for a second TLS connection there is none */
    b->fetched = trial_fetch(b->parts.settings->update_url, b->parts.ca);
    b->fetched_at = xTaskGetTickCount();
    start_client(b);
}

/* A restart empties the ring, so what came meanwhile is sent before, if that can be done. */
static void start_update(struct broker *b)
{
    if (!all_sent(b) && xTaskGetTickCount() - b->fetched_at < pdMS_TO_TICKS(LAST_MS))
        return;
    if (b->up)
        stop_client(b);
    esp_restart();
}

static void task(void *arg)
{
    struct broker *b = arg;
    TickType_t told = 0;

    for (;;) {
        watch_step(WATCH_BROKER);
        (void)xSemaphoreTake(b->parts.unsent->more, pdMS_TO_TICKS(IDLE_MS));
        if (b->stopped)
            start_client(b);
        if (b->fetched)
            start_update(b);
        if (!b->up)
            continue;
        if (b->fresh) {
            b->fresh = !greet(b);
            told = xTaskGetTickCount();
        }
        send_telegrams(b);
        if (b->up && xTaskGetTickCount() - told >= pdMS_TO_TICKS(STATUS_MS)) {
            told = xTaskGetTickCount();
            (void)send_status(b);
        }
        if (b->update && !b->fetched && all_sent(b)) /* else it waits */
            update(b);
    }
}

static void name_topic(const struct fw_settings *s, const char *below, char topic[TOPIC_ROOM])
{
    struct fw_text t = fw_text_make(topic, TOPIC_ROOM);

    fw_text_add(&t, s->status_topic);
    fw_text_add(&t, below);
}

static esp_mqtt_client_handle_t make_client(struct broker *b)
{
    const struct fw_settings *s = b->parts.settings;
    uint8_t fingerprint[FW_PIN_LEN];
    bool pinned = s->tls && fw_settings_pin(s, fingerprint);
    const esp_mqtt_client_config_t c = {
        .event_handle = on_event,
        .user_context = b,
        .host = s->broker,
        .port = s->port,
        .transport = s->tls ? MQTT_TRANSPORT_OVER_SSL : MQTT_TRANSPORT_OVER_TCP,
        .cert_pem = s->tls && !pinned ? b->parts.ca : NULL,
        .client_id = s->name,
        .username = s->user[0] == '\0' ? NULL : s->user,
        .password = s->user[0] == '\0' ? NULL : s->password,
        .disable_clean_session = true,
        .keepalive = KEEP_ALIVE_S,
        .lwt_topic = b->online_topic,
        .lwt_msg = "offline",
        .lwt_qos = 1,
        .lwt_retain = true,
        .task_stack = CLIENT_STACK,
        .buffer_size = CLIENT_OCTETS,
    };

    if (pinned)
        pin_use(fingerprint);
    return esp_mqtt_client_init(&c);
}

void broker_begin(const struct broker_parts *parts)
{
    struct broker *b = calloc(1, sizeof *b);

    if (b == NULL)
        abort();
    b->parts = *parts;
    b->acked = xQueueCreate(4, sizeof(int));
    name_topic(parts->settings, "/online", b->online_topic);
    name_topic(parts->settings, "/update", b->update_topic);
    b->client = make_client(b);
    if (b->acked == NULL || b->client == NULL || esp_mqtt_client_start(b->client) != ESP_OK ||
        xTaskCreate(task, "broker", STACK, b, PRIORITY, NULL) != pdPASS)
        abort();
}
