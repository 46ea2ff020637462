/* sim_time: the clock of a meter in Vienna, and times as people write them. */
#ifndef SIM_TIME_H
#define SIM_TIME_H

#include <stdbool.h>
#include <stdint.h>

/** Summer time in the European Union: last Sunday of March to last Sunday of October, 01:00 UTC. */
bool sim_time_summer(int64_t utc);

/**
 * Read RFC 3339 ("2024-06-01T12:00:00+02:00", "…Z"; a fraction of a second is dropped) or Unix
 * seconds.
 * Returns 0; -EINVAL, with utc untouched, for anything else, a day that does not exist included.
 */
int sim_time_parse(const char *text, int64_t *utc) __attribute__((warn_unused_result));

#endif
