/* windows: which readings may be the earliest of their window. */
#ifndef WINDOWS_H
#define WINDOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h"

/**
 * The newest window of each meter and the earliest reading seen in it. It only saves work: the
 * database decides, so a lost or empty memory costs rows that are written in vain, never a wrong
 * one.
 */
struct windows;

/** Windows of `seconds`, aligned to UTC. NULL out of memory. */
struct windows *windows_new(int64_t seconds);
void windows_free(struct windows *w);

/** Start of the window that holds a time, seconds since 1970 UTC; negative times too. */
int64_t windows_start(const struct windows *w, int64_t time);

/**
 * Order within a window: unsuspected first, then time, then counter.
 *
 * True when this reading must go to the database, as one without a clock always must: its time is
 * found there, perhaps in the window before. False when it needs no effect, since an earlier
 * one of its window is there: in the table, not only on its way, for what is on its way may yet be
 * refused, or lost with its journal.
 */
bool windows_take(struct windows *w, const struct record *r);

/** Debounced rows of these deliveries are committed: an ack of db-writer that is no reject's. */
void windows_committed(struct windows *w,
                       const uint8_t origin[ORIGIN_OCTETS],
                       const struct ack_range *range);

/** Meters remembered. */
size_t windows_count(const struct windows *w);

#endif
