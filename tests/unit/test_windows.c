/* Which readings may be the earliest of their window. */
#include "tools.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "windows.h"

static void windows_are_aligned_to_utc(void **state)
{
    static const struct row {
        int64_t seconds, time, start;
    } rows[] = {
        {300, 0, 0},
        {300, 299, 0},
        {300, 300, 300},
        {300, 1686293875, 1686293700},
        {300, 1686293700, 1686293700},
        {300, 1686293999, 1686293700},
        {300, -1, -300},
        {300, -300, -300},
        {300, -301, -600},
        {1, 1686293875, 1686293875},
        {900, 1686293875, 1686293100},
        {3600, 1686293875, 1686290400},
        {86400, 1686293875, 1686268800},
        {7, -1, -7},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct windows *w = windows_new(rows[i].seconds);
        int64_t start = windows_start(w, rows[i].time);

        if (start != rows[i].start)
            fail_msg("%" PRId64 " in windows of %" PRId64 ": %" PRId64, rows[i].time,
                     rows[i].seconds, start);
        windows_free(w);
    }
    windows_free(NULL);
}

static const uint8_t origin[ORIGIN_OCTETS] = {1}, after_restart[ORIGIN_OCTETS] = {2};
static uint64_t seq; /* of the last reading */

/* A reading of the next delivery. */
static bool take(struct windows *w, const char *meter, bool suspect, int64_t time, int64_t counter)
{
    struct record r = {.reading = {.has_time = true, .time = time, .counter = counter}};

    r.seq = ++seq;
    memcpy(r.origin, origin, ORIGIN_OCTETS);
    snprintf(r.reading.meter, sizeof r.reading.meter, "%s", meter);
    snprintf(r.reading.suspect, sizeof r.reading.suspect, "%s", suspect ? "energy-falls" : "");
    return windows_take(w, &r);
}

static void commit(struct windows *w, uint64_t first, uint64_t last)
{
    const struct ack_range range = {first, last, 0};

    windows_committed(w, origin, &range);
}

#define A "5341475E40F89D93"
#define B "4B464D2D3281D0BF"

/* One memory, row by row, all committed at once: windows of 300 s begin at 900, 1200, 1500. */
static void what_must_go_to_the_database(void **state)
{
    static const struct row {
        const char *why, *meter;
        int64_t time, counter;
        bool goes;
    } rows[] = {
        {"the first of all", A, 1000, 50, true},
        {"a later one", A, 1005, 51, false},
        {"the last second of the window", A, 1199, 60, false},
        {"the remembered one again: its row may be lost", A, 1000, 50, true},
        {"the same time, a later counter", A, 1000, 51, false},
        {"the same time, an earlier counter", A, 1000, 49, true},
        {"what was remembered before that", A, 1000, 50, false},
        {"an earlier one of the window", A, 905, 30, true},
        {"the window's first second", A, 900, 29, true},
        {"now later", A, 905, 30, false},
        {"the window before: not remembered", A, 899, 28, true},
        {"the same once more", A, 899, 28, true},
        {"which forgot nothing", A, 905, 30, false},
        {"another meter", B, 1005, 51, true},
        {"its later one", B, 1006, 52, false},
        {"the next window", A, 1200, 61, true},
        {"its later one", A, 1300, 70, false},
        {"the other meter stands where it stood", B, 1007, 53, false},
        {"a straggler of the window before", A, 1150, 55, true},
        {"which forgot nothing", A, 1300, 70, false},
        {"a gap", A, 90000, 900, true},
        {"without counters", B, 1500, -1, true},
        {"the same again", B, 1500, -1, true},
        {"before 1970", "00", -1, 1, true},
        {"the same window", "00", -1, 2, false},
        {"its beginning", "00", -300, 3, true},
    };
    struct windows *w = windows_new(300);

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        if (take(w, rows[i].meter, false, rows[i].time, rows[i].counter) != rows[i].goes)
            fail_msg("%zu: %s", i, rows[i].why);
        else
            commit(w, seq, seq);
    assert_int_equal(windows_count(w), 3);
    windows_free(w);
}

/* Its time is the arrival's until the database has found the one of the same reading before. */
static void without_a_clock_all_goes(void **state)
{
    struct record r = {.reading = {.counter = -1}, .arrival_ms = 1000000};
    struct windows *w = windows_new(300);

    (void)state;
    snprintf(r.reading.meter, sizeof r.reading.meter, A);
    for (int i = 0; i < 3; i++) {
        r.seq = ++seq;
        assert_true(windows_take(w, &r));
        commit(w, seq, seq);
        r.arrival_ms += 5000;
    }
    windows_free(w);
}

/* Whatever the order, of all that goes the earliest of each window is among it. */
static void the_earliest_always_goes(void **state)
{
    enum { METERS = 5, WINDOWS = 4, READINGS = 4000 };
    unsigned seed = (unsigned)time(NULL);
    struct windows *w = windows_new(300);
    int64_t seen[METERS][WINDOWS], went[METERS][WINDOWS];

    (void)state;
    print_message("seed %u\n", seed);
    srandom(seed);
    for (int m = 0; m < METERS; m++)
        for (int i = 0; i < WINDOWS; i++)
            seen[m][i] = went[m][i] = INT64_MAX;
    for (int n = 0; n < READINGS; n++) {
        int m = (int)random() % METERS;
        int64_t at = random() % (300 * WINDOWS), *s = &seen[m][at / 300], *g = &went[m][at / 300];
        char meter[17];

        snprintf(meter, sizeof meter, "%016d", m);
        *s = at < *s ? at : *s;
        if (take(w, meter, false, at, at))
            *g = at < *g ? at : *g;
        if (random() % 4 == 0)
            commit(w, seq, seq);
        if (*g != *s)
            fail_msg("reading %d: %" PRId64 " went, %" PRId64 " is the earliest", n, *g, *s);
    }
    assert_int_equal(windows_count(w), METERS);
    windows_free(w);
}

/* What is only on its way may yet be refused, or lost with its journal. */
static void only_what_is_committed_is_a_ground(void **state)
{
    const struct ack_range others[] = {{1, 1, 1}, {2, 100, 0}, {UINT64_MAX, UINT64_MAX, 0}};
    const struct ack_range whole = {0, UINT64_MAX, 0};
    struct windows *w = windows_new(300);

    (void)state;
    seq = 0;
    assert_true(take(w, A, false, 1000, 50));
    assert_true(take(w, A, false, 1005, 51));
    for (size_t i = 0; i < COUNT(others); i++)
        windows_committed(w, origin, &others[i]);
    windows_committed(w, after_restart, &(const struct ack_range){1, 1, 0});
    windows_committed(w, origin, &whole); /* nobody commits that many: not worth looking at */
    assert_true(take(w, A, false, 1010, 52));
    commit(w, 1, 3);
    assert_false(take(w, A, false, 1015, 53));
    assert_true(take(w, A, false, 990, 49)); /* an earlier one is the new ground */
    assert_true(take(w, A, false, 1020, 54));
    commit(w, seq - 1, seq - 1);
    assert_false(take(w, A, false, 1025, 55));
    windows_free(w);
}

/* Another decryptor may find suspect what the first did not: it is the same reading all the same.
 */
static void the_remembered_one_goes_again_though_suspect(void **state)
{
    struct windows *w = windows_new(300);

    (void)state;
    assert_true(take(w, A, false, 1000, 50));
    commit(w, seq, seq);
    assert_true(take(w, A, true, 1000, 50));
    windows_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_are_aligned_to_utc),
        cmocka_unit_test(what_must_go_to_the_database),
        cmocka_unit_test(without_a_clock_all_goes),
        cmocka_unit_test(the_earliest_always_goes),
        cmocka_unit_test(only_what_is_committed_is_a_ground),
        cmocka_unit_test(the_remembered_one_goes_again_though_suspect),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
