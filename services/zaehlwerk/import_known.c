#include "import_known.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { VALUES = 11, ROWS_MAX = 1000000 };

struct known {
    int64_t at; /* what it is ordered by */
    int64_t time, counter, received_ms;
    int64_t values[VALUES]; /* as struct store_columns without suspect */
    bool taken;             /* by a row of the original */
};

struct list {
    struct known *rows;
    size_t count, room;
};

struct import_known {
    enum rows_table table;
    struct list stored, added; /* in the database; new of this batch */
    struct list before;        /* those taken or added by the batch before */
    bool ours;                 /* some of stored are no imported ones */
    bool tried;                /* rows, since the last load */
    int rc;                    /* of load: -ENOMEM */
};

struct import_known *import_known_new(enum rows_table table)
{
    struct import_known *k = calloc(1, sizeof *k);

    if (k != NULL)
        k->table = table;
    return k;
}

void import_known_free(struct import_known *k)
{
    if (k == NULL)
        return;
    free(k->stored.rows);
    free(k->added.rows);
    free(k->before.rows);
    free(k);
}

static int append(struct list *l, const struct known *row)
{
    if (l->count == l->room) {
        size_t room = l->room == 0 ? 1024 : 2 * l->room;
        struct known *rows = reallocarray(l->rows, room, sizeof *rows);

        if (rows == NULL)
            return -ENOMEM;
        l->rows = rows;
        l->room = room;
    }
    l->rows[l->count++] = *row;
    return 0;
}

/* Loading */

static bool imported(const struct known *k)
{
    return k->counter < 0 && k->received_ms % 1000 == 0;
}

static void on_row(void *arg, const struct rows_row *row)
{
    struct import_known *k = arg;
    const struct known one = {.at = row->at,
                              .time = row->time,
                              .counter = row->counter,
                              .received_ms = row->received_ms,
                              .values = {row->win, row->wout, row->pin, row->pout, row->u[0],
                                         row->u[1], row->u[2], row->i[0], row->i[1], row->i[2],
                                         row->pf}};

    k->ours |= !imported(&one);
    if (append(&k->stored, &one) != 0)
        k->rc = -ENOMEM;
}

/* The first row at or after a time. */
static size_t find(const struct list *l, int64_t at)
{
    size_t low = 0, high = l->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (l->rows[middle].at < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* What the batch before took is taken; it may have added what is stored now. */
static void take_again(struct import_known *k)
{
    for (size_t i = 0; i < k->before.count; i++) {
        const struct known *b = &k->before.rows[i];

        for (size_t n = find(&k->stored, b->at);
             n < k->stored.count && k->stored.rows[n].at == b->at; n++)
            if (k->stored.rows[n].counter == b->counter)
                k->stored.rows[n].taken = true;
    }
}

static int remember(struct import_known *k)
{
    int rc = 0;

    k->before.count = 0;
    for (size_t i = 0; i < k->stored.count && rc == 0; i++)
        if (k->stored.rows[i].taken)
            rc = append(&k->before, &k->stored.rows[i]);
    for (size_t i = 0; i < k->added.count && rc == 0; i++)
        rc = append(&k->before, &k->added.rows[i]);
    return rc;
}

int import_known_load(struct import_known *k,
                      struct store *s,
                      const char *meter,
                      int64_t first,
                      int64_t last,
                      char why[STORE_WHY_CHARS])
{
    const struct rows_query query = {.table = k->table,
                                     .meter = meter,
                                     .from = first - IMPORT_REACH_SECONDS,
                                     .to = last + IMPORT_REACH_SECONDS,
                                     .max = ROWS_MAX};
    int rc = k->tried ? remember(k) : 0;

    k->tried = false;
    k->stored.count = k->added.count = 0;
    k->rc = 0;
    k->ours = false;
    if (rc == 0)
        rc = store_rows(s, &query, on_row, k, why);
    if (rc == 0)
        rc = k->rc;
    if (rc == 0)
        take_again(k);
    return rc;
}

/* Trying */

/* What a meter does not send, neither program has. */
static bool same_values(const struct known *a, const struct known *b)
{
    if (a->values[0] != b->values[0])
        return false;
    for (int i = 1; i < VALUES; i++)
        if (a->values[i] != b->values[i] && a->values[i] != STORE_NULL &&
            b->values[i] != STORE_NULL)
            return false;
    return true;
}

static int64_t distance(int64_t a, int64_t b)
{
    return a > b ? a - b : b - a;
}

/* How far a stored reading is from a row, ms; more than a minute when it is another. */
static int64_t away(const struct known *stored, const struct known *row)
{
    int64_t by_arrival, by_clock;

    if (stored->taken || !same_values(stored, row))
        return INT64_MAX;
    by_arrival = distance(stored->received_ms, row->received_ms);
    by_clock = distance(stored->time * 1000, row->received_ms);
    if (imported(stored))
        return by_arrival == 0 ? 0 : INT64_MAX;
    return by_arrival < by_clock ? by_arrival : by_clock;
}

/* The nearest reading that is the same, or NULL. */
static struct known *find_same(struct import_known *k, const struct known *row)
{
    enum { BESIDE = 600 }; /* meters' clocks are no further off than that */
    struct known *best = NULL;
    int64_t least = IMPORT_SAME_SECONDS * 1000 + 1;

    for (size_t i = find(&k->stored, row->at - BESIDE);
         i < k->stored.count && k->stored.rows[i].at <= row->at + BESIDE; i++) {
        int64_t distance_ms = away(&k->stored.rows[i], row);

        if (distance_ms < least) {
            least = distance_ms;
            best = &k->stored.rows[i];
        }
    }
    return best;
}

static bool is_free(const struct import_known *k, int64_t at)
{
    for (size_t i = find(&k->stored, at); i < k->stored.count && k->stored.rows[i].at == at; i++)
        if (k->stored.rows[i].counter < 0)
            return false;
    for (size_t i = k->added.count; i > 0; i--)
        if (k->added.rows[i - 1].at == at)
            return false;
    return true;
}

/* Whether ours has the row at the zone's offset after it. */
static bool is_shifted(struct import_known *k, struct known row)
{
    time_t t = (time_t)row.time;
    struct tm tm = {0};

    if (!k->ours)
        return false;
    localtime_r(&t, &tm);
    if (tm.tm_gmtoff == 0)
        return false;
    row.at += tm.tm_gmtoff;
    row.received_ms += tm.tm_gmtoff * 1000;
    return find_same(k, &row) != NULL;
}

static enum import_known_verdict
try_reading(struct import_known *k, struct record *r, struct known row)
{
    struct known *same = find_same(k, &row);

    if (same != NULL) {
        same->taken = true;
        return IMPORT_THERE;
    }
    while (!is_free(k, row.at))
        if (++row.at > row.time + IMPORT_SAME_SECONDS)
            return IMPORT_NO_PLACE;
    r->reading.time = row.at;
    if (append(&k->added, &row) != 0)
        return IMPORT_NO_MEMORY;
    return is_shifted(k, row) ? IMPORT_SHIFTED : IMPORT_NEW;
}

static enum import_known_verdict try_window(const struct import_known *k, const struct record *r)
{
    for (size_t i = find(&k->stored, r->window);
         i < k->stored.count && k->stored.rows[i].at == r->window; i++) {
        const struct known *stored = &k->stored.rows[i];

        if (stored->counter >= 0 || stored->time <= r->reading.time)
            return IMPORT_THERE;
    }
    return IMPORT_NEW;
}

enum import_known_verdict import_known_try(struct import_known *k, struct record *r)
{
    struct known row = {.at = r->reading.time,
                        .time = r->reading.time,
                        .counter = -1,
                        .received_ms = r->arrival_ms};
    struct store_columns c;

    k->tried = true;
    if (k->table == ROWS_DEBOUNCED)
        return try_window(k, r);
    if (store_columns_of(&r->reading, &c) != 0)
        return IMPORT_NO_PLACE;
    memcpy(row.values,
           (const int64_t[]){c.win, c.wout, c.pin, c.pout, c.u[0], c.u[1], c.u[2], c.i[0], c.i[1],
                             c.i[2], c.pf},
           sizeof row.values);
    return try_reading(k, r, row);
}
