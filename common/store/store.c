#include "store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

static bool has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_postgresql(const struct store_conf *conf)
{
    if (*conf->url != '\0')
        return has_prefix(conf->url, "postgresql://") || has_prefix(conf->url, "postgres://");
    return *conf->host != '\0';
}

int store_check(const struct store_conf *conf)
{
    if (*conf->url != '\0' && !is_postgresql(conf) && !has_prefix(conf->url, "sqlite:"))
        return conf_wrong("DB_URL", "of no known kind", "sqlite:PATH or postgresql://...");
    if (strcmp(conf->url, "sqlite:") == 0 || strcmp(conf->url, "sqlite::memory:") == 0)
        return conf_wrong("DB_URL", "no file: what is acknowledged would be gone with the process",
                          "sqlite:PATH");
    if (*conf->url == '\0' && *conf->host != '\0' && conf->port == 3306)
        return conf_wrong(
            "DB_PORT", "3306 is MariaDB's port, which the original program used",
            "set DB_URL to postgresql://... or sqlite:PATH; `zaehlwerk import` brings "
            "the old rows over (deploy/MIGRATION.md)");
    if (!conf_is_identifier(conf->schema))
        return conf_wrong("SMARTMETER_DB_SCHEMA", conf->schema, "lower-case letters, digits and _");
    if (!conf_is_identifier(conf->table))
        return conf_wrong("SMARTMETER_DB_TABLE", conf->table, "lower-case letters, digits and _");
    return 0;
}

struct store *store_new(const struct store_conf *conf)
{
    return is_postgresql(conf) ? pg_store_new(conf) : sqlite_store_new(conf);
}

int store_probe(struct store *s, char why[STORE_WHY_CHARS])
{
    return s->ops->probe(s, why);
}

int store_connect(struct store *s, char why[STORE_WHY_CHARS])
{
    return s->ops->connect(s, why);
}

int store_write(struct store *s,
                const struct record *const *rows,
                size_t n,
                struct store_counts *counts,
                char why[STORE_WHY_CHARS])
{
    *counts = (struct store_counts){0};
    return s->ops->write(s, rows, n, counts, why);
}

int store_look(struct store *s, char why[STORE_WHY_CHARS])
{
    return s->ops->look(s, why);
}

/* One look at rejects. */
struct rejects_look {
    const struct reject_query *query;
    reject_visit *visit;
    void *arg;
    struct buf scratch;
};

static int visit_reject(void *arg, const char *const columns[STORE_COLUMNS_MAX])
{
    struct rejects_look *l = arg;

    return reject_row_read(columns, l->query, &l->scratch, l->visit, l->arg);
}

/* The visitor may wait for a broker (zaehlwerk replay), so there is no bound of time. */
int store_rejects(struct store *s,
                  const struct reject_query *q,
                  reject_visit *visit,
                  void *arg,
                  char why[STORE_WHY_CHARS])
{
    struct rejects_look look = {.query = q, .visit = visit, .arg = arg};
    char sql[REJECT_SQL_CHARS];
    int rc = reject_select(q, s->ops->rejects, sql);

    if (rc != 0)
        return rc;
    rc = s->ops->select(s, sql, 0, visit_reject, &look, why);
    buf_free(&look.scratch);
    if (rc == 0 || rc == -EAGAIN || rc == -ETIMEDOUT)
        return rc;
    snprintf(why, STORE_WHY_CHARS, "a reject cannot be read");
    return -EAGAIN;
}

int store_drop_rejects(struct store *s, const struct reject_mark *last, char why[STORE_WHY_CHARS])
{
    char sql[REJECT_SQL_CHARS];

    reject_delete(last, s->ops->rejects, sql);
    return s->ops->run(s, sql, why);
}

int store_rows(struct store *s,
               const struct rows_query *q,
               rows_visit *visit,
               void *arg,
               char why[STORE_WHY_CHARS])
{
    struct rows_visitor visitor = {.row = visit, .arg = arg};
    char sql[ROWS_SQL_CHARS];
    int rc = rows_select(q, s->ops->rows, s->conf->table, sql);

    if (rc == 0)
        return s->ops->select(s, sql, s->look_ms, rows_read, &visitor, why);
    snprintf(why, STORE_WHY_CHARS, "a meter's id has 16 hex digits");
    return rc;
}

int store_meters(
    struct store *s, size_t max, rows_meter_visit *visit, void *arg, char why[STORE_WHY_CHARS])
{
    struct rows_visitor visitor = {.meter = visit, .arg = arg};
    char sql[ROWS_SQL_CHARS];

    rows_select_meters(s->ops->rows, s->conf->table, clock_utc_ms() / 1000, max, sql);
    return s->ops->select(s, sql, s->look_ms, rows_read_meter, &visitor, why);
}

void store_patience(struct store *s, int ms)
{
    s->look_ms = ms;
}

int store_drop_rows(struct store *s,
                    const struct rows_old *old,
                    size_t *dropped,
                    char why[STORE_WHY_CHARS])
{
    return s->ops->drop_rows(s, old, dropped, why);
}

int store_failing_jobs(struct store *s,
                       size_t *failing,
                       char what[STORE_WHY_CHARS],
                       char why[STORE_WHY_CHARS])
{
    *failing = 0;
    *what = '\0';
    return s->ops->failing_jobs == NULL ? 0 : s->ops->failing_jobs(s, failing, what, why);
}

bool store_alive(struct store *s)
{
    return s->ops->alive(s);
}

void store_free(struct store *s)
{
    if (s != NULL)
        s->ops->close(s);
}

/* The codes of migration 002. */
static int64_t suspect_code(const char *reason)
{
    if (*reason == '\0')
        return 0;
    return strcmp(reason, "energy-falls") == 0 ? 1 : strcmp(reason, "energy-jumps") == 0 ? 2 : 3;
}

/* A field in 10^exponent of its unit; false when it is beyond limit. */
static bool column(const struct reading *r, enum field f, int exponent, int64_t limit, int64_t *out)
{
    const struct quantity *q = &r->values[f];

    *out = q->present ? quantity_scaled(q, exponent) : STORE_NULL;
    return !q->present || (*out >= -limit && *out <= limit);
}

int store_columns_of(const struct reading *r, struct store_columns *c)
{
    /* INT64_MAX is what quantity_scaled makes of anything larger */
    bool fits = column(r, FIELD_WIN, 0, INT64_MAX - 1, &c->win) &&
                column(r, FIELD_WOUT, 0, INT64_MAX - 1, &c->wout) &&
                column(r, FIELD_PIN, 0, INT32_MAX, &c->pin) &&
                column(r, FIELD_POUT, 0, INT32_MAX, &c->pout) &&
                column(r, FIELD_PF, -3, INT16_MAX, &c->pf);

    c->suspect = suspect_code(r->suspect);
    for (int p = 0; p < 3 && fits; p++)
        fits = column(r, (enum field)(FIELD_U1 + p), -3, INT32_MAX, &c->u[p]) &&
               column(r, (enum field)(FIELD_I1 + p), -3, INT32_MAX, &c->i[p]);
    return fits ? 0 : -EINVAL;
}

int store_wrong_table(const struct store_conf *conf)
{
    return conf_wrong("SMARTMETER_DB_TABLE", conf->table,
                      "the name under which this database's tables were made");
}

/* Of everything that a telegram without clock and counter says. */
static int64_t digest_values(const struct reading *r)
{
    uint8_t octets[FIELD_COUNT * (2 + sizeof(int64_t))], digest[32];
    size_t len = 0;
    int64_t n;

    for (int f = 0; f < FIELD_COUNT; f++) {
        const struct quantity *q = &r->values[f];

        if (!q->present)
            continue;
        octets[len++] = (uint8_t)f;
        octets[len++] = (uint8_t)q->scaler;
        memcpy(octets + len, &q->mantissa, sizeof q->mantissa);
        len += sizeof q->mantissa;
    }
    record_digest(octets, len, digest);
    memcpy(&n, digest, sizeof n);
    return n;
}

struct store_identity store_identify(const struct record *r)
{
    enum { SAME_MS = 60000 };
    bool counted = r->reading.counter >= 0;

    return (struct store_identity){
        .counter = r->reading.counter,
        .digest = counted ? 0 : digest_values(&r->reading),
        .time = record_time(r),
        .since = counted ? INT64_MIN : r->arrival_ms - SAME_MS,
        .until = counted ? INT64_MAX : r->arrival_ms + SAME_MS,
    };
}
