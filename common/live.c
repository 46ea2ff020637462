#include "live.h"

#include <stdlib.h>
#include <string.h>

#include "names.h"

enum { LIVE_MS = 60000, AHEAD_SECONDS = 120 };

struct shown {
    bool known;
    bool near; /* its time was seen near an arrival: it has a clock that is right */
    int64_t time, counter;
};

struct live {
    int64_t skew_seconds;
    struct names *meters; /* of struct shown */
};

const char *live_name(enum live_verdict v)
{
    static const char *const names[] = {
        [LIVE] = "live",        [LIVE_REDELIVERED] = "redelivered", [LIVE_LATE] = "late",
        [LIVE_STALE] = "stale", [LIVE_SUSPECT] = "suspect",         [LIVE_CLOCK] = "clock",
    };

    return names[v];
}

struct live *live_new(int64_t skew_seconds)
{
    struct live *l = calloc(1, sizeof *l);

    if (l == NULL)
        return NULL;
    l->skew_seconds = skew_seconds;
    l->meters = names_new(sizeof(struct shown), NULL);
    if (l->meters == NULL) {
        free(l);
        return NULL;
    }
    return l;
}

void live_free(struct live *l)
{
    if (l == NULL)
        return;
    names_free(l->meters);
    free(l);
}

size_t live_meters(const struct live *l)
{
    return names_count(l->meters);
}

/* A clock that was once ahead of time must not silence the meter until then. */
static bool is_ahead(const struct shown *shown, const struct record *r)
{
    return shown->time > r->arrival_ms / 1000 + AHEAD_SECONDS;
}

/* Newer than the last one shown of its meter, if there is one. */
static bool is_newer(const struct shown *shown, const struct record *r)
{
    int64_t time = record_time(r);

    if (!shown->known || time > shown->time)
        return true;
    if (time == shown->time)
        return r->reading.counter > shown->counter;
    return is_ahead(shown, r);
}

static bool is_far(const struct live *l, const struct record *r)
{
    return l->skew_seconds > 0 && llabs(record_time(r) - r->arrival_ms / 1000) > l->skew_seconds;
}

enum live_verdict live_judge(struct live *l, const struct record *r, int64_t now_ms)
{
    struct shown *shown = names_add(l->meters, r->reading.meter);
    bool far = is_far(l, r);

    if (shown != NULL && r->reading.has_time)
        shown->near |= !far;
    if (r->attempt > 0)
        return LIVE_REDELIVERED;
    if (now_ms - r->arrival_ms >= LIVE_MS)
        return LIVE_LATE;
    if (r->reading.suspect[0] != '\0')
        return LIVE_SUSPECT;
    if (shown == NULL) /* without memory nothing is known to be new */
        return LIVE_STALE;
    if (shown->near && far)
        return LIVE_CLOCK;
    if (!is_newer(shown, r))
        return LIVE_STALE;
    shown->known = true;
    shown->time = record_time(r);
    shown->counter = r->reading.counter;
    return LIVE;
}

/* What a topic level must not hold: wildcards, separators and control characters. */
static bool is_unfit(char c)
{
    return strchr("+#/", c) != NULL || (unsigned char)c < ' ' || c == 0x7F;
}

void live_topic(const char *pattern, const struct reading *r, char *topic, size_t size)
{
    const char *name = r->name[0] != '\0' ? r->name : r->meter;
    size_t n = 0;

    while (*pattern != '\0' && n + 1 < size) {
        const char *insert = NULL;

        if (strncmp(pattern, "{meter}", 7) == 0)
            insert = r->meter;
        else if (strncmp(pattern, "{name}", 6) == 0)
            insert = name;
        if (insert == NULL) {
            topic[n++] = *pattern++;
            continue;
        }
        for (; *insert != '\0' && n + 1 < size; insert++)
            topic[n++] = (char)(is_unfit(*insert) ? '_' : *insert);
        pattern += strcspn(pattern, "}") + 1;
    }
    topic[n] = '\0';
}

bool live_topic_tells(const char *pattern)
{
    return strstr(pattern, "{meter}") != NULL || strstr(pattern, "{name}") != NULL;
}

void live_filter(const char *pattern, char *filter, size_t size)
{
    size_t n = 0;

    while (*pattern != '\0' && n + 1 < size) {
        size_t level = strcspn(pattern, "/");

        if (memchr(pattern, '{', level) != NULL)
            filter[n++] = '+';
        else
            for (size_t i = 0; i < level && n + 1 < size; i++)
                filter[n++] = pattern[i];
        pattern += level;
        if (*pattern == '/' && n + 1 < size)
            filter[n++] = *pattern++;
    }
    filter[n] = '\0';
}
