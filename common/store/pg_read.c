/* pg_read: what is looked through, and dropped, in PostgreSQL. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "pg.h"

const struct reject_dialect pg_reject_dialect = {
    .time_ms = "(extract(epoch FROM time) * 1000)::bigint",
    .resolved_ms = "(extract(epoch FROM resolved_at) * 1000)::bigint",
    .instant_open = "to_timestamp(",
    .instant_close = " / 1000.0)",
    .hex_open = "encode(",
    .hex_close = ", 'hex')",
    .octets_open = "'\\x",
    .octets_close = "'",
};

const struct rows_dialect pg_rows_dialect = {
    .seconds_open = "extract(epoch FROM ",
    .seconds_close = ")::bigint",
    .instant_open = "to_timestamp(",
    .instant_close = ")",
    .last_read = "l.start + l.last_s * interval '1 second'",
    .received_ms = "(extract(epoch FROM h.received_at) * 1000)::bigint",
    .counter = "CASE h.counter WHEN 2147483647 THEN -1 ELSE h.counter::bigint + 2147483648 END",
    .lateral = true,
};

/* A server that was stopped, or is gone without a word, ends no statement. */
enum { GRACE_MS = 5000 };

/* The one result of a query, or NULL with why. */
static PGresult *
ask(struct pg_store *s, const char *sql, int patience_ms, char why[STORE_WHY_CHARS])
{
    int64_t until_ms = patience_ms == 0 ? INT64_MAX : clock_monotonic_ms() + patience_ms + GRACE_MS;
    bool sent = s->connection != NULL && PQsendQuery(s->connection, sql) == 1;
    PGresult *result, *next;

    while (sent && PQisBusy(s->connection)) {
        struct pollfd wait = {.fd = PQsocket(s->connection), .events = POLLIN};
        int64_t left = until_ms - clock_monotonic_ms();

        sent = left > 0 &&
               (poll(&wait, 1, left > INT_MAX ? INT_MAX : (int)left) >= 0 || errno == EINTR) &&
               PQconsumeInput(s->connection) == 1;
    }
    if (!sent) {
        snprintf(why, STORE_WHY_CHARS, "no connection, or no answer of the database");
        pg_disconnect(s);
        return NULL;
    }
    result = PQgetResult(s->connection);
    while ((next = PQgetResult(s->connection)) != NULL)
        PQclear(next);
    return result;
}

/* By statement_timeout. */
#define CANCELED "57014"

/* All of the rows are here before the first is looked at. */
int pg_select(struct store *base,
              const char *sql,
              int patience_ms,
              store_visit *visit,
              void *arg,
              char why[STORE_WHY_CHARS])
{
    struct pg_store *s = (struct pg_store *)base;
    PGresult *result = ask(s, sql, patience_ms, why);
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    bool slow = state != NULL && strcmp(state, CANCELED) == 0;
    int rc = 0;

    for (int row = 0; row < PQntuples(result) && rc == 0; row++) {
        const char *columns[STORE_COLUMNS_MAX] = {NULL};

        for (int c = 0; c < PQnfields(result); c++)
            columns[c] = PQgetisnull(result, row, c) ? NULL : PQgetvalue(result, row, c);
        rc = visit(arg, columns);
    }
    if (rc != 0) {
        PQclear(result);
        return rc;
    }
    if (result != NULL && pg_take(s, result, &(size_t){0}, why) == 0)
        return 0;
    return slow ? -ETIMEDOUT : -EAGAIN;
}

/* Dropping */

/*
 * What another writer is dropping now is left to it. Where a reading without a clock stood is
 * forgotten with it.
 */
static void print_drop(const struct rows_old *old, const char *table, char sql[ROWS_SQL_CHARS])
{
    const bool debounced = old->table == ROWS_DEBOUNCED;
    const char *key = debounced ? "window_start" : "time";
    char name[96];

    snprintf(name, sizeof name, "%s%s_compact", table, debounced ? "debounced" : "");
    snprintf(sql, ROWS_SQL_CHARS,
             "WITH old AS (SELECT %s AS key, meter, counter FROM %s WHERE %s < "
             "least(to_timestamp(%" PRId64 "), (SELECT max(%s) FROM %s)) - %" PRId64
             " * interval '1 second' ORDER BY %s LIMIT %zu FOR UPDATE SKIP LOCKED), gone AS "
             "(DELETE FROM %s h "
             "USING old WHERE h.%s = old.key AND h.meter = old.meter AND h.counter = old.counter "
             "RETURNING h.meter, h.counter, h.time)",
             key, name, key, old->now_s, key, name, old->keep_s, key, old->max, name, key);
    if (!debounced)
        snprintf(sql + strlen(sql), ROWS_SQL_CHARS - strlen(sql),
                 ", forgotten AS (DELETE FROM %s_clockless c USING gone h WHERE c.meter = h.meter "
                 "AND c.counter = %s AND c.time = extract(epoch FROM h.time)::bigint)",
                 table, pg_rows_dialect.counter);
    snprintf(sql + strlen(sql), ROWS_SQL_CHARS - strlen(sql), " SELECT count(*) FROM gone");
}

int pg_drop_rows(struct store *base,
                 const struct rows_old *old,
                 size_t *dropped,
                 char why[STORE_WHY_CHARS])
{
    struct pg_store *s = (struct pg_store *)base;
    char sql[ROWS_SQL_CHARS];
    size_t ignored = 0;
    PGresult *result;

    if (s->timescale)
        return pg_drop_chunks(s, old, dropped, why);
    print_drop(old, base->conf->table, sql);
    result = PQexec(s->connection, sql);
    if (PQntuples(result) == 1)
        *dropped += strtoul(PQgetvalue(result, 0, 0), NULL, 10);
    return pg_take(s, result, &ignored, why) == 0 ? 0 : -EAGAIN;
}
