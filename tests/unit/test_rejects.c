/* Rejects in the embedded store: looked through, resolved by a replay, and bounded. */
#include "stores.h"

#include <inttypes.h>

#include "retention.h"

#define DAY INT64_C(86400000)
#define NOW (20000 * DAY)

static uint8_t octets[8192][4];

/* One that arrived then, of its own octets. */
static struct record reject(size_t n, int64_t arrival_ms)
{
    octets[n][0] = (uint8_t)(n >> 8);
    octets[n][1] = (uint8_t)n;
    return (struct record){.type = RECORD_REJECT,
                           .arrival_ms = arrival_ms,
                           .topic = "t",
                           .verdict = n % 2 == 0 ? VERDICT_WRONG_KEY : VERDICT_CHECKSUM,
                           .octets = {octets[n], sizeof octets[n]},
                           .reading = {.counter = -1}};
}

/* n rejects, step_ms after one another, the last at NOW. */
static void fill(struct store *s, size_t n, int64_t step_ms, struct retention *r)
{
    for (size_t i = 0; i < n; i += 16) {
        struct record rows[16];
        size_t count = n - i < 16 ? n - i : 16;
        struct store_counts counts;

        for (size_t k = 0; k < count; k++)
            rows[k] = reject(i + k, NOW - (int64_t)(n - 1 - i - k) * step_ms);
        counts = write_rows(s, rows, count, 0);
        assert_int_equal(counts.reject_octets, counts.rejects * 4);
        if (r != NULL)
            retention_add(r, &counts);
    }
}

/* --- looking through ------------------------------------------------------------------- */

struct found {
    size_t count;
    uint8_t last[2], first[2];
    struct reject_mark mark;
};

static void note(void *arg, const struct reject_row *row)
{
    struct found *f = arg;

    if (row->payload.len > 0 && f->count == 0)
        memcpy(f->first, row->payload.at, 2);
    if (row->payload.len > 0)
        memcpy(f->last, row->payload.at, 2);
    f->mark = row->mark;
    f->count++;
}

static struct found look(struct store *s, struct reject_query q)
{
    struct found f = {0};
    char why[STORE_WHY_CHARS] = "";

    if (store_rejects(s, &q, note, &f, why) != 0)
        fail_msg("%s", why);
    return f;
}

static void a_query_finds_what_it_asks_for(void **state)
{
    struct store *s = open_store(0);
    struct reject_query q = {.max = 100, .payload = true};
    struct found f;

    (void)state;
    fill(s, 40, 1, NULL);
    f = look(s, q);
    assert_int_equal(f.count, 40);
    assert_int_equal(f.last[1], 39);
    q.reason = VERDICT_CHECKSUM;
    assert_int_equal(look(s, q).count, 20);
    q.meter = METER;
    assert_int_equal(look(s, q).count, 0);
    q = (struct reject_query){.max = 3, .payload = true, .newest = true};
    f = look(s, q);
    assert_int_equal(f.count, 3);
    assert_int_equal(f.first[1], 37);
    assert_int_equal(f.last[1], 39);
    q = (struct reject_query){.max = 100, .after = {.time_ms = NOW - 9}};
    assert_int_equal(look(s, q).count, 10);
    store_free(s);
}

/* Many of one arrival, too: the order is (time, digest). */
static void pages_meet_every_reject_once(void **state)
{
    struct store *s = open_store(0);
    struct reject_query q = {.max = 7, .bare = true, .resolved_too = true};
    struct found f;
    size_t total = 0;

    (void)state;
    fill(s, 60, 0, NULL);
    fill(s, 30, 1, NULL); /* the same: none is new */
    do {
        f = look(s, q);
        total += f.count;
        q.after = f.mark;
    } while (f.count == 7);
    assert_int_equal(total, 60);
    store_free(s);
}

static void a_meter_that_is_no_hex_digits_is_refused(void **state)
{
    const struct reject_query q = {.max = 1, .meter = "x' OR 1"};
    struct store *s = open_store(0);
    struct found f = {0};
    char why[STORE_WHY_CHARS] = "";

    (void)state;
    assert_int_equal(store_rejects(s, &q, note, &f, why), -EINVAL);
    store_free(s);
}

static void looking_makes_nothing(void **state)
{
    char why[STORE_WHY_CHARS] = "";
    struct store *s = store_new(&conf);

    (void)state;
    assert_int_equal(store_look(s, why), -EAGAIN);
    assert_int_equal(access(url + strlen("sqlite:"), F_OK), -1);
    store_free(s);
    s = open_store(0);
    fill(s, 5, 1, NULL);
    store_free(s);
    s = store_new(&conf);
    assert_int_equal(store_look(s, why), 0);
    assert_int_equal(look(s, (struct reject_query){.max = 9}).count, 5);
    assert_int_equal(store_drop_rejects(s, &(struct reject_mark){.time_ms = NOW}, why), -EAGAIN);
    store_free(s);
    check("SELECT count(*) FROM rejects", "5;");
}

/* --- resolved -------------------------------------------------------------------------- */

static void a_reading_resolves_the_reject_it_replays(void **state)
{
    struct store *s = open_store(0);
    struct record rows[] = {three_phases(1200, 1), three_phases(1201, 2), three_phases(1201, 2)};
    struct store_counts counts;

    (void)state;
    fill(s, 4, 1, NULL);
    record_digest(octets[1], 4, rows[0].replays);
    record_digest("unknown", 7, rows[1].replays);
    record_digest(octets[2], 4, rows[2].replays);
    rows[2].type = RECORD_DEBOUNCED; /* history decides */
    counts = write_rows(s, rows, 3, 0);
    assert_int_equal(counts.resolved, 1);
    assert_int_equal(write_rows(s, rows, 1, 0).resolved, 0);
    check("SELECT hex(payload) FROM rejects WHERE abs(resolved_at - unixepoch()) < 60",
          "00010000;");
    assert_int_equal(look(s, (struct reject_query){.max = 9}).count, 3);
    assert_int_equal(look(s, (struct reject_query){.max = 9, .resolved_too = true}).count, 4);
    fill(s, 4, 1, NULL); /* rejected again: as it was */
    assert_int_equal(look(s, (struct reject_query){.max = 9}).count, 3);
    store_free(s);
}

static void a_reading_that_is_there_already_resolves_too(void **state)
{
    struct store *s = open_store(0);
    struct record row = three_phases(1200, 1);

    (void)state;
    fill(s, 1, 1, NULL);
    write_rows(s, &row, 1, 0);
    record_digest(octets[0], 4, row.replays);
    assert_int_equal(write_rows(s, &row, 1, 0).resolved, 1);
    store_free(s);
}

/* --- bounds ---------------------------------------------------------------------------- */

static struct retention_dropped
steps(struct retention *r, struct store *s, int64_t now_ms, size_t n)
{
    struct retention_dropped all = {0}, d;
    char why[STORE_WHY_CHARS] = "";

    capture_begin(&capture);
    for (size_t i = 0; i < n; i++) {
        int rc = retention_step(r, s, now_ms, NOW + 1, &d, why);

        if (rc != 0)
            fail_msg("%d %s", rc, why);
        all.by_age += d.by_age;
        all.by_size += d.by_size;
    }
    capture_end(&capture);
    return all;
}

static void without_bounds_all_stay(void **state)
{
    struct store *s = open_store(0);
    struct retention r = {0};

    (void)state;
    fill(s, 100, DAY, NULL);
    steps(&r, s, 1, 3);
    check("SELECT count(*) FROM rejects", "100;");
    assert_true(r.rows == 100 && r.octets == 400);
    assert_string_equal(capture.text, "");
    store_free(s);
}

static void the_old_go(void **state)
{
    struct store *s = open_store(0);
    struct retention r = {.keep_days = 30};
    struct retention_dropped d;

    (void)state;
    fill(s, 100, DAY, NULL);
    d = steps(&r, s, 1, 2);
    assert_true(d.by_age == 70 && d.by_size == 0 && r.rows == 30 && r.octets == 120);
    check("SELECT count(*), min(time) FROM rejects", "30 1725494400;");
    assert_non_null(strstr(capture.text, "setting=REJECTS_KEEP_DAYS rows=70 left=30 octets=120"));
    assert_null(strstr(capture.text, "REJECTS_MAX_BYTES"));
    d = steps(&r, s, 59000, 5); /* the next pass is not due */
    assert_true(d.by_age == 0);
    store_free(s);
}

static void more_than_the_bound_goes_in_batches(void **state)
{
    struct store *s = open_store(0);
    struct retention r = {.max_bytes = 401};
    struct retention_dropped d;
    const char *line;

    (void)state;
    fill(s, 2600, 1, NULL);
    d = steps(&r, s, 1, 20);
    assert_true(d.by_size == 2500 && d.by_age == 0);
    check("SELECT count(*), hex(min(payload)) FROM rejects", "100 09C40000;");
    line = strstr(capture.text, "setting=REJECTS_MAX_BYTES rows=2500 left=100 octets=400");
    assert_non_null(line);
    assert_null(strstr(line + 1, "event=dropped"));
    store_free(s);
}

/* What is written after the first measuring is reckoned with, and found at the next one. */
static void new_ones_push_out_old_ones(void **state)
{
    struct store *s = open_store(0);
    struct retention r = {.max_bytes = 40};
    struct retention_dropped d;

    (void)state;
    steps(&r, s, 1, 2);
    assert_true(r.measure_ms == 3600001 && r.rows == 0);
    fill(s, 25, 1, &r);
    assert_true(r.rows == 25 && r.octets == 100);
    d = steps(&r, s, 60001, 1);
    assert_true(d.by_size == 15);
    check("SELECT count(*) FROM rejects", "10;");
    fill(s, 60, 1, NULL); /* by another db-writer: 50 are new */
    d = steps(&r, s, 120002, 3);
    assert_true(d.by_size == 0);
    d = steps(&r, s, 3600002, 4); /* measures, drops */
    assert_true(d.by_size == 50);
    check("SELECT count(*) FROM rejects", "10;");
    store_free(s);
}

static void an_index_tells_ages_and_sizes(void **state)
{
    const struct reject_query q = {.max = 500, .bare = true, .resolved_too = true};
    const struct reject_dialect d = {.time_ms = "time",
                                     .resolved_ms = "resolved_at",
                                     .instant_open = "",
                                     .instant_close = " / 1000.0",
                                     .hex_open = "hex(",
                                     .hex_close = ")",
                                     .octets_open = "x'",
                                     .octets_close = "'"};
    struct store *s = open_store(0);
    char sql[REJECT_SQL_CHARS], plan[REJECT_SQL_CHARS + 32];

    (void)state;
    assert_int_equal(reject_select(&q, &d, sql), 0);
    snprintf(plan, sizeof plan, "EXPLAIN QUERY PLAN %s", sql);
    if (strstr(query(plan), "COVERING INDEX rejects_age") == NULL)
        fail_msg("%s: %s", sql, query(plan));
    assert_non_null(strstr(query(plan), "SEARCH rejects USING COVERING INDEX rejects_age"));
    store_free(s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_scratch, scratch_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_query_finds_what_it_asks_for),
        TEST(pages_meet_every_reject_once),
        TEST(a_meter_that_is_no_hex_digits_is_refused),
        TEST(looking_makes_nothing),
        TEST(a_reading_resolves_the_reject_it_replays),
        TEST(a_reading_that_is_there_already_resolves_too),
        TEST(without_bounds_all_stay),
        TEST(the_old_go),
        TEST(more_than_the_bound_goes_in_batches),
        TEST(new_ones_push_out_old_ones),
        TEST(an_index_tells_ages_and_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
