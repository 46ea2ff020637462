#include "series.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "query.h"

enum { HOUR = 3600, DAY = 86400, HISTORY_SECONDS = 2 * HOUR, DEBOUNCED_DAYS = 40, MOST = 100000 };
enum { AT, POWER, PIN, POUT, U1, I1 = U1 + 3, COLUMNS = I1 + 3 };

static const char *const names[COLUMNS] = {"at", "power", "pin", "pout", "u1",
                                           "u2", "u3",    "i1",  "i2",   "i3"};

struct series {
    char meter[METER_ID_CHARS + 1];
    enum rows_table table;
    int64_t from, to;
    struct buf columns[COLUMNS]; /* "1,2,null," */
    int rc;
};

/* How a span is served: what is longer than two hours comes from the thinned rows. */
static bool choose(struct series *s, struct answer *a)
{
    if (s->to - s->from > (int64_t)DEBOUNCED_DAYS * DAY)
        return query_wrong(a, "from and to are more than 40 days from each other.");
    s->table = s->to - s->from <= HISTORY_SECONDS ? ROWS_HISTORY : ROWS_DEBOUNCED;
    return true;
}

static bool read_range(struct series *s, const struct request *r, int64_t now_s, struct answer *a)
{
    if (r->range == NULL)
        return query_span(r, &s->from, &s->to, a) && choose(s, a);
    s->to = now_s + 1;
    if (strcmp(r->range, "hour") == 0)
        s->from = now_s - HOUR;
    else if (strcmp(r->range, "day") == 0)
        s->from = now_s - DAY;
    else
        return query_wrong(a, "range must be hour or day, or from= and to= be given.");
    return choose(s, a);
}

struct series *series_ask(const struct request *r, int64_t now_s, struct answer *a)
{
    struct series asked = {0}, *s;

    if (!query_meter(r, asked.meter, a) || !read_range(&asked, r, now_s, a))
        return NULL;
    s = malloc(sizeof *s);
    if (s == NULL)
        a->status = 500;
    else
        *s = asked;
    return s;
}

void series_free(struct series *s)
{
    if (s == NULL)
        return;
    for (int i = 0; i < COLUMNS; i++)
        buf_free(&s->columns[i]);
    free(s);
}

static void put(struct series *s, int column, int64_t value)
{
    int rc = value == ROWS_NULL ? answer_print(&s->columns[column], "null,")
                                : answer_print(&s->columns[column], "%" PRId64 ",", value);

    if (rc != 0)
        s->rc = rc;
}

/* Thousandths. */
static void put_milli(struct series *s, int column, int64_t value)
{
    if (value == ROWS_NULL)
        put(s, column, value);
    else if (answer_print(&s->columns[column], "%.10g,", (double)value / 1000) != 0)
        s->rc = -ENOMEM;
}

static void visit(void *arg, const struct rows_row *row)
{
    struct series *s = arg;

    if (*row->suspect != '\0')
        return;
    put(s, AT, row->at);
    put(s, POWER, rows_power(row));
    put(s, PIN, row->pin);
    put(s, POUT, row->pout);
    for (int p = 0; p < 3; p++) {
        put_milli(s, U1 + p, row->u[p]);
        put_milli(s, I1 + p, row->i[p]);
    }
}

int series_run(struct series *s, struct store *store, char why[STORE_WHY_CHARS])
{
    const struct rows_query q = {
        .table = s->table,
        .meter = s->meter,
        .from = s->from,
        .to = s->to,
        .max = MOST,
        .newest = true,
    };
    int rc;

    for (int i = 0; i < COLUMNS; i++)
        s->columns[i].len = 0;
    s->rc = 0;
    rc = store_rows(store, &q, visit, s, why);
    return rc == 0 ? s->rc : rc;
}

static int print(struct series *s, struct buf *out)
{
    int rc = 0;

    for (int i = 0; rc == 0 && i < COLUMNS; i++) {
        struct buf *c = &s->columns[i];

        rc = answer_print(out, "%s\"%s\":[", i == 0 ? "{" : ",", names[i]);
        if (rc == 0)
            rc = buf_add(out, c->data, c->len == 0 ? 0 : c->len - 1); /* without its last comma */
        if (rc == 0)
            rc = buf_add(out, "]", 1);
    }
    return rc == 0 ? buf_add(out, "}", 1) : rc;
}

void series_answer(struct series *s, struct answer *a)
{
    a->status = print(s, &a->body) == 0 ? 200 : 500;
    a->type = a->status == 200 ? "application/json" : NULL;
    if (a->status != 200)
        a->body.len = 0;
}
