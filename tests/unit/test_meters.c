/* What the publisher remembers of each meter, and what waits for it. */
#include "tools.h"

#include <pthread.h>
#include <stdio.h>

#include "mailbox.h"
#include "meters.h"

#define A "5341475E40F89D93"
#define B "4B464D2D3281D0BF"

static struct record record_of(const char *meter, const char *raw_topic)
{
    struct record r = {.type = RECORD_READING};

    snprintf(r.reading.meter, sizeof r.reading.meter, "%s", meter);
    snprintf(r.topic, sizeof r.topic, "%s", raw_topic);
    return r;
}

static struct meter *see(struct meters *m, const struct record *r, const char *topic, int64_t now)
{
    struct meter *meter = meters_add(m, r->reading.meter);

    assert_int_equal(meters_seen(m, meter, r, topic, now), 0);
    return meter;
}

static void what_changes_is_owed(void **state)
{
    struct meters *m = meters_new();
    struct record r = record_of(A, "raw/a");
    struct meter *a = see(m, &r, "v/a", 1000);

    (void)state;
    assert_true(a->online);
    assert_int_equal(a->owed, METERS_STATUS | METERS_DISCOVERY | METERS_TOTALS);
    a->owed = 0;
    see(m, &r, "v/a", 2000);
    assert_int_equal(a->owed, 0);
    snprintf(r.reading.number, sizeof r.reading.number, "1234");
    see(m, &r, "v/a", 3000);
    assert_int_equal(a->owed, METERS_DISCOVERY);
    a->owed = 0;
    see(m, &r, "v/other", 4000);
    assert_string_equal(a->topic, "v/other");
    assert_int_equal(a->owed, METERS_STATUS | METERS_DISCOVERY | METERS_TOTALS);
    meters_free(m);
    meters_free(NULL);
}

static void silence_is_offline(void **state)
{
    struct meters *m = meters_new();
    struct record of_a = record_of(A, "raw/a"), of_b = record_of(B, "raw/b");
    struct meter *a = see(m, &of_a, "v/a", 1000), *b = see(m, &of_b, "v/b", 5000);

    (void)state;
    a->owed = b->owed = 0;
    meters_expire(m, 60999, 60000);
    assert_true(a->online && b->online);
    meters_expire(m, 61000, 60000);
    assert_true(!a->online && b->online);
    assert_int_equal(a->owed, METERS_STATUS | METERS_TOTALS);
    assert_int_equal(b->owed, 0);
    a->owed = 0;
    meters_expire(m, 62000, 60000);
    assert_int_equal(a->owed, 0);
    see(m, &of_a, "v/a", 63000);
    assert_true(a->online);
    assert_int_equal(a->owed, METERS_STATUS);
    meters_free(m);
}

static void whose_reject_it_is(void **state)
{
    struct meters *m = meters_new();
    struct record of_a = record_of(A, "raw/a"), of_b = record_of(B, "raw/b");
    struct record named = record_of(B, "raw/a"), nameless = record_of("", "raw/a");
    struct record unknown = record_of("0000000000000001", "raw/a");
    struct meter *a = see(m, &of_a, "v/a", 0), *b = see(m, &of_b, "v/b", 0);

    (void)state;
    assert_ptr_equal(meters_of_reject(m, &named), b);
    assert_ptr_equal(meters_of_reject(m, &nameless), a);
    assert_null(meters_of_reject(m, &unknown));
    nameless = record_of("", "raw/c");
    assert_null(meters_of_reject(m, &nameless));
    of_b = record_of(B, "raw/a"); /* two meters on one topic: nobody's */
    see(m, &of_b, "v/b", 0);
    nameless = record_of("", "raw/a");
    assert_null(meters_of_reject(m, &nameless));
    see(m, &of_a, "v/a", 0);
    assert_null(meters_of_reject(m, &nameless));
    nameless = record_of("", "raw/b");
    assert_ptr_equal(meters_of_reject(m, &nameless), b);
    meters_free(m);
}

/* --- the mailbox ----------------------------------------------------------------------- */

static void letters_come_out_as_they_went_in(void **state)
{
    struct mailbox *b = mailbox_new();
    char topic[] = "v/totals";
    struct letter *l;

    (void)state;
    assert_null(mailbox_take(b));
    assert_true(mailbox_put(b, topic, "{\"v\":1}!", 7));
    memset(topic, '?', sizeof topic - 1);
    assert_true(mailbox_put(b, "empty", NULL, 0));
    l = mailbox_take(b);
    assert_string_equal(l->topic, "v/totals");
    assert_int_equal(l->len, 7);
    assert_string_equal(l->payload, "{\"v\":1}");
    free(l);
    l = mailbox_take(b);
    assert_string_equal(l->topic, "empty");
    assert_string_equal(l->payload, "");
    free(l);
    assert_null(mailbox_take(b));
    assert_true(mailbox_put(b, "left", "x", 1));
    mailbox_free(b);
    mailbox_free(NULL);
}

static void the_mailbox_is_bounded(void **state)
{
    enum { LETTER = 1024 * 1024 };
    struct mailbox *b = mailbox_new();
    char *payload = calloc(1, LETTER);
    int room = 0;

    (void)state;
    while (room < 100 && mailbox_put(b, "t", payload, LETTER))
        room++;
    assert_int_equal(room, 63);
    free(mailbox_take(b));
    assert_true(mailbox_put(b, "t", payload, LETTER));
    assert_false(mailbox_put(b, "t", payload, SIZE_MAX / 2));
    free(payload);
    mailbox_free(b);
}

enum { LETTERS = 20000 };

static void *put_letters(void *mailbox)
{
    for (int i = 0; i < LETTERS; i++)
        while (!mailbox_put(mailbox, "t", &i, sizeof i))
            sched_yield();
    return NULL;
}

static void threads_may_put(void **state)
{
    struct mailbox *b = mailbox_new();
    pthread_t thread;
    int next = 0;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, put_letters, b), 0);
    while (next < LETTERS) {
        struct letter *l = mailbox_take(b);

        if (l == NULL)
            continue;
        assert_memory_equal(l->payload, &next, sizeof next);
        next++;
        free(l);
    }
    pthread_join(thread, NULL);
    mailbox_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_changes_is_owed),
        cmocka_unit_test(silence_is_offline),
        cmocka_unit_test(whose_reject_it_is),
        cmocka_unit_test(letters_come_out_as_they_went_in),
        cmocka_unit_test(the_mailbox_is_bounded),
        cmocka_unit_test(threads_may_put),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
