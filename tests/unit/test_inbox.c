/* The way from paho's thread to the loop: bounded, in order, and never in the way of a stop. */
#include "tools.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "inbox.h"

enum { WINDOW = 3, EACH = 500, THREADS = 4 };

static void wait_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static bool readable(const struct inbox *b)
{
    struct pollfd fd = {.fd = inbox_fd(b), .events = POLLIN};

    return poll(&fd, 1, 0) == 1;
}

static bool add(struct inbox *b, const char *topic, int n)
{
    return inbox_add(b, topic, &n, sizeof n, 1000 + n);
}

/* Takes the next payload and checks that it is the n-th. */
static void check_next(struct inbox *b, const char *topic, int n)
{
    struct payload *p = inbox_take(b);

    assert_non_null(p);
    assert_string_equal(p->topic, topic);
    assert_int_equal(p->len, sizeof n);
    assert_memory_equal(p->octets, &n, sizeof n);
    assert_int_equal(p->arrival_ms, 1000 + n);
    payload_free(p);
}

static void payloads_come_out_as_they_went_in(void **state)
{
    struct inbox *b = inbox_new(WINDOW);
    char topic[] = "sensors/a";
    uint8_t octets[] = {0, 1, 0, 255};
    struct payload *p;

    (void)state;
    assert_null(inbox_take(b));
    assert_false(readable(b));
    assert_true(inbox_add(b, topic, octets, sizeof octets, 5));
    memset(topic, 'x', sizeof topic - 1); /* it keeps a copy */
    memset(octets, 7, sizeof octets);
    assert_true(inbox_add(b, "", NULL, 0, 6));
    assert_true(readable(b));

    p = inbox_take(b);
    assert_string_equal(p->topic, "sensors/a");
    assert_int_equal(p->len, 4);
    assert_memory_equal(p->octets, "\0\1\0\xFF", 4);
    payload_free(p);
    assert_true(readable(b));
    p = inbox_take(b);
    assert_string_equal(p->topic, "");
    assert_int_equal(p->len, 0);
    payload_free(p);
    assert_false(readable(b));
    assert_null(inbox_take(b));
    inbox_free(b);
    inbox_free(NULL);
}

static void order_holds_over_many_turns(void **state)
{
    struct inbox *b = inbox_new(WINDOW);

    (void)state;
    for (int n = 0; n < 300; n += WINDOW) {
        for (int i = 0; i < WINDOW; i++) {
            assert_false(inbox_is_full(b));
            assert_true(add(b, "t", n + i));
        }
        assert_true(inbox_is_full(b));
        for (int i = 0; i < WINDOW; i++)
            check_next(b, "t", n + i);
        assert_false(readable(b));
    }
    inbox_free(b);
}

/* One thread that adds one payload too many. */
struct adder {
    struct inbox *inbox;
    atomic_bool returned;
    bool added;
};

static void *add_one(void *arg)
{
    struct adder *a = arg;

    a->added = add(a->inbox, "late", WINDOW);
    a->returned = true;
    return NULL;
}

static void fill_and_wait(struct adder *a, pthread_t *thread)
{
    a->inbox = inbox_new(WINDOW);
    for (int n = 0; n < WINDOW; n++)
        assert_true(add(a->inbox, "t", n));
    assert_int_equal(pthread_create(thread, NULL, add_one, a), 0);
    wait_ms(50);
    assert_false(a->returned);
}

static void a_full_window_holds_the_sender_back(void **state)
{
    struct adder a = {0};
    pthread_t thread;

    (void)state;
    fill_and_wait(&a, &thread);
    check_next(a.inbox, "t", 0);
    pthread_join(thread, NULL);
    assert_true(a.added);
    for (int n = 1; n < WINDOW; n++)
        check_next(a.inbox, "t", n);
    check_next(a.inbox, "late", WINDOW);
    inbox_free(a.inbox);
}

static void closing_releases_the_sender(void **state)
{
    struct adder a = {0};
    pthread_t thread;

    (void)state;
    fill_and_wait(&a, &thread);
    inbox_close(a.inbox);
    pthread_join(thread, NULL);
    assert_false(a.added);
    for (int n = 0; n < WINDOW; n++) /* what was taken in before stays */
        check_next(a.inbox, "t", n);
    assert_false(add(a.inbox, "t", 9));
    assert_null(inbox_take(a.inbox));
    inbox_close(a.inbox);
    inbox_free(a.inbox);
}

static void what_is_left_is_freed(void **state)
{
    struct inbox *b = inbox_new(WINDOW);

    (void)state;
    for (int n = 0; n < WINDOW; n++)
        assert_true(add(b, "t", n));
    inbox_free(b); /* the sanitizer looks */
}

/* --- several senders ----------------------------------------------------------------- */

struct sender {
    struct inbox *inbox;
    char topic[8];
    pthread_t thread;
};

static void *send_each(void *arg)
{
    struct sender *s = arg;

    for (int n = 0; n < EACH; n++)
        if (!add(s->inbox, s->topic, n))
            break;
    return NULL;
}

static void many_senders_lose_nothing(void **state)
{
    struct inbox *b = inbox_new(WINDOW);
    struct sender senders[THREADS] = {0};
    int next[THREADS] = {0};

    (void)state;
    for (int i = 0; i < THREADS; i++) {
        senders[i].inbox = b;
        snprintf(senders[i].topic, sizeof senders[i].topic, "%d", i);
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_each, &senders[i]), 0);
    }
    for (int taken = 0; taken < THREADS * EACH;) {
        struct pollfd fd = {.fd = inbox_fd(b), .events = POLLIN};
        struct payload *p;

        assert_int_equal(poll(&fd, 1, 5000), 1);
        for (; (p = inbox_take(b)) != NULL; taken++) {
            int i = atoi(p->topic);

            assert_memory_equal(p->octets, &next[i], sizeof next[i]);
            next[i]++;
            payload_free(p);
        }
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(senders[i].thread, NULL);
    assert_null(inbox_take(b));
    inbox_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(payloads_come_out_as_they_went_in),
        cmocka_unit_test(order_holds_over_many_turns),
        cmocka_unit_test(a_full_window_holds_the_sender_back),
        cmocka_unit_test(closing_releases_the_sender),
        cmocka_unit_test(what_is_left_is_freed),
        cmocka_unit_test(many_senders_lose_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
