#include "jobs.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "clock.h"

struct job {
    struct job *next; /* in the queue, then among those that run */
    const struct job_kind *kind;
    void *data, *arg;
    int64_t since_ms;
    bool given_up; /* `done` was called */
};

struct jobs {
    pthread_mutex_t lock;
    pthread_cond_t more;
    const struct store_conf *conf;
    void (*told)(void *arg, bool up, const char *why);
    void *arg;
    struct job *queue, *running;
    size_t waiting, workers;
    int64_t up_ms; /* when it answered last */
    bool ended;
    pthread_t threads[JOBS_WORKERS];
};

static void append(struct job **list, struct job *job)
{
    while (*list != NULL)
        list = &(*list)->next;
    job->next = NULL;
    *list = job;
}

static void unlink_job(struct job **list, const struct job *job)
{
    while (*list != job)
        list = &(*list)->next;
    *list = job->next;
}

static void free_job(struct job *job)
{
    job->kind->free(job->data);
    free(job);
}

static int open_store(struct store *store, char why[STORE_WHY_CHARS])
{
    int rc = store_look(store, why);

    if (rc == -EINVAL)
        snprintf(why, STORE_WHY_CHARS, "what answers there is no PostgreSQL");
    return rc == 0 ? 0 : -EAGAIN;
}

/* A connection may have died since it was last used: then once more with a new one. */
static int run(struct job *job, struct store *store, bool *open, char why[STORE_WHY_CHARS])
{
    bool was_open = *open && store_alive(store);
    int rc = was_open ? 0 : open_store(store, why);

    *open = rc == 0;
    if (rc == 0)
        rc = job->kind->run(job->data, store, why);
    if (rc == -EAGAIN && was_open) {
        rc = open_store(store, why);
        *open = rc == 0;
        if (rc == 0)
            rc = job->kind->run(job->data, store, why);
    }
    *open &= rc != -EAGAIN;
    return rc;
}

/* Under the lock. A try that began before another was answered does not say that it is away now. */
static void tell(struct jobs *j, bool up, int64_t begun_ms, const char *why)
{
    if (up)
        j->up_ms = clock_monotonic_ms();
    if (!j->ended && (up || begun_ms > j->up_ms))
        j->told(j->arg, up, why);
}

static void work(struct jobs *j, struct job *job, struct store *store, bool *open)
{
    char why[STORE_WHY_CHARS] = "";
    int64_t begun_ms = clock_monotonic_ms();
    int rc = run(job, store, open, why);

    pthread_mutex_lock(&j->lock);
    unlink_job(&j->running, job);
    tell(j, rc != -EAGAIN, begun_ms, why);
    if (!job->given_up)
        job->kind->done(job->arg, job->data, rc, why);
    pthread_mutex_unlock(&j->lock);
    free_job(job);
}

static struct job *next_job(struct jobs *j)
{
    struct job *job;

    pthread_mutex_lock(&j->lock);
    while (j->queue == NULL && !j->ended)
        pthread_cond_wait(&j->more, &j->lock);
    job = j->ended ? NULL : j->queue;
    if (job != NULL) {
        unlink_job(&j->queue, job);
        j->waiting--;
        append(&j->running, job);
    }
    pthread_mutex_unlock(&j->lock);
    return job;
}

static void *worker(void *arg)
{
    struct jobs *j = arg;
    struct store *store = store_new(j->conf);
    bool open = false;

    if (store != NULL)
        store_patience(store, JOBS_LOOK_MS);
    for (struct job *job; store != NULL && (job = next_job(j)) != NULL;)
        work(j, job, store, &open);
    store_free(store);
    return NULL;
}

int jobs_new(const struct store_conf *conf,
             void (*told)(void *arg, bool up, const char *why),
             void *arg,
             struct jobs **out)
{
    struct jobs *j = calloc(1, sizeof *j);

    if (j == NULL)
        return -ENOMEM;
    pthread_mutex_init(&j->lock, NULL);
    pthread_cond_init(&j->more, NULL);
    j->conf = conf;
    j->told = told;
    j->arg = arg;
    *out = j;
    while (j->workers < JOBS_WORKERS)
        if (pthread_create(&j->threads[j->workers], NULL, worker, j) == 0)
            j->workers++;
        else
            return -ENOMEM;
    return 0;
}

int jobs_submit(struct jobs *j, const struct job_kind *kind, void *data, void *arg)
{
    struct job *job = calloc(1, sizeof *job);
    bool taken;

    if (job == NULL) {
        kind->free(data);
        return -EBUSY;
    }
    *job = (struct job){NULL, kind, data, arg, clock_monotonic_ms(), false};
    pthread_mutex_lock(&j->lock);
    taken = !j->ended && j->waiting < JOBS_QUEUE;
    if (taken) {
        append(&j->queue, job);
        j->waiting++;
        pthread_cond_signal(&j->more);
    }
    pthread_mutex_unlock(&j->lock);
    if (!taken)
        free_job(job);
    return taken ? 0 : -EBUSY;
}

static void give_up(struct job *job, const char *why)
{
    if (!job->given_up)
        job->kind->done(job->arg, NULL, -ETIMEDOUT, why);
    job->given_up = true;
}

/* Under the lock: those that began before `before_ms`. */
static void give_up_since(struct jobs *j, int64_t before_ms, const char *why)
{
    for (struct job *job = j->running; job != NULL; job = job->next)
        if (job->since_ms < before_ms)
            give_up(job, why);
    while (j->queue != NULL && j->queue->since_ms < before_ms) {
        struct job *job = j->queue;

        j->queue = job->next;
        j->waiting--;
        give_up(job, why);
        free_job(job);
    }
}

/* Under the lock: one has run since before `before_ms`, and nothing was answered since it began. */
static bool is_silent(const struct jobs *j, int64_t before_ms)
{
    for (const struct job *job = j->running; job != NULL; job = job->next)
        if (job->since_ms < before_ms && j->up_ms <= job->since_ms)
            return true;
    return false;
}

void jobs_tick(struct jobs *j, int64_t now_ms)
{
    const char *why = "it does not answer in time";

    pthread_mutex_lock(&j->lock);
    if (is_silent(j, now_ms - JOBS_MS))
        j->told(j->arg, false, why);
    give_up_since(j, now_ms - JOBS_MS, why);
    pthread_mutex_unlock(&j->lock);
}

void jobs_end(struct jobs *j)
{
    if (j == NULL)
        return;
    pthread_mutex_lock(&j->lock);
    j->ended = true;
    give_up_since(j, INT64_MAX, "the dashboard is ending");
    pthread_cond_broadcast(&j->more);
    pthread_mutex_unlock(&j->lock);
}

void jobs_free(struct jobs *j)
{
    struct timespec until;
    size_t ended = 0;

    if (j == NULL)
        return;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec++;
    for (size_t i = 0; i < j->workers; i++)
        ended += pthread_timedjoin_np(j->threads[i], NULL, &until) == 0;
    if (ended < j->workers)
        return; /* it still uses all this; the process ends now */
    pthread_mutex_destroy(&j->lock);
    pthread_cond_destroy(&j->more);
    free(j);
}
