#include "plausible.h"

#include <stdlib.h>

#include "names.h"

enum { AHEAD_SECONDS = 600, SUSPECTS_MAX = 12, WATTS_MAX = 200000, SLACK_WH = 100 };

/* Bounds of each field in its unit. */
static const struct {
    int64_t min, max;
} bounds[FIELD_COUNT] = {
    [FIELD_WIN] = {0, INT64_MAX / 2},
    [FIELD_WOUT] = {0, INT64_MAX / 2},
    [FIELD_PIN] = {0, 10000000},
    [FIELD_POUT] = {0, 10000000},
    [FIELD_U1] = {0, 1000},
    [FIELD_U2] = {0, 1000},
    [FIELD_U3] = {0, 1000},
    [FIELD_I1] = {-10000, 10000},
    [FIELD_I2] = {-10000, 10000},
    [FIELD_I3] = {-10000, 10000},
    [FIELD_PF] = {-2, 2},
    [FIELD_RIN] = {0, INT64_MAX / 2},
    [FIELD_ROUT] = {0, INT64_MAX / 2},
    [FIELD_QIN] = {0, 10000000},
    [FIELD_QOUT] = {0, 10000000},
};

struct counters {
    int64_t time, win, wout;
};

struct meter {
    bool known;
    struct counters good;
    struct counters suspect; /* the last of a row of suspects */
    int suspects;            /* in a row */
};

struct plausible {
    struct names *meters; /* of struct meter */
};

const char *plausible_reject(const struct record *r, bool clock_synchronised)
{
    const struct reading *reading = &r->reading;

    for (int f = 0; f < FIELD_COUNT; f++) {
        int64_t v = quantity_scaled(&reading->values[f], 0);

        if (reading->values[f].present && (v < bounds[f].min || v > bounds[f].max))
            return "a value that no meter measures";
    }
    if (clock_synchronised && reading->has_time &&
        reading->time > r->arrival_ms / 1000 + AHEAD_SECONDS)
        return "the meter's clock is more than 10 minutes ahead";
    return NULL;
}

struct plausible *plausible_new(void)
{
    struct plausible *p = calloc(1, sizeof *p);

    if (p == NULL)
        return NULL;
    p->meters = names_new(sizeof(struct meter), NULL);
    if (p->meters == NULL) {
        free(p);
        return NULL;
    }
    return p;
}

void plausible_free(struct plausible *p)
{
    if (p == NULL)
        return;
    names_free(p->meters);
    free(p);
}

/* "" or what is odd about one counter at two times, earlier first. */
static const char *judge_counter(int64_t seconds, int64_t before, int64_t after)
{
    if (after < before && seconds > 0) /* within one second nobody knows which was first */
        return "energy-falls";
    if (after - before > seconds * WATTS_MAX / 3600 + SLACK_WH)
        return "energy-jumps";
    return "";
}

static const char *judge(const struct counters *a, const struct counters *b)
{
    const struct counters *first = a->time <= b->time ? a : b;
    const struct counters *then = first == a ? b : a;
    const char *odd = judge_counter(then->time - first->time, first->win, then->win);

    return *odd != '\0' ? odd : judge_counter(then->time - first->time, first->wout, then->wout);
}

const char *plausible_suspect(struct plausible *p, const struct record *r)
{
    const struct reading *reading = &r->reading;
    const struct counters now = {
        .time = reading->time,
        .win = quantity_scaled(&reading->values[FIELD_WIN], 0),
        .wout = quantity_scaled(&reading->values[FIELD_WOUT], 0),
    };
    struct meter *m;
    const char *odd;

    if (!reading->has_time || !reading->values[FIELD_WIN].present)
        return "";
    m = names_add(p->meters, reading->meter);
    if (m == NULL)
        return "";
    if (!m->known)
        *m = (struct meter){.known = true, .good = now};
    odd = judge(&m->good, &now);
    if (*odd == '\0') {
        m->suspects = 0;
        if (now.time > m->good.time)
            m->good = now;
        return "";
    }
    m->suspects = m->suspects > 0 && *judge(&m->suspect, &now) == '\0' ? m->suspects + 1 : 1;
    m->suspect = now;
    if (m->suspects > SUSPECTS_MAX) {
        m->good = now;
        m->suspects = 0;
        return "";
    }
    return odd;
}
