/* The embedded store: one SQLite file, WAL, every commit synced. */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store.h"

enum statement {
    FIND_METER,
    ADD_METER,
    FIND_CLOCKLESS,
    FREE_CLOCKLESS,
    ADD_CLOCKLESS,
    ADD_READING,
    ADD_DEBOUNCED,
    ADD_REJECT,
    RESOLVE_REJECT,
    STATEMENTS
};

struct sqlite_store {
    struct store base;
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    struct stat file; /* at connecting */
};

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
};

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

static const char *path_of(const struct store_conf *conf)
{
    return *conf->url != '\0' ? conf->url + strlen("sqlite:") : STORE_SQLITE_DEFAULT;
}

/* Data that the file will never take is -EINVAL; all else may be cured: -EAGAIN. */
static int fail(struct sqlite_store *s, char why[STORE_WHY_CHARS])
{
    int code = sqlite3_errcode(s->db);

    snprintf(why, STORE_WHY_CHARS, "%s", sqlite3_errmsg(s->db));
    return code == SQLITE_CONSTRAINT || code == SQLITE_MISMATCH || code == SQLITE_TOOBIG ? -EINVAL
                                                                                         : -EAGAIN;
}

/* A statement that no row is to blame for. */
static int run(struct store *base, const char *sql, char why[STORE_WHY_CHARS])
{
    struct sqlite_store *s = (struct sqlite_store *)base;

    if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return 0;
    (void)fail(s, why);
    return -EAGAIN;
}

static void disconnect(struct sqlite_store *s)
{
    for (int i = 0; i < STATEMENTS; i++) {
        sqlite3_finalize(s->statements[i]);
        s->statements[i] = NULL;
    }
    sqlite3_close(s->db);
    s->db = NULL;
}

static int read_version(struct sqlite_store *s, int *version, char why[STORE_WHY_CHARS])
{
    sqlite3_stmt *q = NULL;
    int rc = 0;

    if (sqlite3_prepare_v2(s->db, "SELECT coalesce(max(version), 0) FROM zaehlwerk_schema", -1, &q,
                           NULL) == SQLITE_OK &&
        sqlite3_step(q) == SQLITE_ROW)
        *version = sqlite3_column_int(q, 0);
    else
        rc = fail(s, why);
    sqlite3_finalize(q);
    return rc;
}

static int migrate(struct sqlite_store *s, char why[STORE_WHY_CHARS])
{
    int version = 0;
    int rc =
        run(&s->base,
            "CREATE TABLE IF NOT EXISTS zaehlwerk_schema (version INTEGER PRIMARY KEY, applied "
            "INTEGER NOT NULL DEFAULT (strftime('%s', 'now')))",
            why);

    if (rc == 0)
        rc = read_version(s, &version, why);
    return rc == 0 ? store_migrate(&s->base, version, run, why) : rc;
}

/* The tables were made under another name than SMARTMETER_DB_TABLE says now. */
static int check_table(struct sqlite_store *s)
{
    char name[64];

    snprintf(name, sizeof name, "%s_compact", s->base.conf->table);
    return sqlite3_table_column_metadata(s->db, NULL, name, NULL, NULL, NULL, NULL, NULL, NULL) ==
                   SQLITE_OK
               ? 0
               : store_wrong_table(s->base.conf);
}

static int prepare(struct sqlite_store *s, char why[STORE_WHY_CHARS])
{
    char text[1024];

    for (int i = 0; i < STATEMENTS; i++) {
        size_t head = strcspn(statement_texts[i], "%");
        const char *tail = statement_texts[i] + head;

        snprintf(text, sizeof text, "%.*s%s%s", (int)head, statement_texts[i],
                 *tail == '\0' ? "" : s->base.conf->table,
                 *tail == '\0' ? "" : tail + strlen("%s"));
        if (sqlite3_prepare_v3(s->db, text, -1, SQLITE_PREPARE_PERSISTENT, &s->statements[i],
                               NULL) != SQLITE_OK)
            return fail(s, why);
    }
    return 0;
}

/* The file, or else the folder it would be made in. */
static int sqlite_probe(struct store *base, char why[STORE_WHY_CHARS])
{
    const char *path = path_of(base->conf);
    const char *slash = strrchr(path, '/');
    char folder[4096];

    snprintf(folder, sizeof folder, "%.*s", slash == NULL ? 1 : (int)(slash - path) + 1,
             slash == NULL ? "." : path);
    if (access(path, F_OK) == 0 ? access(path, R_OK | W_OK) == 0 : access(folder, W_OK) == 0)
        return 0;
    snprintf(why, STORE_WHY_CHARS, "%.100s: %s", path, strerror(errno));
    return -EAGAIN;
}

static int sqlite_connect(struct store *base, char why[STORE_WHY_CHARS])
{
    struct sqlite_store *s = (struct sqlite_store *)base;
    const char *path = path_of(base->conf);
    int rc;

    disconnect(s);
    if (sqlite3_open(path, &s->db) != SQLITE_OK) {
        snprintf(why, STORE_WHY_CHARS, "%s: %s", path, sqlite3_errmsg(s->db));
        disconnect(s);
        return -EAGAIN;
    }
    sqlite3_busy_timeout(s->db, 5000);
    rc =
        run(&s->base, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; BEGIN IMMEDIATE", why);
    if (rc == 0)
        rc = migrate(s, why);
    if (rc == 0)
        rc = check_table(s);
    if (rc == 0)
        rc = run(&s->base, "COMMIT", why);
    if (rc == 0)
        rc = prepare(s, why);
    if (rc == 0 && stat(path, &s->file) != 0)
        rc = -EAGAIN;
    if (rc != 0)
        disconnect(s);
    return rc == 0 || rc == -EINVAL ? rc : -EAGAIN;
}

/* An existing file, to read only. */
static int sqlite_look(struct store *base, char why[STORE_WHY_CHARS])
{
    struct sqlite_store *s = (struct sqlite_store *)base;
    const char *path = path_of(base->conf);
    int version = 0;
    int rc;

    disconnect(s);
    if (sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) {
        snprintf(why, STORE_WHY_CHARS, "%.100s: %s", path, sqlite3_errmsg(s->db));
        disconnect(s);
        return -EAGAIN;
    }
    sqlite3_busy_timeout(s->db, 5000);
    rc = run(base, "SELECT count(*) FROM sqlite_schema", why); /* a database at all */
    if (rc == 0 && sqlite3_table_column_metadata(s->db, NULL, "zaehlwerk_schema", NULL, NULL, NULL,
                                                 NULL, NULL, NULL) == SQLITE_OK)
        rc = read_version(s, &version, why);
    if (rc == 0)
        rc = store_readable(base, version, why);
    if (rc != 0)
        disconnect(s);
    return rc == 0 || rc == -ENODATA ? rc : -EAGAIN;
}

static int step(struct sqlite_store *s, sqlite3_stmt *q, size_t *changed, char why[STORE_WHY_CHARS])
{
    int rc = 0;

    if (sqlite3_step(q) != SQLITE_DONE)
        rc = fail(s, why);
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
        (void)fail(s, why);
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
        (void)fail(s, why);
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

static int write_reading(struct sqlite_store *s,
                         const struct record *r,
                         size_t *changed,
                         char why[STORE_WHY_CHARS])
{
    bool debounced = r->type == RECORD_DEBOUNCED;
    sqlite3_stmt *q = s->statements[debounced ? ADD_DEBOUNCED : ADD_READING];
    struct store_columns c;
    int64_t meter = 0, time = record_time(r);
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

        for (int i = 0; i < n; i++)
            if (values[i] == STORE_NULL)
                sqlite3_bind_null(q, i + 1);
            else
                sqlite3_bind_int64(q, i + 1, values[i]);
        if (debounced)
            sqlite3_bind_int64(q, n + 1, r->window);
    }
    return step(s, q, changed, why);
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
    rc = run(&s->base, "BEGIN IMMEDIATE", why);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = write_row(s, rows[i], counts, why);
    if (rc == 0)
        rc = run(&s->base, "COMMIT", why);
    if (rc != 0 && !sqlite3_get_autocommit(s->db))
        (void)run(&s->base, "ROLLBACK", ignored);
    return rc;
}

/* Rejects, looked through */

static int sqlite_rejects(struct store *base,
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
        rc = fail(s, why);
    sqlite3_finalize(select);
    buf_free(&scratch);
    return rc == 0 ? 0 : -EAGAIN;
}

static int
sqlite_drop_rejects(struct store *base, const struct reject_mark *last, char why[STORE_WHY_CHARS])
{
    char sql[REJECT_SQL_CHARS];

    reject_delete(last, &dialect, sql);
    return run(base, sql, why);
}

/* A file that was removed or replaced takes commits that nobody will ever see. */
static bool sqlite_alive(struct store *base)
{
    struct sqlite_store *s = (struct sqlite_store *)base;
    struct stat now;

    return s->db != NULL && stat(path_of(base->conf), &now) == 0 && now.st_dev == s->file.st_dev &&
           now.st_ino == s->file.st_ino;
}

static void sqlite_close(struct store *base)
{
    disconnect((struct sqlite_store *)base);
    free(base);
}

struct store *sqlite_store_new(const struct store_conf *conf)
{
    static const struct store_ops ops = {
        .name = "sqlite",
        .probe = sqlite_probe,
        .connect = sqlite_connect,
        .write = sqlite_write,
        .look = sqlite_look,
        .rejects = sqlite_rejects,
        .drop_rejects = sqlite_drop_rejects,
        .alive = sqlite_alive,
        .close = sqlite_close,
    };
    struct sqlite_store *s = calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    s->base = (struct store){&ops, conf};
    return &s->base;
}
