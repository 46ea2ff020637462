#include "windows.h"

#include <stdlib.h>
#include <string.h>

#include "names.h"

enum { SLOTS = 65536 };

/* The newest window of a meter and the ground on which its readings may be passed over. */
struct window {
    bool known, committed;
    bool suspect;
    int64_t start, time, counter;
    struct delivery {
        uint8_t origin[ORIGIN_OCTETS];
        uint64_t seq;
        uint32_t index;
    } delivery;
};

/* A slot is found by a delivery's hash and may be another's by now: then its ack is not noticed. */
struct windows {
    int64_t seconds;
    struct names *meters; /* of struct window */
    struct window *slots[SLOTS];
};

struct windows *windows_new(int64_t seconds)
{
    struct windows *w = calloc(1, sizeof *w);

    if (w == NULL)
        return NULL;
    w->seconds = seconds;
    w->meters = names_new(sizeof(struct window), NULL);
    if (w->meters == NULL) {
        free(w);
        return NULL;
    }
    return w;
}

void windows_free(struct windows *w)
{
    if (w == NULL)
        return;
    names_free(w->meters);
    free(w);
}

int64_t windows_start(const struct windows *w, int64_t time)
{
    int64_t into = time % w->seconds;

    return time - (into < 0 ? into + w->seconds : into);
}

size_t windows_count(const struct windows *w)
{
    return names_count(w->meters);
}

static struct window **slot(struct windows *w, const struct delivery *d)
{
    uint64_t h;

    memcpy(&h, d->origin, sizeof h); /* random octets */
    h = (h ^ d->seq * 31 ^ d->index) * UINT64_C(0x9E3779B97F4A7C15);
    return &w->slots[h >> 48];
}

static bool same(const struct delivery *a, const struct delivery *b)
{
    return a->seq == b->seq && a->index == b->index &&
           memcmp(a->origin, b->origin, ORIGIN_OCTETS) == 0;
}

/* True when a reading comes after the known one in the order of its window. */
static bool is_later(const struct window *known, bool suspect, int64_t time, int64_t counter)
{
    if (time == known->time && counter == known->counter)
        return false;
    if (suspect != known->suspect)
        return suspect;
    return time > known->time || (time == known->time && counter > known->counter);
}

bool windows_take(struct windows *w, const struct record *r)
{
    /* without a clock its time is the database's to find, perhaps in the window before */
    struct window *last = r->reading.has_time ? names_add(w->meters, r->reading.meter) : NULL;
    int64_t time = record_time(r), start = windows_start(w, time);
    bool suspect = r->reading.suspect[0] != '\0';

    if (last == NULL || (last->known && start < last->start))
        return true;
    if (last->known && start == last->start && is_later(last, suspect, time, r->reading.counter))
        return !last->committed;
    *last = (struct window){.known = true,
                            .suspect = suspect,
                            .start = start,
                            .time = time,
                            .counter = r->reading.counter,
                            .delivery = {.seq = r->seq, .index = r->index}};
    memcpy(last->delivery.origin, r->origin, ORIGIN_OCTETS);
    *slot(w, &last->delivery) = last;
    return true;
}

void windows_committed(struct windows *w,
                       const uint8_t origin[ORIGIN_OCTETS],
                       const struct ack_range *range)
{
    struct delivery d = {.seq = range->first, .index = range->index};

    memcpy(d.origin, origin, ORIGIN_OCTETS);
    for (uint64_t n = range->last - range->first; d.seq - range->first <= n && n < SLOTS; d.seq++) {
        struct window *window = *slot(w, &d);

        if (window != NULL && same(&window->delivery, &d))
            window->committed = true;
    }
}
