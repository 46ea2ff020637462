/* The PostgreSQL store: batches as binary arrays, one transaction each, synchronous_commit on. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pg.h"

/* The columns of a reading, in the order of the INSERTs; only a debounced row has the last. */
enum column {
    COL_TIME,
    COL_RECEIVED_AT,
    COL_WIN,
    COL_WOUT,
    COL_METER,
    COL_COUNTER,
    COL_PIN,
    COL_POUT,
    COL_U1,
    COL_U2,
    COL_U3,
    COL_I1,
    COL_I2,
    COL_I3,
    COL_PF,
    COL_SUSPECT,
    COL_WINDOW,
    COLUMNS
};

const enum pg_type pg_reading_types[COLUMNS] = {
    [COL_TIME] = PG_TIMESTAMPTZ,
    [COL_RECEIVED_AT] = PG_TIMESTAMPTZ,
    [COL_WIN] = PG_INT8,
    [COL_WOUT] = PG_INT8,
    [COL_METER] = PG_INT4,
    [COL_COUNTER] = PG_INT4,
    [COL_PIN] = PG_INT4,
    [COL_POUT] = PG_INT4,
    [COL_U1] = PG_INT4,
    [COL_U2] = PG_INT4,
    [COL_U3] = PG_INT4,
    [COL_I1] = PG_INT4,
    [COL_I2] = PG_INT4,
    [COL_I3] = PG_INT4,
    [COL_PF] = PG_INT2,
    [COL_SUSPECT] = PG_INT2,
    [COL_WINDOW] = PG_TIMESTAMPTZ,
};

#define COLUMN_NAMES                                                                               \
    "time, received_at, win, wout, meter, counter, pin, pout, u1, u2, u3, i1, i2, i3, pf, suspect"

/* %1$s: the table's name. In one order, lest two writers wait for each other's rows. */
static const char insert_readings[] = "INSERT INTO %1$s_compact (" COLUMN_NAMES ") "
                                      "SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, "
                                      "$10, $11, $12, $13, $14, $15, $16) AS "
                                      "u (" COLUMN_NAMES ") ORDER BY time, meter, counter "
                                      "ON CONFLICT (time, meter, counter) DO NOTHING";

/* The prefilter keeps a replay from touching rows that stay as they are. */
static const char insert_debounced[] =
    "INSERT INTO %1$sdebounced_compact AS d (" COLUMN_NAMES ", window_start) "
    "SELECT DISTINCT ON (u.window_start, u.meter) u.* FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, "
    "$9, $10, $11, $12, $13, $14, $15, $16, $17) AS u (" COLUMN_NAMES ", window_start) "
    "WHERE NOT EXISTS (SELECT 1 FROM %1$sdebounced_compact o WHERE o.window_start = "
    "u.window_start AND o.meter = u.meter AND (o.suspect <> 0, o.time, o.counter) <= "
    "(u.suspect <> 0, u.time, u.counter)) ORDER BY u.window_start, u.meter, u.suspect <> 0, "
    "u.time, u.counter "
    "ON CONFLICT (window_start, meter) DO UPDATE SET time = excluded.time, received_at = "
    "excluded.received_at, win = excluded.win, wout = excluded.wout, counter = excluded.counter, "
    "pin = excluded.pin, pout = excluded.pout, u1 = excluded.u1, u2 = excluded.u2, u3 = "
    "excluded.u3, i1 = excluded.i1, i2 = excluded.i2, i3 = excluded.i3, pf = excluded.pf, suspect "
    "= excluded.suspect WHERE (excluded.suspect <> 0, excluded.time, excluded.counter) < "
    "(d.suspect <> 0, d.time, d.counter)";

static const char insert_reject[] =
    "INSERT INTO rejects (digest, time, meter, topic, reason, detail, payload, counter) VALUES "
    "($1, "
    "to_timestamp($2::float8 / 1000), nullif($3, ''), $4, $5, $6, $7, $8) ON CONFLICT (digest) DO "
    "NOTHING";

static const char resolve_reject[] =
    "UPDATE rejects SET resolved_at = now() WHERE digest = $1 AND resolved_at IS NULL";

static const char find_meter[] =
    "WITH fresh AS (INSERT INTO meters (meter, number) VALUES ($1, $2) ON CONFLICT (meter) DO "
    "NOTHING RETURNING id) SELECT id FROM fresh UNION ALL SELECT id FROM meters WHERE meter = $1";

/* Two writers that have the same reading must not both find none. */
static const char lock_clockless[] =
    "SELECT pg_advisory_xact_lock(hashtext(current_schema() || ' clockless'), $1)";

/* $1 meter, $2 counter, $3 digest, $4 its time, $5 and $6 arrivals of the same reading, $7 arrival.
 */
static const char find_time[] =
    "WITH found AS (SELECT time FROM %1$s_clockless WHERE meter = $1 AND counter = $2 AND digest = "
    "$3 AND seen BETWEEN $5 AND $6 ORDER BY time LIMIT 1), fresh AS (INSERT INTO %1$s_clockless "
    "(meter, counter, digest, time, seen) SELECT $1, $2, $3, t, $7 FROM "
    "generate_series($4::bigint, $4::bigint + "
    "86400) t WHERE NOT EXISTS (SELECT 1 FROM found) AND NOT EXISTS (SELECT 1 FROM %1$s_clockless "
    "c "
    "WHERE c.meter = $1 AND c.counter = $2 AND c.time = t) ORDER BY t LIMIT 1 RETURNING time) "
    "SELECT time FROM found UNION ALL SELECT time FROM fresh";

int pg_prepare_all(struct pg_store *s, char why[STORE_WHY_CHARS])
{
    int rc = pg_prepare(s, "readings", insert_readings, pg_reading_types, PG_READING_COLUMNS, why);

    if (rc == 0)
        rc = pg_prepare(s, "debounced", insert_debounced, pg_reading_types, COLUMNS, why);
    if (rc == 0)
        rc = pg_prepare(s, "find_time", find_time, NULL, 0, why);
    return rc == 0 ? pg_prepare_quarters(s, why) : rc;
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
        rc = pg_take(s, result, &ignored, why);
        if (rc != 0)
            return rc;
    }
    *id = *known;
    if (*id == 0) /* another writer's row that this statement's snapshot did not see yet */
        snprintf(why, STORE_WHY_CHARS, "a new meter's key is not visible yet");
    return *id != 0 ? 0 : -EAGAIN;
}

/* The time under which a reading of a meter without a clock stands, or shall stand from now on. */
static int look_up_time(struct pg_store *s, const struct record *r, int64_t *time, char *why)
{
    struct store_identity id = store_identify(r);
    int64_t numbers[7] = {0, id.counter, id.digest, id.time, id.since, id.until, r->arrival_ms};
    char text[7][24];
    const char *values[7];
    size_t ignored = 0;
    int32_t meter = 0;
    PGresult *result;
    int rc = meter_id(s, &r->reading, &meter, why);

    numbers[0] = meter;
    for (int i = 0; i < 7; i++) {
        snprintf(text[i], sizeof text[i], "%lld", (long long)numbers[i]);
        values[i] = text[i];
    }
    if (rc == 0)
        rc = pg_take(s, PQexecParams(s->connection, lock_clockless, 1, NULL, values, NULL, NULL, 0),
                     &ignored, why);
    if (rc != 0)
        return rc;
    result = PQexecPrepared(s->connection, "find_time", 7, values, NULL, NULL, 0);
    *time = PQntuples(result) > 0 ? strtoll(PQgetvalue(result, 0, 0), NULL, 10) : id.time;
    return pg_take(s, result, &ignored, why);
}

/* The time of each row. One of an earlier window has had its effect there. */
static int find_times(struct pg_store *s,
                      const struct record *const *rows,
                      size_t n,
                      char why[STORE_WHY_CHARS])
{
    int rc = 0;

    if (n > s->times_room) {
        free(s->times);
        s->times = calloc(n, sizeof *s->times);
        s->times_room = s->times == NULL ? 0 : n;
    }
    if (s->times == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n && rc == 0; i++) {
        s->times[i] = record_time(rows[i]);
        if (rows[i]->type == RECORD_REJECT || rows[i]->reading.has_time)
            continue;
        rc = look_up_time(s, rows[i], &s->times[i], why);
        if (rows[i]->type == RECORD_DEBOUNCED && s->times[i] < rows[i]->window)
            s->times[i] = STORE_NULL;
    }
    return rc;
}

/* A reading that may be new and counts for its quarter is noted. */
static int note_quarter(struct pg_store *s,
                        const struct record *r,
                        const struct store_columns *c,
                        int32_t meter,
                        int64_t time)
{
    if (r->type != RECORD_READING || c->suspect != 0 || c->win == STORE_NULL)
        return 0;
    return quarters_add(&s->quarters, meter, time, c->win, c->wout);
}

static int add_row(struct pg_store *s, const struct record *r, int64_t time, char *why)
{
    struct store_columns c;
    int32_t meter = 0;
    int rc = store_columns_of(&r->reading, &c);

    if (rc != 0) {
        snprintf(why, STORE_WHY_CHARS, "a value does not fit its column");
        return rc;
    }
    rc = meter_id(s, &r->reading, &meter, why);
    if (rc == 0)
        rc = note_quarter(s, r, &c, meter, time);
    if (rc == 0) {
        const int64_t values[COLUMNS] = {
            [COL_TIME] = pg_timestamp(time * 1000),
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
            [COL_SUSPECT] = c.suspect,
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
    const bool readings = type == RECORD_READING;
    size_t count = 0;
    int rc = 0;

    s->quarters.count = readings ? 0 : s->quarters.count;
    for (size_t i = 0; i < n; i++)
        count += rows[i]->type == type && s->times[i] != STORE_NULL;
    if (count == 0)
        return 0;
    rc = pg_arrays_begin(&s->arrays, pg_reading_types, readings ? PG_READING_COLUMNS : COLUMNS,
                         count);
    for (size_t i = 0; i < n && rc == 0; i++)
        if (rows[i]->type == type && s->times[i] != STORE_NULL)
            rc = add_row(s, rows[i], s->times[i], why);
    if (rc == 0)
        rc = pg_execute(s, readings ? "readings" : "debounced", changed, why);
    if (rc == 0 && readings && *changed < count) /* some were there: ask which values stand */
        rc = pg_quarters_stored(s, why);
    return rc;
}

static int
write_reject(struct pg_store *s, const struct record *r, struct store_counts *counts, char *why)
{
    uint8_t digest[32];
    char arrival[24], counter[24];
    const char *values[] = {
        (const char *)digest,       arrival, r->reading.meter, r->topic, NULL, r->detail,
        (const char *)r->octets.at, counter};
    const int lengths[] = {sizeof digest, 0, 0, 0, 0, 0, (int)r->octets.len, 0};
    const int formats[] = {1, 0, 0, 0, 0, 0, 1, 0};
    size_t added = 0;
    int rc;

    record_digest(r->octets.at, r->octets.len, digest);
    snprintf(arrival, sizeof arrival, "%lld", (long long)r->arrival_ms);
    snprintf(counter, sizeof counter, "%lld", (long long)r->reading.counter);
    values[4] = verdict_name(r->verdict);
    if (values[6] == NULL)
        values[6] = "";
    rc =
        pg_take(s, PQexecParams(s->connection, insert_reject, 8, NULL, values, lengths, formats, 0),
                &added, why);
    counts->rejects += added;
    counts->reject_octets += added > 0 ? (int64_t)r->octets.len : 0;
    return rc;
}

/* The reject that became this reading after all. */
static int resolve(struct pg_store *s, const struct record *r, size_t *resolved, char *why)
{
    const char *values[] = {(const char *)r->replays};
    const int lengths[] = {DIGEST_OCTETS}, formats[] = {1};

    return pg_take(
        s, PQexecParams(s->connection, resolve_reject, 1, NULL, values, lengths, formats, 0),
        resolved, why);
}

static int write_rejects(struct pg_store *s,
                         const struct record *const *rows,
                         size_t n,
                         struct store_counts *counts,
                         char *why)
{
    int rc = 0;

    for (size_t i = 0; i < n && rc == 0; i++) {
        if (rows[i]->type == RECORD_REJECT)
            rc = write_reject(s, rows[i], counts, why);
        else if (rows[i]->type == RECORD_READING && record_is_replay(rows[i]))
            rc = resolve(s, rows[i], &counts->resolved, why);
    }
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
        rc = pg_run(&s->base, "BEGIN ISOLATION LEVEL READ COMMITTED", why);
    if (rc == 0)
        rc = find_times(s, rows, n, why);
    if (rc == 0)
        rc = write_type(s, RECORD_READING, rows, n, &counts->readings, why);
    if (rc == 0)
        rc = write_type(s, RECORD_DEBOUNCED, rows, n, &counts->debounced, why);
    if (rc == 0)
        rc = write_rejects(s, rows, n, counts, why);
    if (rc == 0)
        rc = pg_write_quarters(s, why);
    if (rc == 0) /* deferred constraints speak here */
        rc = pg_take(s, PQexec(s->connection, "COMMIT"), &(size_t){0}, why);
    if (rc != 0 && PQtransactionStatus(s->connection) == PQTRANS_INERROR)
        (void)pg_run(&s->base, "ROLLBACK", ignored);
    if (rc != 0 && rc != -EINVAL) {
        pg_disconnect(s);
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

    pg_disconnect(s);
    pg_arrays_free(&s->arrays);
    quarters_free(&s->quarters);
    free(s->times);
    free(s);
}

struct store *pg_store_new(const struct store_conf *conf)
{
    static const struct store_ops ops = {
        .name = "postgresql",
        .probe = pg_probe,
        .connect = pg_connect,
        .write = pg_write,
        .look = pg_look,
        .rejects = &pg_reject_dialect,
        .rows = &pg_rows_dialect,
        .select = pg_select,
        .run = pg_run,
        .drop_rows = pg_drop_rows,
        .failing_jobs = pg_failing_jobs,
        .alive = pg_alive,
        .close = pg_close,
    };
    struct pg_store *s = calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    s->base = (struct store){&ops, conf, ROWS_TIMEOUT_MS};
    return &s->base;
}
