/* live: which readings are live values, and on which topic. */
#ifndef LIVE_H
#define LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "record.h"

/** The last reading shown of each meter. */
struct live;

/** What a reading is. */
enum live_verdict {
    LIVE,
    LIVE_REDELIVERED, /* not its first delivery */
    LIVE_LATE,        /* arrived 60 s ago or earlier */
    LIVE_STALE,       /* not newer than the last shown of its meter */
    LIVE_SUSPECT,
    LIVE_CLOCK, /* the meter's time is far from its arrival: an old telegram, or a wrong clock */
};

/** "redelivered", "late", "stale", "suspect", "clock"; "live" for LIVE. */
const char *live_name(enum live_verdict v);

/**
 * skew_seconds: how far the time of a meter may be from the arrival, once it was seen as near as
 * that (a meter that never was has a clock that is wrong, or its telegrams are captured ones); 0:
 * any. NULL out of memory.
 */
struct live *live_new(int64_t skew_seconds);
void live_free(struct live *l);

/** Judge one reading at now_ms; a live one becomes the last shown of its meter. */
enum live_verdict live_judge(struct live *l, const struct record *r, int64_t now_ms);

/** How many meters were seen. */
size_t live_meters(const struct live *l);

/**
 * The topic of a reading: {meter} becomes its id, {name} its name (the id where it has none), with
 * +, # and / in it as _. Cut to size.
 */
void live_topic(const char *pattern, const struct reading *r, char *topic, size_t size);

/** True when the pattern tells meters apart: it holds {meter} or {name}. */
bool live_topic_tells(const char *pattern);

/** The filter of all topics that a pattern may become: + in place of levels with a placeholder. Cut
 * to size. */
void live_filter(const char *pattern, char *filter, size_t size);

#endif
