/* instant: points in time as people and programs read them (RFC 3339, in UTC). */
#ifndef INSTANT_H
#define INSTANT_H

#include <stdbool.h>
#include <stdint.h>

#define INSTANT_CHARS 40

/** "2026-11-24T08:00:00Z" of seconds since 1970 UTC; "" where there is no such year. */
void instant_print(int64_t utc_s, char text[INSTANT_CHARS]);

/** "2026-11-24T08:00:00.123Z" of milliseconds since 1970 UTC. */
void instant_print_ms(int64_t utc_ms, char text[INSTANT_CHARS]);

/** Read "2026-11-24T08:00:00Z"; false for anything else, and for what no clock shows. */
bool instant_parse(const char *text, int64_t *utc_s);

#endif
