/* sim_home: what one household draws from the grid and feeds into it, at any time. */
#ifndef SIM_HOME_H
#define SIM_HOME_H

#include <stdbool.h>
#include <stdint.h>

#define SIM_HOME_EPOCH 1451606400 /* 2016-01-01T00:00:00Z: nothing is known of earlier times */

/** Energy since SIM_HOME_EPOCH in mJ (mW s); `out` is what solar power feeds into the grid. */
struct sim_energy {
    int64_t in, out;
};

/**
 * The script of one household, a function of (seed, number) alone: base load, refrigerator, light,
 * appliances that people switch on and off by habit and by chance, night boiler, heat pump or car
 * in some; with `solar` panels under the sun and the clouds of 48 degrees north. Its power is
 * constant within a minute. Every four years it begins again, so that the energy at any time is
 * the sum of whole cycles, of whole days (a table made once, some 10 ms) and of minutes; nothing
 * needs to be kept over a restart.
 */
struct sim_home;

/** NULL out of memory. */
struct sim_home *sim_home_new(uint64_t seed, uint64_t number, bool solar);
void sim_home_free(struct sim_home *h);

/**
 * The energy up to a time in Unix milliseconds, not before SIM_HOME_EPOCH. Never falls with time.
 * Not const: the minutes of two days are cached.
 */
struct sim_energy sim_home_energy(struct sim_home *h, int64_t unix_ms);

#endif
