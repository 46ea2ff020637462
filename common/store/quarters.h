/*
 * quarters: the earliest and the latest reading of each quarter hour, which `quarter_hour`
 * subtracts.
 *
 * A merge by (second, win, wout): the order in which readings come, how often, and how they are cut
 * into batches change nothing.
 */
#ifndef QUARTERS_H
#define QUARTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { QUARTER_SECONDS = 900 };

/** Holes that are longer are not filled with empty quarters: 400 days. */
#define QUARTERS_HOLE_MAX 34560000

/** A reading at the edge of a quarter. */
struct quarter_edge {
    int64_t s;         /* second of the quarter */
    int64_t win, wout; /* Wh; wout may be STORE_NULL */
};

struct quarter {
    int64_t meter; /* its small key */
    int64_t start; /* seconds since 1970 UTC */
    struct quarter_edge first, last;
};

/** Those of a batch. All-zero is empty. */
struct quarters {
    struct quarter *list;
    size_t count, room;
};

/** Add a reading at `time`, seconds since 1970 UTC. Returns 0 or -ENOMEM. */
int quarters_add(struct quarters *q, int64_t meter, int64_t time, int64_t win, int64_t wout)
    __attribute__((warn_unused_result));

/** Leave one of each quarter, by (meter, start): the order in which all writers lock them. */
void quarters_merge(struct quarters *q);

/** Whether a reading stands before another of its quarter. */
bool quarter_edge_before(const struct quarter_edge *a, const struct quarter_edge *b);

void quarters_free(struct quarters *q);

#endif
