/* pg_timescale: what differs where the tables are TimescaleDB's hypertables. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "pg.h"

static const char text[] =
#include "timescale.inc"
    ;

/* Its version, and why it is not used ("" when it is); no row without it. */
static const char look[] =
    "SELECT e.extversion, CASE WHEN l.name = 'apache' THEN 'its license is apache, which has no "
    "columnstore' WHEN l.name <> 'timescale' THEN 'its license is not known: the server has not "
    "loaded it' WHEN n.nspname <> 'public' THEN 'it is not in schema public' WHEN "
    "string_to_array(substring(e.extversion from '^\\d+\\.\\d+'), '.')::int[] < '{2,22}' THEN "
    "'it is older than 2.22' ELSE '' END FROM pg_extension e JOIN pg_namespace n ON n.oid = "
    "e.extnamespace CROSS JOIN (SELECT coalesce(current_setting('timescaledb.license', true), '') "
    "AS name) l WHERE e.extname = 'timescaledb'";

/* Once for each process: what it is will hardly change while it runs. */
static void tell(struct pg_store *s, const char *version, const char *reason)
{
    if (s->told)
        return;
    s->told = true;
    if (*reason == '\0')
        log_info("timescaledb", LOG_S("state", "used"), LOG_S("version", version),
                 LOG_I("fleet_meters", s->base.conf->fleet_meters));
    else
        log_info("timescaledb", LOG_S("state", "not used"), LOG_S("reason", reason));
}

static int make_hypertables(struct pg_store *s, char why[STORE_WHY_CHARS])
{
    char fleet[24];
    const char *const values[] = {s->base.conf->table, fleet};
    int rc;

    snprintf(fleet, sizeof fleet, "%" PRId64, s->base.conf->fleet_meters);
    rc = pg_take(s,
                 PQexecParams(s->connection,
                              "SELECT set_config('zaehlwerk.table', $1, true), "
                              "set_config('zaehlwerk.fleet_meters', $2, true)",
                              2, NULL, values, NULL, NULL, 0),
                 &(size_t){0}, why);
    return rc == 0 ? pg_run(&s->base, text, why) : rc;
}

int pg_use_timescale(struct pg_store *s, char why[STORE_WHY_CHARS])
{
    PGresult *found = PQexec(s->connection, look);
    bool there = PQntuples(found) == 1;
    char version[32] = "", reason[80] = "the extension is not in this database";
    int rc;

    if (there) {
        snprintf(version, sizeof version, "%s", PQgetvalue(found, 0, 0));
        snprintf(reason, sizeof reason, "%s", PQgetvalue(found, 0, 1));
    }
    s->timescale = there && *reason == '\0';
    rc = pg_take(s, found, &(size_t){0}, why);
    if (rc == 0 && s->timescale)
        rc = make_hypertables(s, why);
    if (rc == 0)
        tell(s, version, reason);
    return rc;
}

/* Dropping */

struct part {
    const char *key;
    char name[96], cutoff[320];
};

static struct part part_of(const struct pg_store *s, const struct rows_old *old)
{
    const bool debounced = old->table == ROWS_DEBOUNCED;
    struct part p = {.key = debounced ? "window_start" : "time"};

    snprintf(p.name, sizeof p.name, "%s%s_compact", s->base.conf->table,
             debounced ? "debounced" : "");
    snprintf(p.cutoff, sizeof p.cutoff,
             "least(to_timestamp(%" PRId64 "), (SELECT max(%s) FROM %s)) - %" PRId64
             " * interval '1 second'",
             old->now_s, p.key, p.name, old->keep_s);
    return p;
}

/*
 * The oldest chunk, when it is old enough and no other writer is at it: one at a time, so that a
 * year that is to go holds up nobody. *there: there is one; its end is the bound, as a number: the
 * statement that drops chunks may not look into the table.
 */
static int find_oldest(struct pg_store *s, struct part *p, bool *there, size_t *rows, char *why)
{
    char sql[ROWS_SQL_CHARS];
    PGresult *result;

    snprintf(
        sql, sizeof sql,
        "SELECT CASE WHEN pg_try_advisory_xact_lock(hashtext(current_schema() || ' chunks')) "
        "THEN floor(extract(epoch FROM c.ends))::bigint END, (SELECT count(*) FROM %s WHERE %s "
        "< c.ends) FROM (SELECT min(range_end) AS ends FROM timescaledb_information.chunks "
        "WHERE hypertable_schema = current_schema() AND hypertable_name = '%s' AND range_end "
        "<= %s) c",
        p->name, p->key, p->name, p->cutoff);
    result = PQexec(s->connection, sql);
    *there = PQntuples(result) == 1 && !PQgetisnull(result, 0, 0);
    if (*there) {
        *rows = strtoul(PQgetvalue(result, 0, 1), NULL, 10);
        snprintf(p->cutoff, sizeof p->cutoff, "to_timestamp(%.20s)", PQgetvalue(result, 0, 0));
    }
    return pg_take(s, result, &(size_t){0}, why);
}

/* Where a reading without a clock stood is forgotten with it. */
static int drop(struct pg_store *s, const struct part *p, char why[STORE_WHY_CHARS])
{
    char sql[ROWS_SQL_CHARS];

    snprintf(sql, sizeof sql,
             "SELECT drop_chunks('%s', older_than => %s); DELETE FROM %s_clockless WHERE time < "
             "(SELECT extract(epoch FROM min(time))::bigint FROM %s_compact)",
             p->name, p->cutoff, s->base.conf->table, s->base.conf->table);
    return pg_run(&s->base, sql, why);
}

/* Readers hold a chunk while they look at it: they are not waited for, lest all wait behind us. */
static int drop_oldest(struct pg_store *s,
                       const struct rows_old *old,
                       size_t *dropped,
                       char why[STORE_WHY_CHARS])
{
    struct part p = part_of(s, old);
    char ignored[STORE_WHY_CHARS];
    size_t rows = 0;
    bool there = false;
    int rc = pg_run(&s->base, "BEGIN; SET LOCAL lock_timeout = '2s'", why);

    if (rc == 0)
        rc = find_oldest(s, &p, &there, &rows, why);
    if (rc == 0 && there)
        rc = drop(s, &p, why);
    if (rc == 0)
        rc = pg_run(&s->base, "COMMIT", why);
    if (rc == 0)
        *dropped += rows;
    else
        (void)pg_run(&s->base, "ROLLBACK", ignored);
    return rc == 0 ? 0 : -EAGAIN;
}

int pg_drop_chunks(struct pg_store *s,
                   const struct rows_old *old,
                   size_t *dropped,
                   char why[STORE_WHY_CHARS])
{
    const size_t before = *dropped;
    size_t last;
    int rc;

    do { /* one that brought no rows ends the call: it may be there still */
        last = *dropped;
        rc = drop_oldest(s, old, dropped, why);
    } while (rc == 0 && *dropped > last && *dropped - before < old->max);
    return rc;
}

/* Jobs */

static const char failing[] =
    "SELECT count(*) OVER (), format('%s %s: %s', j.proc_name, j.job_id, (SELECT e.err_message "
    "FROM "
    "timescaledb_information.job_errors e WHERE e.job_id = j.job_id ORDER BY e.start_time DESC "
    "LIMIT 1)) FROM timescaledb_information.job_stats s JOIN timescaledb_information.jobs j USING "
    "(job_id) WHERE s.last_run_status = 'Failed' AND j.hypertable_schema = current_schema() ORDER "
    "BY j.job_id LIMIT 1";

int pg_failing_jobs(struct store *base,
                    size_t *n,
                    char what[STORE_WHY_CHARS],
                    char why[STORE_WHY_CHARS])
{
    struct pg_store *s = (struct pg_store *)base;
    PGresult *result;

    if (!s->timescale)
        return 0;
    result = PQexec(s->connection, failing);
    if (PQntuples(result) == 1) {
        *n = strtoul(PQgetvalue(result, 0, 0), NULL, 10);
        snprintf(what, STORE_WHY_CHARS, "%s", PQgetvalue(result, 0, 1));
    }
    return pg_take(s, result, &(size_t){0}, why) == 0 ? 0 : -EAGAIN;
}
