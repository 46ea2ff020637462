#include "reading_json.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "answer.h"
#include "store.h"

void told_set(struct told *t, const struct rows_row *row, const char *name)
{
    struct told new = {.row = *row};

    snprintf(new.meter, sizeof new.meter, "%s", row->meter);
    snprintf(new.suspect, sizeof new.suspect, "%s", row->suspect);
    snprintf(new.name, sizeof new.name, "%s", name);
    *t = new;
    t->row.meter = t->meter;
    t->row.suspect = t->suspect;
    t->row.quality = "";
}

int told_from_record(struct told *t, const struct record *r)
{
    struct store_columns c;
    struct rows_row row = {
        .at = record_time(r),
        .meter = r->reading.meter,
        .time = record_time(r),
        .received_ms = r->arrival_ms,
        .counter = r->reading.counter,
        .suspect = r->reading.suspect,
    };

    if (store_columns_of(&r->reading, &c) != 0)
        return -EINVAL;
    row.win = c.win;
    row.wout = c.wout;
    row.pin = c.pin;
    row.pout = c.pout;
    memcpy(row.u, c.u, sizeof row.u);
    memcpy(row.i, c.i, sizeof row.i);
    row.pf = c.pf;
    told_set(t, &row, r->reading.name);
    return 0;
}

static json_t *milli(int64_t value)
{
    return value == ROWS_NULL ? json_null() : json_real((double)value / 1000);
}

struct json_t *reading_json(const struct told *t)
{
    const struct rows_row *r = &t->row;

    return json_pack("{s:s, s:s, s:I, s:f, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:[o, o, o], s:[o, "
                     "o, o], s:o}",
                     "meter", t->meter, "name", t->name, "at", (json_int_t)r->time, "received",
                     (double)r->received_ms / 1000, "counter",
                     r->counter < 0 ? json_null() : json_integer(r->counter), "suspect", t->suspect,
                     "power", answer_number(rows_power(r)), "win", answer_number(r->win), "wout",
                     answer_number(r->wout), "pin", answer_number(r->pin), "pout",
                     answer_number(r->pout), "u", milli(r->u[0]), milli(r->u[1]), milli(r->u[2]),
                     "i", milli(r->i[0]), milli(r->i[1]), milli(r->i[2]), "pf", milli(r->pf));
}
