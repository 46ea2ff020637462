/* Reassembly per topic: which payload and which place in it each outcome belongs to. */
#include "vectors.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "topics.h"

enum { REASSEMBLY_MS = 3000, TOPICS = 500 };

/* Two meters' telegrams of two frames each. */
static struct octets a[FRAMES_MAX], b[FRAMES_MAX];

/* What came out: "topic seq index arrival verdict;" in order. */
static char outcomes[4096];
static size_t good, bad;

static void take(void *arg, const struct topic_outcome *o)
{
    size_t at = strlen(outcomes);

    assert_ptr_equal(arg, &good);
    if (o->telegram->verdict == VERDICT_OK)
        good++;
    else
        bad++;
    snprintf(outcomes + at, sizeof outcomes - at, "%s %" PRIu64 " %u %" PRId64 " %s;", o->topic,
             o->seq, o->index, o->arrival_ms, verdict_name(o->telegram->verdict));
}

static int open_topics(void **state)
{
    *state = topics_new(REASSEMBLY_MS, take, &good);
    outcomes[0] = '\0';
    good = bad = 0;
    return *state == NULL;
}

static int close_topics(void **state)
{
    topics_free(*state);
    return 0;
}

static void
feed(struct topics *t, const char *topic, uint64_t seq, int64_t arrival_ms, const struct octets *o)
{
    char name[64]; /* the caller's text does not outlive the call */
    struct octets exact = octets_copy(o->at, o->len);

    snprintf(name, sizeof name, "%s", topic);
    assert_int_equal(topics_feed(t, name, seq, arrival_ms, exact.at, exact.len), 0);
    memset(name, '?', sizeof name);
    free(exact.at);
}

/* Several runs of octets as one. */
static struct octets join(size_t n, const struct octets *const parts[])
{
    struct octets all = {malloc(4096), 0};

    assert_non_null(all.at);
    for (size_t i = 0; i < n; i++) {
        memcpy(all.at + all.len, parts[i]->at, parts[i]->len);
        all.len += parts[i]->len;
    }
    return all;
}

#define JOIN(...)                                                                                  \
    join(COUNT(((const struct octets *const[]){__VA_ARGS__})),                                     \
         (const struct octets *const[]){__VA_ARGS__})

static void a_telegram_belongs_to_the_payload_that_completes_it(void **state)
{
    struct topics *t = *state;

    feed(t, "x", 7, 100, &a[0]);
    assert_string_equal(outcomes, "");
    assert_int_equal(topics_pending(t), 1);
    feed(t, "x", 9, 200, &a[1]);
    assert_string_equal(outcomes, "x 9 0 200 ok;");
    assert_int_equal(topics_pending(t), 0);
}

static void outcomes_of_one_payload_are_numbered(void **state)
{
    static uint8_t letters[] = "no frame";
    struct octets noise = {letters, sizeof letters - 1};
    struct octets many = JOIN(&a[0], &a[1], &noise, &b[0], &b[1], &a[0], &a[1]);
    struct topics *t = *state;

    feed(t, "x", 1, 100, &many);
    assert_string_equal(outcomes, "x 1 0 100 ok;x 1 1 100 not-a-frame;x 1 2 100 ok;x 1 3 100 ok;");
    outcomes[0] = '\0';
    feed(t, "x", 2, 200, &many);
    assert_non_null(strstr(outcomes, "x 2 0 200 ok;"));
    assert_int_equal(topics_pending(t), 0);
    free(many.at);
}

/* seq and index name a delivery: what is given up later must not take a number again. */
static void what_is_given_up_goes_on_counting(void **state)
{
    struct octets and_half = JOIN(&a[0], &a[1], &b[0]);
    struct topics *t = *state;

    feed(t, "x", 5, 1000, &and_half);
    assert_string_equal(outcomes, "x 5 0 1000 ok;");
    assert_int_equal(topics_pending(t), 1);
    topics_expire(t, 1000 + REASSEMBLY_MS);
    assert_int_equal(topics_pending(t), 1);
    topics_expire(t, 1001 + REASSEMBLY_MS);
    assert_string_equal(outcomes, "x 5 0 1000 ok;x 5 1 1000 truncated;");
    assert_int_equal(topics_pending(t), 0);
    topics_expire(t, INT64_MAX);
    assert_int_equal(good + bad, 2);
    free(and_half.at);
}

/* A late payload gives up what was there before, as the first of its own outcomes. */
static void the_rest_may_come_in_time_or_late(void **state)
{
    struct topics *t = *state;

    feed(t, "x", 1, 1000, &a[0]);
    feed(t, "x", 2, 1000 + REASSEMBLY_MS, &a[1]);
    assert_string_equal(outcomes, "x 2 0 4000 ok;");
    outcomes[0] = '\0';
    feed(t, "x", 3, 10000, &a[0]);
    feed(t, "x", 4, 10001 + REASSEMBLY_MS, &a[1]);
    assert_string_equal(outcomes, "x 4 0 13001 truncated;x 4 1 13001 sequence;");
    assert_int_equal(topics_pending(t), 0);
}

static void each_topic_has_a_state_of_its_own(void **state)
{
    struct topics *t = *state;

    feed(t, "x", 1, 100, &a[0]);
    feed(t, "y", 2, 101, &b[0]);
    feed(t, "x/y", 3, 102, &a[0]);
    assert_int_equal(topics_pending(t), 3);
    feed(t, "y", 4, 103, &b[1]);
    feed(t, "z", 5, 104, &a[1]);
    feed(t, "x", 6, 105, &a[1]);
    assert_string_equal(outcomes, "y 4 0 103 ok;z 5 0 104 sequence;x 6 0 105 ok;");
    assert_int_equal(topics_pending(t), 1);
}

static void only_the_old_are_given_up(void **state)
{
    struct topics *t = *state;
    char name[32];

    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "t%02d", i);
        feed(t, name, (uint64_t)i + 1, i * 1000, &a[0]);
    }
    topics_expire(t, 9000 + REASSEMBLY_MS);
    assert_int_equal(bad, 9);
    assert_int_equal(topics_pending(t), 11);
    assert_non_null(strstr(outcomes, "t08 9 0 8000 truncated;"));
    assert_null(strstr(outcomes, "t09"));
    feed(t, "t09", 30, 9500, &a[1]);
    assert_int_equal(good, 1);
    topics_expire(t, 1000000);
    assert_int_equal(bad, 19);
    assert_int_equal(topics_pending(t), 0);
}

static void nothing_pending_means_no_state(void **state)
{
    struct octets whole = JOIN(&a[0], &a[1]), empty = {a[0].at, 0};
    struct topics *t = *state;
    char name[32];

    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "meter/%d", i);
        feed(t, name, (uint64_t)i, i, &whole);
    }
    assert_int_equal(topics_pending(t), 0);
    assert_int_equal(good, 1000);
    feed(t, "x", 1, 0, &empty);
    assert_int_equal(topics_pending(t), 0);
    free(whole.at);
}

/* Octet by octet, many topics in any order: each telegram once, none mixed with another's. */
static void many_topics_interleaved(void **state)
{
    struct octets whole[2] = {JOIN(&a[0], &a[1]), JOIN(&b[0], &b[1])};
    static size_t done[TOPICS];
    unsigned seed = (unsigned)time(NULL);
    struct topics *t = *state;
    size_t left = TOPICS;
    uint64_t seq = 0;

    print_message("seed %u\n", seed);
    srandom(seed);
    while (left > 0) {
        size_t i = (size_t)random() % TOPICS, n = 1 + (size_t)random() % 60;
        const struct octets *from = &whole[i % 2];
        struct octets piece = {from->at + done[i],
                               from->len - done[i] < n ? from->len - done[i] : n};
        char name[32];

        if (piece.len == 0)
            continue;
        snprintf(name, sizeof name, "t%zu", i);
        seq++;
        feed(t, name, seq, (int64_t)seq / 100, &piece);
        outcomes[0] = '\0';
        done[i] += piece.len;
        left -= done[i] == from->len;
    }
    assert_int_equal(good, TOPICS);
    assert_int_equal(bad, 0);
    assert_int_equal(topics_pending(t), 0);
    free(whole[0].at);
    free(whole[1].at);
}

static int load(void **state)
{
    json_t *vectors = vectors_load();
    size_t n = vector_frames(vector_find(vectors, "netznoe-sagemcom-t210d-2"), a);

    (void)state;
    n += vector_frames(vector_find(vectors, "netznoe-kaifa-ma309m-doc"), b);
    json_decref(vectors);
    return n != 4;
}

static int unload(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        free(a[i].at);
        free(b[i].at);
    }
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_topics, close_topics)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_telegram_belongs_to_the_payload_that_completes_it),
        TEST(outcomes_of_one_payload_are_numbered),
        TEST(what_is_given_up_goes_on_counting),
        TEST(the_rest_may_come_in_time_or_late),
        TEST(each_topic_has_a_state_of_its_own),
        TEST(only_the_old_are_given_up),
        TEST(nothing_pending_means_no_state),
        TEST(many_topics_interleaved),
    };

    topics_free(NULL);
    return cmocka_run_group_tests(tests, load, unload);
}
