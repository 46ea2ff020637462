/* Acks: exactly what was committed, one record for each origin and stream, under the origin. */
#include "loops.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "acks.h"
#include "scratch.h"

static struct link *bound;
static zsock_t *sub;
static struct record_memory memory;

/* A PUB link and a subscriber to all of it; returns once something has come through. */
static int open_link(void **state)
{
    char endpoint[128];
    int rc = scratch_open(state) != 0 || loop_open(state) != 0;

    snprintf(endpoint, sizeof endpoint, "ipc://%s/acks", scratch);
    if (rc != 0 || link_bind(&svc, LINK_TOPICS, "ACKS_BIND", endpoint, &bound) != 0)
        return 1;
    sub = raw_new(ZMQ_SUB, 200);
    zsock_set_subscribe(sub, "");
    rc = zsock_connect(sub, "%s", endpoint);
    for (int i = 0; i < 200 && rc == 0; i++) {
        zmsg_t *first;

        link_publish(bound, "s", 1, "s", 1);
        first = zmsg_recv(sub);
        if (first == NULL)
            continue;
        zmsg_destroy(&first);
        return 0;
    }
    return 1;
}

static int close_link(void **state)
{
    zsock_destroy(&sub);
    link_free(bound);
    record_memory_free(&memory);
    return loop_close(state) | scratch_close(state);
}

/* The next ack, or false when none comes. Its ranges live until the next call. */
static bool next_ack(struct record *r)
{
    zmsg_t *message = zmsg_recv(sub);
    zframe_t *topic, *body;
    size_t at = 0;

    while (message != NULL && zframe_streq(zmsg_first(message), "s")) { /* open_link's */
        zmsg_destroy(&message);
        message = zmsg_recv(sub);
    }
    if (message == NULL)
        return false;
    assert_int_equal(zmsg_size(message), 2);
    topic = zmsg_first(message);
    body = zmsg_next(message);
    assert_int_equal(record_unpack(zframe_data(body), zframe_size(body), &at, r, &memory), 0);
    assert_int_equal(at, zframe_size(body));
    assert_int_equal(r->type, RECORD_ACK);
    assert_int_equal(zframe_size(topic), ORIGIN_OCTETS);
    assert_memory_equal(zframe_data(topic), r->origin, ORIGIN_OCTETS);
    zmsg_destroy(&message);
    return true;
}

/* All acks that come, as "A history 1-3/0 5-5/0;": the origin by its last octet. */
static const char *all_acks(void)
{
    static char text[2048];
    struct record r;
    size_t n = 0;

    text[0] = '\0';
    while (next_ack(&r)) {
        n += (size_t)snprintf(text + n, sizeof text - n, "%c %s", r.origin[15], r.stream);
        for (size_t i = 0; i < r.range_count; i++)
            n += (size_t)snprintf(text + n, sizeof text - n, " %" PRIu64 "-%" PRIu64 "/%" PRIu32,
                                  r.ranges[i].first, r.ranges[i].last, r.ranges[i].index);
        n += (size_t)snprintf(text + n, sizeof text - n, ";");
    }
    return text;
}

static struct record delivery(char origin, uint64_t seq, uint32_t index)
{
    struct record r = {.type = RECORD_READING, .seq = seq, .index = index};

    memset(r.origin, 0xC3, ORIGIN_OCTETS - 1);
    r.origin[15] = (uint8_t)origin;
    return r;
}

struct item {
    char origin;
    uint64_t seq;
    uint32_t index;
    const char *stream;
};

static void ranges_are_exact(void **state)
{
    static const struct row {
        const char *why;
        struct item items[10]; /* up to the first without a stream */
        const char *acks;
    } rows[] = {
        {"nothing", {{0}}, ""},
        {"one", {{'A', 7, 0, "history"}}, "A history 7-7/0;"},
        {"a run", {{'A', 1, 0, "h"}, {'A', 2, 0, "h"}, {'A', 3, 0, "h"}}, "A h 1-3/0;"},
        {"a run in any order",
         {{'A', 3, 0, "h"}, {'A', 1, 0, "h"}, {'A', 2, 0, "h"}},
         "A h 1-3/0;"},
        {"a gap stays a gap",
         {{'A', 1, 0, "h"}, {'A', 3, 0, "h"}, {'A', 4, 0, "h"}},
         "A h 1-1/0 3-4/0;"},
        {"duplicates",
         {{'A', 1, 0, "h"}, {'A', 1, 0, "h"}, {'A', 2, 0, "h"}, {'A', 2, 0, "h"}, {'A', 1, 0, "h"}},
         "A h 1-2/0;"},
        {"indexes",
         {{'A', 1, 0, "h"}, {'A', 1, 1, "h"}, {'A', 2, 0, "h"}, {'A', 3, 1, "h"}},
         "A h 1-2/0 1-1/1 3-3/1;"},
        {"adjacent, other indexes", {{'A', 1, 0, "h"}, {'A', 2, 1, "h"}}, "A h 1-1/0 2-2/1;"},
        {"origins",
         {{'B', 2, 0, "h"}, {'A', 1, 0, "h"}, {'A', 2, 0, "h"}, {'B', 3, 0, "h"}},
         "A h 1-2/0;B h 2-3/0;"},
        {"streams",
         {{'A', 1, 0, "history"}, {'A', 1, 0, "debounced"}, {'A', 2, 0, "history"}},
         "A debounced 1-1/0;A history 1-2/0;"},
        {"the ends of 64 bits",
         {{'A', UINT64_MAX, 0, "h"}, {'A', 0, 0, "h"}, {'A', UINT64_MAX - 1, 0, "h"}},
         "A h 0-0/0 18446744073709551614-18446744073709551615/0;"},
        {"the end of 32 bits",
         {{'A', 4294967295, 4294967295, "h"}, {'A', 4294967296, 4294967295, "h"}},
         "A h 4294967295-4294967296/4294967295;"},
        {"all at once",
         {{'A', 5, 0, "h"},
          {'B', 6, 0, "d"},
          {'A', 6, 0, "d"},
          {'B', 6, 0, "h"},
          {'A', 6, 0, "h"},
          {'A', 8, 0, "h"},
          {'A', 6, 1, "h"}},
         "A d 6-6/0;A h 5-6/0 8-8/0 6-6/1;B d 6-6/0;B h 6-6/0;"},
    };
    struct acks acks = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t n = 0;
        const char *text;

        for (; rows[i].items[n].stream != NULL; n++) {
            struct record r =
                delivery(rows[i].items[n].origin, rows[i].items[n].seq, rows[i].items[n].index);

            assert_int_equal(acks_add(&acks, &r, rows[i].items[n].stream, false), 0);
        }
        assert_int_equal(acks_publish(&acks, bound), n);
        text = all_acks();
        if (strcmp(text, rows[i].acks) != 0)
            fail_msg("%s: %s", rows[i].why, text);
        assert_int_equal(acks_publish(&acks, bound), 0); /* forgotten */
    }
    assert_string_equal(all_acks(), "");
    acks_free(&acks);
}

static void a_reject_is_done_for_every_stream(void **state)
{
    static const struct row {
        const char *streams, *acks;
        size_t n;
    } rows[] = {
        {"history,debounced", "A debounced 7-7/2;A history 7-7/2;", 2},
        {"history", "A history 7-7/2;", 1},
        {",x,,y,", "A x 7-7/2;A y 7-7/2;", 2},
        {"", "", 0},
    };
    struct acks acks = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct record r = delivery('A', 7, 2);

        snprintf(r.streams, sizeof r.streams, "%s", rows[i].streams);
        assert_int_equal(acks_add_all(&acks, &r), 0);
        assert_int_equal(acks_publish(&acks, bound), rows[i].n);
        assert_string_equal(all_acks(), rows[i].acks);
    }
    acks_free(&acks);
    acks_free(&acks);
}

/* Of random deliveries, the acks name each and no other. */
static void never_more_than_was_committed(void **state)
{
    enum { SEQS = 200, INDEXES = 3 };
    unsigned seed = (unsigned)time(NULL);
    struct acks acks = {0};

    (void)state;
    print_message("seed %u\n", seed);
    srandom(seed);
    for (int turn = 0; turn < 20; turn++) {
        bool done[2][SEQS][INDEXES] = {0};
        struct record r;

        for (int i = 0; i < 30 * turn; i++) {
            int o = (int)random() % 2, seq = (int)random() % SEQS, index = (int)random() % INDEXES;

            r = delivery((char)('A' + o), (uint64_t)seq, (uint32_t)index);
            assert_int_equal(acks_add(&acks, &r, "history", false), 0);
            done[o][seq][index] = true;
        }
        acks_publish(&acks, bound);
        while (next_ack(&r))
            for (size_t i = 0; i < r.range_count; i++)
                for (uint64_t seq = r.ranges[i].first; seq <= r.ranges[i].last; seq++) {
                    bool *d = &done[r.origin[15] - 'A'][seq][r.ranges[i].index];

                    assert_true(*d); /* and only once */
                    *d = false;
                }
        for (size_t i = 0; i < sizeof done; i++)
            assert_false(((const bool *)done)[i]);
    }
    acks_free(&acks);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_link, close_link)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ranges_are_exact),
        TEST(a_reject_is_done_for_every_stream),
        TEST(never_more_than_was_committed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
