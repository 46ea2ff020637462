/* sqlite_read: what is looked through, and dropped, in the embedded store. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "clock.h"
#include "sqlite.h"

const struct reject_dialect sqlite_reject_dialect = {
    .time_ms = "CAST(round(time * 1000) AS INTEGER)",
    .resolved_ms = "resolved_at * 1000",
    .instant_open = "",
    .instant_close = " / 1000.0",
    .hex_open = "hex(",
    .hex_close = ")",
    .octets_open = "x'",
    .octets_close = "'",
};

const struct rows_dialect sqlite_rows_dialect = {
    .seconds_open = "",
    .seconds_close = "",
    .instant_open = "",
    .instant_close = "",
    .last_read = "l.start + l.last_s",
    .received_ms = "h.time * 1000 + h.delay",
    .counter = "h.counter",
};

/* A look is given up after a while (sqlite_look). */
int sqlite_select(struct store *base,
                  const char *sql,
                  int patience_ms,
                  store_visit *visit,
                  void *arg,
                  char why[STORE_WHY_CHARS])
{
    struct sqlite_store *s = (struct sqlite_store *)base;
    sqlite3_stmt *select = NULL;
    int found = SQLITE_DONE;
    int rc = 0;

    if (s->db == NULL) {
        snprintf(why, STORE_WHY_CHARS, "not open");
        return -EAGAIN;
    }
    s->until_ms = patience_ms == 0 ? INT64_MAX : clock_monotonic_ms() + patience_ms;
    if (sqlite3_prepare_v2(s->db, sql, -1, &select, NULL) == SQLITE_OK)
        while (rc == 0 && (found = sqlite3_step(select)) == SQLITE_ROW) {
            const char *columns[STORE_COLUMNS_MAX] = {NULL};

            for (int c = 0; c < sqlite3_column_count(select); c++)
                columns[c] = (const char *)sqlite3_column_text(select, c);
            rc = visit(arg, columns);
        }
    if (rc == 0 && (select == NULL || found != SQLITE_DONE)) {
        rc = sqlite3_errcode(s->db) == SQLITE_INTERRUPT ? -ETIMEDOUT : -EAGAIN;
        (void)sqlite_fail(s, why);
    }
    s->until_ms = INT64_MAX;
    sqlite3_finalize(select);
    return rc;
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
