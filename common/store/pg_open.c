/* pg_open: the connection to PostgreSQL, and tables of this program's version. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mysql.h"
#include "pg.h"
#include "utf8.h"

/* application_name: writers of an older version are found by it when tables change (004). */
#define WRITER "zaehlwerk db-writer"
#define LOOKER "zaehlwerk"

void pg_disconnect(struct pg_store *s)
{
    PQfinish(s->connection);
    s->connection = NULL;
    names_free(s->meters); /* ids of another database, perhaps */
    s->meters = NULL;
}

/* Its first line; whole characters, for the log, JSON and a reject's row. */
static void explain(const char *message, char why[STORE_WHY_CHARS])
{
    char line[STORE_WHY_CHARS + 4];

    snprintf(line, sizeof line, "%.*s", (int)strcspn(message, "\n"), message);
    utf8_copy(why, STORE_WHY_CHARS, line);
}

/* Classes 22 (data exception) and 23 (constraint) are the row's fault; all else is the world's. */
static int fail(struct pg_store *s, const PGresult *result, char why[STORE_WHY_CHARS])
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    explain(PQresultErrorMessage(result), why);
    if (*why == '\0')
        explain(PQerrorMessage(s->connection), why);
    return state != NULL && (strncmp(state, "22", 2) == 0 || strncmp(state, "23", 2) == 0)
               ? -EINVAL
               : -EAGAIN;
}

int pg_take(struct pg_store *s, PGresult *result, size_t *rows, char why[STORE_WHY_CHARS])
{
    ExecStatusType status = PQresultStatus(result);
    int rc = 0;

    if (status == PGRES_COMMAND_OK)
        *rows += strtoul(PQcmdTuples(result), NULL, 10);
    else if (status != PGRES_TUPLES_OK)
        rc = fail(s, result, why);
    PQclear(result);
    return rc;
}

int pg_run(struct store *base, const char *sql, char why[STORE_WHY_CHARS])
{
    struct pg_store *s = (struct pg_store *)base;
    size_t ignored = 0;

    return pg_take(s, PQexec(s->connection, sql), &ignored, why) == 0 ? 0 : -EAGAIN;
}

static int open_connection(struct pg_store *s, const char *as, char why[STORE_WHY_CHARS])
{
    const struct store_conf *c = s->base.conf;
    char port[8];
    const bool url = *c->url != '\0';
    const char *names[] = {"application_name",
                           "connect_timeout",
                           "tcp_user_timeout",
                           "keepalives_idle",
                           "keepalives_interval",
                           "keepalives_count",
                           "client_encoding",
                           "dbname",
                           "host",
                           "port",
                           "user",
                           "password",
                           NULL};
    const char *values[] = {as,
                            "5",
                            "15000",
                            "5", /* a host that vanishes while it has a statement of ours */
                            "3",
                            "3",
                            "UTF8",
                            url ? c->url : c->name,
                            url ? NULL : c->host,
                            url ? NULL : port,
                            url || *c->user == '\0' ? NULL : c->user,
                            url || *c->password == '\0' ? NULL : c->password,
                            NULL};

    snprintf(port, sizeof port, "%d", (int)c->port);
    s->connection = PQconnectdbParams(names, values, 1);
    if (PQstatus(s->connection) == CONNECTION_OK)
        return 0;
    explain(PQerrorMessage(s->connection), why);
    if (mysql_greets(PQhost(s->connection), PQport(s->connection)))
        return conf_wrong(
            *c->url != '\0' ? "DB_URL" : "DB_HOST", "a MariaDB or MySQL server answers there",
            "set DB_URL to postgresql://... or sqlite:PATH; `zaehlwerk import` brings "
            "the old rows over (deploy/MIGRATION.md)");
    return -EAGAIN;
}

/*
 * CREATE SCHEMA IF NOT EXISTS asks for the right to create even when it exists: look first.
 * A chunk that is being compressed is waited for, however short the server's own patience is: a
 * time-out would only begin the same wait anew.
 */
static int use_schema(struct pg_store *s, char why[STORE_WHY_CHARS])
{
    const char *const parameters[] = {s->base.conf->schema};
    char sql[192];
    PGresult *found = PQexecParams(s->connection, "SELECT 1 FROM pg_namespace WHERE nspname = $1",
                                   1, NULL, parameters, NULL, NULL, 0);
    bool exists = PQntuples(found) == 1;
    size_t ignored = 0;
    int rc = pg_take(s, found, &ignored, why);

    snprintf(sql, sizeof sql, "CREATE SCHEMA %s", s->base.conf->schema);
    if (rc == 0 && !exists)
        rc = pg_run(&s->base, sql, why);
    snprintf(
        sql, sizeof sql,
        "SET search_path = %s, public; SET synchronous_commit = on; SET statement_timeout = 0; "
        "SET lock_timeout = 0; SET jit = off",
        s->base.conf->schema);
    return rc == 0 ? pg_run(&s->base, sql, why) : rc;
}

/*
 * The host of a db-writer may be lost inside a transaction. Left to itself the server would keep
 * that one's locks, which all others wait for, until TCP gives up after two hours.
 */
static int be_missed(struct pg_store *s, char why[STORE_WHY_CHARS])
{
    return pg_run(&s->base,
                  "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 3; "
                  "SET tcp_keepalives_count = 3; SET tcp_user_timeout = '15s'; "
                  "SET idle_in_transaction_session_timeout = '60s'",
                  why);
}

static int read_version(struct pg_store *s, int *version, char why[STORE_WHY_CHARS])
{
    PGresult *result =
        PQexec(s->connection, "SELECT coalesce(max(version), 0) FROM zaehlwerk_schema");
    size_t ignored = 0;

    if (PQntuples(result) == 1)
        *version = (int)strtol(PQgetvalue(result, 0, 0), NULL, 10);
    return pg_take(s, result, &ignored, why);
}

/* Inside a transaction that holds the lock of all db-writers. */
static int migrate(struct pg_store *s, char why[STORE_WHY_CHARS])
{
    int version = 0;
    int rc =
        pg_run(&s->base,
               "SELECT pg_advisory_xact_lock(hashtext('zaehlwerk ' || current_schema())); "
               "CREATE TABLE IF NOT EXISTS zaehlwerk_schema (version integer PRIMARY KEY, applied "
               "timestamptz NOT NULL DEFAULT now())",
               why);

    if (rc == 0)
        rc = read_version(s, &version, why);
    return rc == 0 ? store_migrate(&s->base, version, pg_run, why) : rc;
}

/* The tables were made under another name than SMARTMETER_DB_TABLE says now. */
static int check_table(struct pg_store *s, char why[STORE_WHY_CHARS])
{
    char sql[128];
    PGresult *result;
    bool missing;
    size_t ignored = 0;
    int rc;

    snprintf(sql, sizeof sql, "SELECT to_regclass('%s_compact')", s->base.conf->table);
    result = PQexec(s->connection, sql);
    missing = PQntuples(result) == 1 && PQgetisnull(result, 0, 0);
    rc = pg_take(s, result, &ignored, why);
    return rc == 0 && missing ? store_wrong_table(s->base.conf) : rc;
}

int pg_prepare(struct pg_store *s,
               const char *name,
               const char *text,
               const enum pg_type *types,
               int n,
               char why[STORE_WHY_CHARS])
{
    Oid oids[PG_COLUMNS_MAX];
    char sql[4096];
    size_t ignored = 0;

    for (int i = 0; i < n; i++)
        oids[i] = pg_arrays_type(types[i]);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(sql, sizeof sql, text, s->base.conf->table); /* one of the constants in pg*.c */
#pragma GCC diagnostic pop
    return pg_take(s, PQprepare(s->connection, name, sql, n, oids), &ignored, why);
}

PGresult *pg_ask(struct pg_store *s, const char *name)
{
    const char *values[PG_COLUMNS_MAX];
    int lengths[PG_COLUMNS_MAX], formats[PG_COLUMNS_MAX];

    pg_arrays_bind(&s->arrays, values, lengths, formats);
    return PQexecPrepared(s->connection, name, s->arrays.count, values, lengths, formats, 0);
}

int pg_execute(struct pg_store *s, const char *name, size_t *changed, char why[STORE_WHY_CHARS])
{
    return pg_take(s, pg_ask(s, name), changed, why);
}

/* Tables of this program's version are there. */
static int check_version(struct pg_store *s, char why[STORE_WHY_CHARS])
{
    PGresult *result =
        PQexec(s->connection, "SELECT 1 WHERE to_regclass('zaehlwerk_schema') IS NOT NULL");
    bool there = PQntuples(result) == 1;
    size_t ignored = 0;
    int version = 0;
    int rc = pg_take(s, result, &ignored, why);

    if (rc == 0 && there)
        rc = read_version(s, &version, why);
    return rc == 0 ? store_readable(&s->base, version, why) : -EAGAIN;
}

static void ignore_notice(void *arg, const char *message)
{
    (void)arg;
    (void)message;
}

int pg_probe(struct store *base, char why[STORE_WHY_CHARS])
{
    struct pg_store *s = (struct pg_store *)base;
    int rc;

    pg_disconnect(s);
    rc = open_connection(s, LOOKER, why);
    pg_disconnect(s);
    return rc;
}

int pg_connect(struct store *base, char why[STORE_WHY_CHARS])
{
    struct pg_store *s = (struct pg_store *)base;
    int rc;

    pg_disconnect(s);
    s->meters = names_new(sizeof(int32_t), NULL);
    if (s->meters == NULL)
        return -EAGAIN;
    rc = open_connection(s, WRITER, why);
    if (s->connection != NULL)
        PQsetNoticeProcessor(s->connection, ignore_notice, NULL);
    if (rc == 0)
        rc = use_schema(s, why);
    if (rc == 0)
        rc = be_missed(s, why);
    if (rc == 0)
        rc = pg_run(&s->base, "BEGIN", why);
    if (rc == 0) {
        rc = migrate(s, why);
        if (rc == 0)
            rc = check_table(s, why);
        if (rc == 0)
            rc = pg_use_timescale(s, why);
        if (rc == 0)
            rc = pg_run(&s->base, "COMMIT", why);
    }
    if (rc == 0)
        rc = pg_prepare_all(s, why);
    if (rc != 0)
        pg_disconnect(s);
    return rc == 0 || rc == -EINVAL ? rc : -EAGAIN;
}

/* No JIT: over a hypertable's hundreds of chunks it compiles for minutes what runs in seconds. */
int pg_look(struct store *base, char why[STORE_WHY_CHARS])
{
    struct pg_store *s = (struct pg_store *)base;
    char sql[192];
    int rc;

    pg_disconnect(s);
    rc = open_connection(s, LOOKER, why);
    snprintf(
        sql, sizeof sql,
        "SET search_path = %s, public; SET default_transaction_read_only = on; SET jit = off; SET "
        "statement_timeout = %d",
        base->conf->schema, base->look_ms);
    if (rc == 0)
        rc = pg_run(base, sql, why);
    if (rc == 0)
        rc = check_version(s, why);
    if (rc != 0)
        pg_disconnect(s);
    return rc;
}
