/* announce: what is retained: who is online, what Home Assistant is told, totals' state. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "discovery.h"
#include "log.h"
#include "names.h"
#include "publisher.h"

enum {
    FIRST_SAVE_MS = 3000, /* what an earlier process has saved is heard before it is replaced */
    HEAR_MS = 10000,      /* it comes right after the subscription; later it makes no meter */
    HEAR_MAX = 100000,    /* meters: whoever may publish there must not fill our memory */
};

void announce_open(struct publisher *p)
{
    char filter[PUBLISHER_TOPIC_SIZE];
    size_t n = 0;

    p->tells = live_topic_tells(p->topic);
    live_filter(p->topic, filter, sizeof filter);
    snprintf(p->totals_filter, sizeof p->totals_filter, "%s/totals", filter);
    if (p->tells)
        snprintf(p->status_topic, sizeof p->status_topic, "%s", p->publisher_topic);
    else
        snprintf(p->status_topic, sizeof p->status_topic, "%s/status", p->topic);
    snprintf(p->birth_topic, sizeof p->birth_topic, "%s/status", p->discovery_prefix);
    if (publisher_has_fields(p))
        p->filters[n++] = p->totals_filter;
    if (publisher_has_fields(p) && p->discovery)
        p->filters[n++] = p->birth_topic;
}

/* Returns whether paho's queue has taken it. */
static bool say(struct publisher *p, const char *topic, const char *text)
{
    return mqtt_publish(p->mqtt, topic, text, strlen(text), 1, true) == 0;
}

static bool say_below(struct publisher *p, const char *topic, const char *level, const char *text)
{
    char below[PUBLISHER_TOPIC_SIZE + 16];

    snprintf(below, sizeof below, "%s/%s", topic, level);
    return say(p, below, text);
}

static const char *status_text(bool online)
{
    return online ? "online" : "offline";
}

static bool say_discovery(struct publisher *p, const struct meter *m)
{
    const struct discovery d = {
        .meter = names_of(m),
        .name = m->name,
        .number = m->number,
        .topic = m->topic,
        .publisher_topic = p->tells ? p->publisher_topic : "",
        .fields = m->fields,
        .qos = (int)p->qos,
        .expire_seconds = p->offline_seconds + (p->rule.on_change ? p->rule.repeat_ms / 1000 : 0) +
                          p->min_seconds,
    };
    char topic[PUBLISHER_TOPIC_SIZE + 64];
    char *payload;
    bool said;

    if (!p->discovery || m->fields == 0)
        return true;
    payload = discovery_payload(&d);
    discovery_topic(p->discovery_prefix, d.meter, topic, sizeof topic);
    said = payload != NULL && say(p, topic, payload);
    free(payload);
    return said;
}

static bool say_totals(struct publisher *p, struct meter *m, int64_t now_ms)
{
    char *text;
    bool said;

    if (!mqtt_subscribed(p->mqtt) || p->subscribed_ms == 0 ||
        now_ms - p->subscribed_ms < FIRST_SAVE_MS)
        return false;
    text = totals_save(&m->totals, names_of(m));
    said = text != NULL && say_below(p, m->topic, "totals", text);
    free(text);
    if (said)
        m->saved_ms = now_ms;
    return said;
}

void announce_meter(struct publisher *p, struct meter *m, int64_t now_ms)
{
    if (m->topic == NULL || !mqtt_connected(p->mqtt))
        return;
    if ((m->owed & METERS_DISCOVERY) != 0 && say_discovery(p, m))
        m->owed &= ~(unsigned)METERS_DISCOVERY;
    if ((m->owed & METERS_STATUS) != 0 && say_below(p, m->topic, "status", status_text(m->online)))
        m->owed &= ~(unsigned)METERS_STATUS;
    if ((m->owed & METERS_TOTALS) != 0 && m->fields != 0 && say_totals(p, m, now_ms))
        m->owed &= ~(unsigned)METERS_TOTALS;
}

void announce_gone(struct publisher *p, const char *topic)
{
    (void)say_below(p, topic, "status", status_text(false));
}

static void owe_all(void *meter, void *arg)
{
    (void)arg;
    ((struct meter *)meter)->owed |= METERS_STATUS | METERS_DISCOVERY | METERS_TOTALS;
}

void announce_all(struct publisher *p)
{
    p->owes_status = true;
    meters_each(p->meters, owe_all, NULL);
}

struct sweep {
    struct publisher *p;
    int64_t now_ms, online;
};

static void sweep_meter(void *meter, void *arg)
{
    struct sweep *s = arg;
    struct meter *m = meter;

    s->online += m->online;
    if (m->owed != 0)
        announce_meter(s->p, m, s->now_ms);
}

/* The status of a topic with one meter is that meter's own, if it is there. */
static void say_status(struct publisher *p, int64_t online)
{
    p->owes_status = (p->tells || online == 0) && !say(p, p->status_topic, status_text(p->tells));
}

void announce_step(struct publisher *p, int64_t now_ms)
{
    struct sweep s = {p, now_ms, 0};

    meters_each(p->meters, sweep_meter, &s);
    if (p->owes_status)
        say_status(p, s.online);
    svc_gauge(&p->svc, PUBLISHER_ONLINE, NULL, s.online);
}

static void owe_discovery(void *meter, void *arg)
{
    (void)arg;
    ((struct meter *)meter)->owed |= METERS_DISCOVERY;
}

static bool may_be_new(const struct publisher *p)
{
    return (p->subscribed_ms == 0 || clock_monotonic_ms() - p->subscribed_ms < HEAR_MS) &&
           meters_count(p->meters) < HEAR_MAX;
}

/* What an earlier process has left of a meter. Silent so far, it is not online. */
static void take_totals(struct publisher *p, const struct letter *letter)
{
    char id[METER_ID_CHARS + 1];
    struct totals saved;
    struct meter *m;

    if (totals_load(letter->payload, letter->len, id, &saved) != 0)
        return;
    m = meters_find(p->meters, id);
    if (m == NULL && may_be_new(p))
        m = meters_add(p->meters, id);
    if (m == NULL)
        return;
    totals_merge(&m->totals, &saved);
    if (m->topic != NULL || !p->tells)
        return;
    m->topic = strndup(letter->topic, strlen(letter->topic) - strlen("/totals"));
    m->owed |= METERS_STATUS;
}

void announce_letter(struct publisher *p, const struct letter *letter)
{
    if (mqtt_filter_matches(p->totals_filter, letter->topic))
        take_totals(p, letter);
    else if (strcmp(letter->topic, p->birth_topic) == 0 && strcmp(letter->payload, "online") == 0)
        meters_each(p->meters, owe_discovery, NULL);
}

static void stop_meter(void *meter, void *arg)
{
    struct publisher *p = arg;
    struct meter *m = meter;

    if (m->topic == NULL || !m->online)
        return;
    (void)say_totals(p, m, clock_monotonic_ms());
    (void)say_below(p, m->topic, "status", status_text(false));
}

void announce_stop(struct publisher *p)
{
    if (p->mqtt == NULL || p->meters == NULL || !mqtt_connected(p->mqtt))
        return;
    (void)say(p, p->status_topic, status_text(false));
    meters_each(p->meters, stop_meter, p);
}
