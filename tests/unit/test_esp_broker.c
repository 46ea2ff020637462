/* The receiver's task that talks to the broker: what is sent when, and that an update loses
 * nothing. The MQTT client, the ring and the clock are this test's. */
#include "tools.h"

#include <stdbool.h>
#include <stdio.h>

#include "esp8266/main/broker.h"
#include "esp8266/main/pin.h"
#include "esp8266/main/trial.h"
#include "esp8266/main/watch.h"
#include "esp_err.h"
#include "esp_system.h"
#include "esp_timer.h"
#include "freertos/queue.h"
#include "freertos/task.h"
#include "mqtt_client.h"

static struct {
    esp_mqtt_client_config_t client;
    void (*task)(void *arg);
    void *arg;
    jmp_buf end;
    TickType_t now, until; /* ms; the test's end */
    char log[2048];        /* what happened, in words */

    unsigned telegrams, next; /* in the ring: their numbers */
    int acked[8];
    unsigned acks, ids;
    bool silent;       /* the broker acknowledges nothing */
    bool unreachable;  /* no connection comes about */
    unsigned no_start; /* times that the client cannot be started */
    bool runs, connected;
    bool fetch; /* whether it works */
    unsigned passed;
} w;

static const struct fw_settings settings = {.broker = "b",
                                            .port = 1883,
                                            .topic = "t",
                                            .status_topic = "s",
                                            .name = "n",
                                            .update_url = "https://u"};

static void note(const char *what)
{
    strncat(w.log, what, sizeof w.log - strlen(w.log) - 2);
    strcat(w.log, " ");
}

void sdk_abort(void)
{
    abort();
}

void esp_restart(void)
{
    note("restart");
    longjmp(w.end, 1);
}

esp_reset_reason_t esp_reset_reason(void)
{
    return ESP_RST_POWERON;
}

uint32_t esp_get_free_heap_size(void)
{
    return 1;
}

uint32_t esp_get_minimum_free_heap_size(void)
{
    return 1;
}

int64_t esp_timer_get_time(void)
{
    return 1000 * (int64_t)w.now;
}

TickType_t xTaskGetTickCount(void)
{
    return w.now;
}

BaseType_t xTaskCreate(void (*run)(void *arg),
                       const char *name,
                       uint32_t stack,
                       void *arg,
                       uint32_t priority,
                       TaskHandle_t *task)
{
    (void)name;
    (void)stack;
    (void)priority;
    (void)task;
    w.task = run;
    w.arg = arg;
    return pdPASS;
}

QueueHandle_t xQueueCreate(uint32_t length, uint32_t size)
{
    (void)length;
    assert_int_equal(size, sizeof w.acked[0]);
    return (QueueHandle_t)&w.acked;
}

BaseType_t xQueueSend(QueueHandle_t queue, const void *item, TickType_t wait)
{
    (void)queue;
    (void)wait;
    assert_true(w.acks < COUNT(w.acked));
    memcpy(&w.acked[w.acks++], item, sizeof w.acked[0]);
    return pdTRUE;
}

BaseType_t xQueueReceive(QueueHandle_t queue, void *item, TickType_t wait)
{
    (void)queue;
    if (w.acks == 0) {
        w.now += wait;
        return pdFALSE;
    }
    memcpy(item, w.acked, sizeof w.acked[0]);
    memmove(w.acked, w.acked + 1, --w.acks * sizeof w.acked[0]);
    return pdTRUE;
}

static void event(esp_mqtt_event_t e)
{
    e.user_context = w.client.user_context;
    assert_int_equal(w.client.event_handle(&e), ESP_OK);
}

/* Where the task waits for telegrams: a second passes, and the client does its part. */
BaseType_t xSemaphoreTake(SemaphoreHandle_t semaphore, TickType_t wait)
{
    (void)semaphore;
    w.now += wait;
    if (w.now >= w.until)
        longjmp(w.end, 1);
    if (w.runs && !w.connected && !w.unreachable) {
        w.connected = true;
        event((esp_mqtt_event_t){.event_id = MQTT_EVENT_CONNECTED});
    }
    return pdFALSE;
}

esp_mqtt_client_handle_t esp_mqtt_client_init(const esp_mqtt_client_config_t *config)
{
    w.client = *config;
    return (esp_mqtt_client_handle_t)&w.client;
}

esp_err_t esp_mqtt_client_start(esp_mqtt_client_handle_t client)
{
    (void)client;
    assert_false(w.runs);
    if (w.no_start > 0) {
        w.no_start--;
        return ESP_FAIL;
    }
    w.runs = true;
    return ESP_OK;
}

/* As the SDK's: no event comes of it. */
esp_err_t esp_mqtt_client_stop(esp_mqtt_client_handle_t client)
{
    (void)client;
    assert_true(w.runs);
    note("stop");
    w.runs = w.connected = false;
    return ESP_OK;
}

int esp_mqtt_client_subscribe(esp_mqtt_client_handle_t client, const char *topic, int qos)
{
    (void)client;
    assert_string_equal(topic, "s/update");
    return qos;
}

int esp_mqtt_client_publish(esp_mqtt_client_handle_t client,
                            const char *topic,
                            const char *data,
                            int len,
                            int qos,
                            int retain)
{
    char what[64];
    int id = (int)++w.ids;

    (void)client;
    assert_int_equal(len, 0);
    assert_int_equal(qos, 1);
    assert_true(w.connected);
    assert_int_equal(retain, strcmp(topic, "t") != 0);
    snprintf(what, sizeof what, "%s", data);
    if (strcmp(topic, "s/update") == 0)
        snprintf(what, sizeof what, "taken-back%s", data);
    else if (strcmp(topic, "s") == 0)
        what[0] = '\0';
    if (what[0] != '\0')
        note(what);
    if (!w.silent)
        event((esp_mqtt_event_t){.event_id = MQTT_EVENT_PUBLISHED, .msg_id = id});
    return id;
}

static void ask_for_an_update(void)
{
    static char topic[] = "s/update", start[] = "start";

    event((esp_mqtt_event_t){.event_id = MQTT_EVENT_DATA,
                             .topic = topic,
                             .topic_len = (int)strlen(topic),
                             .data = start,
                             .data_len = (int)strlen(start)});
}

struct fw_ring unsent_look(struct unsent *u)
{
    (void)u;
    return (struct fw_ring){.count = w.telegrams};
}

bool unsent_oldest_hex(struct unsent *u, char *text, size_t room, uint32_t *id)
{
    (void)u;
    if (w.telegrams == 0)
        return false;
    snprintf(text, room, "%u", w.next);
    *id = w.next;
    return true;
}

void unsent_release(struct unsent *u, uint32_t id)
{
    (void)u;
    assert_int_equal(id, w.next);
    w.next++;
    w.telegrams--;
}

/* Three minutes, in which two telegrams come. */
bool trial_fetch(const char *url, const char *ca)
{
    assert_string_equal(url, "https://u");
    assert_string_equal(ca, "ca");
    assert_false(w.runs);
    note(w.fetch ? "fetched" : "failed");
    w.now += 180000;
    w.telegrams += 2;
    return w.fetch;
}

void trial_passed(void)
{
    w.passed++;
}

void pin_use(const uint8_t sha256[32])
{
    (void)sha256;
}

void watch_step(enum watched which)
{
    (void)which;
}

void meter_status(const struct meter *m, struct fw_status *s)
{
    (void)m;
    s->line = "2400 8E1";
}

bool net_up(const struct net *n)
{
    (void)n;
    return true;
}

uint32_t net_reconnects(const struct net *n)
{
    (void)n;
    return 0;
}

int32_t net_rssi(void)
{
    return -60;
}

void board_show(struct board *b, enum board_light light)
{
    (void)b;
    (void)light;
}

static int begin(void **state)
{
    static struct unsent unsent;

    (void)state;
    memset(&w, 0, sizeof w);
    w.fetch = true;
    broker_begin(&(struct broker_parts){.settings = &settings, .ca = "ca", .unsent = &unsent});
    return 0;
}

static int end(void **state)
{
    (void)state;
    free(w.arg);
    return 0;
}

/* So many seconds of the task, from the top of its loop. */
static void run(unsigned seconds)
{
    w.until = w.now + seconds * 1000;
    if (setjmp(w.end) == 0)
        w.task(w.arg);
}

static void telegrams_leave_when_they_are_acknowledged(void **state)
{
    (void)state;
    w.telegrams = 2;
    run(10);
    assert_string_equal(w.log, "online 0 1 ");
    assert_int_equal(w.passed, 1);
    w.silent = true;
    w.telegrams = 1;
    run(30);
    assert_string_equal(w.log, "online 0 1 2 2 ");
    assert_int_equal(w.telegrams, 1);
    w.silent = false;
    run(10);
    assert_string_equal(w.log, "online 0 1 2 2 2 ");
    assert_int_equal(w.telegrams, 0);
}

static void an_update_loses_nothing(void **state)
{
    (void)state;
    w.telegrams = 1;
    run(5);
    ask_for_an_update();
    run(300);
    assert_string_equal(
        w.log, "online 0 taken-back offline stop fetched online 1 2 offline stop restart ");
    assert_int_equal(w.telegrams, 0);
}

/* It would cost what is in the ring. */
static void an_update_waits_for_the_ring(void **state)
{
    (void)state;
    run(5);
    w.silent = true;
    w.telegrams = 1;
    ask_for_an_update();
    run(50);
    assert_null(strstr(w.log, "fetched"));
    w.silent = false;
    run(300);
    assert_non_null(strstr(w.log, "0 taken-back offline stop fetched "));
    assert_int_equal(w.telegrams, 0);
}

static void the_broker_does_not_come_back(void **state)
{
    TickType_t begun;

    (void)state;
    run(5);
    ask_for_an_update();
    w.unreachable = true;
    begun = w.now;
    run(1000);
    assert_string_equal(w.log, "online taken-back offline stop fetched restart ");
    assert_in_range(w.now - begun, 180000 + 120000, 180000 + 125000);
}

static void a_failed_update(void **state)
{
    (void)state;
    run(5);
    w.fetch = false;
    w.no_start = 3; /* nor is there memory for the client at first */
    ask_for_an_update();
    run(300);
    assert_string_equal(w.log, "online taken-back offline stop failed online 0 1 ");
    assert_int_equal(w.telegrams, 0);
}

static void asked_for_twice(void **state)
{
    (void)state;
    run(5);
    ask_for_an_update();
    w.unreachable = true;
    run(200);
    w.unreachable = false;
    ask_for_an_update();
    run(60);
    assert_string_equal(w.log,
                        "online taken-back offline stop fetched online 0 1 offline stop restart ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(telegrams_leave_when_they_are_acknowledged, begin, end),
        cmocka_unit_test_setup_teardown(an_update_loses_nothing, begin, end),
        cmocka_unit_test_setup_teardown(an_update_waits_for_the_ring, begin, end),
        cmocka_unit_test_setup_teardown(the_broker_does_not_come_back, begin, end),
        cmocka_unit_test_setup_teardown(a_failed_update, begin, end),
        cmocka_unit_test_setup_teardown(asked_for_twice, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
