/* sim_hash: numbers that look random and depend on nothing but their arguments. */
#ifndef SIM_HASH_H
#define SIM_HASH_H

#include <math.h>
#include <stdint.h>

/** 64 even bits of three numbers (the finaliser of SplitMix64, once per argument). */
static inline uint64_t sim_hash(uint64_t seed, uint64_t a, uint64_t b)
{
    const uint64_t in[3] = {seed, a, b};
    uint64_t h = 0;

    for (int i = 0; i < 3; i++) {
        h = (h ^ in[i]) + 0x9E3779B97F4A7C15;
        h = (h ^ h >> 30) * 0xBF58476D1CE4E5B9;
        h = (h ^ h >> 27) * 0x94D049BB133111EB;
        h ^= h >> 31;
    }
    return h;
}

/** A hash as a number in [0, 1). */
static inline double sim_unit(uint64_t h)
{
    return (double)(h >> 11) * 0x1p-53;
}

/** A hash as an integer in [from, from + span]. */
static inline int sim_pick(uint64_t h, int from, int span)
{
    return from + (int)((h >> 32) * (uint64_t)(span + 1) >> 32);
}

/** A line through [0, 1) that bends at each whole x. */
static inline double sim_noise(uint64_t seed, uint64_t a, double x)
{
    double knot = floor(x);
    double here = sim_unit(sim_hash(seed, a, (uint64_t)(int64_t)knot));
    double next = sim_unit(sim_hash(seed, a, (uint64_t)(int64_t)knot + 1));

    return here + (next - here) * (x - knot);
}

#endif
