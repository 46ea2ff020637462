/* pg_quarters: the edges of quarter hours in PostgreSQL, merged beside the readings. */
#include <errno.h>
#include <stdlib.h>

#include "pg.h"

/* The columns of a quarter, in the order of the INSERT. */
static const enum pg_type types[] = {PG_TIMESTAMPTZ, PG_INT4, PG_INT2, PG_INT8,
                                     PG_INT8,        PG_INT2, PG_INT8, PG_INT8};
enum { COLUMNS = sizeof types / sizeof types[0], KEY_COLUMNS = 2 };

/*
 * Who brings a meter a new quarter holds a lock of that meter until the end of the transaction. So
 * two writers that have quarters of one meter with a hole between them come one after the other,
 * and the later sees the hole. Quarters are the last thing in a transaction, all these locks come
 * before any of their rows', both in order: so nobody waits in a circle.
 */
static const char lock[] =
    "SELECT pg_advisory_xact_lock(hashtext(current_schema() || ' quarters'), n.meter) FROM (SELECT "
    "DISTINCT u.meter FROM unnest($1, $2) AS u (start, meter) WHERE NOT EXISTS (SELECT 1 FROM "
    "quarters q WHERE q.meter = u.meter AND q.start = u.start) ORDER BY u.meter) AS n";

#define EARLIER                                                                                    \
    "(q.first_s IS NULL OR (excluded.first_s, excluded.first_win, coalesce(excluded.first_wout, "  \
    "-1)) < (q.first_s, q.first_win, coalesce(q.first_wout, -1)))"
#define LATER                                                                                      \
    "(q.last_s IS NULL OR (excluded.last_s, excluded.last_win, coalesce(excluded.last_wout, -1)) " \
    "> (q.last_s, q.last_win, coalesce(q.last_wout, -1)))"
#define KEEP(column, is_new)                                                                       \
    column " = CASE WHEN " is_new " THEN excluded." column " ELSE q." column " END"

static const char merge[] =
    "INSERT INTO quarters AS q (start, meter, first_s, first_win, first_wout, last_s, last_win, "
    "last_wout) SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (meter, start) DO "
    "UPDATE SET " KEEP("first_s", EARLIER) ", " KEEP("first_win", EARLIER) ", " KEEP(
        "first_wout", EARLIER) ", " KEEP("last_s",
                                         LATER) ", " KEEP("last_win",
                                                          LATER) ", " KEEP("last_wout",
                                                                           LATER) " WHERE " EARLIER
                                                                                  " OR " LATER;

#define TEXT_OF(x) #x
#define TEXT(x)    TEXT_OF(x)

/* What lies between these quarters and the ones beside them. */
static const char fill[] =
    "INSERT INTO quarters (start, meter) SELECT g, u.meter FROM unnest($1, $2) AS u (start, meter) "
    "CROSS JOIN LATERAL (SELECT (SELECT max(q.start) FROM quarters q WHERE q.meter = u.meter AND "
    "q.start < u.start) AS low, u.start AS high UNION ALL SELECT u.start, (SELECT min(q.start) "
    "FROM "
    "quarters q WHERE q.meter = u.meter AND q.start > u.start)) AS e CROSS JOIN LATERAL "
    "generate_series(e.low + interval '15 minutes', e.high - interval '15 minutes', '15 minutes') "
    "AS g WHERE e.high - e.low BETWEEN interval '30 minutes' AND interval '" TEXT(
        QUARTERS_HOLE_MAX) " seconds' ON CONFLICT (meter, start) DO NOTHING";

/* Of the readings' arrays, by their keys: time, meter, counter. */
static const char stored[] =
    "SELECT h.meter, extract(epoch FROM h.time)::bigint, h.win, h.wout FROM unnest($1, $5, $6) AS "
    "u (time, meter, counter) JOIN %1$s_compact h ON h.time = u.time AND h.meter = u.meter AND "
    "h.counter = u.counter WHERE h.suspect = 0 AND h.win IS NOT NULL";

int pg_prepare_quarters(struct pg_store *s, char why[STORE_WHY_CHARS])
{
    int rc = pg_prepare(s, "quarters_lock", lock, types, KEY_COLUMNS, why);

    if (rc == 0)
        rc = pg_prepare(s, "quarters_merge", merge, types, COLUMNS, why);
    if (rc == 0)
        rc = pg_prepare(s, "quarters_fill", fill, types, KEY_COLUMNS, why);
    if (rc == 0)
        rc = pg_prepare(s, "quarters_stored", stored, pg_reading_types, PG_READING_COLUMNS, why);
    return rc;
}

static int64_t number(const PGresult *result, int row, int column)
{
    return PQgetisnull(result, row, column) ? STORE_NULL
                                            : strtoll(PQgetvalue(result, row, column), NULL, 10);
}

int pg_quarters_stored(struct pg_store *s, char why[STORE_WHY_CHARS])
{
    PGresult *result = pg_ask(s, "quarters_stored");
    size_t ignored = 0;
    int rc = 0;

    s->quarters.count = 0;
    for (int row = 0; row < PQntuples(result) && rc == 0; row++)
        rc = quarters_add(&s->quarters, number(result, row, 0), number(result, row, 1),
                          number(result, row, 2), number(result, row, 3));
    if (rc == 0)
        return pg_take(s, result, &ignored, why);
    PQclear(result);
    return rc;
}

/* The first `columns` of them as arrays. */
static int make_arrays(struct pg_store *s, int columns)
{
    int rc = pg_arrays_begin(&s->arrays, types, columns, s->quarters.count);

    for (size_t i = 0; i < s->quarters.count && rc == 0; i++) {
        const struct quarter *q = &s->quarters.list[i];
        const int64_t values[COLUMNS] = {pg_timestamp(q->start * 1000),
                                         q->meter,
                                         q->first.s,
                                         q->first.win,
                                         q->first.wout,
                                         q->last.s,
                                         q->last.win,
                                         q->last.wout};

        rc = pg_arrays_add(&s->arrays, values);
    }
    return rc;
}

/* Lock the meters of quarters that are not there yet; *fresh when there are any. */
static int lock_meters(struct pg_store *s, bool *fresh, char why[STORE_WHY_CHARS])
{
    PGresult *result;
    size_t ignored = 0;
    int rc = make_arrays(s, KEY_COLUMNS);

    if (rc != 0)
        return rc;
    result = pg_ask(s, "quarters_lock");
    *fresh = PQntuples(result) > 0;
    return pg_take(s, result, &ignored, why);
}

int pg_write_quarters(struct pg_store *s, char why[STORE_WHY_CHARS])
{
    bool fresh = false;
    size_t ignored = 0;
    int rc;

    if (s->quarters.count == 0)
        return 0;
    quarters_merge(&s->quarters);
    rc = lock_meters(s, &fresh, why);
    if (rc == 0)
        rc = make_arrays(s, COLUMNS);
    if (rc == 0)
        rc = pg_execute(s, "quarters_merge", &ignored, why);
    if (rc != 0 || !fresh)
        return rc;
    rc = make_arrays(s, KEY_COLUMNS);
    return rc == 0 ? pg_execute(s, "quarters_fill", &ignored, why) : rc;
}
