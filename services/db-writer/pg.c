/* The PostgreSQL store: batches as binary arrays, one transaction each, synchronous_commit on. */
#include <errno.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mysql.h"
#include "names.h"
#include "pg_arrays.h"
#include "store.h"

#define COLUMN_NAMES                                                                               \
    "time, received_at, win, wout, meter, counter, pin, pout, u1, u2, u3, i1, i2, i3, pf"

/* %1$s: the table's name. */
static const char insert_readings[] = "INSERT INTO %1$s_compact (" COLUMN_NAMES ") "
                                      "SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, "
                                      "$10, $11, $12, $13, $14, $15) "
                                      "ON CONFLICT (time, meter, counter) DO NOTHING";

/* The prefilter keeps a replay from touching rows that stay as they are. */
static const char insert_debounced[] =
    "INSERT INTO %1$sdebounced_compact AS d (" COLUMN_NAMES ", window_start) "
    "SELECT DISTINCT ON (u.window_start, u.meter) u.* FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, "
    "$9, $10, $11, $12, $13, $14, $15, $16) AS u (" COLUMN_NAMES ", window_start) "
    "WHERE NOT EXISTS (SELECT 1 FROM %1$sdebounced_compact o WHERE o.window_start = "
    "u.window_start AND o.meter = u.meter AND o.suspect = 0 AND (o.time, o.counter) <= (u.time, "
    "u.counter)) ORDER BY u.window_start, u.meter, u.time, u.counter "
    "ON CONFLICT (window_start, meter) DO UPDATE SET time = excluded.time, received_at = "
    "excluded.received_at, win = excluded.win, wout = excluded.wout, counter = excluded.counter, "
    "pin = excluded.pin, pout = excluded.pout, u1 = excluded.u1, u2 = excluded.u2, u3 = "
    "excluded.u3, i1 = excluded.i1, i2 = excluded.i2, i3 = excluded.i3, pf = excluded.pf, suspect "
    "= excluded.suspect WHERE (excluded.suspect <> 0, excluded.time, excluded.counter) < "
    "(d.suspect <> 0, d.time, d.counter)";

static const char insert_reject[] =
    "INSERT INTO rejects (digest, time, meter, topic, reason, detail, payload) VALUES ($1, "
    "to_timestamp($2::float8 / 1000), nullif($3, ''), $4, $5, $6, $7) ON CONFLICT (digest) DO "
    "NOTHING";

static const char find_meter[] =
    "WITH fresh AS (INSERT INTO meters (meter, number) VALUES ($1, $2) ON CONFLICT (meter) DO "
    "NOTHING RETURNING id) SELECT id FROM fresh UNION ALL SELECT id FROM meters WHERE meter = $1";

struct pg_store {
    struct store base;
    PGconn *connection;
    struct names *meters; /* of int32_t: their small keys */
    struct pg_arrays arrays;
};

/* Connection */

static void disconnect(struct pg_store *s)
{
    PQfinish(s->connection);
    s->connection = NULL;
    names_free(s->meters); /* ids of another database, perhaps */
    s->meters = NULL;
}

static void explain(const char *message, char why[STORE_WHY_CHARS])
{
    snprintf(why, STORE_WHY_CHARS, "%.*s", (int)strcspn(message, "\n"), message);
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

/* Take over a result: 0 and the number of rows it changed or returned, else as fail. */
static int take(struct pg_store *s, PGresult *result, size_t *rows, char why[STORE_WHY_CHARS])
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

/* A statement that no row is to blame for. */
static int run(struct store *base, const char *sql, char why[STORE_WHY_CHARS])
{
    struct pg_store *s = (struct pg_store *)base;
    size_t ignored = 0;

    return take(s, PQexec(s->connection, sql), &ignored, why) == 0 ? 0 : -EAGAIN;
}

static int open_connection(struct pg_store *s, char why[STORE_WHY_CHARS])
{
    const struct store_conf *c = s->base.conf;
    char port[8];
    const bool url = *c->url != '\0';
    const char *names[] = {"application_name",
                           "connect_timeout",
                           "tcp_user_timeout",
                           "client_encoding",
                           "dbname",
                           "host",
                           "port",
                           "user",
                           "password",
                           NULL};
    const char *values[] = {"zaehlwerk db-writer",
                            "5",
                            "15000",
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
        return conf_wrong(*c->url != '\0' ? "DB_URL" : "DB_HOST",
                          "a MariaDB or MySQL server answers there",
                          "set DB_URL to postgresql://... or sqlite:PATH; `zaehlwerk import` will "
                          "bring the old rows over");
    return -EAGAIN;
}

/* CREATE SCHEMA IF NOT EXISTS asks for the right to create even when it exists: look first. */
static int use_schema(struct pg_store *s, char why[STORE_WHY_CHARS])
{
    const char *const parameters[] = {s->base.conf->schema};
    char sql[160];
    PGresult *found = PQexecParams(s->connection, "SELECT 1 FROM pg_namespace WHERE nspname = $1",
                                   1, NULL, parameters, NULL, NULL, 0);
    bool exists = PQntuples(found) == 1;
    size_t ignored = 0;
    int rc = take(s, found, &ignored, why);

    snprintf(sql, sizeof sql, "CREATE SCHEMA %s", s->base.conf->schema);
    if (rc == 0 && !exists)
        rc = run(&s->base, sql, why);
    snprintf(sql, sizeof sql, "SET search_path = %s, public; SET synchronous_commit = on",
             s->base.conf->schema);
    return rc == 0 ? run(&s->base, sql, why) : rc;
}

/* Inside a transaction that holds the lock of all db-writers. */
static int migrate(struct pg_store *s, char why[STORE_WHY_CHARS])
{
    PGresult *result;
    int version = 0;
    int rc =
        run(&s->base,
            "SELECT pg_advisory_xact_lock(hashtext('zaehlwerk ' || current_schema())); "
            "CREATE TABLE IF NOT EXISTS zaehlwerk_schema (version integer PRIMARY KEY, applied "
            "timestamptz NOT NULL DEFAULT now())",
            why);
    size_t ignored = 0;

    if (rc != 0)
        return rc;
    result = PQexec(s->connection, "SELECT coalesce(max(version), 0) FROM zaehlwerk_schema");
    if (PQntuples(result) == 1)
        version = (int)strtol(PQgetvalue(result, 0, 0), NULL, 10);
    rc = take(s, result, &ignored, why);
    return rc == 0 ? store_migrate(&s->base, version, run, why) : rc;
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
    rc = take(s, result, &ignored, why);
    return rc == 0 && missing ? store_wrong_table(s->base.conf) : rc;
}

static int prepare(struct pg_store *s, const char *name, const char *text, int types, char *why)
{
    Oid oids[PG_COLUMNS];
    char sql[2048];
    size_t ignored = 0;

    for (int i = 0; i < types; i++)
        oids[i] = pg_arrays_type((enum pg_column)i);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(sql, sizeof sql, text, s->base.conf->table); /* one of the constants above */
#pragma GCC diagnostic pop
    return take(s, PQprepare(s->connection, name, sql, types, oids), &ignored, why);
}

static void ignore_notice(void *arg, const char *message)
{
    (void)arg;
    (void)message;
}

static int pg_probe(struct store *base, char why[STORE_WHY_CHARS])
{
    struct pg_store *s = (struct pg_store *)base;
    int rc;

    disconnect(s);
    rc = open_connection(s, why);
    disconnect(s);
    return rc;
}

static int pg_connect(struct store *base, char why[STORE_WHY_CHARS])
{
    struct pg_store *s = (struct pg_store *)base;
    int rc;

    disconnect(s);
    s->meters = names_new(sizeof(int32_t), NULL);
    if (s->meters == NULL)
        return -EAGAIN;
    rc = open_connection(s, why);
    if (s->connection != NULL)
        PQsetNoticeProcessor(s->connection, ignore_notice, NULL);
    if (rc == 0)
        rc = use_schema(s, why);
    if (rc == 0)
        rc = run(&s->base, "BEGIN", why);
    if (rc == 0) {
        rc = migrate(s, why);
        if (rc == 0)
            rc = check_table(s, why);
        if (rc == 0)
            rc = run(&s->base, "COMMIT", why);
    }
    if (rc == 0)
        rc = prepare(s, "readings", insert_readings, COL_WINDOW, why);
    if (rc == 0)
        rc = prepare(s, "debounced", insert_debounced, PG_COLUMNS, why);
    if (rc != 0)
        disconnect(s);
    return rc == 0 || rc == -EINVAL ? rc : -EAGAIN;
}

/* Writing */

/* The meter's small key; new meters get theirs in a transaction of their own. */
static int meter_id(struct pg_store *s, const struct reading *r, int32_t *id, char *why)
{
    const char *const parameters[] = {r->meter, r->number};
    int32_t *known = names_add(s->meters, r->meter);
    PGresult *result;
    size_t ignored = 0;
    int rc;

    if (known == NULL)
        return -ENOMEM;
    if (*known == 0) {
        result = PQexecParams(s->connection, find_meter, 2, NULL, parameters, NULL, NULL, 0);
        if (PQntuples(result) > 0)
            *known = (int32_t)strtol(PQgetvalue(result, 0, 0), NULL, 10);
        rc = take(s, result, &ignored, why);
        if (rc != 0)
            return rc;
    }
    *id = *known;
    if (*id == 0) /* another writer's row that this statement's snapshot did not see yet */
        snprintf(why, STORE_WHY_CHARS, "a new meter's key is not visible yet");
    return *id != 0 ? 0 : -EAGAIN;
}

static int add_row(struct pg_store *s, const struct record *r, char *why)
{
    struct store_columns c;
    int32_t meter = 0;
    int rc = store_columns_of(&r->reading, &c);

    if (rc != 0) {
        snprintf(why, STORE_WHY_CHARS, "a value does not fit its column");
        return rc;
    }
    rc = meter_id(s, &r->reading, &meter, why);
    if (rc == 0) {
        const int64_t values[PG_COLUMNS] = {
            [COL_TIME] = pg_timestamp(record_time(r) * 1000),
            [COL_RECEIVED_AT] = pg_timestamp(r->arrival_ms),
            [COL_WIN] = c.win,
            [COL_WOUT] = c.wout,
            [COL_METER] = meter,
            [COL_COUNTER] = r->reading.counter < 0 ? INT32_MAX : r->reading.counter + INT32_MIN,
            [COL_PIN] = c.pin,
            [COL_POUT] = c.pout,
            [COL_U1] = c.u[0],
            [COL_U2] = c.u[1],
            [COL_U3] = c.u[2],
            [COL_I1] = c.i[0],
            [COL_I2] = c.i[1],
            [COL_I3] = c.i[2],
            [COL_PF] = c.pf,
            [COL_WINDOW] = pg_timestamp(r->window * 1000),
        };

        rc = pg_arrays_add(&s->arrays, values);
    }
    return rc;
}

/* The readings or the debounced ones among the rows become one INSERT. */
static int write_type(struct pg_store *s,
                      enum record_type type,
                      const struct record *const *rows,
                      size_t n,
                      size_t *changed,
                      char *why)
{
    int columns = type == RECORD_DEBOUNCED ? PG_COLUMNS : COL_WINDOW;
    const char *values[PG_COLUMNS];
    int lengths[PG_COLUMNS], formats[PG_COLUMNS];
    size_t count = 0;
    int rc = 0;

    for (size_t i = 0; i < n; i++)
        count += rows[i]->type == type;
    if (count == 0)
        return 0;
    rc = pg_arrays_begin(&s->arrays, count);
    for (size_t i = 0; i < n && rc == 0; i++)
        if (rows[i]->type == type)
            rc = add_row(s, rows[i], why);
    if (rc != 0)
        return rc;
    pg_arrays_bind(&s->arrays, columns, values, lengths, formats);
    return take(s,
                PQexecPrepared(s->connection, type == RECORD_DEBOUNCED ? "debounced" : "readings",
                               columns, values, lengths, formats, 0),
                changed, why);
}

static int write_reject(struct pg_store *s, const struct record *r, size_t *changed, char *why)
{
    uint8_t digest[32];
    char arrival[24];
    const char *values[] = {
        (const char *)digest,      arrival, r->reading.meter, r->topic, NULL, r->detail,
        (const char *)r->octets.at};
    const int lengths[] = {sizeof digest, 0, 0, 0, 0, 0, (int)r->octets.len};
    const int formats[] = {1, 0, 0, 0, 0, 0, 1};

    store_digest(&r->octets, digest);
    snprintf(arrival, sizeof arrival, "%lld", (long long)r->arrival_ms);
    values[4] = verdict_name(r->verdict);
    if (values[6] == NULL)
        values[6] = "";
    return take(s, PQexecParams(s->connection, insert_reject, 7, NULL, values, lengths, formats, 0),
                changed, why);
}

static int write_rejects(
    struct pg_store *s, const struct record *const *rows, size_t n, size_t *changed, char *why)
{
    int rc = 0;

    for (size_t i = 0; i < n && rc == 0; i++)
        if (rows[i]->type == RECORD_REJECT)
            rc = write_reject(s, rows[i], changed, why);
    return rc;
}

/* Meters that are new get their ids before the transaction, so that a rollback takes none away. */
static int find_meters(struct pg_store *s, const struct record *const *rows, size_t n, char *why)
{
    int32_t ignored;
    int rc = 0;

    for (size_t i = 0; i < n && rc == 0; i++)
        if (rows[i]->type != RECORD_REJECT)
            rc = meter_id(s, &rows[i]->reading, &ignored, why);
    return rc;
}

static int pg_write(struct store *base,
                    const struct record *const *rows,
                    size_t n,
                    struct store_counts *counts,
                    char why[STORE_WHY_CHARS])
{
    struct pg_store *s = (struct pg_store *)base;
    char ignored[STORE_WHY_CHARS];
    int rc;

    if (s->connection == NULL) {
        snprintf(why, STORE_WHY_CHARS, "not connected");
        return -EAGAIN;
    }
    rc = find_meters(s, rows, n, why);
    if (rc == 0)
        rc = run(&s->base, "BEGIN", why);
    if (rc == 0)
        rc = write_type(s, RECORD_READING, rows, n, &counts->readings, why);
    if (rc == 0)
        rc = write_type(s, RECORD_DEBOUNCED, rows, n, &counts->debounced, why);
    if (rc == 0)
        rc = write_rejects(s, rows, n, &counts->rejects, why);
    if (rc == 0) /* deferred constraints speak here */
        rc = take(s, PQexec(s->connection, "COMMIT"), &(size_t){0}, why);
    if (rc != 0 && PQtransactionStatus(s->connection) == PQTRANS_INERROR)
        (void)run(&s->base, "ROLLBACK", ignored);
    if (rc != 0 && rc != -EINVAL) {
        disconnect(s);
        rc = -EAGAIN;
    }
    return rc;
}

static bool pg_alive(struct store *base)
{
    struct pg_store *s = (struct pg_store *)base;

    if (s->connection == NULL)
        return false;
    return PQconsumeInput(s->connection) == 1 && PQstatus(s->connection) == CONNECTION_OK;
}

static void pg_close(struct store *base)
{
    struct pg_store *s = (struct pg_store *)base;

    disconnect(s);
    pg_arrays_free(&s->arrays);
    free(s);
}

struct store *pg_store_new(const struct store_conf *conf)
{
    static const struct store_ops ops = {"postgresql", pg_probe, pg_connect,
                                         pg_write,     pg_alive, pg_close};
    struct pg_store *s = calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    s->base = (struct store){&ops, conf};
    return &s->base;
}
