#include "rows.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reading.h"

enum column { AT, METER, TIME, RECEIVED, COUNTER, SUSPECT, QUALITY, WIN, WOUT, PIN, POUT, U1 };
enum { I1 = U1 + 3, PF = I1 + 3, NUMBER = ROWS_COLUMNS, FIRST_SEEN, LAST_WIN, LAST_WOUT };

/* The bounds keep a fleet's table from being walked through for a meter that is silent. */
enum { NEWEST_ROWS = 20000, NEWEST_SECONDS = 2 * 86400 };

static const char *const names[] = {
    [ROWS_HISTORY] = "history",
    [ROWS_DEBOUNCED] = "debounced",
    [ROWS_QUARTERS] = "quarter_hour",
};

const char *rows_table_name(enum rows_table t)
{
    return names[t];
}

int rows_table_from_name(const char *name)
{
    for (int t = 0; t < (int)(sizeof names / sizeof names[0]); t++)
        if (strcmp(names[t], name) == 0)
            return t;
    return -1;
}

/* The columns of a reading h of meter m. */
static void print_columns(const struct rows_dialect *d, const char *at, char text[1024])
{
    snprintf(text, 1024,
             "%s%s%s AS at, m.meter AS meter, %sh.time%s AS time, %s AS received, %s AS counter, "
             "(SELECT s.reason FROM suspects s WHERE s.code = h.suspect) AS suspect, NULL AS "
             "quality, h.win AS win, h.wout AS wout, h.pin AS pin, h.pout AS pout, h.u1 AS u1, "
             "h.u2 AS u2, h.u3 AS u3, h.i1 AS i1, h.i2 AS i2, h.i3 AS i3, h.pf AS pf",
             d->seconds_open, at, d->seconds_close, d->seconds_open, d->seconds_close,
             d->received_ms, d->counter);
}

/* Columns of the view of quarter hours h, in the same places. */
static void print_quarter_columns(const struct rows_dialect *d, char text[1024])
{
    snprintf(
        text, 1024,
        "%sh.time%s AS at, h.meter AS meter, %sh.time%s AS time, 0 AS received, -1 AS counter, "
        "NULL AS suspect, h.quality AS quality, h.win AS win, h.wout AS wout",
        d->seconds_open, d->seconds_close, d->seconds_open, d->seconds_close);
}

/* Where, in which order and how many; key: the column of time, order: what follows it. */
static void print_range(const struct rows_query *q,
                        const struct rows_dialect *d,
                        const char *key,
                        const char *more,
                        const char *order,
                        char text[768])
{
    char skip[32] = "";

    if (!q->newest && q->skip > 0)
        snprintf(skip, sizeof skip, " OFFSET %zu", q->skip);
    snprintf(text, 768,
             "WHERE %s >= %s%" PRId64 "%s AND %s < %s%" PRId64 "%s%s ORDER BY %s%s LIMIT %zu%s",
             key, d->instant_open, q->from, d->instant_close, key, d->instant_open, q->to,
             d->instant_close, more, key, order, q->max, skip);
}

/* Of all meters: a bound where there are rows enough, so that no more are computed than asked for.
 */
static void print_enough(const struct rows_query *q, const struct rows_dialect *d, char text[320])
{
    snprintf(text, 320,
             " AND h.time %s coalesce((SELECT q.start FROM quarters q WHERE q.start >= %s%" PRId64
             "%s AND q.start < %s%" PRId64 "%s ORDER BY q.start%s LIMIT 1 OFFSET %zu), %s%" PRId64
             "%s)",
             q->newest ? ">=" : "<=", d->instant_open, q->from, d->instant_close, d->instant_open,
             q->to, d->instant_close, q->newest ? " DESC" : "", q->max + (q->newest ? 0 : q->skip),
             d->instant_open, q->newest ? q->from : q->to, d->instant_close);
}

/* The newest are found from behind, and put in order again. */
static void print_select(const struct rows_query *q,
                         const char *columns,
                         const char *from,
                         const char *range,
                         char sql[ROWS_SQL_CHARS])
{
    snprintf(sql, ROWS_SQL_CHARS, "%sSELECT %s FROM %s %s%s", q->newest ? "SELECT * FROM (" : "",
             columns, from, range, q->newest ? ") AS found ORDER BY at, meter, counter" : "");
}

int rows_select(const struct rows_query *q,
                const struct rows_dialect *d,
                const char *table,
                char sql[ROWS_SQL_CHARS])
{
    char digits[METER_ID_CHARS + 1], more[320] = "", columns[1024], from[128], range[768],
                                     order[160];
    const bool debounced = q->table == ROWS_DEBOUNCED, quarters = q->table == ROWS_QUARTERS;
    const char *key = debounced ? "h.window_start" : "h.time";

    if (q->meter != NULL && !meter_id_read(q->meter, digits))
        return -EINVAL;
    if (q->meter != NULL)
        snprintf(more, sizeof more,
                 quarters ? " AND h.meter = '%s'"
                          : " AND h.meter = (SELECT id FROM meters WHERE meter = '%s')",
                 digits);
    else if (quarters)
        print_enough(q, d, more);
    if (quarters) {
        print_quarter_columns(d, columns);
        print_range(q, d, key, more, q->newest ? " DESC, h.meter DESC" : ", h.meter", range);
        print_select(q, columns, "quarter_hour h", range, sql);
        return 0;
    }
    print_columns(d, key, columns);
    snprintf(order, sizeof order, q->newest ? " DESC, m.meter DESC, %s DESC" : ", m.meter, %s",
             d->counter);
    print_range(q, d, key, more, order, range);
    snprintf(from, sizeof from, "%s%s_compact h JOIN meters m ON m.id = h.meter", table,
             debounced ? "debounced" : "");
    print_select(q, columns, from, range, sql);
    return 0;
}

/*
 * The last of each meter: that of its newest quarter, or, of readings that no quarter counts, of
 * what stands among the newest of the table.
 */
void rows_select_meters(const struct rows_dialect *d,
                        const char *table,
                        int64_t now,
                        size_t max,
                        char sql[ROWS_SQL_CHARS])
{
    char columns[1024], last[320];

    print_columns(d, "m.time", columns);
    if (d->lateral)
        snprintf(last, sizeof last,
                 "LATERAL (SELECT * FROM %s_compact c WHERE c.time = m.time AND c.meter = m.id "
                 "ORDER BY c.counter DESC LIMIT 1) h ON true",
                 table);
    else
        snprintf(last, sizeof last,
                 "%s_compact h ON h.time = m.time AND h.meter = m.id AND h.counter = (SELECT "
                 "max(c.counter) FROM %s_compact c WHERE c.time = m.time AND c.meter = m.id)",
                 table, table);
    snprintf(
        sql, ROWS_SQL_CHARS,
        "WITH newest AS (SELECT meter, max(time) AS time FROM (SELECT meter, time FROM "
        "%s_compact WHERE time > %s%" PRId64 "%s ORDER BY time DESC LIMIT %d) AS n GROUP BY "
        "meter), seen AS (SELECT m.id, m.meter, m.number, CASE WHEN f.start < m.first_seen THEN "
        "f.start ELSE m.first_seen END AS first_seen, l.last_win, l.last_wout, CASE WHEN n.time IS "
        "NULL OR %s > n.time THEN %s ELSE n.time END AS time "
        "FROM (SELECT * FROM meters ORDER BY meter LIMIT %zu) m LEFT JOIN newest n ON n.meter "
        "= m.id LEFT JOIN quarters f ON f.meter = m.id AND f.start = (SELECT min(x.start) FROM "
        "quarters x WHERE x.meter = m.id AND x.first_s IS NOT NULL) LEFT JOIN quarters l ON "
        "l.meter = m.id AND l.start = (SELECT max(x.start) FROM quarters x WHERE x.meter = "
        "m.id AND x.first_s IS NOT NULL)) SELECT %s, m.number, %sm.first_seen%s, m.last_win, "
        "m.last_wout FROM seen m LEFT JOIN %s ORDER BY m.meter",
        table, d->instant_open, now - NEWEST_SECONDS, d->instant_close, NEWEST_ROWS, d->last_read,
        d->last_read, max, columns, d->seconds_open, d->seconds_close, last);
}

static int64_t number(const char *text)
{
    return text == NULL ? ROWS_NULL : strtoll(text, NULL, 10);
}

static const char *text_of(const char *text)
{
    return text == NULL ? "" : text;
}

static void read_row(const char *const columns[ROWS_METER_COLUMNS], struct rows_row *row)
{
    *row = (struct rows_row){
        .at = number(columns[AT]),
        .meter = text_of(columns[METER]),
        .time = number(columns[TIME]),
        .received_ms = number(columns[RECEIVED]),
        .counter = columns[COUNTER] == NULL ? -1 : number(columns[COUNTER]),
        .suspect = text_of(columns[SUSPECT]),
        .quality = text_of(columns[QUALITY]),
        .win = number(columns[WIN]),
        .wout = number(columns[WOUT]),
        .pin = number(columns[PIN]),
        .pout = number(columns[POUT]),
        .pf = number(columns[PF]),
    };
    for (int p = 0; p < 3; p++) {
        row->u[p] = number(columns[U1 + p]);
        row->i[p] = number(columns[I1 + p]);
    }
}

int rows_read(void *visitor, const char *const columns[ROWS_METER_COLUMNS])
{
    const struct rows_visitor *v = visitor;
    struct rows_row row;

    read_row(columns, &row);
    v->row(v->arg, &row);
    return 0;
}

/* Of a reading that is not there any more the quarter keeps time and totals. */
static void read_last(const char *const columns[ROWS_METER_COLUMNS], struct rows_row *row)
{
    read_row(columns, row);
    if (columns[TIME] != NULL)
        return;
    row->time = row->at;
    row->win = number(columns[LAST_WIN]);
    row->wout = number(columns[LAST_WOUT]);
}

int rows_read_meter(void *visitor, const char *const columns[ROWS_METER_COLUMNS])
{
    const struct rows_visitor *v = visitor;
    struct rows_meter meter = {
        .meter = text_of(columns[METER]),
        .number = text_of(columns[NUMBER]),
        .first_seen = number(columns[FIRST_SEEN]),
        .has_last = columns[AT] != NULL,
    };

    if (meter.has_last)
        read_last(columns, &meter.last);
    v->meter(v->arg, &meter);
    return 0;
}
