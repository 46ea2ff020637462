/* plausible: what a meter cannot have measured, and what it should not. */
#ifndef PLAUSIBLE_H
#define PLAUSIBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h"

/**
 * What the telegram alone decides. Returns NULL, or why this reading is impossible: a value beyond
 * physics (voltage 0 to 1000 V, current 10 kA, power 10 MW, energy not negative, factor 2), or a
 * meter clock more than 10 minutes ahead of the arrival. The latter only with clock_synchronised:
 * on a machine that does not know the time it is the arrival that is wrong.
 */
const char *plausible_reject(const struct record *r, bool clock_synchronised);

/** The last good reading of each meter; only this process's share where there are replicas. */
struct plausible;

struct plausible *plausible_new(void);
void plausible_free(struct plausible *p);

/**
 * Rules with memory: they never decide storage. Returns "" or the reason to suspect the reading:
 *   energy-falls   a counter is lower than at an earlier meter time (or higher than at a later one)
 *   energy-jumps   a counter rose faster than 200 kW allow
 * Twelve suspects in a row that agree with one another are the new truth: the meter was swapped or
 * reset. A reading without a meter clock is not judged.
 */
const char *plausible_suspect(struct plausible *p, const struct record *r);

#endif
