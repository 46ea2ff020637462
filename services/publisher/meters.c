#include "meters.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"

/* Whose readings come on a raw topic. */
struct source {
    struct meter *meter; /* NULL: those of several */
    bool known;
};

struct meters {
    struct names *meters;  /* of struct meter */
    struct names *sources; /* of struct source, by raw topic */
};

static void meter_fini(void *value)
{
    struct meter *m = value;

    free(m->topic);
    for (int i = 0; i < METERS_GATES; i++)
        gate_free(&m->gates[i]);
}

struct meters *meters_new(void)
{
    struct meters *m = calloc(1, sizeof *m);

    if (m == NULL)
        return NULL;
    m->meters = names_new(sizeof(struct meter), meter_fini);
    m->sources = names_new(sizeof(struct source), NULL);
    if (m->meters == NULL || m->sources == NULL) {
        meters_free(m);
        return NULL;
    }
    return m;
}

void meters_free(struct meters *m)
{
    if (m == NULL)
        return;
    names_free(m->meters);
    names_free(m->sources);
    free(m);
}

struct meter *meters_add(struct meters *m, const char *id)
{
    return names_add(m->meters, id);
}

size_t meters_count(const struct meters *m)
{
    return names_count(m->meters);
}

struct meter *meters_find(const struct meters *m, const char *id)
{
    return names_find(m->meters, id);
}

static void note_source(struct meters *m, struct meter *meter, const char *topic)
{
    struct source *s = names_add(m->sources, topic);

    if (s == NULL)
        return;
    if (!s->known)
        s->meter = meter;
    else if (s->meter != meter)
        s->meter = NULL;
    s->known = true;
}

int meters_seen(struct meters *m,
                struct meter *meter,
                const struct record *r,
                const char *topic,
                int64_t now_ms)
{
    const struct reading *reading = &r->reading;

    if (meter->topic == NULL || strcmp(meter->topic, topic) != 0) {
        char *copy = strdup(topic);

        if (copy == NULL)
            return -ENOMEM;
        free(meter->topic);
        meter->topic = copy;
        meter->owed |= METERS_STATUS | METERS_DISCOVERY | METERS_TOTALS;
    }
    if (strcmp(meter->name, reading->name) != 0 || strcmp(meter->number, reading->number) != 0)
        meter->owed |= METERS_DISCOVERY;
    snprintf(meter->name, sizeof meter->name, "%s", reading->name);
    snprintf(meter->number, sizeof meter->number, "%s", reading->number);
    if (!meter->online)
        meter->owed |= METERS_STATUS;
    meter->online = true;
    meter->seen_ms = now_ms;
    note_source(m, meter, r->topic);
    return 0;
}

struct meter *meters_of_reject(const struct meters *m, const struct record *r)
{
    const struct source *s;

    if (r->reading.meter[0] != '\0')
        return names_find(m->meters, r->reading.meter);
    s = names_find(m->sources, r->topic);
    return s == NULL ? NULL : s->meter;
}

struct expiry {
    int64_t now_ms, offline_ms;
};

static void expire(void *value, void *arg)
{
    struct meter *m = value;
    const struct expiry *e = arg;

    if (!m->online || e->now_ms - m->seen_ms < e->offline_ms)
        return;
    m->online = false;
    m->owed |= METERS_STATUS | METERS_TOTALS;
}

void meters_expire(struct meters *m, int64_t now_ms, int64_t offline_ms)
{
    struct expiry e = {now_ms, offline_ms};

    names_each(m->meters, expire, &e);
}

void meters_each(const struct meters *m, void (*visit)(void *meter, void *arg), void *arg)
{
    names_each(m->meters, visit, arg);
}
