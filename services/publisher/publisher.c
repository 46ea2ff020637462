#include "publisher.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "log.h"

enum { STEP_MS = 250, TOPIC_SIZE = 512 };

const struct metric_def publisher_metrics[] = {
    [PUBLISHER_READINGS] = {"zaehlwerk_readings_total", METRIC_COUNTER, NULL, "Readings received."},
    [PUBLISHER_PUBLISHED] = {"zaehlwerk_published_total", METRIC_COUNTER, NULL,
                             "Values messages handed to the broker."},
    [PUBLISHER_HELD] = {"zaehlwerk_held_back_total", METRIC_COUNTER, "reason",
                        "Readings not published: not live, no topic for them, or no broker."},
    [PUBLISHER_UNREADABLE] = {"zaehlwerk_unreadable_total", METRIC_COUNTER, NULL,
                              "Messages that are no record of this version."},
    {NULL, METRIC_GAUGE, NULL, NULL},
};

int publisher_check(void *self)
{
    const struct publisher *p = self;

    if (strpbrk(p->topic, "+#") != NULL || *p->topic == '\0')
        return conf_wrong("SMARTMETER_VALUES_MQTT_TOPIC", p->topic,
                          "a topic without + and #; {meter} or {name} tell meters apart");
    return 0;
}

/* A topic without a placeholder belongs to the first meter seen: two would mix their values on it.
 */
static bool has_topic(struct publisher *p, const struct reading *r)
{
    int64_t held;

    if (strstr(p->topic, "{meter}") != NULL || strstr(p->topic, "{name}") != NULL)
        return true;
    if (p->only_meter[0] == '\0')
        memcpy(p->only_meter, r->meter, sizeof p->only_meter);
    if (strcmp(p->only_meter, r->meter) == 0)
        return true;
    if (log_allowed(r->meter, &held))
        log_error("topic", LOG_S("variable", "SMARTMETER_VALUES_MQTT_TOPIC"),
                  LOG_S("wrong", "more than one meter, and no {meter} or {name} in it"),
                  LOG_S("meter", r->meter), LOG_I("suppressed", held));
    return false;
}

static void publish(struct publisher *p)
{
    char topic[TOPIC_SIZE], json[VALUES_JSON_CHARS];
    const struct reading *r = &p->record.reading;

    live_topic(p->topic, r, topic, sizeof topic);
    reading_values_json(r, record_time(&p->record), json);
    if (mqtt_publish(p->mqtt, topic, json, strlen(json), 0, false) != 0) {
        svc_count(&p->svc, PUBLISHER_HELD, "broker", 1);
        return;
    }
    svc_count(&p->svc, PUBLISHER_PUBLISHED, NULL, 1);
    log_debug("published", LOG_S("meter", r->meter), LOG_S("topic", topic));
}

/* A person who wonders where the values are finds out why. */
static void log_clock(const struct record *r)
{
    char what[METER_ID_CHARS + 8];
    int64_t held;

    snprintf(what, sizeof what, "clock %s", r->reading.meter);
    if (log_allowed(what, &held))
        log_warn("not live", LOG_S("reason", "the meter's time is far from the arrival"),
                 LOG_S("meter", r->reading.meter),
                 LOG_I("seconds", record_time(r) - r->arrival_ms / 1000),
                 LOG_S("hint", "LIVE_SKEW_SECONDS=0 shows it"), LOG_I("suppressed", held));
}

static void take_reading(struct publisher *p)
{
    enum live_verdict v;

    svc_count(&p->svc, PUBLISHER_READINGS, NULL, 1);
    if (!has_topic(p, &p->record.reading)) {
        svc_count(&p->svc, PUBLISHER_HELD, "topic", 1);
        return;
    }
    v = live_judge(p->live, &p->record, clock_utc_ms());
    if (v == LIVE)
        publish(p);
    else
        svc_count(&p->svc, PUBLISHER_HELD, live_name(v), 1);
    if (v == LIVE_CLOCK)
        log_clock(&p->record);
}

static bool
on_reading(void *arg, const uint8_t *topic, size_t topic_len, const uint8_t *octets, size_t len)
{
    struct publisher *p = arg;
    size_t at = 0;
    int rc = record_unpack(octets, len, &at, &p->record, &p->memory);

    (void)topic;
    (void)topic_len;
    if (rc == 0 && p->record.type == RECORD_READING) {
        take_reading(p);
    } else {
        svc_count(&p->svc, PUBLISHER_UNREADABLE, NULL, 1);
        log_unreadable("readings", rc);
    }
    return true;
}

static void on_mqtt_state(void *arg, bool connected, const char *reason)
{
    struct publisher *p = arg;

    svc_state(&p->svc, "broker", connected, reason);
}

static void on_step(void *arg)
{
    struct publisher *p = arg;

    mqtt_step(p->mqtt, clock_monotonic_ms());
}

int publisher_open(struct publisher *p)
{
    const struct mqtt_handler handler = {.state = on_mqtt_state, .arg = p};
    const struct link_consumer consumer = {on_reading, NULL, p};
    int rc;

    p->live = live_new(p->skew_seconds);
    p->mqtt = mqtt_new(&p->mqtt_conf, p->client_id, false, NULL, &handler);
    if (p->live == NULL || p->mqtt == NULL)
        return -ENOMEM;
    rc = link_connect(&p->svc, LINK_TOPICS, "READINGS_CONNECT", p->readings_connect, &consumer,
                      &p->readings);
    if (rc == 0)
        rc = link_subscribe(p->readings, "reading.", strlen("reading."));
    if (rc == 0)
        rc = svc_every(&p->svc, STEP_MS, on_step, p);
    return rc;
}

void publisher_close(struct publisher *p)
{
    link_free(p->readings);
    mqtt_free(p->mqtt, 1000);
    live_free(p->live);
    record_memory_free(&p->memory);
    svc_close(&p->svc, p);
}
