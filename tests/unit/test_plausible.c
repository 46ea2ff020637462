/* What a meter cannot have measured (a reject), and what is odd beside its other readings
 * (suspect). */
#include "tools.h"

#include <inttypes.h>
#include <stdio.h>

#include "plausible.h"

#define A "5341475E40F89D93"
#define B "4B464D2D3281D0BF"

enum { NOW_S = 1700000000 };

static struct record reading(const char *meter, int64_t time, int64_t win, int64_t wout)
{
    struct record r = {
        .type = RECORD_READING,
        .arrival_ms = NOW_S * 1000LL,
        .reading = {.has_time = true,
                    .time = time,
                    .values = {[FIELD_WIN] = {true, 0, win}, [FIELD_WOUT] = {true, 0, wout}}}};

    snprintf(r.reading.meter, sizeof r.reading.meter, "%s", meter);
    return r;
}

static void impossible_values_are_rejects(void **state)
{
    static const struct row {
        enum field field;
        int64_t mantissa;
        int8_t scaler;
        bool possible;
    } rows[] = {
        {FIELD_WIN, 0, 0, true},           {FIELD_WIN, -1, 0, false},
        {FIELD_WOUT, 4294967295, 3, true}, {FIELD_WOUT, -1, 3, false},
        {FIELD_PIN, 10000000, 0, true},    {FIELD_PIN, 10000001, 0, false},
        {FIELD_POUT, 10, 6, true},         {FIELD_POUT, 11, 6, false},
        {FIELD_U1, 0, -1, true},           {FIELD_U1, 10000, -1, true},
        {FIELD_U2, 10006, -1, false},      {FIELD_U3, -6, -1, false},
        {FIELD_I1, 10000, 0, true},        {FIELD_I2, 10001, 0, false},
        {FIELD_I3, -10001, 0, false},      {FIELD_PF, -1000, -3, true},
        {FIELD_PF, 2600, -3, false},       {FIELD_WIN, INT64_MAX, 18, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct record r = reading(A, NOW_S, 1, 1);

        r.reading.values[rows[i].field] = (struct quantity){true, rows[i].scaler, rows[i].mantissa};
        if ((plausible_reject(&r, true) == NULL) != rows[i].possible)
            fail_msg("%s %" PRId64 "e%d", field_name(rows[i].field), rows[i].mantissa,
                     rows[i].scaler);
    }
}

static void a_clock_ahead_is_a_reject_when_ours_is_right(void **state)
{
    struct record r = reading(A, NOW_S + 600, 1, 1);

    (void)state;
    assert_null(plausible_reject(&r, true));
    r.reading.time++;
    assert_non_null(plausible_reject(&r, true));
    assert_null(plausible_reject(&r, false));
    r.arrival_ms += 1000; /* its own arrival counts, whenever it is looked at */
    assert_null(plausible_reject(&r, true));
    r = reading(A, 0, 1, 1); /* a backlog of any age is welcome */
    assert_null(plausible_reject(&r, true));
    r.reading.has_time = false;
    r.reading.time = NOW_S + 100000;
    assert_null(plausible_reject(&r, true));
}

/* One memory, row by row. */
static void energy_along_the_meters_time(void **state)
{
    static const struct row {
        const char *why, *meter;
        int64_t time, win, wout;
        const char *suspect;
    } rows[] = {
        {"the first", A, 1000, 5000, 100, ""},
        {"the next", A, 1005, 5001, 100, ""},
        {"the same", A, 1005, 5001, 100, ""},
        {"lower in the same second: which was first?", A, 1005, 5000, 100, ""},
        {"it falls", A, 1010, 5000, 100, "energy-falls"},
        {"the other falls", A, 1015, 5002, 99, "energy-falls"},
        {"as if nothing had been", A, 1020, 5002, 100, ""},
        {"it jumps", A, 1025, 5002 + 1000, 100, "energy-jumps"},
        {"the other jumps", A, 1030, 5002, 3000, "energy-jumps"},
        {"200 kW are possible", A, 1056, 5002 + 2000, 100, ""},
        {"a backlog, older and lower", A, 900, 4990, 99, ""},
        {"older and higher", A, 950, 9000, 99, "energy-falls"},
        {"older and far lower", A, 1040, 100, 99, "energy-jumps"},
        {"a year later", A, 32000000, 9000000, 5000, ""},
        {"another meter", B, 1000, 1, 0, ""},
        {"its next", B, 1005, 2, 0, ""},
    };
    struct plausible *p = plausible_new();

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct record r = reading(rows[i].meter, rows[i].time, rows[i].win, rows[i].wout);
        const char *suspect = plausible_suspect(p, &r);

        if (strcmp(suspect, rows[i].suspect) != 0)
            fail_msg("%zu: %s: %s", i, rows[i].why, suspect);
    }
    plausible_free(p);
    plausible_free(NULL);
}

/* A meter that was swapped or reset under the same title: after a minute of it, it is believed. */
static void a_dozen_that_agree_are_the_new_truth(void **state)
{
    struct plausible *p = plausible_new();
    struct record r = reading(A, 1000, 5000000, 0);

    (void)state;
    assert_string_equal(plausible_suspect(p, &r), "");
    for (int i = 0; i < 12; i++) {
        r = reading(A, 1005 + 5 * i, i, 0);
        assert_string_equal(plausible_suspect(p, &r), "energy-falls");
    }
    r = reading(A, 1065, 12, 0);
    assert_string_equal(plausible_suspect(p, &r), "");
    r = reading(A, 1070, 13, 0);
    assert_string_equal(plausible_suspect(p, &r), "");
    plausible_free(p);
}

/* Odd ones that do not agree with one another never become it. */
static void a_dozen_that_disagree_are_not(void **state)
{
    struct plausible *p = plausible_new();
    struct record r = reading(A, 1000, 5000000, 0);

    (void)state;
    assert_string_equal(plausible_suspect(p, &r), "");
    for (int i = 0; i < 40; i++) {
        r = reading(A, 1005 + 5 * i, i % 2 == 0 ? 10 : 900000000, 0);
        assert_string_not_equal(plausible_suspect(p, &r), "");
    }
    plausible_free(p);
}

static void what_is_not_known_is_not_judged(void **state)
{
    struct plausible *p = plausible_new();
    struct record r = reading(A, 1000, 5000, 0);

    (void)state;
    assert_string_equal(plausible_suspect(p, &r), "");
    r = reading(A, 1005, 1, 0);
    r.reading.has_time = false;
    assert_string_equal(plausible_suspect(p, &r), "");
    r = reading(A, 1005, 1, 0);
    r.reading.values[FIELD_WIN].present = false;
    assert_string_equal(plausible_suspect(p, &r), "");
    plausible_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(impossible_values_are_rejects),
        cmocka_unit_test(a_clock_ahead_is_a_reject_when_ours_is_right),
        cmocka_unit_test(energy_along_the_meters_time),
        cmocka_unit_test(a_dozen_that_agree_are_the_new_truth),
        cmocka_unit_test(a_dozen_that_disagree_are_not),
        cmocka_unit_test(what_is_not_known_is_not_judged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
