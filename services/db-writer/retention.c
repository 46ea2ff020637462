#include "retention.h"

#include "clock.h"
#include "log.h"

enum { PASS_MS = 60000, MEASURE_MS = 3600000, BUDGET_MS = 20, PAGE = 2000, BATCH = 500 };
#define DAY_MS INT64_C(86400000)

/* What is measured under way comes upon new rows itself: they are the last. */
void retention_add(struct retention *r, const struct store_counts *counts)
{
    r->rows += (int64_t)counts->rejects;
    r->octets += counts->reject_octets;
}

/* Measuring */

struct page {
    struct retention *r;
    size_t rows;
};

static void count_row(void *arg, const struct reject_row *row)
{
    struct page *page = arg;

    page->rows++;
    page->r->counted_rows++;
    page->r->counted_octets += row->octets;
    page->r->mark = row->mark;
}

static int measure(struct retention *r, struct store *s, int64_t now, char why[STORE_WHY_CHARS])
{
    const struct reject_query q = {
        .after = r->mark, .bare = true, .resolved_too = true, .max = PAGE};
    struct page page = {.r = r};
    int rc = store_rejects(s, &q, count_row, &page, why);

    if (rc != 0 || page.rows == PAGE)
        return rc;
    r->rows = r->counted_rows;
    r->octets = r->counted_octets;
    r->counted_rows = r->counted_octets = 0;
    r->mark = (struct reject_mark){0};
    r->measure_ms = now + MEASURE_MS;
    return 0;
}

/* Dropping */

struct plan {
    int64_t before_ms; /* what arrived earlier goes */
    int64_t excess;    /* octets that are too many */
    bool full;         /* the rest stays */
    struct reject_mark last;
    size_t by_age, by_size;
    int64_t octets;
};

static void choose(void *arg, const struct reject_row *row)
{
    struct plan *plan = arg;
    bool old = row->mark.time_ms < plan->before_ms;

    if (plan->full || (!old && plan->octets >= plan->excess)) {
        plan->full = true;
        return;
    }
    plan->last = row->mark;
    plan->by_age += old;
    plan->by_size += !old;
    plan->octets += row->octets;
}

/* The oldest batch of what is too old or too much; *more when there may be another. */
static int drop_batch(struct retention *r,
                      struct store *s,
                      int64_t utc_ms,
                      struct retention_dropped *dropped,
                      bool *more,
                      char why[STORE_WHY_CHARS])
{
    const struct reject_query q = {.bare = true, .resolved_too = true, .max = BATCH};
    struct plan plan = {
        .before_ms = r->keep_days == 0 ? INT64_MIN : utc_ms - r->keep_days * DAY_MS,
        .excess = r->max_bytes == 0 ? 0 : r->octets - r->max_bytes,
    };
    int rc = 0;

    *more = false;
    if (r->keep_days == 0 && plan.excess <= 0)
        return 0;
    rc = store_rejects(s, &q, choose, &plan, why);
    if (rc != 0 || plan.by_age + plan.by_size == 0)
        return rc;
    rc = store_drop_rejects(s, &plan.last, why);
    if (rc != 0)
        return rc;
    *more = plan.by_age + plan.by_size == BATCH;
    dropped->by_age += plan.by_age;
    dropped->by_size += plan.by_size;
    r->rows -= (int64_t)(plan.by_age + plan.by_size);
    r->octets -= plan.octets;
    return 0;
}

/* Those dropped for their size go before their time. */
static void tell(const struct retention *r)
{
    if (r->pass.by_age > 0)
        log_info("dropped", LOG_S("what", "rejects"), LOG_S("setting", "REJECTS_KEEP_DAYS"),
                 LOG_I("rows", r->pass.by_age), LOG_I("left", r->rows), LOG_I("octets", r->octets));
    if (r->pass.by_size > 0)
        log_warn("dropped", LOG_S("what", "rejects"), LOG_S("setting", "REJECTS_MAX_BYTES"),
                 LOG_I("rows", r->pass.by_size), LOG_I("left", r->rows),
                 LOG_I("octets", r->octets));
}

/* Some batches; the pass is over when nothing more is to go. */
static int drop(struct retention *r,
                struct store *s,
                int64_t now,
                int64_t utc_ms,
                struct retention_dropped *dropped,
                char why[STORE_WHY_CHARS])
{
    int64_t until = clock_monotonic_ms() + BUDGET_MS;
    bool more;
    int rc;

    do
        rc = drop_batch(r, s, utc_ms, dropped, &more, why);
    while (rc == 0 && more && clock_monotonic_ms() < until);
    r->pass.by_age += dropped->by_age;
    r->pass.by_size += dropped->by_size;
    if (rc == 0 && more)
        return 0;
    tell(r);
    r->pass = (struct retention_dropped){0};
    r->next_ms = now + PASS_MS;
    return rc;
}

int retention_step(struct retention *r,
                   struct store *s,
                   int64_t monotonic_ms,
                   int64_t utc_ms,
                   struct retention_dropped *dropped,
                   char why[STORE_WHY_CHARS])
{
    int rc;

    *dropped = (struct retention_dropped){0};
    if (monotonic_ms < r->next_ms)
        return 0;
    rc = monotonic_ms >= r->measure_ms ? measure(r, s, monotonic_ms, why)
                                       : drop(r, s, monotonic_ms, utc_ms, dropped, why);
    if (rc != 0)
        r->next_ms = monotonic_ms + PASS_MS;
    return rc;
}
