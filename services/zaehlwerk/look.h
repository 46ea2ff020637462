/* look: what `rejects` and `replay` share: filters, and the database, read only. */
#ifndef LOOK_H
#define LOOK_H

#include <stdint.h>

#include "reading.h"
#include "store.h"

/** The filters, as a query without `max`. */
struct look {
    struct reject_query query; /* points to meter */
    char meter[METER_ID_CHARS + 1];
};

#define LOOK_USAGE                                                                                 \
    "  --since TIME    that arrived at or after TIME: 2026-11-24, 2026-11-24T08:00:00+01:00, or\n" \
    "                  an age: 90s 30m 2h 7d\n"                                                    \
    "  --meter ID      of this meter (16 hex digits)\n"                                            \
    "  --reason WORD   with this reason (wrong-key, checksum ...)\n"

/**
 * Read TIME into ms since 1970 UTC: a date (its midnight in UTC), RFC 3339, or an age before
 * now_ms. Returns 0, or -EINVAL with *utc_ms untouched.
 */
int look_time(const char *text, int64_t now_ms, int64_t *utc_ms)
    __attribute__((warn_unused_result));

/** The same, but a date is the beginning of that day in this process's zone (zone_use). */
int look_local_time(const char *text, int64_t now_ms, int64_t *utc_ms)
    __attribute__((warn_unused_result));

/** Take one filter's argument. Returns NULL, or what is wrong with it. */
const char *look_since(struct look *l, const char *text);
const char *look_meter(struct look *l, const char *text);
const char *look_reason(struct look *l, const char *text);

/** Connect to the database. Returns an exit status; when it is not 0, stderr says why. */
int look_open(const char *command, const struct store_conf *conf, struct store **out);

#endif
