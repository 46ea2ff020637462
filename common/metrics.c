#include "metrics.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"

enum { BUCKETS = 17 };

/* Upper bounds; those that a kind does not use stay 0. */
static const int64_t bounds[][BUCKETS] = {
    [METRIC_DURATIONS] = {1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000,
                          300000, 3600000},
    [METRIC_SIZES] = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000},
};

/* A value by label, "" without one; histograms have more of it. */
struct series {
    int64_t value; /* histogram: how many */
};

struct histogram {
    struct series count;
    int64_t sum;
    int64_t buckets[BUCKETS];
};

struct metrics {
    const struct metric_def *defs;
    pthread_mutex_t lock;
    struct names *series[]; /* one for each def */
};

static bool is_histogram(const struct metric_def *d)
{
    return d->kind == METRIC_DURATIONS || d->kind == METRIC_SIZES;
}

struct metrics *metrics_new(const struct metric_def *defs)
{
    size_t n = 0;
    struct metrics *m;

    while (defs[n].name != NULL)
        n++;
    m = calloc(1, sizeof *m + n * sizeof(struct names *));
    if (m == NULL)
        return NULL;
    m->defs = defs;
    pthread_mutex_init(&m->lock, NULL);
    for (size_t i = 0; i < n; i++) {
        m->series[i] = names_new(
            is_histogram(&defs[i]) ? sizeof(struct histogram) : sizeof(struct series), NULL);
        if (m->series[i] == NULL || /* visible as 0 from the start */
            (defs[i].label == NULL && names_add(m->series[i], "") == NULL)) {
            metrics_free(m);
            return NULL;
        }
    }
    return m;
}

void metrics_free(struct metrics *m)
{
    if (m == NULL)
        return;
    for (size_t i = 0; m->defs[i].name != NULL; i++)
        names_free(m->series[i]);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

/* The series of a label, made when it is new; NULL out of memory. Called with the lock held. */
static void *find(struct metrics *m, size_t place, const char *label)
{
    return names_add(m->series[place], label == NULL ? "" : label);
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

void metrics_observe(struct metrics *m, size_t place, const char *label, int64_t value)
{
    const int64_t *upto;
    struct histogram *h;

    if (m == NULL)
        return;
    upto = bounds[m->defs[place].kind];
    value = value < 0 ? 0 : value;
    pthread_mutex_lock(&m->lock);
    h = find(m, place, label);
    if (h != NULL) {
        h->count.value++;
        h->sum += value;
        for (int i = 0; i < BUCKETS && upto[i] != 0; i++)
            h->buckets[i] += value <= upto[i];
    }
    pthread_mutex_unlock(&m->lock);
}

int64_t metrics_get(struct metrics *m, size_t place, const char *label)
{
    const struct series *s;
    int64_t value;

    pthread_mutex_lock(&m->lock);
    s = find(m, place, label);
    value = s == NULL ? 0 : s->value;
    pthread_mutex_unlock(&m->lock);
    return value;
}

/* Printing */

struct page {
    FILE *out;
    const struct metric_def *def;
};

/* What an observed number is in the metric's unit; exact, as decimals. */
static void print_number(const struct page *p, int64_t value)
{
    if (p->def->kind != METRIC_DURATIONS)
        fprintf(p->out, "%" PRId64, value);
    else if (value % 1000 == 0)
        fprintf(p->out, "%" PRId64, value / 1000);
    else
        fprintf(p->out, "%" PRId64 ".%03d", value / 1000, (int)(value % 1000));
}

/* name_suffix{label="value"; an le and the closing brace may follow */
static void print_name(const struct page *p, const char *suffix, const char *label)
{
    fprintf(p->out, "%s%s", p->def->name, suffix);
    if (p->def->label != NULL)
        fprintf(p->out, "{%s=\"%s\"", p->def->label, label);
}

/* Always with a decimal, as Prometheus 3 writes `le` anew: matchers fit every version. */
static void print_bound(const struct page *p, int64_t bound)
{
    double value = (double)bound / (p->def->kind == METRIC_DURATIONS ? 1000 : 1);
    bool whole = value >= 1 && (double)(int64_t)value == value;

    fprintf(p->out, whole ? "%g.0" : "%g", value);
}

static void print_bucket(const struct page *p, const char *label, int64_t bound, int64_t count)
{
    print_name(p, "_bucket", label);
    fputs(p->def->label == NULL ? "{le=\"" : ",le=\"", p->out);
    if (bound == 0)
        fputs("+Inf", p->out);
    else
        print_bound(p, bound);
    fprintf(p->out, "\"} %" PRId64 "\n", count);
}

static void print_histogram(const struct page *p, const char *label, const struct histogram *h)
{
    const int64_t *upto = bounds[p->def->kind];
    const char *end = p->def->label == NULL ? " " : "} ";

    for (int i = 0; i < BUCKETS && upto[i] != 0; i++)
        print_bucket(p, label, upto[i], h->buckets[i]);
    print_bucket(p, label, 0, h->count.value);
    print_name(p, "_sum", label);
    fputs(end, p->out);
    print_number(p, h->sum);
    fputs("\n", p->out);
    print_name(p, "_count", label);
    fprintf(p->out, "%s%" PRId64 "\n", end, h->count.value);
}

static void print_series(void *value, void *arg)
{
    const struct page *p = arg;
    const struct series *s = value;

    if (is_histogram(p->def)) {
        print_histogram(p, names_of(value), value);
        return;
    }
    print_name(p, "", names_of(value));
    fprintf(p->out, "%s%" PRId64 "\n", p->def->label == NULL ? " " : "} ", s->value);
}

void metrics_print(struct metrics *m, FILE *out)
{
    static const char *const types[] = {"counter", "gauge", "histogram", "histogram"};

    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; m->defs[i].name != NULL; i++) {
        struct page p = {out, &m->defs[i]};

        fprintf(out, "# HELP %s %s\n", p.def->name, p.def->help);
        fprintf(out, "# TYPE %s %s\n", p.def->name, types[p.def->kind]);
        names_each(m->series[i], print_series, &p);
    }
    pthread_mutex_unlock(&m->lock);
}
