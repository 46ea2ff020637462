/*
 * both_stores: the same tests on SQLite and on a PostgreSQL of this program's own.
 *
 * The server listens on a socket in a folder under /tmp alone; run by user postgres when we are
 * root.
 */
#ifndef BOTH_STORES_H
#define BOTH_STORES_H

#include "stores.h"

#include <libpq-fe.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static char pg_folder[64];
static bool on_postgresql;

static pid_t pg_server;

/* Begin a shell's script, with the folder as $1; dies with this program. */
static inline pid_t begin_script(const char *script)
{
    pid_t pid = fork();

    if (pid == 0) {
        execl("/bin/sh", "sh", "-euc", script, "both_stores", pg_folder, (char *)NULL);
        _exit(127);
    }
    return pid;
}

static inline int run_script(const char *script)
{
    pid_t pid = begin_script(script);
    int status = -1;

    return pid > 0 && waitpid(pid, &status, 0) == pid ? status : -1;
}

#define PG_TOOLS                                                                                   \
    "bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1); as=; [ $(id -u) != 0 ] || "     \
    "as='setpriv --reuid postgres --regid postgres --clear-groups'; "

/* group setup: a server that syncs nothing, for the tests of one program. */
static inline int pg_begin(void **state)
{
    (void)state;
    snprintf(pg_folder, sizeof pg_folder, "/tmp/zaehlwerk-pg-XXXXXX");
    if (mkdtemp(pg_folder) == NULL ||
        run_script(PG_TOOLS "chmod 755 \"$1\"; [ -z \"$as\" ] || chown postgres \"$1\"; $as "
                            "$bin/initdb -N -D \"$1/data\" -A trust -U zw -E UTF8 --no-locale "
                            ">\"$1/log\"") != 0)
        return -1;
    pg_server =
        begin_script(PG_TOOLS "exec $as setpriv --pdeathsig KILL $bin/postgres -D \"$1/data\" -F "
                              "-k \"$1\" -c listen_addresses= >>\"$1/log\" 2>&1");
    return run_script(PG_TOOLS
                      "for i in $(seq 300); do ! $bin/pg_isready -q -h \"$1\" || break; sleep 0.1; "
                      "done; $bin/createdb -h \"$1\" -U zw smartmeter");
}

static inline int pg_end(void **state)
{
    (void)state;
    kill(pg_server, SIGINT);
    waitpid(pg_server, NULL, 0);
    return run_script("rm -rf \"$1\"");
}

/* A statement, or a query's rows as query() gives them, on PostgreSQL. */
static inline const char *pg_query(const char *sql)
{
    static char text[1 << 16];
    PGconn *c = PQconnectdb(url);
    PGresult *r =
        PQexec(c, "SET search_path = smartmeter, public; SET client_min_messages = error");
    size_t n = 0;

    PQclear(r);
    r = PQexec(c, sql);
    if (PQresultStatus(r) != PGRES_TUPLES_OK && PQresultStatus(r) != PGRES_COMMAND_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(c));
    text[0] = '\0';
    for (int row = 0; row < PQntuples(r); row++)
        for (int i = 0; i < PQnfields(r); i++)
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%c",
                                  PQgetisnull(r, row, i) ? "-" : PQgetvalue(r, row, i),
                                  i + 1 < PQnfields(r) ? ' ' : ';');
    PQclear(r);
    PQfinish(c);
    return text;
}

static inline const char *query_both(const char *sql)
{
    return on_postgresql ? pg_query(sql) : query(sql);
}

static inline void check_both(const char *sql, const char *want)
{
    const char *have = query_both(sql);

    if (strcmp(have, want) != 0)
        fail_msg("%s:\n%s, not\n%s", sql, have, want);
}

static inline int on_sqlite_open(void **state)
{
    on_postgresql = false;
    return open_scratch(state);
}

/* An empty schema. */
static inline int on_postgresql_open(void **state)
{
    on_postgresql = true;
    snprintf(url, sizeof url, "postgresql://zw@/smartmeter?host=%s", pg_folder);
    snprintf(table, sizeof table, "history");
    pg_query("DROP SCHEMA IF EXISTS smartmeter CASCADE");
    return scratch_open(state);
}

/* Opened to look. */
static inline struct store *look_store(void)
{
    struct store *s = store_new(&conf);
    char why[STORE_WHY_CHARS] = "";

    assert_non_null(s);
    if (store_look(s, why) != 0)
        fail_msg("%s", why);
    return s;
}

/* Many rows, in writes of `batch`. */
static inline void write_many(struct store *s, const struct record *rows, size_t n, size_t batch)
{
    const struct record **list = calloc(batch, sizeof *list);
    struct store_counts counts;
    char why[STORE_WHY_CHARS] = "";

    assert_non_null(list);
    for (size_t done = 0; done < n; done += batch) {
        size_t count = n - done < batch ? n - done : batch;

        for (size_t i = 0; i < count; i++)
            list[i] = &rows[done + i];
        if (store_write(s, list, count, &counts, why) != 0)
            fail_msg("%s", why);
    }
    free(list);
}

#define BOTH(f)                                                                                    \
    {#f " (SQLite)", f, on_sqlite_open, scratch_close, NULL},                                      \
    {                                                                                              \
#f " (PostgreSQL)", f, on_postgresql_open, scratch_close, NULL                             \
    }

#endif
