/* What counts as lost, what is sent again, and how much may be on its way. */
#include "tools.h"

#include "window.h"

enum { MAX = 1024, HISTORY = 1, DEBOUNCED = 2, BOTH = 3 };

static void sent(struct window *w, uint64_t seq, int64_t now_ms)
{
    const struct window_telegram t = {.seq = seq, .owed = BOTH};

    assert_true(window_sent(w, &t, now_ms));
}

static void acked(struct window *w, uint64_t first, uint64_t last, int64_t now_ms)
{
    window_ack(w, first, last, 0, HISTORY, now_ms);
    window_ack(w, first, last, 0, DEBOUNCED, now_ms);
}

static size_t due(struct window *w, int64_t now_ms, struct window_telegram *out)
{
    return window_due(w, now_ms, out, MAX);
}

static void an_acked_telegram_is_forgotten(void **state)
{
    struct window *w = window_new(MAX);
    struct window_telegram out[MAX];

    (void)state;
    sent(w, 1, 0);
    window_ack(w, 1, 1, 0, HISTORY, 10);
    assert_true(window_has(w, 1, 0));
    window_ack(w, 1, 1, 1, DEBOUNCED, 10); /* another index */
    assert_true(window_has(w, 1, 0));
    window_ack(w, 1, 1, 0, DEBOUNCED, 10);
    assert_false(window_has(w, 1, 0));
    assert_int_equal(due(w, 1000000, out), 0);
    window_free(w);
}

static void note_ack(void *arg, int stream, int64_t ms)
{
    ((int64_t *)arg)[stream] += ms;
}

static void first_deliveries_acks_are_told_with_their_time(void **state)
{
    struct window *w = window_new(MAX);
    struct window_telegram out[MAX];
    int64_t told[2] = {0};

    (void)state;
    window_listen(w, note_ack, told);
    sent(w, 1, 0);
    sent(w, 2, 0);
    window_ack(w, 2, 2, 0, HISTORY, 10);
    window_ack(w, 2, 2, 0, DEBOUNCED, 25);
    assert_int_equal(told[0], 10);
    assert_int_equal(told[1], 25);
    assert_int_equal(due(w, 1100, out), 1);
    acked(w, 1, 1, 1200); /* of which sending is not known */
    assert_int_equal(told[0], 10);
    assert_int_equal(told[1], 25);
    window_free(w);
}

static void lost_is_what_later_ones_overtook(void **state)
{
    struct window *w = window_new(MAX);
    struct window_telegram out[MAX];

    (void)state;
    for (uint64_t s = 1; s <= 10; s++)
        sent(w, s, 0);
    acked(w, 6, 10, 5);
    assert_int_equal(due(w, 500, out), 0); /* not before the time-out */
    assert_int_equal(due(w, 1100, out), 5);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(out[i].seq, i + 1);
        assert_int_equal(out[i].attempt, 1);
        assert_int_equal(out[i].failures, 1);
    }
    assert_int_equal(due(w, 1100, out), 0);
    acked(w, 1, 5, 1200);
    assert_int_equal(window_count(w), 0);
    window_free(w);
}

static void a_queue_that_moves_is_waited_for(void **state)
{
    struct window *w = window_new(MAX);
    struct window_telegram out[MAX];
    int64_t now = 0;

    (void)state;
    for (uint64_t s = 1; s <= 500; s++)
        sent(w, s, 0);
    for (uint64_t s = 1; s <= 500; s++) { /* in order, 50 a second: the last waits 10 s */
        now += 20;
        acked(w, s, s, now);
        assert_int_equal(due(w, now, out), 0);
    }
    window_free(w);
}

static void a_silent_stream_gets_probes_only(void **state)
{
    struct window *w = window_new(MAX);
    struct window_telegram out[MAX];
    size_t resent = 0;
    int64_t now = 0;

    (void)state;
    for (uint64_t s = 1; s <= 500; s++)
        sent(w, s, 0);
    for (; now < 600000; now += 100) /* ten minutes without a database */
        resent += due(w, now, out);
    assert_in_range(resent, 16, 200);
    for (uint64_t s = 1; s <= 500 && window_count(w) > 0; s++) { /* it is back, and loses nothing */
        sent(w, 1000 + s, now);
        acked(w, 1000 + s, 1000 + s, now + 5);
        for (size_t i = due(w, now + 10, out); i > 0; i--)
            acked(w, out[i - 1].seq, out[i - 1].seq, now + 15);
        now += 100;
    }
    assert_int_equal(window_count(w), 0);
    window_free(w);
}

static void failures_count_only_while_others_get_through(void **state)
{
    struct window *w = window_new(MAX);
    struct window_telegram out[MAX];
    uint32_t failures = 0;
    int64_t now = 0;
    uint64_t next = 2;

    (void)state;
    sent(w, 1, now); /* the one that kills its decryptor */
    for (; failures < WINDOW_POISON && now < 3600000; now += 100) {
        sent(w, next, now);
        acked(w, next, next, now + 1);
        next++;
        if (due(w, now, out) == 1) {
            assert_int_equal(out[0].seq, 1);
            failures = out[0].failures;
        }
    }
    assert_int_equal(failures, WINDOW_POISON);
    assert_in_range(now, 10000, 60000);
    window_free(w);
}

static void what_nobody_takes_is_due_again(void **state)
{
    struct window *w = window_new(MAX);
    struct window_telegram out[MAX];

    (void)state;
    sent(w, 1, 0);
    sent(w, 2, 0);
    acked(w, 2, 2, 1);
    assert_int_equal(due(w, 2000, out), 1);
    window_unsent(w, &out[0]);
    assert_int_equal(due(w, 2001, out), 1);
    assert_int_equal(out[0].attempt, 1);
    window_free(w);
}

static void the_window_is_bounded(void **state)
{
    struct window *w = window_new(4);
    const struct window_telegram fifth = {.seq = 5, .owed = BOTH};

    (void)state;
    for (uint64_t s = 1; s <= 4; s++)
        sent(w, s, 0);
    assert_int_equal(window_room(w), 0);
    assert_false(window_sent(w, &fifth, 0));
    window_ack(w, 0, UINT64_MAX, 0, BOTH & HISTORY,
               1); /* an absurd range costs no more than a scan */
    window_ack(w, 0, UINT64_MAX, 0, DEBOUNCED, 1);
    assert_int_equal(window_count(w), 0);
    window_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_acked_telegram_is_forgotten),
        cmocka_unit_test(first_deliveries_acks_are_told_with_their_time),
        cmocka_unit_test(lost_is_what_later_ones_overtook),
        cmocka_unit_test(a_queue_that_moves_is_waited_for),
        cmocka_unit_test(a_silent_stream_gets_probes_only),
        cmocka_unit_test(failures_count_only_while_others_get_through),
        cmocka_unit_test(what_nobody_takes_is_due_again),
        cmocka_unit_test(the_window_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
