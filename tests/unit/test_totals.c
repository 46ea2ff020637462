/* Counters as they may be shown, and totals per day and month. */
#include "tools.h"

#include <errno.h>
#include <inttypes.h>

#include "instants.h"
#include "totals.h"
#include "zone.h"

#define METER "5341475E40F89D93"
#define NONE  TOTALS_UNKNOWN

static struct totals_shown shown[TOTALS_FLOWS];

/* A reading with these counters; NONE: the meter does not send it. */
static void take(struct totals *t, int64_t time, int64_t win, int64_t wout)
{
    struct reading r = {0};

    if (win != NONE)
        r.values[FIELD_WIN] = (struct quantity){true, 0, win};
    if (wout != NONE)
        r.values[FIELD_WOUT] = (struct quantity){true, 0, wout};
    totals_take(t, time, &r, shown);
}

static void check(const char *why, enum totals_flow flow, int64_t wh, int64_t today, int64_t month)
{
    const struct totals_shown *s = &shown[flow];

    if (s->wh != wh || s->period[TOTALS_DAY] != today || s->period[TOTALS_MONTH] != month)
        fail_msg("%s: %" PRId64 ", today %" PRId64 ", month %" PRId64, why, s->wh,
                 s->period[TOTALS_DAY], s->period[TOTALS_MONTH]);
}

/* What a process keeps over its end. */
static void restart(struct totals *t)
{
    char *text = totals_save(t, METER), meter[METER_ID_CHARS + 1];
    struct totals saved;

    assert_non_null(text);
    assert_int_equal(totals_load(text, strlen(text), meter, &saved), 0);
    assert_string_equal(meter, METER);
    free(text);
    *t = (struct totals){0};
    totals_merge(t, &saved);
}

/* --- days and months ------------------------------------------------------------------- */

static void a_day_begins_between_two_readings(void **state)
{
    struct totals t = {0};

    (void)state;
    take(&t, at("2026-11-23T23:59:50+01:00"), 1000000, 500);
    check("nothing is known yet", TOTALS_IMPORT, 1000000, NONE, NONE);
    check("nor of export", TOTALS_EXPORT, 500, NONE, NONE);
    take(&t, at("2026-11-24T00:00:30+01:00"), 1000040, 500);
    check("a quarter of the way was yesterday", TOTALS_IMPORT, 1000040, 30, NONE);
    check("no export is a total of 0", TOTALS_EXPORT, 500, 0, NONE);
    take(&t, at("2026-11-24T23:59:55+01:00"), 1010010, 500);
    check("the whole day", TOTALS_IMPORT, 1010010, 10000, NONE);
    take(&t, at("2026-11-25T00:00:00+01:00"), 1010012, 510);
    check("midnight itself", TOTALS_IMPORT, 1010012, 0, NONE);
    check("export at midnight", TOTALS_EXPORT, 510, 0, NONE);
}

static void a_month_begins_with_its_first_day(void **state)
{
    struct totals t = {0};

    (void)state;
    take(&t, at("2026-11-30T23:59:58+01:00"), 5000, NONE);
    take(&t, at("2026-12-01T00:00:03+01:00"), 5005, NONE);
    check("both from one instant", TOTALS_IMPORT, 5005, 3, 3);
    check("not sent", TOTALS_EXPORT, NONE, NONE, NONE);
    take(&t, at("2026-12-01T23:59:58+01:00"), 6000, NONE);
    take(&t, at("2026-12-02T00:00:02+01:00"), 6004, NONE);
    check("the day anew, the month goes on", TOTALS_IMPORT, 6004, 2, 1002);
    take(&t, at("2026-12-31T23:59:59+01:00"), 9001, NONE);
    take(&t, at("2027-01-01T00:00:01+01:00"), 9003, NONE);
    check("a new year", TOTALS_IMPORT, 9003, 1, 1);
}

static void the_first_reading_may_be_at_midnight(void **state)
{
    struct totals t = {0};

    (void)state;
    take(&t, at("2026-12-01T00:00:00+01:00"), 5000, 0);
    check("it is the beginning", TOTALS_IMPORT, 5000, 0, 0);
}

/* 100 W for days, a reading a minute: each day's total is its hours, also with 23 and 25. */
static void clock_changes_count_each_hour_once(void **state)
{
    static const struct row {
        const char *from, *to;
        int64_t last_day; /* at its last reading: a minute short of its hours */
    } rows[] = {
        {"2026-03-28T12:00:00+01:00", "2026-03-30T00:00:00+02:00", 2300 - 2},
        {"2026-10-24T12:00:00+02:00", "2026-10-26T00:00:00+01:00", 2500 - 2},
        {"2026-11-23T12:00:00+01:00", "2026-11-25T00:00:00+01:00", 2400 - 2},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct totals t = {0};
        int64_t before = NONE;

        for (int64_t s = at(rows[i].from); s < at(rows[i].to); s += 60) {
            take(&t, s, 1000000 + (s - at(rows[i].from)) / 36, NONE);
            if (shown[TOTALS_IMPORT].period[TOTALS_DAY] < before)
                fail_msg("%s: it falls", rows[i].from);
            before = shown[TOTALS_IMPORT].period[TOTALS_DAY];
        }
        assert_in_range(shown[TOTALS_IMPORT].period[TOTALS_DAY], rows[i].last_day,
                        rows[i].last_day + 1);
    }
}

static void a_gap_over_midnight_is_divided(void **state)
{
    struct totals t = {0};

    (void)state;
    take(&t, at("2026-11-22T22:00:00+01:00"), 1000, NONE);
    take(&t, at("2026-11-24T06:00:00+01:00"), 9000, NONE);
    check("6 of 32 hours are today's", TOTALS_IMPORT, 9000, 1500, NONE);
}

/* --- what is not believed -------------------------------------------------------------- */

static void a_lower_counter_is_not_shown(void **state)
{
    int64_t s = at("2026-11-24T00:00:00+01:00");
    struct totals t = {0};

    (void)state;
    take(&t, s, 1000000, 700);
    take(&t, s + 3600, 1002000, 700);
    check("before", TOTALS_IMPORT, 1002000, 2000, NONE);
    take(&t, s + 3605, 0, 700);
    check("zero by accident", TOTALS_IMPORT, NONE, NONE, NONE);
    check("the other one is its own", TOTALS_EXPORT, 700, 0, NONE);
    take(&t, s + 3610, 1001999, 700);
    check("a little lower", TOTALS_IMPORT, NONE, NONE, NONE);
    take(&t, s + 3615, 1002010, 700);
    check("it goes on", TOTALS_IMPORT, 1002010, 2010, NONE);
}

static void a_leap_is_not_shown(void **state)
{
    int64_t s = at("2026-11-24T00:00:00+01:00");
    struct totals t = {0};

    (void)state;
    take(&t, s, 1000000, NONE);
    take(&t, s + 5, 1000378, NONE);
    check("more than 200 kW and 100 Wh", TOTALS_IMPORT, NONE, NONE, NONE);
    take(&t, s + 10, 1000655, NONE);
    check("just not more", TOTALS_IMPORT, 1000655, 655, NONE);
}

static void a_dozen_in_a_row_are_the_new_truth(void **state)
{
    int64_t s = at("2026-12-01T00:00:00+01:00");
    struct totals t = {0};

    (void)state;
    take(&t, s, 1000000, NONE);
    take(&t, s + 7200, 1005000, NONE);
    for (int i = 1; i <= 12; i++) {
        take(&t, s + 7200 + 5 * i, 10 + i, NONE);
        check("not yet", TOTALS_IMPORT, NONE, NONE, NONE);
    }
    take(&t, s + 7265, 23, NONE);
    check("totals go on from where they were", TOTALS_IMPORT, 23, 5000, 5000);
    take(&t, s + 7270, 30, NONE);
    check("and count what the new one counts", TOTALS_IMPORT, 30, 5007, 5007);
    take(&t, s + 86410, 1030, NONE);
    check("the next day", TOTALS_IMPORT, 1030, 0, 6007);
}

/* Odd ones that do not agree with one another are no meter. */
static void a_row_must_agree(void **state)
{
    int64_t s = at("2026-12-01T00:00:00+01:00");
    struct totals t = {0};

    (void)state;
    take(&t, s, 1000000, NONE);
    for (int i = 1; i <= 40; i++) {
        take(&t, s + 5 * i, 5000 - i, NONE);
        check("each lower than the one before", TOTALS_IMPORT, NONE, NONE, NONE);
    }
    for (int i = 1; i <= 12; i++)
        take(&t, s + 300 + 5 * i, 10, NONE);
    take(&t, s + 365, 1000010, NONE);
    check("the old one is back in time", TOTALS_IMPORT, 1000010, 10, 10);
    take(&t, s + 370, 10, NONE);
    check("a row begins anew", TOTALS_IMPORT, NONE, NONE, NONE);
}

static void a_replacement_over_midnight_begins_unknown(void **state)
{
    int64_t s = at("2026-12-02T00:00:00+01:00");
    struct totals t = {0};

    (void)state;
    take(&t, at("2026-12-01T00:00:00+01:00"), 1000000, NONE);
    take(&t, s - 3600, 1009000, NONE);
    for (int i = 0; i <= 12; i++)
        take(&t, s - 30 + 5 * i, 100 + i, NONE);
    check("the day's start is not known, the month goes on", TOTALS_IMPORT, 112, NONE, 9000);
}

/* A clock that is set back: the row of days is not known any more, and nothing falls. */
static void a_clock_that_goes_back(void **state)
{
    struct totals t = {0};

    (void)state;
    take(&t, at("2026-11-24T00:00:00+01:00"), 1000, NONE);
    take(&t, at("2026-11-24T12:00:00+01:00"), 2000, NONE);
    take(&t, at("2026-11-24T11:00:00+01:00"), 2001, NONE);
    check("within the day", TOTALS_IMPORT, 2001, 1001, NONE);
    take(&t, at("2026-11-23T11:00:00+01:00"), 2002, NONE);
    check("into the day before", TOTALS_IMPORT, 2002, NONE, NONE);
    take(&t, at("2026-11-24T11:00:00+01:00"), 2026, NONE);
    check("and forth", TOTALS_IMPORT, 2026, 11, NONE);
}

/* --- over a restart -------------------------------------------------------------------- */

static void a_restart_keeps_totals(void **state)
{
    struct totals t = {0};

    (void)state;
    take(&t, at("2026-11-30T23:59:50+01:00"), 1000000, 500);
    take(&t, at("2026-12-01T00:00:10+01:00"), 1000020, 500);
    take(&t, at("2026-12-01T12:00:00+01:00"), 1005010, 900);
    restart(&t);
    take(&t, at("2026-12-01T12:01:00+01:00"), 1005020, 900);
    check("import", TOTALS_IMPORT, 1005020, 5010, 5010);
    check("export", TOTALS_EXPORT, 900, 400, 400);
    restart(&t);
    take(&t, at("2026-12-02T12:01:00+01:00"), 1007420, 900);
    check("away over midnight", TOTALS_IMPORT, 1007420, 1202, 7410);
    take(&t, at("2026-12-02T12:01:05+01:00"), 1007421, 900);
    restart(&t);
    take(&t, at("2026-12-02T12:01:06+01:00"), 1007420, 900);
    check("nothing falls over a restart", TOTALS_IMPORT, NONE, NONE, NONE);
}

static void nothing_known_is_saved_and_loaded(void **state)
{
    struct totals t = {0};

    (void)state;
    restart(&t);
    take(&t, at("2026-12-02T12:00:00+01:00"), 10, NONE);
    check("anew", TOTALS_IMPORT, 10, NONE, NONE);
    restart(&t);
    take(&t, at("2026-12-02T12:00:05+01:00"), 10, NONE);
    check("still not known", TOTALS_IMPORT, 10, NONE, NONE);
}

/* The saved state comes after the first readings: what they could not know is added. */
static void what_is_heard_late_is_added(void **state)
{
    struct totals t = {0}, saved = {0};

    (void)state;
    take(&saved, at("2026-12-01T00:00:00+01:00"), 1000, NONE);
    take(&saved, at("2026-12-02T00:00:00+01:00"), 2000, NONE);
    take(&saved, at("2026-12-02T10:00:00+01:00"), 3000, NONE);
    take(&t, at("2026-12-02T12:00:00+01:00"), 3200, NONE);
    check("not known", TOTALS_IMPORT, 3200, NONE, NONE);
    totals_merge(&t, &saved);
    take(&t, at("2026-12-02T12:00:05+01:00"), 3201, NONE);
    check("known", TOTALS_IMPORT, 3201, 1201, 2201);
    totals_merge(&t, &(struct totals){0});
    take(&t, at("2026-12-02T12:00:10+01:00"), 3202, NONE);
    check("an empty one takes nothing away", TOTALS_IMPORT, 3202, 1202, 2202);
    saved.counters[TOTALS_IMPORT].begin[TOTALS_DAY].wh = 1;
    totals_merge(&t, &saved);
    take(&t, at("2026-12-02T12:00:15+01:00"), 3203, NONE);
    check("what is known stays", TOTALS_IMPORT, 3203, 1203, 2203);
    t = (struct totals){0};
    take(&t, at("2026-12-03T12:00:00+01:00"), 9000, NONE);
    totals_merge(&t, &saved);
    take(&t, at("2026-12-03T12:00:05+01:00"), 9000, NONE);
    check("a day that began between", TOTALS_IMPORT, 9000, 2769, 8000);
    t = (struct totals){0};
    take(&t, at("2026-12-03T12:00:00+01:00"), 2999, NONE);
    totals_merge(&t, &saved);
    take(&t, at("2026-12-03T12:00:05+01:00"), 2999, NONE);
    check("another counter's line is none", TOTALS_IMPORT, 2999, NONE, 1999);
}

static void texts_from_outside(void **state)
{
    static const struct row {
        const char *why, *text;
        int rc;
        bool known, day;
    } rows[] = {
        {"sound",
         "{\"v\":1,\"meter\":\"" METER "\",\"import\":{\"time\":1764630000,\"wh\":10,\"day\":"
         "{\"start\":1764543600,\"wh\":1}}}",
         0, true, true},
        {"a day after the reading",
         "{\"v\":1,\"meter\":\"" METER "\",\"import\":{\"time\":1764630000,\"wh\":10,\"day\":"
         "{\"start\":1764630001,\"wh\":1}}}",
         0, true, false},
        {"more at the start than now",
         "{\"v\":1,\"meter\":\"" METER "\",\"import\":{\"time\":1764630000,\"wh\":10,\"day\":"
         "{\"start\":1764543600,\"wh\":11}}}",
         0, true, false},
        {"no counter", "{\"v\":1,\"meter\":\"" METER "\",\"import\":{\"time\":1764630000}}", 0,
         false, false},
        {"a counter below zero",
         "{\"v\":1,\"meter\":\"" METER "\",\"import\":{\"time\":1764630000,\"wh\":-1}}", 0, false,
         false},
        {"a text for a number",
         "{\"v\":1,\"meter\":\"" METER "\",\"import\":{\"time\":\"x\",\"wh\":1}}", 0, false, false},
        {"beyond any counter",
         "{\"v\":1,\"meter\":\"" METER "\",\"import\":{\"time\":1,\"wh\":9223372036854775807}}", 0,
         false, false},
        {"of another type", "{\"v\":1,\"meter\":\"" METER "\",\"import\":[1]}", 0, false, false},
        {"another version", "{\"v\":2,\"meter\":\"" METER "\"}", -EPROTO, false, false},
        {"no version", "{\"meter\":\"" METER "\"}", -EPROTO, false, false},
        {"no meter", "{\"v\":1}", -EPROTO, false, false},
        {"a short meter", "{\"v\":1,\"meter\":\"5341\"}", -EPROTO, false, false},
        {"no object", "[]", -EPROTO, false, false},
        {"no JSON", "{\"v\":1,", -EPROTO, false, false},
        {"nothing", "", -EPROTO, false, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct octets text = octets_copy((const uint8_t *)rows[i].text, strlen(rows[i].text));
        struct totals t = {.counters[TOTALS_IMPORT].wh = 4711};
        char meter[METER_ID_CHARS + 1] = "untouched";

        if (totals_load((const char *)text.at, text.len, meter, &t) != rows[i].rc)
            fail_msg("%s", rows[i].why);
        if (rows[i].rc != 0) {
            assert_string_equal(meter, "untouched");
            assert_int_equal(t.counters[TOTALS_IMPORT].wh, 4711);
        } else if (t.counters[TOTALS_IMPORT].known != rows[i].known ||
                   (t.counters[TOTALS_IMPORT].begin[TOTALS_DAY].wh != NONE) != rows[i].day ||
                   t.counters[TOTALS_EXPORT].known) {
            fail_msg("%s: %d", rows[i].why, t.counters[TOTALS_IMPORT].known);
        }
        free(text.at);
    }
}

/* The time of a meter may be anything. */
static void extremes_do_no_harm(void **state)
{
    static const int64_t times[] = {0, INT64_C(1) << 40, -(INT64_C(1) << 40), 1764630000,
                                    253402300799};
    static const int64_t counters[] = {0, 1, 4294967295, INT64_MAX / 2};

    (void)state;
    for (size_t i = 0; i < COUNT(times); i++)
        for (size_t j = 0; j < COUNT(counters); j++) {
            struct totals t = {0};

            take(&t, times[i], counters[j], counters[j]);
            for (size_t k = 0; k < COUNT(times); k++)
                take(&t, times[k], counters[(j + k) % COUNT(counters)], 0);
        }
}

static int use_zone(void **state)
{
    (void)state;
    return zone_use("Europe/Vienna");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_day_begins_between_two_readings),
        cmocka_unit_test(a_month_begins_with_its_first_day),
        cmocka_unit_test(the_first_reading_may_be_at_midnight),
        cmocka_unit_test(clock_changes_count_each_hour_once),
        cmocka_unit_test(a_gap_over_midnight_is_divided),
        cmocka_unit_test(a_lower_counter_is_not_shown),
        cmocka_unit_test(a_leap_is_not_shown),
        cmocka_unit_test(a_dozen_in_a_row_are_the_new_truth),
        cmocka_unit_test(a_row_must_agree),
        cmocka_unit_test(a_replacement_over_midnight_begins_unknown),
        cmocka_unit_test(a_clock_that_goes_back),
        cmocka_unit_test(a_restart_keeps_totals),
        cmocka_unit_test(nothing_known_is_saved_and_loaded),
        cmocka_unit_test(what_is_heard_late_is_added),
        cmocka_unit_test(texts_from_outside),
        cmocka_unit_test(extremes_do_no_harm),
    };

    return cmocka_run_group_tests(tests, use_zone, NULL);
}
