/* jobs: questions to the database, asked by a few threads of their own. */
#ifndef JOBS_H
#define JOBS_H

#include <stddef.h>
#include <stdint.h>

#include "store.h"

/** JOBS_LOOK_MS: of one SELECT, so that a slow one has ended before it is given up. */
enum { JOBS_WORKERS = 2, JOBS_QUEUE = 64, JOBS_MS = 10000, JOBS_LOOK_MS = 8000 };

/** One kind of job. */
struct job_kind {
    /**
     * In a worker, with the database open: work on data, which nobody else touches. Returns 0;
     * -ETIMEDOUT with why when the database is there and too slow for it; or -EAGAIN with why: then
     * it may be called once more, with a new connection, and begins anew.
     */
    int (*run)(void *data, struct store *store, char why[STORE_WHY_CHARS]);
    /**
     * Once for every job that was submitted: from a worker, or by jobs_tick and jobs_end for one
     * that takes too long (data is NULL then and rc -ETIMEDOUT). rc else: run's, or -EAGAIN when
     * the database is away. Must not call jobs_*.
     */
    void (*done)(void *arg, void *data, int rc, const char *why);
    void (*free)(void *data); /* at the very end, from any thread */
};

/** Thread-safe. */
struct jobs;

/**
 * `told` hears after each try whether the database answers, and why not (from the workers). conf
 * must outlive the process: a worker that hangs in a dead network is left behind at the end.
 */
int jobs_new(const struct store_conf *conf,
             void (*told)(void *arg, bool up, const char *why),
             void *arg,
             struct jobs **out) __attribute__((warn_unused_result));

/**
 * Queue a job; takes data over. Returns 0; -EBUSY when JOBS_QUEUE are waiting, or at the end: data
 * is freed then and `done` never called.
 */
int jobs_submit(struct jobs *j, const struct job_kind *kind, void *data, void *arg)
    __attribute__((warn_unused_result));

/**
 * Give up those that were submitted JOBS_MS ago; call it some times a second. When nothing was
 * answered all that time, the database is away.
 */
void jobs_tick(struct jobs *j, int64_t now_ms);

/** Give up all, and take no more. */
void jobs_end(struct jobs *j);

/** End the workers. One that has not come back after a second is left to itself. */
void jobs_free(struct jobs *j);

#endif
