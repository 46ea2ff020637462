#include "import_run.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "clock.h"

/*
 * A batch is one transaction: on SQLite db-writer waits for its end, some 30 ms. It spans so much
 * time that what is looked up beside it stays small.
 */
enum {
    BATCH = 2000,
    HISTORY_SPAN = 8 * 3600,
    DEBOUNCED_SPAN = 7 * 86400,
    PATIENCE_MS = 60000, /* of a database that is away or busy */
    BACKOFF_MS = 100,
    BACKOFF_MAX_MS = 2000,
    SHIFTED_MAX = 10
};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

/* The second signal ends the process as ever. No restart: a read that waits ends. */
static void heed_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

    stopped = 0;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static int fail(struct import_run *run, int status, const char *what, const char *why)
{
    import_report_pause(&run->report);
    fprintf(stderr, "zaehlwerk import: %s: %s\n", what, why);
    return status;
}

static int give_up(struct import_run *run, int rc, const char *why)
{
    if (rc == -ENOMEM)
        return fail(run, EX_OSERR, "database", "out of memory");
    return fail(run, EX_UNAVAILABLE, "database", why);
}

/* Writing */

static void wait_ms(int64_t ms)
{
    const struct timespec t = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&t, NULL);
}

/* Of a database that is away or busy. All-zero to begin with. */
struct patience {
    int64_t until_ms, backoff_ms;
};

/* Wait, longer and longer, and connect again. 0: try again; or as store_connect, with why. */
static int retry(struct import_run *run, struct patience *p, char why[STORE_WHY_CHARS])
{
    int rc = -EAGAIN;

    if (p->until_ms == 0)
        *p = (struct patience){clock_monotonic_ms() + PATIENCE_MS, BACKOFF_MS};
    while (rc == -EAGAIN && !stopped && !run->dry && clock_monotonic_ms() < p->until_ms) {
        wait_ms(p->backoff_ms);
        p->backoff_ms = p->backoff_ms < BACKOFF_MAX_MS ? 2 * p->backoff_ms : BACKOFF_MAX_MS;
        rc = store_alive(run->store) ? 0 : store_connect(run->store, why);
    }
    return rc;
}

/* As store_write, but -EAGAIN only when it was so for long. */
static int write_patiently(struct import_run *run,
                           const struct record *const *rows,
                           size_t n,
                           struct store_counts *counts,
                           char why[STORE_WHY_CHARS])
{
    struct patience patience = {0};
    int rc;

    do
        rc = store_write(run->store, rows, n, counts, why);
    while (rc == -EAGAIN && retry(run, &patience, why) == 0);
    return rc;
}

static int
write_batch(struct import_run *run, const struct record *const *rows, size_t n, int *status)
{
    struct import_counts *c = &run->report.counts[run->table];
    struct store_counts counts = {0};
    char why[STORE_WHY_CHARS] = "";
    size_t fresh;
    int rc = n == 0 || run->dry ? 0 : write_patiently(run, rows, n, &counts, why);

    if (rc != 0) {
        *status = stopped && rc == -EAGAIN ? EX_TEMPFAIL : give_up(run, rc, why);
        return rc;
    }
    fresh = run->dry ? n : counts.readings + counts.debounced;
    fresh = fresh < n ? fresh : n;
    c->fresh += fresh;
    c->there += n - fresh;
    for (size_t i = 0; i < n; i++)
        c->suspect += rows[i]->reading.suspect[0] != '\0';
    return 0;
}

/* The batch */

static void reject(struct import_run *run, const struct record *r, const char *reason, int *status)
{
    char time[24];
    struct import_row row = {.table = run->table, .where = r->seq};
    int rc;

    snprintf(time, sizeof time, "%lld", (long long)(r->arrival_ms / 1000));
    row.text[IMPORT_TIME] = time;
    rc = import_report_reject(&run->report, run->source, &row, reason);
    if (rc != 0)
        *status = fail(run, EX_CANTCREAT, run->report.path, strerror(-rc));
}

static size_t choose(struct import_run *run, const struct record **rows, int *status)
{
    size_t n = 0;

    for (size_t i = 0; i < run->count; i++) {
        struct record *r = &run->batch[i];
        enum import_known_verdict v = import_known_try(run->known[run->table], r);

        if (v == IMPORT_THERE)
            run->report.counts[run->table].there++;
        else if (v == IMPORT_NO_MEMORY)
            *status = fail(run, EX_OSERR, "memory", "there is none");
        else if (v == IMPORT_NO_PLACE)
            reject(run, r, "more than a row a second", status);
        else
            rows[n++] = r;
        run->shifted += v == IMPORT_SHIFTED;
    }
    return n;
}

static int load(struct import_run *run)
{
    struct patience patience = {0};
    char why[STORE_WHY_CHARS] = "";
    int rc;

    do
        rc = import_known_load(run->known[run->table], run->store, run->rows.meter, run->first,
                               run->last, why);
    while (rc != 0 && rc != -ENOMEM && retry(run, &patience, why) == 0);
    if (rc == 0)
        return EX_OK;
    return stopped ? EX_TEMPFAIL : give_up(run, rc, why);
}

static int flush(struct import_run *run)
{
    const struct record *rows[BATCH];
    int status = EX_OK;
    size_t n;

    if (run->count == 0)
        return EX_OK;
    status = load(run);
    if (status != EX_OK)
        return status;
    n = choose(run, rows, &status);
    run->count = 0;
    if (status == EX_OK && run->shifted >= SHIFTED_MAX)
        status = fail(run, EX_DATAERR, "times",
                      "the database has these rows already, just the zone's offset later: the "
                      "original's clock was shifted; --clock host puts it right");
    if (status == EX_OK)
        (void)write_batch(run, rows, n, &status);
    return status;
}

/* Whether the next record must begin a batch of its own. */
static bool is_full(const struct import_run *run, enum rows_table table, int64_t time)
{
    int64_t span = table == ROWS_DEBOUNCED ? DEBOUNCED_SPAN : HISTORY_SPAN;

    return run->count == BATCH ||
           (run->count > 0 &&
            (table != run->table || time - run->first > span || run->last - time > span));
}

static void add(struct import_run *run, enum rows_table table, const struct record *r)
{
    int64_t time = r->type == RECORD_DEBOUNCED ? r->window : r->reading.time;

    run->first = run->count == 0 || time < run->first ? time : run->first;
    run->last = run->count == 0 || time > run->last ? time : run->last;
    run->table = table;
    run->batch[run->count++] = *r;
}

/* One row of the source. */
static int take(struct import_run *run, const struct import_row *row)
{
    struct import_counts *c = &run->report.counts[row->table];
    char reason[IMPORT_REASON_CHARS];
    struct record r;
    enum import_verdict v = import_rows_read(&run->rows, row, &r, reason);
    int status = EX_OK, rc = 0;

    c->read++;
    c->outside += v == IMPORT_OUTSIDE;
    c->later += v == IMPORT_FRESH;
    if (v == IMPORT_REJECTED)
        rc = import_report_reject(&run->report, run->source, row, reason);
    if (rc != 0)
        return fail(run, EX_CANTCREAT, run->report.path, strerror(-rc));
    if (v != IMPORT_TAKEN)
        return EX_OK;
    r.seq = row->where;
    if (is_full(run, row->table, r.reading.time))
        status = flush(run);
    add(run, row->table, &r);
    return status;
}

/* The source */

static int source_failed(struct import_run *run, int rc, const char *why)
{
    if (rc == -EINTR && stopped)
        return EX_TEMPFAIL;
    return fail(run,
                rc == -EINVAL   ? EX_DATAERR
                : rc == -EACCES ? EX_NOPERM
                                : EX_UNAVAILABLE,
                "source", why);
}

static int open_run(struct import_run *run)
{
    run->batch = calloc(BATCH, sizeof *run->batch);
    if (run->batch == NULL)
        return fail(run, EX_OSERR, "memory", "there is none");
    for (int t = ROWS_HISTORY; t <= ROWS_DEBOUNCED; t++) {
        run->known[t] = import_known_new((enum rows_table)t);
        run->rows.plausible[t] = plausible_new();
        if (run->known[t] == NULL || run->rows.plausible[t] == NULL)
            return fail(run, EX_OSERR, "memory", "there is none");
    }
    return EX_OK;
}

int import_run(struct import_run *run)
{
    char why[IMPORT_WHY_CHARS] = "";
    struct import_row row;
    int status = open_run(run), rc = 1;

    heed_signals();
    while (status == EX_OK && !stopped && rc == 1) {
        rc = run->source->ops->next(run->source, &row, why);
        if (rc == 1)
            status = take(run, &row);
        import_report_progress(&run->report, run->source->ops->share(run->source));
    }
    /* what was read before the source failed is as good as ever */
    if (status == EX_OK && !stopped)
        status = flush(run);
    if (status == EX_OK && rc < 0)
        status = source_failed(run, rc, why);
    return status == EX_OK && stopped ? EX_TEMPFAIL : status;
}

void import_run_close(struct import_run *run)
{
    free(run->batch);
    for (int t = ROWS_HISTORY; t <= ROWS_DEBOUNCED; t++) {
        import_known_free(run->known[t]);
        plausible_free(run->rows.plausible[t]);
    }
}
