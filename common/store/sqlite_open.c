/* sqlite_open: the embedded store's file, and tables of this program's version. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "sqlite.h"

static const char *path_of(const struct store_conf *conf)
{
    return *conf->url != '\0' ? conf->url + strlen("sqlite:") : STORE_SQLITE_DEFAULT;
}

/* Data that the file will never take is -EINVAL; all else may be cured: -EAGAIN. */
int sqlite_fail(struct sqlite_store *s, char why[STORE_WHY_CHARS])
{
    int code = sqlite3_errcode(s->db);

    snprintf(why, STORE_WHY_CHARS, "%s", sqlite3_errmsg(s->db));
    return code == SQLITE_CONSTRAINT || code == SQLITE_MISMATCH || code == SQLITE_TOOBIG ? -EINVAL
                                                                                         : -EAGAIN;
}

/* A statement that no row is to blame for. */
int sqlite_run(struct store *base, const char *sql, char why[STORE_WHY_CHARS])
{
    struct sqlite_store *s = (struct sqlite_store *)base;

    if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return 0;
    (void)sqlite_fail(s, why);
    return -EAGAIN;
}

void sqlite_disconnect(struct sqlite_store *s)
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
        rc = sqlite_fail(s, why);
    sqlite3_finalize(q);
    return rc;
}

static int migrate(struct sqlite_store *s, char why[STORE_WHY_CHARS])
{
    int version = 0;
    int rc = sqlite_run(
        &s->base,
        "CREATE TABLE IF NOT EXISTS zaehlwerk_schema (version INTEGER PRIMARY KEY, applied "
        "INTEGER NOT NULL DEFAULT (strftime('%s', 'now')))",
        why);

    if (rc == 0)
        rc = read_version(s, &version, why);
    return rc == 0 ? store_migrate(&s->base, version, sqlite_run, why) : rc;
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

/* The file, or else the folder it would be made in. */
int sqlite_probe(struct store *base, char why[STORE_WHY_CHARS])
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

int sqlite_connect(struct store *base, char why[STORE_WHY_CHARS])
{
    struct sqlite_store *s = (struct sqlite_store *)base;
    const char *path = path_of(base->conf);
    int stay = 1;
    int rc;

    sqlite_disconnect(s);
    if (sqlite3_open(path, &s->db) != SQLITE_OK) {
        snprintf(why, STORE_WHY_CHARS, "%s: %s", path, sqlite3_errmsg(s->db));
        sqlite_disconnect(s);
        return -EAGAIN;
    }
    sqlite3_busy_timeout(s->db, 5000);
    /* Who may only read cannot make the WAL's files, but needs them, also while nobody writes. */
    (void)sqlite3_file_control(s->db, NULL, SQLITE_FCNTL_PERSIST_WAL, &stay);
    rc = sqlite_run(&s->base,
                    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; BEGIN IMMEDIATE", why);
    if (rc == 0)
        rc = migrate(s, why);
    if (rc == 0)
        rc = check_table(s);
    if (rc == 0)
        rc = sqlite_run(&s->base, "COMMIT", why);
    if (rc == 0)
        rc = sqlite_prepare_all(s, why);
    if (rc == 0 && stat(path, &s->file) != 0)
        rc = -EAGAIN;
    if (rc != 0)
        sqlite_disconnect(s);
    return rc == 0 || rc == -EINVAL ? rc : -EAGAIN;
}

/* Called by SQLite every so often: other than 0 ends the statement. */
static int took_too_long(void *arg)
{
    const struct sqlite_store *s = arg;

    return clock_monotonic_ms() > s->until_ms;
}

/* An existing file, to read only. */
int sqlite_look(struct store *base, char why[STORE_WHY_CHARS])
{
    struct sqlite_store *s = (struct sqlite_store *)base;
    const char *path = path_of(base->conf);
    int version = 0;
    int rc;

    sqlite_disconnect(s);
    if (sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) {
        snprintf(why, STORE_WHY_CHARS, "%.100s: %s", path, sqlite3_errmsg(s->db));
        sqlite_disconnect(s);
        return -EAGAIN;
    }
    sqlite3_busy_timeout(s->db, 5000);
    s->until_ms = INT64_MAX;
    sqlite3_progress_handler(s->db, 10000, took_too_long, s);
    rc = sqlite_run(base, "SELECT count(*) FROM sqlite_schema", why); /* a database at all */
    if (rc == 0 && sqlite3_table_column_metadata(s->db, NULL, "zaehlwerk_schema", NULL, NULL, NULL,
                                                 NULL, NULL, NULL) == SQLITE_OK)
        rc = read_version(s, &version, why);
    if (rc == 0)
        rc = store_readable(base, version, why);
    if (rc != 0)
        sqlite_disconnect(s);
    return rc == 0 || rc == -ENODATA ? rc : -EAGAIN;
}
/* A file that was removed or replaced takes commits that nobody will ever see. */
bool sqlite_alive(struct store *base)
{
    struct sqlite_store *s = (struct sqlite_store *)base;
    struct stat now;

    return s->db != NULL && stat(path_of(base->conf), &now) == 0 && now.st_dev == s->file.st_dev &&
           now.st_ino == s->file.st_ino;
}
