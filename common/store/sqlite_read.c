/* sqlite_read: what is looked through, and dropped, in the embedded store. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "clock.h"
#include "sqlite.h"

static const struct reject_dialect dialect = {
    .time_ms = "CAST(round(time * 1000) AS INTEGER)",
    .resolved_ms = "resolved_at * 1000",
    .instant_open = "",
    .instant_close = " / 1000.0",
    .hex_open = "hex(",
    .hex_close = ")",
    .octets_open = "x'",
    .octets_close = "'",
};

/* Rejects, looked through */

int sqlite_rejects(struct store *base,
                   const struct reject_query *q,
                   reject_visit *visit,
                   void *arg,
                   char why[STORE_WHY_CHARS])
{
    struct sqlite_store *s = (struct sqlite_store *)base;
    struct buf scratch = {0};
    sqlite3_stmt *select = NULL;
    char sql[REJECT_SQL_CHARS];
    int rc = reject_select(q, &dialect, sql);
    int found = SQLITE_DONE;

    if (rc != 0)
        return rc;
    if (sqlite3_prepare_v2(s->db, sql, -1, &select, NULL) == SQLITE_OK)
        while (rc == 0 && (found = sqlite3_step(select)) == SQLITE_ROW) {
            const char *columns[REJECT_COLUMNS] = {NULL};

            for (int c = 0; c < sqlite3_column_count(select); c++)
                columns[c] = (const char *)sqlite3_column_text(select, c);
            rc = reject_row_read(columns, q, &scratch, visit, arg);
        }
    if (rc != 0)
        snprintf(why, STORE_WHY_CHARS, "a reject cannot be read");
    else if (select == NULL || found != SQLITE_DONE)
        rc = sqlite_fail(s, why);
    sqlite3_finalize(select);
    buf_free(&scratch);
    return rc == 0 ? 0 : -EAGAIN;
}

int sqlite_drop_rejects(struct store *base,
                        const struct reject_mark *last,
                        char why[STORE_WHY_CHARS])
{
    char sql[REJECT_SQL_CHARS];

    reject_delete(last, &dialect, sql);
    return sqlite_run(base, sql, why);
}

/* Rows */

static const struct rows_dialect rows_dialect = {
    .seconds_open = "",
    .seconds_close = "",
    .instant_open = "",
    .instant_close = "",
    .last_read = "l.start + l.last_s",
    .received_ms = "h.time * 1000 + h.delay",
    .counter = "h.counter",
};

/* A SELECT's rows, as text, to read(); a look is given up after a while (sqlite_look). */
static int select_rows(struct sqlite_store *s,
                       const char *sql,
                       void (*read)(const char *const columns[ROWS_METER_COLUMNS], void *arg),
                       void *arg,
                       char why[STORE_WHY_CHARS])
{
    sqlite3_stmt *select = NULL;
    int found = SQLITE_DONE;
    int rc = 0;

    if (s->db == NULL) {
        snprintf(why, STORE_WHY_CHARS, "not open");
        return -EAGAIN;
    }
    s->until_ms = clock_monotonic_ms() + s->base.look_ms;
    if (sqlite3_prepare_v2(s->db, sql, -1, &select, NULL) == SQLITE_OK)
        while ((found = sqlite3_step(select)) == SQLITE_ROW) {
            const char *columns[ROWS_METER_COLUMNS] = {NULL};

            for (int c = 0; c < sqlite3_column_count(select); c++)
                columns[c] = (const char *)sqlite3_column_text(select, c);
            read(columns, arg);
        }
    if (select == NULL || found != SQLITE_DONE) {
        rc = sqlite3_errcode(s->db) == SQLITE_INTERRUPT ? -ETIMEDOUT : -EAGAIN;
        (void)sqlite_fail(s, why);
    }
    s->until_ms = INT64_MAX;
    sqlite3_finalize(select);
    return rc;
}

int sqlite_rows(struct store *base,
                const struct rows_query *q,
                rows_visit *visit,
                void *arg,
                char why[STORE_WHY_CHARS])
{
    struct rows_visitor visitor = {.row = visit, .arg = arg};
    char sql[ROWS_SQL_CHARS];
    int rc = rows_select(q, &rows_dialect, base->conf->table, sql);

    if (rc != 0) {
        snprintf(why, STORE_WHY_CHARS, "a meter's id has 16 hex digits");
        return rc;
    }
    return select_rows((struct sqlite_store *)base, sql, rows_read, &visitor, why);
}

int sqlite_meters(
    struct store *base, size_t max, rows_meter_visit *visit, void *arg, char why[STORE_WHY_CHARS])
{
    struct rows_visitor visitor = {.meter = visit, .arg = arg};
    char sql[ROWS_SQL_CHARS];

    rows_select_meters(&rows_dialect, base->conf->table, clock_utc_ms() / 1000, max, sql);
    return select_rows((struct sqlite_store *)base, sql, rows_read_meter, &visitor, why);
}

/* Dropping */

/* The oldest rows, by key; columns: which of theirs. */
static void print_old(const struct rows_old *old,
                      const char *name,
                      const char *key,
                      const char *columns,
                      char text[512])
{
    snprintf(text, 512,
             "SELECT %s FROM %s WHERE %s < min(%" PRId64 ", (SELECT max(%s) FROM %s)) - %" PRId64
             " ORDER BY %s, meter, counter LIMIT %zu",
             columns, name, key, old->now_s, key, name, old->keep_s, key, old->max);
}

/* Where a reading without a clock stood is forgotten with it. */
static int
drop(struct sqlite_store *s, const struct rows_old *old, size_t *dropped, char why[STORE_WHY_CHARS])
{
    const bool debounced = old->table == ROWS_DEBOUNCED;
    const char *table = s->base.conf->table;
    char name[96], rows[512], sql[ROWS_SQL_CHARS];
    int rc = 0;

    snprintf(name, sizeof name, "%s%s_compact", table, debounced ? "debounced" : "");
    if (!debounced) {
        print_old(old, name, "time", "meter, counter, time", rows);
        snprintf(sql, sizeof sql, "DELETE FROM %s_clockless WHERE (meter, counter, time) IN (%s)",
                 table, rows);
        rc = sqlite_run(&s->base, sql, why);
    }
    if (debounced)
        print_old(old, name, "window_start", "window_start, meter", rows);
    else
        print_old(old, name, "time", "time, meter, counter", rows);
    snprintf(sql, sizeof sql, "DELETE FROM %s WHERE (%s) IN (%s)", name,
             debounced ? "window_start, meter" : "time, meter, counter", rows);
    if (rc == 0)
        rc = sqlite_run(&s->base, sql, why);
    if (rc == 0)
        *dropped += (size_t)sqlite3_changes(s->db);
    return rc;
}

int sqlite_drop_rows(struct store *base,
                     const struct rows_old *old,
                     size_t *dropped,
                     char why[STORE_WHY_CHARS])
{
    struct sqlite_store *s = (struct sqlite_store *)base;
    char ignored[STORE_WHY_CHARS];
    size_t count = 0;
    int rc = sqlite_run(base, "BEGIN IMMEDIATE", why);

    if (rc != 0)
        return rc;
    rc = drop(s, old, &count, why);
    if (rc == 0)
        rc = sqlite_run(base, "COMMIT", why);
    if (rc != 0 && !sqlite3_get_autocommit(s->db))
        (void)sqlite_run(base, "ROLLBACK", ignored);
    *dropped += rc == 0 ? count : 0;
    return rc;
}
