/* sums: the energy of today and of this month, of a few meters at a time. */
#ifndef SUMS_H
#define SUMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "picture.h"
#include "store.h"

/** A slice of the meters, and how long it may take before it leaves the rest to the next one. */
enum { SUMS_METERS = 16, SUMS_MS = 500 };

enum sums_state { SUMS_LEFT, SUMS_TRIED, SUMS_READ };

/** One meter of a slice. */
struct sums_meter {
    char meter[METER_ID_CHARS + 1];
    bool whole; /* `before` is asked for, too */
    enum sums_state state;
    struct energy_pair today, before; /* this local day, and this month before it */
};

/** A slice, of one moment. */
struct sums {
    int64_t now_s, day, month; /* s since 1970 UTC; the day's and the month's first second */
    size_t count;
    struct sums_meter meters[SUMS_METERS];
};

/** Of the moment now_s, without meters. NULL out of memory; ends by free(). */
struct sums *sums_new(int64_t now_s);

/** One more meter, 16 hex digits; no more than SUMS_METERS. */
void sums_add(struct sums *s, const char *meter, bool whole);

/**
 * Ask for those that are not read yet, one by one, until one fails or the time is over (a job's
 * run): 0, -ETIMEDOUT with why when the database has not found one's quarters in time, or -EAGAIN
 * with why. Those that were read before are in s in any case.
 */
int sums_run(struct sums *s, struct store *store, char why[STORE_WHY_CHARS]);

#endif
