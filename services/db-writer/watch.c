#include "watch.h"

#include "log.h"

enum { EVERY_MS = 300000 };

int watch_step(struct watch *w, struct store *s, int64_t monotonic_ms, char why[STORE_WHY_CHARS])
{
    char what[STORE_WHY_CHARS];
    size_t failing;
    int rc;

    if (monotonic_ms < w->next_ms)
        return 0;
    w->next_ms = monotonic_ms + EVERY_MS;
    rc = store_failing_jobs(s, &failing, what, why);
    if (rc != 0 || failing == w->failing)
        return rc;
    w->failing = failing;
    if (failing > 0)
        log_warn("jobs", LOG_S("wrong", "the database's own jobs fail"), LOG_I("failing", failing),
                 LOG_S("first", what));
    else
        log_info("jobs", LOG_I("failing", 0));
    return 0;
}
