/* When a load is switched on at surplus, and off again. */
#include "tools.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include "surplus.h"

#define A "5341475E40F89D93"

enum { NONE = INT32_MIN, UTC_S = 1686293880 };

static struct surplus begin(int64_t on_seconds)
{
    struct surplus s = {.meter = (char *)A,
                        .on_watts = 2000,
                        .off_watts = 100,
                        .on_seconds = on_seconds,
                        .silence_seconds = 60};

    assert_int_equal(surplus_open(&s), 0);
    return s;
}

/* A first delivery of just now. NONE: the meter does not send it. */
static struct record reading(int64_t in, int64_t out, int64_t now_ms)
{
    struct record r = {.type = RECORD_READING,
                       .arrival_ms = UTC_S * 1000LL + now_ms,
                       .reading = {.meter = A, .counter = now_ms}};

    r.reading.values[FIELD_PIN] = (struct quantity){.present = in != NONE, .mantissa = in};
    r.reading.values[FIELD_POUT] = (struct quantity){.present = out != NONE, .mantissa = out};
    return r;
}

static const char *take_record(struct surplus *s, const struct record *r, int64_t now_ms)
{
    struct buf message = {0};
    const char *verdict;

    assert_int_equal(record_pack(r, &message), 0);
    verdict = surplus_take(s, message.data, message.len, UTC_S * 1000LL + now_ms, now_ms);
    buf_free(&message);
    return verdict;
}

static void take(struct surplus *s, int64_t in, int64_t out, int64_t now_ms)
{
    struct record r = reading(in, out, now_ms);

    assert_string_equal(take_record(s, &r, now_ms), "live");
}

/* One memory, row by row. */
static void on_and_off(void **state)
{
    static const struct row {
        const char *why;
        int64_t second, in, out;
        bool on;
    } rows[] = {
        {"the first, far above", 5, 0, 5000, false},
        {"not long enough", 64, 0, 5000, false},
        {"long enough", 65, 0, 5000, true},
        {"the load takes its share", 70, 0, 900, true},
        {"just balanced", 75, 0, 0, true},
        {"as much import as is allowed", 80, 100, 0, true},
        {"one more", 85, 101, 0, false},
        {"surplus again", 90, 0, 2001, false},
        {"as much as is no surplus yet: it begins anew", 149, 0, 2000, false},
        {"and again", 150, 0, 2001, false},
        {"59 s of that", 209, 0, 2001, false},
        {"60 s", 210, 0, 2001, true},
        {"import and export are one sum", 215, 3000, 2900, true},
        {"also beyond", 220, 3000, 2899, false},
        {"on needs the sum, too", 225, 1000, 2500, false},
        {"for long", 280, 1000, 2500, false},
        {"and longer", 285, 1000, 2500, false},
    };
    struct surplus s = begin(60);

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        take(&s, rows[i].in, rows[i].out, rows[i].second * 1000);
        if (s.on != rows[i].on)
            fail_msg("%zu: %s", i, rows[i].why);
    }
    surplus_close(&s);
}

static void silence_is_off(void **state)
{
    struct surplus s = begin(60);

    (void)state;
    assert_false(surplus_step(&s, 1)); /* nothing was heard yet */
    assert_false(s.heard);
    take(&s, 0, 5000, 1000);
    take(&s, 0, 5000, 31000);
    take(&s, 0, 5000, 61000);
    assert_true(s.on);
    assert_true(surplus_step(&s, 120999));
    assert_true(s.heard);
    assert_false(surplus_step(&s, 121000));
    assert_false(s.heard);
    /* what was above before does not count afterwards */
    take(&s, 0, 5000, 122000);
    assert_false(s.on);
    take(&s, 0, 5000, 181999);
    assert_false(s.on);
    take(&s, 0, 5000, 182000);
    assert_true(s.on);
    /* nobody looked during the silence, and the next reading alone would keep it on */
    take(&s, 0, 0, 242000);
    assert_false(s.on);
    assert_true(s.heard);
    surplus_close(&s);
}

/* Without both powers nothing can be decided: as if nothing had come. */
static void half_a_reading_counts_as_none(void **state)
{
    static const struct row {
        const char *why;
        int64_t in, out;
    } rows[] = {
        {"no export", 0, NONE},          {"no import", NONE, 5000},
        {"neither", NONE, NONE},         {"negative", -5000, 0},
        {"no home's", 0, INT64_MAX},     {"their difference has no room", INT64_MAX, INT64_MIN + 1},
        {"negative export", 5000, -200},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct surplus s = begin(0);

        take(&s, rows[i].in, rows[i].out, 1000);
        if (s.on || s.heard)
            fail_msg("%s: taken", rows[i].why);
        take(&s, 0, 5000, 2000);
        assert_true(s.on);
        take(&s, rows[i].in, rows[i].out, 61999);
        if (!s.on || surplus_step(&s, 62000))
            fail_msg("%s: taken as a sign of life", rows[i].why);
        surplus_close(&s);
    }
}

/* Each would switch it off, and be a sign of life. */
static void what_is_not_live_says_nothing(void **state)
{
    struct surplus s = begin(0);
    struct record r;

    (void)state;
    assert_string_equal(s.topic, "reading." A);
    take(&s, 0, 5000, 1000);
    assert_true(s.on);
    r = reading(5000, 0, 50000);
    r.attempt = 1;
    assert_string_equal(take_record(&s, &r, 50000), "redelivered");
    r = reading(5000, 0, -20000);
    assert_string_equal(take_record(&s, &r, 50000), "late");
    r = reading(5000, 0, 1000);
    assert_string_equal(take_record(&s, &r, 50000), "stale");
    r = reading(5000, 0, 50000);
    strcpy(r.reading.suspect, "energy-jumps");
    assert_string_equal(take_record(&s, &r, 50000), "suspect");
    r = reading(5000, 0, 50000);
    r.type = RECORD_DEBOUNCED;
    assert_string_equal(take_record(&s, &r, 50000), "unreadable");
    assert_string_equal(surplus_take(&s, (const uint8_t *)"\xA0", 1, 0, 50000), "unreadable");
    assert_true(s.on);
    assert_false(surplus_step(&s, 61000));
    surplus_close(&s);
}

static void meters_have_ids(void **state)
{
    static const struct row {
        const char *meter;
        int rc;
    } rows[] = {
        {"", -EINVAL},
        {A, 0},
        {"5341475E40F89D9", -EINVAL},
        {"5341475E40F89D930", -EINVAL},
        {"5341475e40f89d93", -EINVAL},
        {"5341475E40F89D9G", -EINVAL},
        {"Keller", -EINVAL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct surplus s = {.meter = (char *)rows[i].meter};

        if (surplus_check(&s) != rows[i].rc)
            fail_msg("%s", rows[i].meter);
    }
}

/* Powers come with a scaler; 2.5 kW are 2500 W. */
static void scalers_are_applied(void **state)
{
    struct surplus s = begin(0);
    struct record r = reading(0, 0, 1000);

    (void)state;
    r.reading.values[FIELD_POUT] =
        (struct quantity){.present = true, .mantissa = 20004, .scaler = -1};
    assert_string_equal(take_record(&s, &r, 1000), "live");
    assert_false(s.on);
    r = reading(0, 0, 2000);
    r.reading.values[FIELD_POUT] = (struct quantity){.present = true, .mantissa = 25, .scaler = 2};
    assert_string_equal(take_record(&s, &r, 2000), "live");
    assert_true(s.on);
    surplus_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_and_off),
        cmocka_unit_test(silence_is_off),
        cmocka_unit_test(half_a_reading_counts_as_none),
        cmocka_unit_test(what_is_not_live_says_nothing),
        cmocka_unit_test(meters_have_ids),
        cmocka_unit_test(scalers_are_applied),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
