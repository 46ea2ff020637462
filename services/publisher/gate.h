/* gate: whether a text goes out on its topic now (PUBLISH_WHEN, PUBLISH_MIN_SECONDS). */
#ifndef GATE_H
#define GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gate_rule {
    int64_t min_ms;    /* least time between two on one topic */
    bool on_change;    /* leave out what was said last ... */
    int64_t repeat_ms; /* ... but say it again after this time */
};

/** One topic's memory; all-zero has let nothing through. */
struct gate {
    bool passed;
    int64_t at_ms;
    char *text; /* kept where changes count */
};

/** now_ms: a monotonic clock. The first `len` characters of the text are what may change. */
bool gate_is_open(const struct gate *g,
                  const struct gate_rule *rule,
                  const char *text,
                  size_t len,
                  int64_t now_ms);

/** It went out. Out of memory, it counts as changed the next time. */
void gate_pass(
    struct gate *g, const struct gate_rule *rule, const char *text, size_t len, int64_t now_ms);

void gate_free(struct gate *g);

#endif
