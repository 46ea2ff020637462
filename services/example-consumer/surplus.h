/* surplus: when there is power to spare, decided from one meter's readings. */
#ifndef SURPLUS_H
#define SURPLUS_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "live.h"
#include "record.h"

/** Settings, then what was seen. Zeroed but for its settings: nothing was, and that is off. */
struct surplus {
    char *meter;
    int64_t skew_seconds, on_watts, off_watts, on_seconds, silence_seconds;

    char topic[sizeof "reading." + METER_ID_CHARS]; /* to subscribe to: the meter's readings */
    struct live *live;
    struct record record;
    struct record_memory memory;
    bool on;
    bool heard;       /* at heard_ms, and since then it is not silent */
    bool above;       /* the export is above on_watts since above_ms */
    int64_t heard_ms; /* clock_monotonic_ms() */
    int64_t above_ms;
};

/* clang-format off */
#define SURPLUS_OPTIONS(s, m)                                                                                                    \
    CONF_NUMBER_OPTION("LIVE_SKEW_SECONDS", s, m.skew_seconds, "10800", 0, 1000000000, "how far a meter's clock may be from the arrival of a live value; 0: any"), \
    CONF_TEXT_OPTION("METER", s, m.meter, NULL, "whose readings count: system title, 16 hex digits"),                             \
    CONF_NUMBER_OPTION("SURPLUS_ON_WATTS", s, m.on_watts, "2000", 0, 1000000, "on when the export is above this; more than the load takes"), \
    CONF_NUMBER_OPTION("SURPLUS_OFF_WATTS", s, m.off_watts, "100", 0, 1000000, "off as soon as the import is above this"),        \
    CONF_NUMBER_OPTION("SURPLUS_SECONDS", s, m.on_seconds, "60", 0, 86400, "how long the export must last"),                      \
    CONF_NUMBER_OPTION("SILENCE_SECONDS", s, m.silence_seconds, "60", 1, 86400, "off when no live reading has come for so long")
/* clang-format on */

/** 0, or -EINVAL when METER is no meter's id, logged. */
int surplus_check(const struct surplus *s) __attribute__((warn_unused_result));

/** Fill in the topic, and what judges readings. Returns 0 or -ENOMEM. */
int surplus_open(struct surplus *s) __attribute__((warn_unused_result));

/** Takes a half-open or zeroed one. */
void surplus_close(struct surplus *s);

/**
 * Take one message that was published on the topic, a record, at utc_ms and now_ms (monotonic). Of
 * a live reading: on when PIn - POut, in W, has stayed below -on_watts for on_seconds without
 * silence; off as soon as it is above off_watts; between the two it stays as it is. Any other says
 * nothing about now; nor does one without both powers, or with one that no home can have.
 * Returns what it was, for the metric: a word of live_name(), or "unreadable", then logged.
 */
const char *
surplus_take(struct surplus *s, const uint8_t *octets, size_t len, int64_t utc_ms, int64_t now_ms);

/** Look at the time alone: silence is off. Returns whether the load should be on. */
bool surplus_step(struct surplus *s, int64_t now_ms);

#endif
