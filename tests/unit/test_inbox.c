/* The way from paho's thread to the loop: bounded, in order, and never in the way of a sender. */
#include "tools.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>

#include "inbox.h"

enum { WINDOW = 3, EACH = 500, THREADS = 4 };

static bool readable(const struct inbox *b)
{
    struct pollfd fd = {.fd = inbox_fd(b), .events = POLLIN};

    return poll(&fd, 1, 0) == 1;
}

static bool add(struct inbox *b, uint64_t seq)
{
    return inbox_add(b, fresh_new(seq, 7, &seq, sizeof seq));
}

static void check_next(struct inbox *b, uint64_t seq)
{
    struct fresh *f = inbox_take(b);

    assert_non_null(f);
    assert_int_equal(f->seq, seq);
    assert_int_equal(f->index, 7);
    assert_int_equal(f->len, sizeof seq);
    assert_memory_equal(f->record, &seq, sizeof seq);
    free(f);
}

static void telegrams_come_out_in_order(void **state)
{
    struct inbox *b = inbox_new(WINDOW);

    (void)state;
    assert_null(inbox_take(b));
    assert_false(readable(b));
    for (uint64_t n = 0; n < 300; n += WINDOW) {
        for (uint64_t i = 0; i < WINDOW; i++)
            assert_true(add(b, n + i));
        assert_true(readable(b));
        for (uint64_t i = 0; i < WINDOW; i++)
            check_next(b, n + i);
        assert_false(readable(b));
    }
    inbox_free(b);
    inbox_free(NULL);
}

static void a_full_window_refuses_and_goes_on(void **state)
{
    struct inbox *b = inbox_new(WINDOW);

    (void)state;
    for (uint64_t i = 0; i < WINDOW; i++)
        assert_true(add(b, i));
    assert_false(add(b, 99)); /* freed by the inbox; the journal has it */
    check_next(b, 0);
    assert_true(add(b, 3));
    check_next(b, 1);
    check_next(b, 2);
    check_next(b, 3);
    assert_null(inbox_take(b));
    inbox_free(b);
}

static void what_is_left_is_freed(void **state)
{
    struct inbox *b = inbox_new(WINDOW);

    (void)state;
    assert_true(add(b, 1));
    assert_true(add(b, 2));
    inbox_free(b); /* the sanitizer tells */
}

static void *sender(void *arg)
{
    for (uint64_t i = 0; i < EACH; i++)
        assert_true(add(arg, i));
    return NULL;
}

static void many_threads_lose_nothing(void **state)
{
    struct inbox *b = inbox_new((size_t)THREADS * EACH);
    pthread_t threads[THREADS];
    size_t n = 0;
    struct fresh *f;

    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, sender, b), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    while ((f = inbox_take(b)) != NULL) {
        n++;
        free(f);
    }
    assert_int_equal(n, THREADS * EACH);
    inbox_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(telegrams_come_out_in_order),
        cmocka_unit_test(a_full_window_refuses_and_goes_on),
        cmocka_unit_test(what_is_left_is_freed),
        cmocka_unit_test(many_threads_lose_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
