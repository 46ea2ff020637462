#include "publisher.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "zone.h"

enum { STEP_MS = 250, LOOK_MS = 1000, LETTER_MAX = 4096, CROWD = 2000 };
enum { SETTING_CHARS = 256 }; /* of a setting: a name in it still fits PUBLISHER_TOPIC_SIZE */
enum { SAVE_MS = 60000 };     /* retained at a home broker it is written to an SD card each time */

const struct metric_def publisher_metrics[] = {
    [PUBLISHER_READINGS] = {"zaehlwerk_readings_total", METRIC_COUNTER, NULL, "Readings received."},
    [PUBLISHER_PUBLISHED] = {"zaehlwerk_published_total", METRIC_COUNTER, NULL,
                             "Live readings whose values were handed to the broker."},
    [PUBLISHER_HELD] = {"zaehlwerk_held_back_total", METRIC_COUNTER, "reason",
                        "Readings not published: not live, no topic for them, or no broker."},
    [PUBLISHER_UNREADABLE] = {"zaehlwerk_unreadable_total", METRIC_COUNTER, NULL,
                              "Messages that are no record of this version."},
    [PUBLISHER_REJECTS] = {"zaehlwerk_rejects_heard_total", METRIC_COUNTER, NULL,
                           "Rejects that the decryptors have told of."},
    [PUBLISHER_ONLINE] = {"zaehlwerk_meters_online", METRIC_GAUGE, NULL,
                          "Meters with a live reading within OFFLINE_SECONDS."},
    [PUBLISHER_METERS] = {"zaehlwerk_meters", METRIC_GAUGE, NULL, "Meters heard since the start."},
    [PUBLISHER_SILENT] = {"zaehlwerk_meters_silent", METRIC_GAUGE, NULL,
                          "Of them, those without a telegram for five minutes."},
    [PUBLISHER_LATENCY] = {"zaehlwerk_arrival_to_publish_seconds", METRIC_DURATIONS, NULL,
                           "Time from a live reading's arrival by MQTT until it is handed back."},
    [PUBLISHER_LAST] = {"zaehlwerk_meter_last_arrival_timestamp_seconds", METRIC_GAUGE, "meter",
                        "Arrival of the meter's last telegram, with METRICS_PER_METER=1."},
    [PUBLISHER_POWER] = {"zaehlwerk_meter_power_watts", METRIC_GAUGE, "meter",
                         "Its last live power, positive from the grid, with METRICS_PER_METER=1."},
    {NULL, METRIC_GAUGE, NULL, NULL},
};

static int check_topic(const char *variable, const char *topic, const char *right)
{
    if (strlen(topic) > SETTING_CHARS)
        return conf_wrong(variable, "more than 256 characters", right);
    return *topic == '\0' || strpbrk(topic, "+#") != NULL ? conf_wrong(variable, topic, right) : 0;
}

int publisher_check(void *self)
{
    const struct publisher *p = self;
    int rc = check_topic("SMARTMETER_VALUES_MQTT_TOPIC", p->topic,
                         "a topic without + and #; {meter} or {name} tell meters apart");

    if (rc == 0)
        rc = check_topic("PUBLISHER_STATUS_TOPIC", p->publisher_topic, "a topic without + and #");
    if (rc == 0)
        rc = check_topic("HA_DISCOVERY_PREFIX", p->discovery_prefix,
                         "a topic without + and #, as homeassistant");
    if (rc == 0 && zone_use(p->timezone) != 0)
        rc = conf_wrong("TIMEZONE", p->timezone,
                        "a name of the system's zones, as Europe/Vienna (package tzdata)");
    return rc == 0 ? mqtt_check(&p->mqtt_conf) : rc;
}

bool publisher_has_fields(const struct publisher *p)
{
    return strcmp(p->topics, "json") != 0;
}

/* A topic belongs to the first meter that is live on it: two would mix their values. What is left
 * of a meter that was replaced, and redelivered, takes it from nobody. */
static bool has_topic(struct publisher *p, const struct reading *r, const char *topic)
{
    char *owner = names_add(p->owners, topic);
    int64_t held;

    if (owner == NULL)
        return false;
    if (*owner == '\0')
        memcpy(owner, r->meter, sizeof r->meter);
    if (strcmp(owner, r->meter) == 0)
        return true;
    if (log_allowed(r->meter, &held))
        log_error("topic", LOG_S("variable", "SMARTMETER_VALUES_MQTT_TOPIC"),
                  LOG_S("wrong", p->tells ? "another meter of this name has the topic"
                                          : "more than one meter, and no {meter} or {name} in it"),
                  LOG_S("topic", topic), LOG_S("meter", r->meter), LOG_I("suppressed", held));
    return false;
}

/* One value on its topic, unless its gate is closed. Returns whether nothing went wrong. The first
 * `key` characters are what may change. */
static bool put(struct publisher *p,
                struct meter *m,
                int gate,
                const char *topic,
                const char *text,
                size_t key,
                int64_t now_ms)
{
    if (!gate_is_open(&m->gates[gate], &p->rule, text, key, now_ms))
        return true;
    if (mqtt_publish_for(p->mqtt, topic, text, strlen(text), (int)p->qos, p->retain,
                         (uint32_t)p->offline_seconds) != 0)
        return false;
    gate_pass(&m->gates[gate], &p->rule, text, key, now_ms);
    return true;
}

/* The single values give way to the lines when the broker, or paho, cannot keep up. */
static bool put_field(
    struct publisher *p, struct meter *m, enum fields_place place, const char *text, int64_t now_ms)
{
    char topic[PUBLISHER_TOPIC_SIZE + 32];

    if (*text == '\0')
        return true;
    if (mqtt_pending(p->mqtt) >= CROWD)
        return false;
    snprintf(topic, sizeof topic, "%s/%s", m->topic, fields_name(place));
    return put(p, m, (int)place, topic, text, strlen(text), now_ms);
}

/* The original application's line; its time stamp alone is no change. */
static bool put_json(struct publisher *p, struct meter *m, int64_t now_ms)
{
    char json[VALUES_JSON_CHARS];
    const char *stamp;

    reading_values_json(&p->record.reading, record_time(&p->record), json);
    stamp = strstr(json, "\"timestamp\"");
    return put(p, m, METERS_JSON, m->topic, json,
               stamp == NULL ? strlen(json) : (size_t)(stamp - json), now_ms);
}

static void add_energy(struct fields *f, enum fields_place place, int64_t wh)
{
    if (wh != TOTALS_UNKNOWN)
        fields_kwh(wh, f->text[place]);
}

/* A new day or month is saved at once, what else has changed once a minute. */
static void add_totals(struct publisher *p, struct meter *m, struct fields *f, int64_t now_ms)
{
    struct totals_shown shown[TOTALS_FLOWS];
    const struct totals before = m->totals;

    totals_take(&m->totals, record_time(&p->record), &p->record.reading, shown);
    add_energy(f, FIELDS_ENERGY_IMPORT, shown[TOTALS_IMPORT].wh);
    add_energy(f, FIELDS_ENERGY_EXPORT, shown[TOTALS_EXPORT].wh);
    add_energy(f, FIELDS_IMPORT_TODAY, shown[TOTALS_IMPORT].period[TOTALS_DAY]);
    add_energy(f, FIELDS_EXPORT_TODAY, shown[TOTALS_EXPORT].period[TOTALS_DAY]);
    add_energy(f, FIELDS_IMPORT_MONTH, shown[TOTALS_IMPORT].period[TOTALS_MONTH]);
    add_energy(f, FIELDS_EXPORT_MONTH, shown[TOTALS_EXPORT].period[TOTALS_MONTH]);
    if (now_ms - m->saved_ms >= SAVE_MS || totals_began(&before, &m->totals))
        m->owed |= METERS_TOTALS;
}

static bool put_fields(struct publisher *p, struct meter *m, int64_t now_ms)
{
    uint32_t known = m->fields;
    struct fields f;
    bool sent = true;

    fields_of_reading(&p->record, &f);
    add_totals(p, m, &f, now_ms);
    snprintf(f.text[FIELDS_REJECTS], sizeof f.text[0], "%lld", (long long)m->rejects);
    for (int place = 0; place < FIELDS_COUNT; place++)
        if (f.text[place][0] != '\0')
            m->fields |= UINT32_C(1) << place;
    if (m->fields != known)
        m->owed |= METERS_DISCOVERY;
    announce_meter(p, m, now_ms); /* an entity is known before its first value */
    for (int place = 0; place < FIELDS_COUNT; place++)
        sent = put_field(p, m, (enum fields_place)place, f.text[place], now_ms) && sent;
    return sent;
}

static void read_mailbox(struct publisher *p)
{
    struct letter *l;

    while ((l = mailbox_take(p->mailbox)) != NULL) {
        announce_letter(p, l);
        free(l);
    }
}

/* The meter of this reading, online; NULL out of memory. */
static struct meter *take_meter(struct publisher *p, const char *topic, int64_t now_ms)
{
    struct meter *m = meters_add(p->meters, p->record.reading.meter);

    if (m != NULL && m->topic != NULL && strcmp(m->topic, topic) != 0) {
        announce_gone(p, m->topic);
        names_remove(p->owners, m->topic);
    }
    return m != NULL && meters_seen(p->meters, m, &p->record, topic, now_ms) == 0 ? m : NULL;
}

/* Once the connection has come all is told anew, who is online before any value. */
static void greet(struct publisher *p, int64_t now_ms)
{
    bool came = atomic_exchange(&p->came, false);

    if (came) {
        announce_all(p);
        announce_step(p, now_ms);
    }
}

static void publish(struct publisher *p, const char *topic)
{
    int64_t now_ms = clock_monotonic_ms();
    struct meter *m;
    bool sent;

    greet(p, now_ms);
    read_mailbox(p);
    m = take_meter(p, topic, now_ms);
    if (m == NULL) {
        log_error("lost", LOG_S("reason", "out of memory"));
        return;
    }
    sent = strcmp(p->topics, "fields") == 0 || put_json(p, m, now_ms);
    if (publisher_has_fields(p))
        sent = put_fields(p, m, now_ms) && sent;
    else
        announce_meter(p, m, now_ms);
    if (sent) {
        svc_count(&p->svc, PUBLISHER_PUBLISHED, NULL, 1);
        svc_observe(&p->svc, PUBLISHER_LATENCY, NULL, clock_utc_ms() - p->record.arrival_ms);
    } else
        svc_count(&p->svc, PUBLISHER_HELD, "broker", 1);
    log_debug("published", LOG_S("meter", p->record.reading.meter), LOG_S("topic", m->topic));
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

/* It was heard now, whatever its reading is worth; unless it was only delivered again. */
static void note_arrival(struct publisher *p)
{
    const struct record *r = &p->record;

    if (r->attempt > 0 || record_is_replay(r))
        return;
    silence_heard(p->silence, r->reading.meter, clock_monotonic_ms());
    if (p->per_meter)
        svc_gauge(&p->svc, PUBLISHER_LAST, r->reading.meter, r->arrival_ms / 1000);
}

static void note_power(struct publisher *p)
{
    struct quantity net;

    if (p->per_meter && reading_power(&p->record.reading, &net))
        svc_gauge(&p->svc, PUBLISHER_POWER, p->record.reading.meter, quantity_scaled(&net, 0));
}

static void take_reading(struct publisher *p)
{
    char topic[PUBLISHER_TOPIC_SIZE];
    enum live_verdict v;

    svc_count(&p->svc, PUBLISHER_READINGS, NULL, 1);
    note_arrival(p);
    live_topic(p->topic, &p->record.reading, topic, sizeof topic);
    v = live_judge(p->live, &p->record, clock_utc_ms());
    if (v != LIVE)
        svc_count(&p->svc, PUBLISHER_HELD, live_name(v), 1);
    else if (!has_topic(p, &p->record.reading, topic))
        svc_count(&p->svc, PUBLISHER_HELD, "topic", 1);
    else
        publish(p, topic);
    if (v == LIVE)
        note_power(p);
    if (v == LIVE_CLOCK)
        log_clock(&p->record);
}

/* Redelivered, it was counted before. It is said with the next reading, too. */
static void take_reject(struct publisher *p)
{
    struct meter *m = meters_of_reject(p->meters, &p->record);
    char text[QUANTITY_CHARS];

    if (p->record.attempt > 0)
        return;
    svc_count(&p->svc, PUBLISHER_REJECTS, NULL, 1);
    if (m == NULL || m->topic == NULL)
        return;
    m->rejects++;
    snprintf(text, sizeof text, "%lld", (long long)m->rejects);
    if (publisher_has_fields(p))
        (void)put_field(p, m, FIELDS_REJECTS, text, clock_monotonic_ms());
}

static bool
on_record(void *arg, const uint8_t *topic, size_t topic_len, const uint8_t *octets, size_t len)
{
    struct publisher *p = arg;
    size_t at = 0;
    int rc = record_unpack(octets, len, &at, &p->record, &p->memory);

    (void)topic;
    (void)topic_len;
    if (rc == 0 && p->record.type == RECORD_READING) {
        take_reading(p);
    } else if (rc == 0 && p->record.type == RECORD_REJECT) {
        take_reject(p);
    } else {
        svc_count(&p->svc, PUBLISHER_UNREADABLE, NULL, 1);
        log_unreadable("readings", rc);
    }
    return true;
}

/* paho's threads */

static void on_mqtt_state(void *arg, bool connected, const char *reason)
{
    struct publisher *p = arg;
    /* a refused subscription costs totals over a restart, and no value */
    bool up = connected || mqtt_refused(p->mqtt);

    p->came |= up;
    svc_state(&p->svc, "broker", up, reason);
}

static void
on_mqtt_message(void *arg, const char *topic, const void *payload, size_t len, int64_t arrival_ms)
{
    struct publisher *p = arg;

    (void)arrival_ms;
    if (len <= LETTER_MAX)
        (void)mailbox_put(p->mailbox, topic, payload, len);
}

/* The loop */

static void count_silent(struct publisher *p, int64_t now_ms)
{
    struct silence_counts c = silence_count(p->silence, now_ms);

    svc_gauge(&p->svc, PUBLISHER_METERS, NULL, (int64_t)c.meters);
    svc_gauge(&p->svc, PUBLISHER_SILENT, NULL, (int64_t)c.silent);
}

static void on_step(void *arg)
{
    struct publisher *p = arg;
    int64_t now_ms = clock_monotonic_ms();

    mqtt_step(p->mqtt, now_ms);
    read_mailbox(p);
    if (p->subscribed_ms == 0 && mqtt_subscribed(p->mqtt))
        p->subscribed_ms = now_ms;
    greet(p, now_ms);
    if (now_ms - p->looked_ms < LOOK_MS)
        return;
    p->looked_ms = now_ms;
    count_silent(p, now_ms);
    meters_expire(p->meters, now_ms, p->offline_seconds * 1000);
    announce_step(p, now_ms);
}

int publisher_open(struct publisher *p)
{
    const struct mqtt_handler handler = {
        .message = on_mqtt_message, .state = on_mqtt_state, .arg = p};
    const struct link_consumer consumer = {on_record, NULL, p};
    int rc;

    announce_open(p);
    p->rule = (struct gate_rule){.min_ms = p->min_seconds * 1000,
                                 .on_change = strcmp(p->when, "change") == 0,
                                 .repeat_ms = p->offline_seconds * 1000 / 2};
    p->live = live_new(p->skew_seconds);
    p->meters = meters_new();
    p->owners = names_new(METER_ID_CHARS + 1, NULL);
    p->mailbox = mailbox_new();
    p->silence = silence_new();
    if (p->live == NULL || p->meters == NULL || p->owners == NULL || p->mailbox == NULL ||
        p->silence == NULL)
        return -ENOMEM;
    p->mqtt = mqtt_new(&p->mqtt_conf, p->client_id, false,
                       p->filters[0] != NULL ? p->filters : NULL, &handler);
    if (p->mqtt == NULL)
        return -ENOMEM;
    mqtt_will(p->mqtt, p->status_topic, "offline");
    rc = link_connect(&p->svc, LINK_TOPICS, "READINGS_CONNECT", p->readings_connect, &consumer,
                      &p->readings);
    if (rc == 0)
        rc = link_subscribe(p->readings, "reading.", strlen("reading."));
    if (rc == 0)
        rc = link_subscribe(p->readings, "reject.", strlen("reject."));
    if (rc == 0)
        rc = svc_every(&p->svc, STEP_MS, on_step, p);
    return rc;
}

void publisher_close(struct publisher *p)
{
    link_free(p->readings);
    announce_stop(p);
    mqtt_free(p->mqtt, 1000);
    mailbox_free(p->mailbox);
    meters_free(p->meters);
    silence_free(p->silence);
    names_free(p->owners);
    live_free(p->live);
    record_memory_free(&p->memory);
    svc_close(&p->svc, p);
}
