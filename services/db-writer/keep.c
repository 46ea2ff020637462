#include "keep.h"

#include "clock.h"
#include "log.h"

enum { PASS_MS = 3600000, AGAIN_MS = 60000, BUDGET_MS = 20, BATCH = 500, DAY_S = 86400 };

static const struct {
    enum rows_table table;
    const char *setting;
} tables[KEEP_TABLES] = {
    [KEEP_HISTORY] = {ROWS_HISTORY, "HISTORY_KEEP_DAYS"},
    [KEEP_DEBOUNCED] = {ROWS_DEBOUNCED, "DEBOUNCED_KEEP_DAYS"},
};

const char *keep_table_name(int table)
{
    return rows_table_name(tables[table].table);
}

/* Some batches of one table; *done when no more of it is to go. */
static int drop(struct keep *k,
                struct store *s,
                int64_t utc_ms,
                size_t *dropped,
                bool *done,
                char why[STORE_WHY_CHARS])
{
    const struct rows_old old = {.table = tables[k->table].table,
                                 .keep_s = k->days[k->table] * DAY_S,
                                 .now_s = utc_ms / 1000,
                                 .max = BATCH};
    int64_t until = clock_monotonic_ms() + BUDGET_MS;
    size_t batch = 0;
    int rc = 0;

    *done = k->days[k->table] == 0;
    while (rc == 0 && !*done && clock_monotonic_ms() < until) {
        batch = 0;
        rc = store_drop_rows(s, &old, &batch, why);
        *dropped += batch;
        *done = rc == 0 && batch < BATCH;
    }
    return rc;
}

int keep_step(struct keep *k,
              struct store *s,
              int64_t monotonic_ms,
              int64_t utc_ms,
              size_t dropped[KEEP_TABLES],
              char why[STORE_WHY_CHARS])
{
    size_t now = 0;
    bool done = false;
    int rc;

    if (monotonic_ms < k->next_ms)
        return 0;
    rc = drop(k, s, utc_ms, &now, &done, why);
    dropped[k->table] += now;
    k->pass += now;
    if (rc != 0)
        k->next_ms = monotonic_ms + AGAIN_MS;
    if (rc != 0 || !done)
        return rc;
    if (k->pass > 0)
        log_info("dropped", LOG_S("what", keep_table_name(k->table)),
                 LOG_S("setting", tables[k->table].setting), LOG_I("rows", k->pass));
    k->pass = 0;
    k->table = (k->table + 1) % KEEP_TABLES;
    if (k->table == 0)
        k->next_ms = monotonic_ms + PASS_MS;
    return 0;
}
