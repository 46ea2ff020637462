/* totals: a meter's counters as they may be shown, and what was counted today and this month. */
#ifndef TOTALS_H
#define TOTALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reading.h"

#define TOTALS_UNKNOWN INT64_MIN

enum totals_flow { TOTALS_IMPORT, TOTALS_EXPORT, TOTALS_FLOWS };
enum totals_period { TOTALS_DAY, TOTALS_MONTH, TOTALS_PERIODS };

/** Where a period began, and what the counter stood at then; TOTALS_UNKNOWN: not known. */
struct totals_begin {
    int64_t start, wh;
};

/** One counter. All-zero knows nothing. */
struct totals_counter {
    bool known;
    int64_t time, wh; /* the last one that was believed */
    struct totals_begin begin[TOTALS_PERIODS];
    int odd; /* readings in a row that are not believed yet, and the last of them */
    int64_t odd_time, odd_wh;
};

struct totals {
    struct totals_counter counters[TOTALS_FLOWS];
};

/** What may be published now, in Wh; TOTALS_UNKNOWN: nothing. */
struct totals_shown {
    int64_t wh, period[TOTALS_PERIODS];
};

/**
 * Take a live reading at its time (seconds since 1970 UTC). zone_use comes first.
 *
 * - The counter at the start of a day or month lies on the line between the last reading before it
 *   and the first one after it. Until two such readings were seen, the total is not known.
 * - A counter that falls, or rises faster than 200 kW allow, is not shown, and neither are its
 *   totals, until a dozen readings in a row agree with one another: then it was replaced, and the
 *   totals go on from where they were.
 *
 * So what is shown never falls but for a replacement, and a total never falls within its period.
 */
void totals_take(struct totals *t,
                 int64_t time,
                 const struct reading *r,
                 struct totals_shown shown[TOTALS_FLOWS]);

/** True when a period has begun, or become known, between the two. */
bool totals_began(const struct totals *before, const struct totals *after);

/** The state as JSON text, to be freed; NULL out of memory. */
char *totals_save(const struct totals *t, const char *meter) __attribute__((warn_unused_result));

/**
 * Read such a text. Returns 0; -EPROTO when it is none, with both outputs untouched. What
 * contradicts itself in it is left out.
 */
int totals_load(const char *text, size_t len, char meter[METER_ID_CHARS + 1], struct totals *t)
    __attribute__((warn_unused_result));

/** Add what an earlier process knew and this one does not. */
void totals_merge(struct totals *t, const struct totals *saved);

#endif
