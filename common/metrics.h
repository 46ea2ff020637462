/* metrics: counters and gauges in Prometheus' text format. */
#ifndef METRICS_H
#define METRICS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE };

/** One declared metric; a service has a table of them that ends with a NULL name. */
struct metric_def {
    const char *name; /* zaehlwerk_..._total for counters */
    enum metric_kind kind;
    const char *label; /* the one label's key, or NULL */
    const char *help;
};

/** Thread-safe. Label values come from a bounded set (reasons, streams), never from outside. */
struct metrics;

struct metrics *metrics_new(const struct metric_def *defs);
void metrics_free(struct metrics *m);

/** Add to the counter at this place of the table; label NULL where it has none. m may be NULL. */
void metrics_add(struct metrics *m, size_t place, const char *label, int64_t n);

/** Set a gauge. */
void metrics_set(struct metrics *m, size_t place, const char *label, int64_t value);

/** What a counter or gauge stands at. */
int64_t metrics_get(struct metrics *m, size_t place, const char *label);

/** Write all in Prometheus' text exposition format, version 0.0.4. */
void metrics_print(struct metrics *m, FILE *out);

#endif
