/* Questions to the database: who says whether it answers. */
#include "stores.h"

#include <errno.h>
#include <poll.h>
#include <semaphore.h>

#include "clock.h"
#include "jobs.h"

/* What is told and done, in order: U up, D down. */
struct ear {
    sem_t begun, go, done;
    char told[16];
    size_t count;
};

/* It waits until it is let, or not; and what it returns. */
struct question {
    struct ear *ear;
    bool waits;
    int rc;
};

static int on_run(void *data, struct store *store, char why[STORE_WHY_CHARS])
{
    struct question *q = data;

    (void)store;
    if (q->waits) {
        sem_post(&q->ear->begun);
        sem_wait(&q->ear->go);
    }
    snprintf(why, STORE_WHY_CHARS, "away");
    return q->rc;
}

static void on_done(void *arg, void *data, int rc, const char *why)
{
    (void)data;
    (void)rc;
    (void)why;
    sem_post(&((struct ear *)arg)->done);
}

static void on_told(void *arg, bool up, const char *why)
{
    struct ear *e = arg;

    (void)why;
    if (e->count + 1 < sizeof e->told)
        e->told[e->count++] = up ? 'U' : 'D';
}

static void submit(struct jobs *j, struct ear *e, bool waits, int rc)
{
    static const struct job_kind kind = {on_run, on_done, free};
    struct question *q = malloc(sizeof *q);

    assert_non_null(q);
    *q = (struct question){e, waits, rc};
    assert_int_equal(jobs_submit(j, &kind, q, e), 0);
}

/* A connection that was refused a moment ago is no news once another was answered. */
static void an_old_failure_is_no_news(void **state)
{
    struct ear e = {.count = 0};
    struct jobs *j = NULL;

    (void)state;
    store_free(open_store(0)); /* with the tables that are looked for */
    sem_init(&e.begun, 0, 0);
    sem_init(&e.go, 0, 0);
    sem_init(&e.done, 0, 0);
    assert_int_equal(jobs_new(&conf, on_told, &e, &j), 0);
    submit(j, &e, true, -EAGAIN);
    sem_wait(&e.begun);
    submit(j, &e, false, 0);
    sem_wait(&e.done);
    sem_post(&e.go);
    sem_wait(&e.done);
    assert_string_equal(e.told, "U");
    poll(NULL, 0, 2); /* another millisecond */
    submit(j, &e, false, -EAGAIN);
    sem_wait(&e.done);
    assert_string_equal(e.told, "UD");
    jobs_end(j);
    jobs_free(j);
}

/* A question that is too much for it is not asked again, and says that it is there. */
static void slow_is_not_away(void **state)
{
    struct ear e = {.count = 0};
    struct jobs *j = NULL;

    (void)state;
    store_free(open_store(0));
    sem_init(&e.done, 0, 0);
    assert_int_equal(jobs_new(&conf, on_told, &e, &j), 0);
    for (int i = 0; i < 3; i++) { /* more than workers: one meets an open connection */
        submit(j, &e, false, -ETIMEDOUT);
        sem_wait(&e.done);
    }
    assert_string_equal(e.told, "UUU");
    jobs_end(j);
    jobs_free(j);
}

/* While others are answered, one that is given up does not say that the database is away. */
static void given_up(void **state)
{
    struct ear e = {.count = 0};
    struct jobs *j = NULL;

    (void)state;
    store_free(open_store(0));
    sem_init(&e.begun, 0, 0);
    sem_init(&e.go, 0, 0);
    sem_init(&e.done, 0, 0);
    assert_int_equal(jobs_new(&conf, on_told, &e, &j), 0);
    submit(j, &e, true, 0);
    sem_wait(&e.begun);
    poll(NULL, 0, 2);
    submit(j, &e, false, 0);
    sem_wait(&e.done);
    jobs_tick(j, clock_monotonic_ms() + JOBS_MS + 1000);
    sem_wait(&e.done); /* it was given up */
    assert_string_equal(e.told, "U");
    submit(j, &e, true, 0);
    sem_wait(&e.begun);
    poll(NULL, 0, 2);
    jobs_tick(j, clock_monotonic_ms() + 2 * JOBS_MS);
    sem_wait(&e.done);
    assert_string_equal(e.told, "UD"); /* nothing was answered since this one began */
    sem_post(&e.go);
    sem_post(&e.go);
    jobs_end(j);
    jobs_free(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_old_failure_is_no_news, open_scratch, scratch_close),
        cmocka_unit_test_setup_teardown(slow_is_not_away, open_scratch, scratch_close),
        cmocka_unit_test_setup_teardown(given_up, open_scratch, scratch_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
