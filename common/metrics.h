/* metrics: counters, gauges and histograms in Prometheus' text format. */
#ifndef METRICS_H
#define METRICS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum metric_kind {
    METRIC_COUNTER,
    METRIC_GAUGE,
    METRIC_DURATIONS, /* histogram of seconds, observed in ms; buckets from 1 ms to an hour */
    METRIC_SIZES,     /* histogram of numbers; buckets from 1 to 1000 */
};

/** One declared metric; a service has a table of them that ends with a NULL name. */
struct metric_def {
    const char *name; /* zaehlwerk_..._total for counters; base units: _seconds, _bytes */
    enum metric_kind kind;
    const char *label; /* the one label's key, or NULL */
    const char *help;
};

/**
 * Thread-safe. Label values come from a bounded set (reasons, streams) and need no escaping; only
 * METRICS_PER_METER=1 lets them grow with the fleet, by meters' ids.
 */
struct metrics;

struct metrics *metrics_new(const struct metric_def *defs);
void metrics_free(struct metrics *m);

/** Add to the counter at this place of the table; label NULL where it has none. m may be NULL. */
void metrics_add(struct metrics *m, size_t place, const char *label, int64_t n);

/** Set a gauge. */
void metrics_set(struct metrics *m, size_t place, const char *label, int64_t value);

/** Count one value of a histogram: ms of METRIC_DURATIONS; what is negative counts as 0. */
void metrics_observe(struct metrics *m, size_t place, const char *label, int64_t value);

/** What a counter or gauge stands at, or how many values a histogram has. */
int64_t metrics_get(struct metrics *m, size_t place, const char *label);

/** Write all in Prometheus' text exposition format, version 0.0.4. */
void metrics_print(struct metrics *m, FILE *out);

#endif
