/* clock: the two clocks that services look at. */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/timex.h>
#include <time.h>

static inline int64_t clock_read_ms(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/** Milliseconds that never run backwards: for time-outs. */
static inline int64_t clock_monotonic_ms(void)
{
    return clock_read_ms(CLOCK_MONOTONIC);
}

/** Milliseconds since 1970 UTC: for arrivals. */
static inline int64_t clock_utc_ms(void)
{
    return clock_read_ms(CLOCK_REALTIME);
}

/** True when the kernel says that the time is synchronised (adjtimex). */
static inline bool clock_synchronised(void)
{
    struct timex t = {.modes = 0};

    return adjtimex(&t) != TIME_ERROR;
}

#endif
