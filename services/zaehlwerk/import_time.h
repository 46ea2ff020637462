/* import_time: the original's times, which are the second of arrival at its clock. */
#ifndef IMPORT_TIME_H
#define IMPORT_TIME_H

#include <stdbool.h>
#include <stdint.h>

/**
 * The clock of rows that come in their order: where a local hour comes twice, a row that would
 * stand before the one before it is in the second. All-zero to begin with.
 *
 * shifted: the original ran on a machine whose zone is not UTC, outside its container. Then
 * Python's utcnow().timestamp() takes UTC for local time, and is an hour or two too early; it is
 * put right here.
 */
struct import_clock {
    bool shifted, known;
    int64_t last; /* s since 1970 UTC */
};

/**
 * Read seconds since 1970 (or milliseconds, of 13 digits), RFC 3339, or a date and time without
 * zone: in this process's zone (zone_use), or UTC. Fractions are cut.
 *
 * Returns NULL, or what is wrong, with *time untouched.
 */
const char *import_time_read(struct import_clock *clock, const char *text, bool utc, int64_t *time);

#endif
