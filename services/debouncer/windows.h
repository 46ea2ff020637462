/* windows: which readings may be the earliest of their window. */
#ifndef WINDOWS_H
#define WINDOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
 * True when this reading must go to the database: nothing earlier of its window is remembered, or
 * it is the remembered one again (its row may have been lost on the way). False: an earlier one
 * went, and is owed until it is committed, so this one needs no effect.
 */
bool windows_take(struct windows *w, const char *meter, int64_t time, int64_t counter);

/** Meters remembered. */
size_t windows_count(const struct windows *w);

#endif
