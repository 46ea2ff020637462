#include "writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "utf8.h"

enum { STEP_MS = 250, BACKOFF_FIRST_MS = 500, BACKOFF_MAX_MS = 10000 };
enum { ROOM = WRITER_BATCH + LINK_BATCH };

const struct metric_def writer_metrics[] = {
    [WRITER_RECORDS] = {"zaehlwerk_records_total", METRIC_COUNTER, "type", "Records committed."},
    [WRITER_ROWS] = {"zaehlwerk_rows_total", METRIC_COUNTER, "table",
                     "Rows that were new, or earlier in their window."},
    [WRITER_DUPLICATES] = {"zaehlwerk_duplicates_total", METRIC_COUNTER, NULL,
                           "Readings that were in the table already."},
    [WRITER_BATCHES] = {"zaehlwerk_batches_total", METRIC_COUNTER, NULL, "Transactions committed."},
    [WRITER_REFUSED] = {"zaehlwerk_rejects_total", METRIC_COUNTER, "reason",
                        "Rows that the database refuses for their data."},
    [WRITER_RETRIES] = {"zaehlwerk_retries_total", METRIC_COUNTER, NULL,
                        "Transactions that failed and were or will be repeated."},
    [WRITER_UNREADABLE] = {"zaehlwerk_unreadable_total", METRIC_COUNTER, NULL,
                           "Messages that are no record of this version."},
    [WRITER_RESOLVED] = {"zaehlwerk_rejects_resolved_total", METRIC_COUNTER, NULL,
                         "Rejects that a replay made a reading of."},
    [WRITER_DROPPED] = {"zaehlwerk_rejects_dropped_total", METRIC_COUNTER, "reason",
                        "Rejects deleted for their age or for the size of all."},
    [WRITER_REJECTS] = {"zaehlwerk_rejects_kept", METRIC_GAUGE, NULL,
                        "Rejects in the table, about."},
    [WRITER_REJECTS_OCTETS] = {"zaehlwerk_rejects_kept_bytes", METRIC_GAUGE, NULL,
                               "Octets of their payloads, about."},
    [WRITER_ROWS_DROPPED] = {"zaehlwerk_rows_dropped_total", METRIC_COUNTER, "table",
                             "Rows deleted for their age."},
    [WRITER_LATENCY] = {"zaehlwerk_arrival_to_commit_seconds", METRIC_DURATIONS, NULL,
                        "Time from a reading's arrival by MQTT until it is committed."},
    [WRITER_COMMIT] = {"zaehlwerk_commit_seconds", METRIC_DURATIONS, NULL,
                       "Duration of a transaction."},
    [WRITER_BATCH_SIZE] = {"zaehlwerk_batch_records", METRIC_SIZES, NULL,
                           "Records in a transaction."},
    [WRITER_WAITING] = {"zaehlwerk_waiting_records", METRIC_GAUGE, NULL,
                        "Records that wait for the database in this process."},
    [WRITER_JOBS_FAILING] = {"zaehlwerk_database_jobs_failing", METRIC_GAUGE, NULL,
                             "TimescaleDB's jobs for our tables that failed when they last ran."},
    {NULL, METRIC_GAUGE, NULL, NULL},
};

int writer_check(void *self)
{
    return store_check(&((struct writer *)self)->store_conf);
}

/* A batch */

static void forget(struct writer *w)
{
    for (size_t i = 0; w->batch != NULL && i < w->count; i++)
        free((void *)w->batch[i].octets.at);
    w->count = 0;
}

static void *memdup(const void *octets, size_t len)
{
    void *copy = malloc(len);

    return copy == NULL ? NULL : memcpy(copy, octets, len);
}

/* The record's octets become the batch's own, since the message they are in goes away. */
static int keep(struct writer *w, const struct record *r)
{
    struct record *mine = &w->batch[w->count];

    *mine = *r;
    if (r->octets.len > 0) {
        mine->octets.at = memdup(r->octets.at, r->octets.len);
        if (mine->octets.at == NULL)
            return -ENOMEM;
    }
    w->count++;
    return 0;
}

static const char *stream_of(const struct record *r)
{
    return r->type == RECORD_DEBOUNCED ? "debounced" : "history";
}

static void acknowledge(struct writer *w, const struct record *const *rows, size_t n)
{
    int rc = 0;

    for (size_t i = 0; i < n && rc == 0; i++)
        rc = rows[i]->type == RECORD_REJECT
                 ? acks_add_all(&w->acks, rows[i])
                 : acks_add(&w->acks, rows[i], stream_of(rows[i]), false);
    acks_publish(&w->acks, w->acks_link);
    if (rc != 0)
        log_error("lost", LOG_S("what", "acks"), LOG_S("reason", "out of memory"));
}

/* By name where the batch has only one reading; the store counts, it does not tell which. */
static void log_duplicates(const struct record *const *rows, size_t readings, size_t duplicates)
{
    const struct record *r = rows[0];
    char what[METER_ID_CHARS + 16];
    int64_t held;

    for (size_t i = 1; r->type != RECORD_READING; i++)
        r = rows[i];
    snprintf(what, sizeof what, "duplicate %s", readings == 1 ? r->reading.meter : "");
    if (!log_allowed(what, &held))
        return;
    if (readings == 1)
        log_info("duplicate", LOG_S("meter", r->reading.meter),
                 LOG_I("counter", r->reading.counter), LOG_S("topic", r->topic),
                 LOG_I("attempt", r->attempt), LOG_I("suppressed", held));
    else
        log_info("duplicate", LOG_I("readings", duplicates), LOG_I("of", readings),
                 LOG_I("suppressed", held));
}

/* A replay's arrival is long past, which says nothing of the database. */
static void observe(struct writer *w, const struct record *const *rows, size_t n, int64_t began_ms)
{
    int64_t now_ms = clock_utc_ms();

    svc_observe(&w->svc, WRITER_COMMIT, NULL, clock_monotonic_ms() - began_ms);
    svc_observe(&w->svc, WRITER_BATCH_SIZE, NULL, (int64_t)n);
    for (size_t i = 0; i < n; i++)
        if (rows[i]->type == RECORD_READING && !record_is_replay(rows[i]))
            svc_observe(&w->svc, WRITER_LATENCY, NULL, now_ms - rows[i]->arrival_ms);
}

static void count(struct writer *w,
                  const struct record *const *rows,
                  size_t n,
                  const struct store_counts *counts)
{
    static const char *const types[] = {
        [RECORD_READING] = "reading", [RECORD_DEBOUNCED] = "debounced", [RECORD_REJECT] = "reject"};
    size_t of_type[RECORD_TYPES] = {0};
    size_t duplicates;

    for (size_t i = 0; i < n; i++)
        of_type[rows[i]->type]++;
    for (size_t t = RECORD_READING; t <= RECORD_REJECT; t++)
        svc_count(&w->svc, WRITER_RECORDS, types[t], (int64_t)of_type[t]);
    svc_count(&w->svc, WRITER_BATCHES, NULL, 1);
    svc_count(&w->svc, WRITER_ROWS, "history", (int64_t)counts->readings);
    svc_count(&w->svc, WRITER_ROWS, "debounced", (int64_t)counts->debounced);
    svc_count(&w->svc, WRITER_ROWS, "rejects", (int64_t)counts->rejects);
    svc_count(&w->svc, WRITER_RESOLVED, NULL, (int64_t)counts->resolved);
    retention_add(&w->retention, counts);
    duplicates = of_type[RECORD_READING] - counts->readings;
    svc_count(&w->svc, WRITER_DUPLICATES, NULL, (int64_t)duplicates);
    if (duplicates > 0)
        log_duplicates(rows, of_type[RECORD_READING], duplicates);
}

/* A row that the database refuses becomes a reject that holds the whole record. */
static int refuse(struct writer *w, const struct record *r, char why[STORE_WHY_CHARS])
{
    struct buf octets = {0};
    struct record reject = *r, canonical = *r;
    const struct record *const rows[] = {&reject};
    struct store_counts counts;
    int rc;

    /* not this delivery's: refused again, it is the same reject */
    memset(canonical.origin, 0, sizeof canonical.origin);
    canonical.seq = canonical.index = canonical.attempt = 0;
    canonical.arrival_ms = canonical.window = 0;
    canonical.type = RECORD_READING; /* of both tables it is the same reading */
    canonical.reading.suspect[0] = '\0';
    rc = record_pack(&canonical, &octets);
    log_error("reject", LOG_S("reason", verdict_name(VERDICT_REFUSED)), LOG_S("detail", why),
              LOG_S("meter", r->reading.meter), LOG_S("topic", r->topic));
    reject.type = RECORD_REJECT;
    reject.verdict = VERDICT_REFUSED;
    utf8_copy(reject.detail, sizeof reject.detail, why);
    reject.octets = (struct view){octets.data, octets.len};
    if (rc == 0)
        rc = store_write(w->store, rows, 1, &counts, why);
    if (rc == 0) {
        svc_count(&w->svc, WRITER_REFUSED, verdict_name(VERDICT_REFUSED), 1);
        count(w, rows, 1, &counts);
        acknowledge(w, rows, 1);
    }
    buf_free(&octets);
    return rc;
}

/*
 * Write rows in one transaction, or, when the database refuses their data, in halves until the row
 * at fault stands alone. *done rows from the front are safe when this returns other than 0.
 */
static int write_rows(struct writer *w,
                      const struct record *const *rows,
                      size_t n,
                      size_t *done,
                      char why[STORE_WHY_CHARS])
{
    int64_t began_ms = clock_monotonic_ms();
    struct store_counts counts;
    int rc = store_write(w->store, rows, n, &counts, why);

    if (rc == 0) {
        observe(w, rows, n, began_ms);
        count(w, rows, n, &counts);
        acknowledge(w, rows, n);
    } else if (rc == -EINVAL && n == 1) {
        if (rows[0]->type != RECORD_REJECT)
            rc = refuse(w, rows[0], why);
        if (rc == -EINVAL) { /* not even the reject: nothing more can be done for it */
            log_error("lost", LOG_S("meter", rows[0]->reading.meter), LOG_S("reason", why));
            rc = 0;
        }
    } else if (rc == -EINVAL) {
        rc = write_rows(w, rows, n / 2, done, why);
        return rc != 0 ? rc : write_rows(w, rows + n / 2, n - n / 2, done, why);
    }
    if (rc == 0)
        *done += n;
    return rc;
}

/* Keep what is not written yet, wait longer and longer, and read nothing meanwhile. */
static void retry_later(struct writer *w, size_t done, const char *why)
{
    svc_state(&w->svc, "database", false, why);
    svc_count(&w->svc, WRITER_RETRIES, NULL, 1);
    for (size_t i = 0; i < done; i++)
        free((void *)w->batch[i].octets.at);
    memmove(w->batch, w->batch + done, (w->count - done) * sizeof *w->batch);
    w->count -= done;
    link_pause(w->input);
    w->retry_ms = clock_monotonic_ms() + w->backoff_ms;
    w->backoff_ms = w->backoff_ms * 2 < BACKOFF_MAX_MS ? w->backoff_ms * 2 : BACKOFF_MAX_MS;
}

static void commit(struct writer *w)
{
    const struct record *rows[ROOM];
    char why[STORE_WHY_CHARS] = "";
    size_t done = 0;
    int rc;

    for (size_t i = 0; i < w->count; i++)
        rows[i] = &w->batch[i];
    svc_excuse(&w->svc, true); /* a lock in the database may last */
    rc = w->count == 0 ? 0 : write_rows(w, rows, w->count, &done, why);
    svc_excuse(&w->svc, false);
    if (rc != 0) {
        retry_later(w, done, why);
        return;
    }
    forget(w);
}

/* The loop */

static bool
on_store(void *arg, const uint8_t *topic, size_t topic_len, const uint8_t *octets, size_t len)
{
    struct writer *w = arg;
    size_t at = 0;

    (void)topic;
    (void)topic_len;
    while (at < len) {
        struct record r;
        int rc = record_unpack(octets, len, &at, &r, &w->memory);
        bool ours = rc == 0 && (r.type == RECORD_READING || r.type == RECORD_DEBOUNCED ||
                                r.type == RECORD_REJECT);

        if (!ours) {
            svc_count(&w->svc, WRITER_UNREADABLE, NULL, 1);
            log_unreadable("store", rc);
            continue;
        }
        if (w->count == ROOM)
            commit(w);
        if (w->count == ROOM || keep(w, &r) != 0)
            log_warn("dropped", LOG_S("stream", "store")); /* no ack: it comes again */
    }
    return w->count < WRITER_BATCH && w->retry_ms == 0;
}

static void on_drained(void *arg)
{
    struct writer *w = arg;

    if (w->retry_ms == 0)
        commit(w);
}

/* Connect, migrate, write what waits; then read on. */
static void try_again(struct writer *w)
{
    char why[STORE_WHY_CHARS] = "";
    int rc;

    svc_excuse(&w->svc, true); /* a migration may last */
    rc = store_connect(w->store, why);
    svc_excuse(&w->svc, false);
    if (rc == -EINVAL) {
        svc_end(&w->svc, rc);
        return;
    }
    if (rc != 0) {
        retry_later(w, 0, why);
        return;
    }
    w->retry_ms = 0;
    commit(w);
    if (w->retry_ms != 0)
        return;
    w->backoff_ms = BACKOFF_FIRST_MS;
    svc_state(&w->svc, "database", true, w->store->ops->name);
    link_resume(w->input);
}

/* Rejects that are too old or too many go, a few at a time. */
static void tidy_rejects(struct writer *w)
{
    struct retention_dropped dropped;
    char why[STORE_WHY_CHARS] = "";
    int rc = retention_step(&w->retention, w->store, clock_monotonic_ms(), clock_utc_ms(), &dropped,
                            why);

    svc_count(&w->svc, WRITER_DROPPED, "age", (int64_t)dropped.by_age);
    svc_count(&w->svc, WRITER_DROPPED, "size", (int64_t)dropped.by_size);
    svc_gauge(&w->svc, WRITER_REJECTS, NULL, w->retention.rows);
    svc_gauge(&w->svc, WRITER_REJECTS_OCTETS, NULL, w->retention.octets);
    if (rc != 0)
        log_warn("rejects", LOG_S("wrong", "cannot be tidied now"), LOG_S("reason", why));
}

/* Readings that are too old go, a few at a time. */
static void tidy_rows(struct writer *w)
{
    size_t dropped[KEEP_TABLES] = {0};
    char why[STORE_WHY_CHARS] = "";
    int rc = keep_step(&w->keep, w->store, clock_monotonic_ms(), clock_utc_ms(), dropped, why);

    for (int t = 0; t < KEEP_TABLES; t++)
        svc_count(&w->svc, WRITER_ROWS_DROPPED, keep_table_name(t), (int64_t)dropped[t]);
    if (rc != 0)
        log_warn("rows", LOG_S("wrong", "cannot be tidied now"), LOG_S("reason", why));
}

static void watch_jobs(struct writer *w)
{
    char why[STORE_WHY_CHARS] = "";

    if (watch_step(&w->watch, w->store, clock_monotonic_ms(), why) != 0)
        log_warn("jobs", LOG_S("wrong", "cannot be asked for now"), LOG_S("reason", why));
    svc_gauge(&w->svc, WRITER_JOBS_FAILING, NULL, (int64_t)w->watch.failing);
}

static void on_step(void *arg)
{
    struct writer *w = arg;

    if (w->retry_ms == 0 && !store_alive(w->store)) {
        w->retry_ms = 1;
        svc_state(&w->svc, "database", false, "connection lost");
    }
    svc_gauge(&w->svc, WRITER_WAITING, NULL, (int64_t)w->count);
    if (w->retry_ms != 0 && clock_monotonic_ms() >= w->retry_ms)
        try_again(w);
    if (w->retry_ms == 0) {
        tidy_rejects(w);
        tidy_rows(w);
        watch_jobs(w);
    }
}

int writer_open(struct writer *w)
{
    const struct link_consumer consumer = {on_store, on_drained, w};
    int rc;

    w->store = store_new(&w->store_conf);
    w->batch = calloc(ROOM, sizeof *w->batch);
    if (w->store == NULL || w->batch == NULL)
        return -ENOMEM;
    w->backoff_ms = BACKOFF_FIRST_MS;
    w->retry_ms = 1;
    rc = link_bind(&w->svc, LINK_TOPICS, "ACKS_BIND", w->acks_bind, &w->acks_link);
    if (rc == 0)
        rc = link_connect(&w->svc, LINK_STREAM, "STORE_CONNECT", w->store_connect, &consumer,
                          &w->input);
    if (rc != 0)
        return rc;
    link_pause(w->input);
    on_step(w);
    return svc_every(&w->svc, STEP_MS, on_step, w);
}

void writer_close(struct writer *w)
{
    if (w->store != NULL && w->batch != NULL && w->acks_link != NULL && w->retry_ms == 0)
        commit(w);
    link_free(w->input);
    link_free(w->acks_link);
    store_free(w->store);
    forget(w);
    free(w->batch);
    acks_free(&w->acks);
    record_memory_free(&w->memory);
    svc_close(&w->svc, w);
}
