#include "totals.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "zone.h"

enum { ODD_MAX = 12, WATTS_MAX = 200000, SLACK_WH = 100 };
#define SECONDS_MAX INT64_C(1000000000)
#define NUMBER_MAX  (INT64_C(1) << 53)

static const enum field fields[TOTALS_FLOWS] = {FIELD_WIN, FIELD_WOUT};

/* The counter at a time between two readings. */
static int64_t between(int64_t at, int64_t t0, int64_t w0, int64_t t1, int64_t w1)
{
    return t1 == t0 ? w0 : w0 + llround((double)(w1 - w0) * (double)(at - t0) / (double)(t1 - t0));
}

/* It falls, or rises faster than any connection allows. */
static bool is_odd(int64_t t0, int64_t w0, int64_t t1, int64_t w1)
{
    int64_t seconds = t1 - t0;

    seconds = seconds < 0 ? 0 : seconds > SECONDS_MAX ? SECONDS_MAX : seconds;
    return w1 < w0 || w1 - w0 > seconds * WATTS_MAX / 3600 + SLACK_WH;
}

/* One more that is odd: true when a dozen before it agreed, so that it is the new truth. */
static bool is_replaced(struct totals_counter *c, int64_t time, int64_t wh)
{
    c->odd = c->odd > 0 && !is_odd(c->odd_time, c->odd_wh, time, wh) ? c->odd + 1 : 1;
    c->odd_time = time;
    c->odd_wh = wh;
    return c->odd > ODD_MAX;
}

static void begin(
    struct totals_begin *b, const struct totals_counter *c, int64_t start, int64_t time, int64_t wh)
{
    bool crossed = c->known && c->time <= start;

    if (b->start == start && c->known)
        return;
    b->start = start;
    b->wh = crossed         ? between(start, c->time, c->wh, time, wh)
            : time == start ? wh
                            : TOTALS_UNKNOWN;
}

/* Another counter goes on where the old one ended: periods that it did not see begin are unknown.
 */
static void replace(struct totals_counter *c, const int64_t starts[TOTALS_PERIODS], int64_t wh)
{
    for (int p = 0; p < TOTALS_PERIODS; p++) {
        struct totals_begin *b = &c->begin[p];

        b->wh =
            b->start == starts[p] && b->wh != TOTALS_UNKNOWN ? b->wh + wh - c->wh : TOTALS_UNKNOWN;
        b->start = starts[p];
    }
}

/* Returns whether the reading is believed. */
static bool take(struct totals_counter *c, int64_t time, int64_t wh)
{
    const int64_t starts[TOTALS_PERIODS] = {zone_day_start(time), zone_month_start(time)};

    if (c->known && is_odd(c->time, c->wh, time, wh)) {
        if (!is_replaced(c, time, wh))
            return false;
        replace(c, starts, wh);
    } else {
        for (int p = 0; p < TOTALS_PERIODS; p++)
            begin(&c->begin[p], c, starts[p], time, wh);
    }
    c->known = true;
    c->odd = 0;
    c->time = time;
    c->wh = wh;
    return true;
}

void totals_take(struct totals *t,
                 int64_t time,
                 const struct reading *r,
                 struct totals_shown shown[TOTALS_FLOWS])
{
    for (int f = 0; f < TOTALS_FLOWS; f++) {
        const struct quantity *q = &r->values[fields[f]];
        struct totals_counter *c = &t->counters[f];
        int64_t wh = quantity_scaled(q, 0);

        shown[f] = (struct totals_shown){TOTALS_UNKNOWN, {TOTALS_UNKNOWN, TOTALS_UNKNOWN}};
        if (!q->present || wh < 0 || wh > NUMBER_MAX || !take(c, time, wh))
            continue;
        shown[f].wh = c->wh;
        for (int p = 0; p < TOTALS_PERIODS; p++)
            if (c->begin[p].wh != TOTALS_UNKNOWN)
                shown[f].period[p] = c->wh - c->begin[p].wh;
    }
}

bool totals_began(const struct totals *before, const struct totals *after)
{
    for (int f = 0; f < TOTALS_FLOWS; f++)
        for (int p = 0; p < TOTALS_PERIODS; p++) {
            const struct totals_begin *a = &before->counters[f].begin[p];
            const struct totals_begin *b = &after->counters[f].begin[p];

            if (a->start != b->start || a->wh != b->wh)
                return true;
        }
    return false;
}

/* The state over a restart */

static const char *const flows[TOTALS_FLOWS] = {"import", "export"};
static const char *const periods[TOTALS_PERIODS] = {"day", "month"};

static json_t *save_counter(const struct totals_counter *c)
{
    json_t *object = json_pack("{s:I, s:I}", "time", (json_int_t)c->time, "wh", (json_int_t)c->wh);

    for (int p = 0; p < TOTALS_PERIODS; p++) {
        const struct totals_begin *b = &c->begin[p];

        if (b->wh != TOTALS_UNKNOWN)
            json_object_set_new(
                object, periods[p],
                json_pack("{s:I, s:I}", "start", (json_int_t)b->start, "wh", (json_int_t)b->wh));
    }
    return object;
}

char *totals_save(const struct totals *t, const char *meter)
{
    json_t *root = json_pack("{s:i, s:s}", "v", 1, "meter", meter);
    char *text;

    for (int f = 0; f < TOTALS_FLOWS; f++)
        if (t->counters[f].known)
            json_object_set_new(root, flows[f], save_counter(&t->counters[f]));
    text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    return text;
}

static bool load_number(const json_t *object, const char *key, int64_t *number)
{
    const json_t *value = json_object_get(object, key);

    *number = json_integer_value(value);
    return json_is_integer(value) && *number >= -NUMBER_MAX && *number <= NUMBER_MAX;
}

static void load_counter(const json_t *object, struct totals_counter *c)
{
    c->known =
        load_number(object, "time", &c->time) && load_number(object, "wh", &c->wh) && c->wh >= 0;
    for (int p = 0; p < TOTALS_PERIODS; p++) {
        const json_t *period = json_object_get(object, periods[p]);
        struct totals_begin *b = &c->begin[p];

        if (!load_number(period, "start", &b->start) || !load_number(period, "wh", &b->wh) ||
            b->start > c->time || b->wh > c->wh)
            *b = (struct totals_begin){0, TOTALS_UNKNOWN};
    }
}

int totals_load(const char *text, size_t len, char meter[METER_ID_CHARS + 1], struct totals *t)
{
    json_t *root = json_loadb(text, len, 0, NULL);
    const char *id = json_string_value(json_object_get(root, "meter"));
    int rc = -EPROTO;

    if (id != NULL && strlen(id) == METER_ID_CHARS &&
        strspn(id, "0123456789ABCDEF") == METER_ID_CHARS &&
        json_integer_value(json_object_get(root, "v")) == 1) {
        memset(t, 0, sizeof *t);
        memcpy(meter, id, METER_ID_CHARS + 1);
        for (int f = 0; f < TOTALS_FLOWS; f++)
            load_counter(json_object_get(root, flows[f]), &t->counters[f]);
        rc = 0;
    }
    json_decref(root);
    return rc;
}

/* Begun between the two: on their line, unless that is none. */
static void begin_between(struct totals_begin *b,
                          const struct totals_counter *c,
                          const struct totals_counter *saved)
{
    if (saved->time <= b->start && !is_odd(saved->time, saved->wh, c->time, c->wh))
        b->wh = between(b->start, saved->time, saved->wh, c->time, c->wh);
}

static void merge(struct totals_counter *c, const struct totals_counter *saved)
{
    if (!saved->known)
        return;
    if (!c->known) {
        *c = *saved;
        return;
    }
    for (int p = 0; p < TOTALS_PERIODS; p++) {
        struct totals_begin *b = &c->begin[p];

        if (b->wh != TOTALS_UNKNOWN)
            continue;
        if (saved->begin[p].start == b->start && saved->begin[p].wh <= c->wh)
            b->wh = saved->begin[p].wh;
        else
            begin_between(b, c, saved);
    }
}

void totals_merge(struct totals *t, const struct totals *saved)
{
    for (int f = 0; f < TOTALS_FLOWS; f++)
        merge(&t->counters[f], &saved->counters[f]);
}
