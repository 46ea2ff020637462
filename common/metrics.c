#include "metrics.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A value; series of one metric form a list. */
struct series {
    struct series *next;
    const char *label; /* "" without one; a string that lives for ever */
    int64_t value;
};

struct metrics {
    const struct metric_def *defs;
    pthread_mutex_t lock;
    struct series *series[]; /* one list for each def */
};

struct metrics *metrics_new(const struct metric_def *defs)
{
    size_t n = 0;
    struct metrics *m;

    while (defs[n].name != NULL)
        n++;
    m = calloc(1, sizeof *m + n * sizeof(struct series *));
    if (m == NULL)
        return NULL;
    m->defs = defs;
    pthread_mutex_init(&m->lock, NULL);
    for (size_t i = 0; i < n; i++)
        if (defs[i].label == NULL) /* visible as 0 from the start */
            metrics_set(m, i, NULL, 0);
    return m;
}

void metrics_free(struct metrics *m)
{
    if (m == NULL)
        return;
    for (size_t i = 0; m->defs[i].name != NULL; i++) {
        while (m->series[i] != NULL) {
            struct series *next = m->series[i]->next;

            free(m->series[i]);
            m->series[i] = next;
        }
    }
    pthread_mutex_destroy(&m->lock);
    free(m);
}

/* The series of a label, made when it is new; NULL out of memory. Called with the lock held. */
static struct series *find(struct metrics *m, size_t place, const char *label)
{
    struct series **s = &m->series[place];

    label = label == NULL ? "" : label;
    while (*s != NULL && strcmp((*s)->label, label) != 0)
        s = &(*s)->next;
    if (*s == NULL) {
        *s = calloc(1, sizeof **s);
        if (*s != NULL)
            (*s)->label = label;
    }
    return *s;
}

static void change(struct metrics *m, size_t place, const char *label, int64_t value, bool add)
{
    struct series *s;

    if (m == NULL)
        return;
    pthread_mutex_lock(&m->lock);
    s = find(m, place, label);
    if (s != NULL)
        s->value = add ? s->value + value : value;
    pthread_mutex_unlock(&m->lock);
}

void metrics_add(struct metrics *m, size_t place, const char *label, int64_t n)
{
    change(m, place, label, n, true);
}

void metrics_set(struct metrics *m, size_t place, const char *label, int64_t value)
{
    change(m, place, label, value, false);
}

int64_t metrics_get(struct metrics *m, size_t place, const char *label)
{
    struct series *s;
    int64_t value;

    pthread_mutex_lock(&m->lock);
    s = find(m, place, label);
    value = s == NULL ? 0 : s->value;
    pthread_mutex_unlock(&m->lock);
    return value;
}

void metrics_print(struct metrics *m, FILE *out)
{
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; m->defs[i].name != NULL; i++) {
        const struct metric_def *d = &m->defs[i];

        fprintf(out, "# HELP %s %s\n", d->name, d->help);
        fprintf(out, "# TYPE %s %s\n", d->name, d->kind == METRIC_COUNTER ? "counter" : "gauge");
        for (const struct series *s = m->series[i]; s != NULL; s = s->next) {
            if (d->label == NULL)
                fprintf(out, "%s %" PRId64 "\n", d->name, s->value);
            else
                fprintf(out, "%s{%s=\"%s\"} %" PRId64 "\n", d->name, d->label, s->label, s->value);
        }
    }
    pthread_mutex_unlock(&m->lock);
}
