/* quarters_check: readings of quarter hours, and what the table must say of them, reckoned anew. */
#ifndef QUARTERS_CHECK_H
#define QUARTERS_CHECK_H

#include "both_stores.h"

#include <inttypes.h>

#include "quarters.h"

#define OTHER "056B3C12541276DE"
#define T0    INT64_C(1790000100) /* on a quarter */

enum { MANY = 6000 };

static struct record made[MANY];
static size_t made_count;

/* One more reading; wout STORE_NULL: the meter sends none. */
static struct record *
reading(const char *meter, int64_t time, int64_t win, int64_t wout, const char *suspect)
{
    struct record *r = &made[made_count];

    assert_true(made_count < MANY);
    *r = three_phases(time, (int64_t)made_count++);
    snprintf(r->reading.meter, sizeof r->reading.meter, "%s", meter);
    snprintf(r->reading.suspect, sizeof r->reading.suspect, "%s", suspect);
    r->reading.values[FIELD_WIN] = (struct quantity){true, 0, win};
    r->reading.values[FIELD_WOUT] = (struct quantity){wout != STORE_NULL, 0, wout};
    return r;
}

static void write_made(struct store *s, size_t batch)
{
    write_many(s, made, made_count, batch);
}

/* --- what the table says ---------------------------------------------------------------- */

struct line {
    char meter[METER_ID_CHARS + 1], quality[8];
    int64_t start, win, wout;
};

struct table_of_quarters {
    size_t count;
    struct line lines[20000];
};

static void note(void *arg, const struct rows_row *row)
{
    struct table_of_quarters *t = arg;
    struct line *l = &t->lines[t->count++];

    assert_true(t->count <= COUNT(t->lines));
    snprintf(l->meter, sizeof l->meter, "%s", row->meter);
    snprintf(l->quality, sizeof l->quality, "%s", row->quality);
    l->start = row->at;
    l->win = row->win;
    l->wout = row->wout;
    assert_true(row->time == row->at && row->received_ms == 0 && row->pin == ROWS_NULL);
}

static int by_meter(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    int order = strcmp(x->meter, y->meter);

    return order != 0 ? order : (x->start > y->start) - (x->start < y->start);
}

static struct table_of_quarters *look(struct store *s, const char *meter)
{
    const struct rows_query q = {.table = ROWS_QUARTERS,
                                 .meter = meter,
                                 .from = INT64_C(-10000000000),
                                 .to = INT64_C(10000000000),
                                 .max = COUNT(((struct table_of_quarters *)0)->lines)};
    struct table_of_quarters *t = calloc(1, sizeof *t);
    char why[STORE_WHY_CHARS] = "";

    assert_non_null(t);
    if (store_rows(s, &q, note, t, why) != 0)
        fail_msg("%s", why);
    qsort(t->lines, t->count, sizeof t->lines[0], by_meter);
    return t;
}

static void
check_line(const struct line *l, int64_t start, int64_t win, int64_t wout, const char *quality)
{
    if (l->start != start || l->win != win || l->wout != wout || strcmp(l->quality, quality) != 0)
        fail_msg("%" PRId64 " %" PRId64 " %" PRId64 " %s, not %" PRId64 " %" PRId64 " %" PRId64
                 " %s",
                 l->start - T0, l->win, l->wout, l->quality, start - T0, win, wout, quality);
}

/* --- what it must say: from the readings themselves ------------------------------------- */

static int by_reading(const void *a, const void *b)
{
    const struct reading *x = &(*(const struct record *const *)a)->reading;
    const struct reading *y = &(*(const struct record *const *)b)->reading;
    int order = strcmp(x->meter, y->meter);

    for (int f = -1; f <= FIELD_WOUT && order == 0; f++) {
        int64_t m = f < 0 ? x->time : x->values[f].present ? x->values[f].mantissa : -1;
        int64_t n = f < 0 ? y->time : y->values[f].present ? y->values[f].mantissa : -1;

        order = (m > n) - (m < n);
    }
    return order;
}

/* The counter at a time between two readings, or STORE_NULL. */
static int64_t counter_at(int64_t t, const struct reading *a, const struct reading *b, enum field f)
{
    int64_t wa, wb;

    if (!a->values[f].present || !b->values[f].present)
        return STORE_NULL;
    wa = a->values[f].mantissa;
    wb = b->values[f].mantissa;
    if (wb < wa)
        return STORE_NULL;
    return wa + (2 * (wb - wa) * (t - a->time) + (b->time - a->time)) / (2 * (b->time - a->time));
}

static int64_t value(const struct reading *r, enum field f)
{
    return r->values[f].present ? r->values[f].mantissa : STORE_NULL;
}

static int64_t energy(int64_t start,
                      const struct reading *p,
                      const struct reading *f,
                      const struct reading *l,
                      const struct reading *n,
                      enum field field)
{
    const struct reading *left = l != NULL ? l : p, *right = f != NULL ? f : n;
    const bool fell = f != NULL && value(l, field) < value(f, field);
    int64_t low = p == NULL ? value(f, field) : counter_at(start, p, right, field);
    int64_t high = n == NULL ? value(l, field) : counter_at(start + 900, left, n, field);

    return low == STORE_NULL || high == STORE_NULL || fell ? ROWS_NULL : high - low;
}

static const char *quality(const struct reading *p,
                           const struct reading *f,
                           const struct reading *l,
                           const struct reading *n,
                           const struct line *line,
                           bool sends_wout)
{
    if (line->win == ROWS_NULL || (line->wout == ROWS_NULL && sends_wout))
        return "reset";
    if (n == NULL || p == NULL)
        return n == NULL ? "open" : "start";
    if (f == NULL)
        return "missing";
    return f->time - p->time > 90 || n->time - l->time > 90 ? "gap" : "ok";
}

/* Readings that count, sorted; of one meter are those of list[0]. */
static size_t predict(const struct record **list, size_t n, struct line *lines)
{
    const char *meter = list[0]->reading.meter;
    size_t mine = 0, at = 0, count = 0;
    int64_t start = list[0]->reading.time / 900 * 900;

    while (mine < n && strcmp(list[mine]->reading.meter, meter) == 0)
        mine++;
    for (; start <= list[mine - 1]->reading.time; start += 900) {
        size_t first = at;
        const struct reading *p, *f, *l, *next;
        struct line *line = &lines[count++];

        while (at < mine && list[at]->reading.time < start + 900)
            at++;
        p = first == 0 ? NULL : &list[first - 1]->reading;
        f = at == first ? NULL : &list[first]->reading;
        l = at == first ? NULL : &list[at - 1]->reading;
        next = at == mine ? NULL : &list[at]->reading;
        snprintf(line->meter, sizeof line->meter, "%s", meter);
        line->start = start;
        line->win = energy(start, p, f, l, next, FIELD_WIN);
        line->wout = energy(start, p, f, l, next, FIELD_WOUT);
        snprintf(line->quality, sizeof line->quality, "%s",
                 quality(p, f, l, next, line, list[0]->reading.values[FIELD_WOUT].present));
    }
    return count;
}

/* The table is what follows from all that was made. */
static void check_all(struct store *s)
{
    const struct record **list = calloc(made_count, sizeof *list);
    struct table_of_quarters *have = look(s, NULL);
    struct line *want = calloc(COUNT(have->lines), sizeof *want);
    size_t n = 0, count = 0;

    assert_true(list != NULL && want != NULL);
    for (size_t i = 0; i < made_count; i++)
        if (made[i].reading.suspect[0] == '\0' && made[i].reading.values[FIELD_WIN].present)
            list[n++] = &made[i];
    qsort(list, n, sizeof *list, by_reading);
    for (size_t done = 0; done < n;) {
        const char *meter = list[done]->reading.meter;

        count += predict(list + done, n - done, want + count);
        while (done < n && strcmp(list[done]->reading.meter, meter) == 0)
            done++;
    }
    assert_int_equal(have->count, count);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(have->lines[i].meter, want[i].meter);
        check_line(&have->lines[i], want[i].start, want[i].win, want[i].wout, want[i].quality);
    }
    free(list);
    free(want);
    free(have);
}

#endif
