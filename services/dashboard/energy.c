#include "energy.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "query.h"
#include "zone.h"

enum { QUARTER = 900, HOUR = 3600, DAY = 86400 };

struct energy {
    enum energy_step step;
    char meter[METER_ID_CHARS + 1];
    int64_t from, to;
    struct prices prices;

    json_t *rows;
    bool any; /* a step is under way: */
    int64_t start, end, win, wout;
    const char *quality;
    int64_t win_sum, wout_sum;
};

static const char *const step_names[] = {"quarter", "hour", "day", "month"};

/* How long a span may be for each step. */
static const int64_t most_seconds[] = {
    [ENERGY_QUARTER] = INT64_C(40) * DAY,
    [ENERGY_HOUR] = INT64_C(400) * DAY,
    [ENERGY_DAY] = INT64_C(14640) * DAY, /* 40 years */
    [ENERGY_MONTH] = INT64_C(14640) * DAY,
};

int energy_step_from_name(const char *name)
{
    for (int i = ENERGY_QUARTER; i <= ENERGY_MONTH; i++)
        if (strcmp(step_names[i], name) == 0)
            return i;
    return -1;
}

int64_t energy_step_start(enum energy_step step, int64_t utc)
{
    int64_t day;

    switch (step) {
    case ENERGY_QUARTER:
        return utc - utc % QUARTER;
    case ENERGY_HOUR: /* of zones half an hour off, too; the hour that comes twice is two */
        day = zone_day_start(utc);
        return utc - (utc - day) % HOUR;
    case ENERGY_DAY:
        return zone_day_start(utc);
    default:
        return zone_month_start(utc);
    }
}

int64_t energy_step_end(enum energy_step step, int64_t start)
{
    switch (step) {
    case ENERGY_QUARTER:
        return start + QUARTER;
    case ENERGY_HOUR:
        return start + HOUR;
    case ENERGY_DAY: /* the middle of the next one, which has at least 23 hours */
        return zone_day_start(start + 36 * HOUR);
    default: /* in the next one, which has at least 28 days */
        return zone_month_start(start + INT64_C(32) * DAY);
    }
}

void energy_add(int64_t *sum, int64_t wh)
{
    if (wh == ROWS_NULL)
        return;
    if (*sum == ROWS_NULL)
        *sum = wh;
    else if (__builtin_add_overflow(*sum, wh, sum)) /* of a meter that counts nonsense */
        *sum = wh < 0 ? -INT64_MAX : INT64_MAX;     /* INT64_MIN is ROWS_NULL */
}

/* Where a quality stands among them; what is not known is the worst. */
static const char *known(const char *quality, int *place)
{
    static const char *const order[] = {"reset", "missing", "gap", "start", "open", "ok"};

    for (*place = 0; *place < 6; ++*place)
        if (strcmp(order[*place], quality) == 0)
            return order[*place];
    *place = 0;
    return order[0];
}

const char *energy_worse(const char *a, const char *b)
{
    int a_place, b_place;

    a = known(a, &a_place);
    b = known(b, &b_place);
    return a_place <= b_place ? a : b;
}

struct energy *energy_new(
    enum energy_step step, const char *meter, int64_t from, int64_t to, const struct prices *prices)
{
    struct energy *e = calloc(1, sizeof *e);
    int64_t last = energy_step_start(step, to - 1);

    if (e == NULL)
        return NULL;
    *e = (struct energy){
        .step = step,
        .from = energy_step_start(step, from),
        .to = energy_step_end(step, last),
        .prices = *prices,
        .rows = json_array(),
        .win_sum = ROWS_NULL,
        .wout_sum = ROWS_NULL,
    };
    memcpy(e->meter, meter, METER_ID_CHARS);
    return e;
}

void energy_free(struct energy *e)
{
    if (e == NULL)
        return;
    json_decref(e->rows);
    free(e);
}

static void end_step(struct energy *e)
{
    if (!e->any)
        return;
    json_array_append_new(e->rows,
                          json_pack("{s:I, s:I, s:o, s:o, s:s}", "start", (json_int_t)e->start,
                                    "end", (json_int_t)e->end, "win", answer_number(e->win), "wout",
                                    answer_number(e->wout), "quality", e->quality));
    energy_add(&e->win_sum, e->win);
    energy_add(&e->wout_sum, e->wout);
    e->any = false;
}

void energy_take(struct energy *e, const struct rows_row *row)
{
    if (e->any && row->at >= e->end)
        end_step(e);
    if (!e->any) {
        e->any = true;
        e->start = energy_step_start(e->step, row->at);
        e->end = energy_step_end(e->step, e->start);
        e->win = e->wout = ROWS_NULL;
        e->quality = "ok";
    }
    energy_add(&e->win, row->win);
    energy_add(&e->wout, row->wout);
    e->quality = energy_worse(e->quality, row->quality);
}

void energy_answer(struct energy *e, struct answer *a)
{
    end_step(e);
    answer_json(a, 200,
                json_pack("{s:s, s:O, s:{s:o, s:o, s:o, s:o}}", "step", step_names[e->step], "rows",
                          e->rows, "sum", "win", answer_number(e->win_sum), "wout",
                          answer_number(e->wout_sum), "cost", price_cost(&e->prices.in, e->win_sum),
                          "revenue", price_cost(&e->prices.out, e->wout_sum)));
}

struct energy *energy_ask(const struct request *r, const struct prices *prices, struct answer *a)
{
    char meter[METER_ID_CHARS + 1];
    int64_t from, to;
    struct energy *e;
    int step = r->step == NULL ? -1 : energy_step_from_name(r->step);

    if (!query_meter(r, meter, a) || !query_span(r, &from, &to, a))
        return NULL;
    if (step < 0) {
        query_wrong(a, "step must be quarter, hour, day or month.");
        return NULL;
    }
    if (to - from > most_seconds[step]) {
        query_wrong(a, "from and to are too far from each other for this step.");
        return NULL;
    }
    e = energy_new((enum energy_step)step, meter, from, to, prices);
    if (e == NULL)
        a->status = 500;
    return e;
}

static void visit(void *arg, const struct rows_row *row)
{
    energy_take(arg, row);
}

int energy_run(struct energy *e, struct store *store, char why[STORE_WHY_CHARS])
{
    const struct rows_query q = {
        .table = ROWS_QUARTERS,
        .meter = e->meter,
        .from = e->from,
        .to = e->to,
        .max = (size_t)((e->to - e->from) / QUARTER) + 1,
    };

    json_array_clear(e->rows);
    e->any = false;
    e->win_sum = e->wout_sum = ROWS_NULL;
    return store_rows(store, &q, visit, e, why);
}
