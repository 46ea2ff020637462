/* retention: rejects are kept for some days and up to a size; the oldest go first. */
#ifndef RETENTION_H
#define RETENTION_H

#include "store.h"

/** What a step, or a pass, dropped. */
struct retention_dropped {
    size_t by_age, by_size;
};

/**
 * Bounds, and what is known of the table. All zero but the bounds: nothing yet.
 *
 * How much there is is measured once, a page of the index at a time, and reckoned on from there;
 * measured anew every hour, since other db-writers write too.
 */
struct retention {
    int64_t keep_days; /* 0: for ever */
    int64_t max_bytes; /* payload octets; 0: no bound */

    int64_t rows, octets;
    int64_t counted_rows, counted_octets; /* by the measuring under way */
    struct reject_mark mark;              /* how far it is */
    struct retention_dropped pass;        /* by the pass under way */
    int64_t next_ms, measure_ms;          /* when each is due */
};

/** Rejects that were written now. */
void retention_add(struct retention *r, const struct store_counts *counts);

/**
 * Do some of what is due: a few milliseconds' worth, so call it several times a second. A pass over
 * what is too old or too much begins once a minute, and is logged when it dropped anything. Returns
 * 0, or -EAGAIN with why; it is tried again after a minute.
 */
int retention_step(struct retention *r,
                   struct store *s,
                   int64_t monotonic_ms,
                   int64_t utc_ms,
                   struct retention_dropped *dropped,
                   char why[STORE_WHY_CHARS]) __attribute__((warn_unused_result));

#endif
