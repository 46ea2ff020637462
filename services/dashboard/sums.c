#include "sums.h"

#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "energy.h"
#include "zone.h"

enum { DAY = 86400, QUARTERS_A_MONTH = 33 * 96 }; /* with a day to come, and an hour of winter */

/* One meter's quarters, being added up. */
struct adding {
    struct sums_meter *meter;
    int64_t day;
};

struct sums *sums_new(int64_t now_s)
{
    struct sums *s = calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    s->now_s = now_s;
    s->day = zone_day_start(now_s);
    s->month = zone_month_start(now_s);
    return s;
}

void sums_add(struct sums *s, const char *meter, bool whole)
{
    struct sums_meter *m = &s->meters[s->count++];

    snprintf(m->meter, sizeof m->meter, "%s", meter);
    m->whole = whole;
}

static void visit(void *arg, const struct rows_row *row)
{
    struct adding *a = arg;
    struct energy_pair *sum = row->at >= a->day ? &a->meter->today : &a->meter->before;

    energy_add(&sum->win, row->win);
    energy_add(&sum->wout, row->wout);
}

static int
read_meter(struct sums *s, struct sums_meter *m, struct store *store, char why[STORE_WHY_CHARS])
{
    const struct rows_query quarters = {
        .table = ROWS_QUARTERS,
        .meter = m->meter,
        .from = m->whole ? s->month : s->day,
        .to = s->now_s + DAY,
        .max = QUARTERS_A_MONTH,
    };
    struct adding adding = {m, s->day};
    int rc;

    m->state = SUMS_TRIED;
    m->today = m->before = (struct energy_pair){ROWS_NULL, ROWS_NULL};
    rc = store_rows(store, &quarters, visit, &adding, why);
    if (rc == 0)
        m->state = SUMS_READ;
    return rc;
}

int sums_run(struct sums *s, struct store *store, char why[STORE_WHY_CHARS])
{
    int64_t until_ms = clock_monotonic_ms() + SUMS_MS;
    int rc = 0;

    for (size_t i = 0; i < s->count && rc == 0; i++)
        if (s->meters[i].state != SUMS_READ && clock_monotonic_ms() < until_ms)
            rc = read_meter(s, &s->meters[i], store, why);
    return rc;
}
