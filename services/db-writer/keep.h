/* keep: raw rows are kept for some days; quarter hours for ever. */
#ifndef KEEP_H
#define KEEP_H

#include "store.h"

enum { KEEP_HISTORY, KEEP_DEBOUNCED, KEEP_TABLES };

/** Bounds, and what is under way. All zero but the bounds: nothing yet. */
struct keep {
    int64_t days[KEEP_TABLES]; /* 0: for ever */

    int table;       /* of the pass under way */
    size_t pass;     /* rows dropped by it so far */
    int64_t next_ms; /* when it goes on, or the next begins */
};

/**
 * Do some of what is due: a few milliseconds' worth, so call it several times a second. A pass over
 * both tables begins after the start and once an hour; what it dropped of each is logged. Adds to
 * dropped. Returns 0, or -EAGAIN with why; it is tried again after a minute.
 */
int keep_step(struct keep *k,
              struct store *s,
              int64_t monotonic_ms,
              int64_t utc_ms,
              size_t dropped[KEEP_TABLES],
              char why[STORE_WHY_CHARS]) __attribute__((warn_unused_result));

/** "history", "debounced". */
const char *keep_table_name(int table);

#endif
