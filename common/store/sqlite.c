/* The embedded store: one SQLite file, WAL, every commit synced. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sqlite.h"

/* %s: the table's name. */
static const char *const statement_texts[STATEMENTS] = {
    [FIND_METER] = "SELECT id FROM meters WHERE meter = ?1",
    [ADD_METER] = "INSERT INTO meters (meter, number) VALUES (?1, ?2)",
    [FIND_CLOCKLESS] = "SELECT time FROM %s_clockless WHERE meter = ?1 AND counter = ?2 AND digest "
                       "= ?3 AND seen BETWEEN ?4 AND ?5 ORDER BY time LIMIT 1",
    [FREE_CLOCKLESS] = "SELECT count(*) FROM %s_clockless WHERE meter = ?1 AND counter = ?2 AND "
                       "time = ?3",
    [ADD_CLOCKLESS] =
        "INSERT INTO %s_clockless (meter, counter, digest, time, seen) VALUES (?1, ?2, "
        "?3, ?4, ?5)",
    [ADD_READING] =
        "INSERT INTO %s_compact (time, meter, counter, delay, win, wout, pin, pout, u1, "
        "u2, u3, i1, i2, i3, pf, suspect) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, "
        "?12, ?13, ?14, ?15, ?16) ON CONFLICT (time, meter, counter) DO NOTHING",
    [ADD_DEBOUNCED] =
        "INSERT INTO %sdebounced_compact AS d (time, meter, counter, delay, win, wout, pin, pout, "
        "u1, u2, u3, i1, i2, i3, pf, suspect, window_start) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, "
        "?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17) ON CONFLICT (window_start, meter) DO "
        "UPDATE SET time = "
        "excluded.time, counter = excluded.counter, delay = excluded.delay, win = excluded.win, "
        "wout = excluded.wout, pin = excluded.pin, pout = excluded.pout, u1 = excluded.u1, u2 = "
        "excluded.u2, u3 = excluded.u3, i1 = excluded.i1, i2 = excluded.i2, i3 = excluded.i3, pf = "
        "excluded.pf, suspect = excluded.suspect WHERE (excluded.suspect <> 0, excluded.time, "
        "excluded.counter) < (d.suspect <> 0, d.time, d.counter)",
    [ADD_REJECT] = "INSERT INTO rejects (digest, time, meter, topic, reason, detail, payload, "
                   "counter, octets) "
                   "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (digest) DO NOTHING",
    [RESOLVE_REJECT] = "UPDATE rejects SET resolved_at = unixepoch() WHERE digest = ?1 "
                       "AND resolved_at IS NULL",
    [FIND_QUARTER] = "SELECT first_s, first_win, first_wout, last_s, last_win, last_wout FROM "
                     "quarters WHERE meter = ?1 AND start = ?2",
    [FIND_BESIDE] = "SELECT (SELECT max(start) FROM quarters WHERE meter = ?1 AND start < ?2), "
                    "(SELECT min(start) FROM quarters WHERE meter = ?1 AND start > ?2)",
    [ADD_QUARTER] = "INSERT INTO quarters (meter, start, first_s, first_win, first_wout, last_s, "
                    "last_win, last_wout) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT "
                    "(meter, start) DO NOTHING",
    [SET_FIRST] = "UPDATE quarters SET first_s = ?3, first_win = ?4, first_wout = ?5 WHERE meter = "
                  "?1 AND start = ?2",
    [SET_LAST] = "UPDATE quarters SET last_s = ?3, last_win = ?4, last_wout = ?5 WHERE meter = ?1 "
                 "AND start = ?2",
};
int sqlite_prepare_all(struct sqlite_store *s, char why[STORE_WHY_CHARS])
{
    char text[4096];

    for (int i = 0; i < STATEMENTS; i++) {
        size_t head = strcspn(statement_texts[i], "%");
        const char *tail = statement_texts[i] + head;

        snprintf(text, sizeof text, "%.*s%s%s", (int)head, statement_texts[i],
                 *tail == '\0' ? "" : s->base.conf->table,
                 *tail == '\0' ? "" : tail + strlen("%s"));
        if (sqlite3_prepare_v3(s->db, text, -1, SQLITE_PREPARE_PERSISTENT, &s->statements[i],
                               NULL) != SQLITE_OK)
            return sqlite_fail(s, why);
    }
    return 0;
}

static int step(struct sqlite_store *s, sqlite3_stmt *q, size_t *changed, char why[STORE_WHY_CHARS])
{
    int rc = 0;

    if (sqlite3_step(q) != SQLITE_DONE)
        rc = sqlite_fail(s, why);
    else
        *changed += (size_t)sqlite3_changes(s->db);
    sqlite3_reset(q);
    return rc;
}

static int find_meter(struct sqlite_store *s, const struct reading *r, int64_t *id, char *why)
{
    sqlite3_stmt *find = s->statements[FIND_METER], *add = s->statements[ADD_METER];
    size_t ignored = 0;
    int rc;

    sqlite3_bind_text(find, 1, r->meter, -1, SQLITE_STATIC);
    rc = sqlite3_step(find);
    if (rc == SQLITE_ROW)
        *id = sqlite3_column_int64(find, 0);
    else if (rc != SQLITE_DONE)
        (void)sqlite_fail(s, why);
    sqlite3_reset(find);
    if (rc != SQLITE_DONE)
        return rc == SQLITE_ROW ? 0 : -EAGAIN;
    sqlite3_bind_text(add, 1, r->meter, -1, SQLITE_STATIC);
    sqlite3_bind_text(add, 2, r->number, -1, SQLITE_STATIC);
    rc = step(s, add, &ignored, why);
    *id = sqlite3_last_insert_rowid(s->db);
    return rc;
}

/* The first column of a statement's row into *value; -ENOENT when there is none. */
static int look_up(struct sqlite_store *s, sqlite3_stmt *q, int64_t *value, char *why)
{
    int rc = sqlite3_step(q);

    if (rc == SQLITE_ROW)
        *value = sqlite3_column_int64(q, 0);
    else if (rc != SQLITE_DONE)
        (void)sqlite_fail(s, why);
    sqlite3_reset(q);
    return rc == SQLITE_ROW ? 0 : rc == SQLITE_DONE ? -ENOENT : -EAGAIN;
}

static sqlite3_stmt *
bound(struct sqlite_store *s, enum statement statement, size_t n, const int64_t values[])
{
    sqlite3_stmt *q = s->statements[statement];

    for (size_t i = 0; i < n; i++)
        sqlite3_bind_int64(q, (int)i + 1, values[i]);
    return q;
}

/* The time under which a reading of a meter without a clock stands, or shall stand from now on. */
static int
find_time(struct sqlite_store *s, const struct record *r, int64_t meter, int64_t *time, char *why)
{
    struct store_identity id = store_identify(r);
    int64_t taken = 1;
    size_t ignored = 0;
    int rc = look_up(s,
                     bound(s, FIND_CLOCKLESS, 5,
                           (const int64_t[]){meter, id.counter, id.digest, id.since, id.until}),
                     time, why);

    if (rc != -ENOENT)
        return rc;
    for (*time = id.time - 1, rc = 0; rc == 0 && taken > 0;) {
        ++*time;
        rc = look_up(s, bound(s, FREE_CLOCKLESS, 3, (const int64_t[]){meter, id.counter, *time}),
                     &taken, why);
    }
    if (rc != 0)
        return rc;
    return step(s,
                bound(s, ADD_CLOCKLESS, 5,
                      (const int64_t[]){meter, id.counter, id.digest, *time, r->arrival_ms}),
                &ignored, why);
}

static void bind_values(sqlite3_stmt *q, size_t n, const int64_t values[])
{
    for (int i = 0; i < (int)n; i++)
        if (values[i] == STORE_NULL)
            sqlite3_bind_null(q, i + 1);
        else
            sqlite3_bind_int64(q, i + 1, values[i]);
}

static int write_reading(struct sqlite_store *s,
                         const struct record *r,
                         size_t *changed,
                         char why[STORE_WHY_CHARS])
{
    bool debounced = r->type == RECORD_DEBOUNCED;
    sqlite3_stmt *q = s->statements[debounced ? ADD_DEBOUNCED : ADD_READING];
    struct store_columns c;
    int64_t meter = 0, time = record_time(r);
    size_t before;
    int rc = store_columns_of(&r->reading, &c);

    if (rc != 0) {
        snprintf(why, STORE_WHY_CHARS, "a value does not fit its column");
        return rc;
    }
    rc = find_meter(s, &r->reading, &meter, why);
    if (rc == 0 && !r->reading.has_time)
        rc = find_time(s, r, meter, &time, why);
    if (rc != 0)
        return rc;
    if (debounced && time < r->window)
        return 0; /* it came before, in an earlier window */
    {
        const int64_t values[] = {time,
                                  meter,
                                  r->reading.counter,
                                  r->arrival_ms - time * 1000,
                                  c.win,
                                  c.wout,
                                  c.pin,
                                  c.pout,
                                  c.u[0],
                                  c.u[1],
                                  c.u[2],
                                  c.i[0],
                                  c.i[1],
                                  c.i[2],
                                  c.pf,
                                  c.suspect};
        int n = (int)(sizeof values / sizeof values[0]);

        bind_values(q, (size_t)n, values);
        if (debounced)
            sqlite3_bind_int64(q, n + 1, r->window);
    }
    before = *changed;
    rc = step(s, q, changed, why);
    if (rc == 0 && *changed > before && !debounced && c.suspect == 0 && c.win != STORE_NULL)
        rc = quarters_add(&s->quarters, meter, time, c.win, c.wout);
    return rc;
}

static int64_t number(sqlite3_stmt *q, int column)
{
    return sqlite3_column_type(q, column) == SQLITE_NULL ? STORE_NULL
                                                         : sqlite3_column_int64(q, column);
}

static struct quarter_edge edge_in_row(sqlite3_stmt *q, int column)
{
    return (struct quarter_edge){number(q, column), number(q, column + 1), number(q, column + 2)};
}

/* The row of a quarter; -ENOENT when there is none. Without a reading its edges' s is STORE_NULL.
 */
static int
find_quarter(struct sqlite_store *s, const int64_t key[2], struct quarter *row, char *why)
{
    sqlite3_stmt *q = bound(s, FIND_QUARTER, 2, key);
    int rc = sqlite3_step(q);

    if (rc == SQLITE_ROW) {
        row->first = edge_in_row(q, 0);
        row->last = edge_in_row(q, 3);
    } else if (rc != SQLITE_DONE) {
        (void)sqlite_fail(s, why);
    }
    sqlite3_reset(q);
    return rc == SQLITE_ROW ? 0 : rc == SQLITE_DONE ? -ENOENT : -EAGAIN;
}

static int set_edge(struct sqlite_store *s,
                    enum statement statement,
                    const struct quarter *of,
                    const struct quarter_edge *e,
                    char *why)
{
    const int64_t values[] = {of->meter, of->start, e->s, e->win, e->wout};
    sqlite3_stmt *q = s->statements[statement];
    size_t ignored = 0;

    bind_values(q, sizeof values / sizeof values[0], values);
    return step(s, q, &ignored, why);
}

static int add_quarter(struct sqlite_store *s, const struct quarter *q, char *why)
{
    const int64_t values[] = {q->meter,      q->start,  q->first.s,  q->first.win,
                              q->first.wout, q->last.s, q->last.win, q->last.wout};
    sqlite3_stmt *add = s->statements[ADD_QUARTER];
    size_t ignored = 0;

    bind_values(add, sizeof values / sizeof values[0], values);
    return step(s, add, &ignored, why);
}

/* Empty quarters between two, where there is room. */
static int fill_hole(struct sqlite_store *s, int64_t meter, int64_t low, int64_t high, char *why)
{
    const struct quarter_edge none = {STORE_NULL, STORE_NULL, STORE_NULL};
    int rc = 0;

    if (low == STORE_NULL || high == STORE_NULL || high - low > QUARTERS_HOLE_MAX)
        return 0;
    for (int64_t start = low + QUARTER_SECONDS; start < high && rc == 0; start += QUARTER_SECONDS)
        rc = add_quarter(s, &(const struct quarter){meter, start, none, none}, why);
    return rc;
}

/* A new one may leave a hole beside it. */
static int add_between(struct sqlite_store *s, const struct quarter *q, char *why)
{
    sqlite3_stmt *find = bound(s, FIND_BESIDE, 2, (const int64_t[]){q->meter, q->start});
    int64_t before = STORE_NULL, after = STORE_NULL;
    int rc = 0;

    if (sqlite3_step(find) == SQLITE_ROW) {
        before = number(find, 0);
        after = number(find, 1);
    } else {
        (void)sqlite_fail(s, why);
        rc = -EAGAIN;
    }
    sqlite3_reset(find);
    if (rc == 0)
        rc = add_quarter(s, q, why);
    if (rc == 0)
        rc = fill_hole(s, q->meter, before, q->start, why);
    return rc == 0 ? fill_hole(s, q->meter, q->start, after, why) : rc;
}

/* The quarters of what is new. Mostly the last reading moves on, which touches no index. */
static int write_quarters(struct sqlite_store *s, char why[STORE_WHY_CHARS])
{
    int rc = 0;

    quarters_merge(&s->quarters);
    for (size_t i = 0; i < s->quarters.count && rc == 0; i++) {
        const struct quarter *q = &s->quarters.list[i];
        struct quarter row = {0};

        rc = find_quarter(s, (const int64_t[]){q->meter, q->start}, &row, why);
        if (rc == -ENOENT) {
            rc = add_between(s, q, why);
            continue;
        }
        if (rc == 0 && (row.first.s == STORE_NULL || quarter_edge_before(&q->first, &row.first)))
            rc = set_edge(s, SET_FIRST, q, &q->first, why);
        if (rc == 0 && (row.last.s == STORE_NULL || quarter_edge_before(&row.last, &q->last)))
            rc = set_edge(s, SET_LAST, q, &q->last, why);
    }
    return rc;
}

static int write_reject(struct sqlite_store *s,
                        const struct record *r,
                        struct store_counts *counts,
                        char why[STORE_WHY_CHARS])
{
    sqlite3_stmt *q = s->statements[ADD_REJECT];
    size_t added = 0;
    int rc;
    uint8_t digest[32];

    record_digest(r->octets.at, r->octets.len, digest);
    sqlite3_bind_blob(q, 1, digest, sizeof digest, SQLITE_STATIC);
    sqlite3_bind_double(q, 2, (double)r->arrival_ms / 1000);
    if (r->reading.meter[0] != '\0')
        sqlite3_bind_text(q, 3, r->reading.meter, -1, SQLITE_STATIC);
    else
        sqlite3_bind_null(q, 3);
    sqlite3_bind_text(q, 4, r->topic, -1, SQLITE_STATIC);
    sqlite3_bind_text(q, 5, verdict_name(r->verdict), -1, SQLITE_STATIC);
    sqlite3_bind_text(q, 6, r->detail, -1, SQLITE_STATIC);
    if (r->octets.len > 0)
        sqlite3_bind_blob(q, 7, r->octets.at, (int)r->octets.len, SQLITE_STATIC);
    else
        sqlite3_bind_zeroblob(q, 7, 0);
    sqlite3_bind_int64(q, 8, r->reading.counter);
    sqlite3_bind_int64(q, 9, (int64_t)r->octets.len);
    rc = step(s, q, &added, why);
    counts->rejects += added;
    counts->reject_octets += added > 0 ? (int64_t)r->octets.len : 0;
    return rc;
}

/* The reject that became this reading after all. */
static int
resolve(struct sqlite_store *s, const struct record *r, size_t *resolved, char why[STORE_WHY_CHARS])
{
    sqlite3_stmt *q = s->statements[RESOLVE_REJECT];

    sqlite3_bind_blob(q, 1, r->replays, DIGEST_OCTETS, SQLITE_STATIC);
    return step(s, q, resolved, why);
}

static int write_row(struct sqlite_store *s,
                     const struct record *r,
                     struct store_counts *counts,
                     char why[STORE_WHY_CHARS])
{
    int rc;

    if (r->type == RECORD_REJECT)
        return write_reject(s, r, counts, why);
    if (r->type == RECORD_DEBOUNCED)
        return write_reading(s, r, &counts->debounced, why);
    rc = write_reading(s, r, &counts->readings, why);
    return rc == 0 && record_is_replay(r) ? resolve(s, r, &counts->resolved, why) : rc;
}

static int sqlite_write(struct store *base,
                        const struct record *const *rows,
                        size_t n,
                        struct store_counts *counts,
                        char why[STORE_WHY_CHARS])
{
    struct sqlite_store *s = (struct sqlite_store *)base;
    char ignored[STORE_WHY_CHARS];
    int rc;

    if (s->db == NULL) {
        snprintf(why, STORE_WHY_CHARS, "not open");
        return -EAGAIN;
    }
    s->quarters.count = 0;
    rc = sqlite_run(&s->base, "BEGIN IMMEDIATE", why);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = write_row(s, rows[i], counts, why);
    if (rc == 0)
        rc = write_quarters(s, why);
    if (rc == 0)
        rc = sqlite_run(&s->base, "COMMIT", why);
    if (rc != 0 && !sqlite3_get_autocommit(s->db))
        (void)sqlite_run(&s->base, "ROLLBACK", ignored);
    return rc;
}
static void sqlite_close(struct store *base)
{
    struct sqlite_store *s = (struct sqlite_store *)base;

    sqlite_disconnect(s);
    quarters_free(&s->quarters);
    free(s);
}

struct store *sqlite_store_new(const struct store_conf *conf)
{
    static const struct store_ops ops = {
        .name = "sqlite",
        .probe = sqlite_probe,
        .connect = sqlite_connect,
        .write = sqlite_write,
        .look = sqlite_look,
        .rejects = &sqlite_reject_dialect,
        .rows = &sqlite_rows_dialect,
        .select = sqlite_select,
        .run = sqlite_run,
        .drop_rows = sqlite_drop_rows,
        .alive = sqlite_alive,
        .close = sqlite_close,
    };
    struct sqlite_store *s = calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    s->base = (struct store){&ops, conf, ROWS_TIMEOUT_MS};
    return &s->base;
}
