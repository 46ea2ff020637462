#include "live.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

enum { LIVE_MS = 60000, AHEAD_SECONDS = 120 };

struct shown {
    char meter[METER_ID_CHARS + 1];
    int64_t time, counter;
};

struct live {
    void *tree;
    size_t count;
};

const char *live_name(enum live_verdict v)
{
    static const char *const names[] = {
        [LIVE] = "live",
        [LIVE_REDELIVERED] = "redelivered",
        [LIVE_LATE] = "late",
        [LIVE_STALE] = "stale",
    };

    return names[v];
}

struct live *live_new(void)
{
    return calloc(1, sizeof(struct live));
}

void live_free(struct live *l)
{
    if (l == NULL)
        return;
    tdestroy(l->tree, free);
    free(l);
}

size_t live_meters(const struct live *l)
{
    return l->count;
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct shown *)a)->meter, ((const struct shown *)b)->meter);
}

/* A clock that was once ahead of time must not silence the meter until then. */
static bool is_ahead(const struct shown *shown, const struct record *r)
{
    return shown->time > r->arrival_ms / 1000 + AHEAD_SECONDS;
}

enum live_verdict live_judge(struct live *l, const struct record *r, int64_t now_ms)
{
    int64_t time = record_time(r);
    struct shown *fresh;
    struct shown **found;
    bool newer;

    if (r->attempt > 0)
        return LIVE_REDELIVERED;
    if (now_ms - r->arrival_ms >= LIVE_MS)
        return LIVE_LATE;
    fresh = calloc(1, sizeof *fresh);
    if (fresh == NULL)
        return LIVE;
    memcpy(fresh->meter, r->reading.meter, sizeof fresh->meter);
    fresh->time = time;
    fresh->counter = r->reading.counter;
    found = tsearch(fresh, &l->tree, compare);
    if (found != NULL && *found == fresh) {
        l->count++;
        return LIVE;
    }
    free(fresh);
    if (found == NULL)
        return LIVE;
    newer = time > (*found)->time ||
            (time == (*found)->time && r->reading.counter > (*found)->counter) ||
            (time != (*found)->time && is_ahead(*found, r));
    if (newer) {
        (*found)->time = time;
        (*found)->counter = r->reading.counter;
    }
    return newer ? LIVE : LIVE_STALE;
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
