/* watch: whether the database's own jobs do their work. */
#ifndef WATCH_H
#define WATCH_H

#include "store.h"

/** All zero: nothing is known yet. */
struct watch {
    size_t failing;  /* jobs, when they were last asked for */
    int64_t next_ms; /* when to ask again */
};

/**
 * Ask every five minutes how many jobs failed when they last ran, and say when that changes: a
 * warning with what the first of them said, a line when all is well again. Returns 0, or -EAGAIN
 * with why.
 */
int watch_step(struct watch *w, struct store *s, int64_t monotonic_ms, char why[STORE_WHY_CHARS])
    __attribute__((warn_unused_result));

#endif
