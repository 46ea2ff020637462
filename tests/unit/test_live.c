/* Which readings are live values, and on which topic. */
#include "tools.h"

#include <stdio.h>

#include "live.h"

#define A "5341475E40F89D93"
#define B "4B464D2D3281D0BF"

enum { NOW_S = 1686293880 };

/* One memory, row by row. */
static void what_is_live(void **state)
{
    static const struct row {
        const char *why, *meter;
        uint32_t attempt;
        int64_t age_ms, time, counter; /* time before NOW_S; age of the arrival */
        enum live_verdict verdict;
    } rows[] = {
        {"the first", A, 0, 100, 10, 50, LIVE},
        {"the same again", A, 0, 100, 10, 50, LIVE_STALE},
        {"the next", A, 0, 100, 5, 51, LIVE},
        {"an older one", A, 0, 100, 6, 52, LIVE_STALE},
        {"the same second, a later counter", A, 0, 100, 5, 52, LIVE},
        {"the same second, an earlier counter", A, 0, 100, 5, 51, LIVE_STALE},
        {"another meter", B, 0, 100, 20, 1, LIVE},
        {"a second delivery", B, 1, 100, 4, 53, LIVE_REDELIVERED},
        {"a tenth", B, 9, 100, 4, 53, LIVE_REDELIVERED},
        {"arrived long ago", B, 0, 60001, 4, 53, LIVE_LATE},
        {"long ago and again", B, 2, 60001, 4, 53, LIVE_REDELIVERED},
        {"what was not shown is not the last shown", B, 0, 100, 4, 53, LIVE},
        {"nearly a minute ago", A, 0, 59999, 3, 60, LIVE},
        {"an arrival ahead of this clock", A, 0, -500, 2, 61, LIVE},
        {"a new key: counters start again", A, 0, 100, 1, 0, LIVE},
        {"a clock far ahead", A, 0, 100, -86400, 70, LIVE},
        {"the same again", A, 0, 100, -86400, 70, LIVE_STALE},
        {"the clock set right again", A, 0, 100, 0, 71, LIVE},
        {"and older than that", A, 0, 100, 1, 72, LIVE_STALE},
    };
    struct live *l = live_new(0);

    (void)state;
    assert_int_equal(live_meters(l), 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct record r = {.type = RECORD_READING,
                           .attempt = rows[i].attempt,
                           .arrival_ms = NOW_S * 1000LL - rows[i].age_ms,
                           .reading = {.has_time = true,
                                       .time = NOW_S - rows[i].time,
                                       .counter = rows[i].counter}};
        enum live_verdict v;

        snprintf(r.reading.meter, sizeof r.reading.meter, "%s", rows[i].meter);
        v = live_judge(l, &r, NOW_S * 1000LL);
        if (v != rows[i].verdict)
            fail_msg("%zu: %s: %s", i, rows[i].why, live_name(v));
    }
    assert_int_equal(live_meters(l), 2);
    live_free(l);
    live_free(NULL);
}

/* One memory, row by row: an old telegram of a meter with a good clock is not live. */
static void meter_time_is_near_its_arrival(void **state)
{
    static const struct row {
        const char *why, *meter;
        int64_t ago;
        uint32_t attempt;
        enum live_verdict verdict;
    } rows[] = {
        {"a meter whose clock was never right", A, 864000, 0, LIVE},
        {"its next", A, 863995, 0, LIVE},
        {"its clock is set", A, 10800, 0, LIVE},
        {"and it is held to that", A, 10801, 0, LIVE_CLOCK},
        {"far older", A, 864000, 0, LIVE_CLOCK},
        {"ahead", A, -10801, 0, LIVE_CLOCK},
        {"a little ahead", A, -10800, 0, LIVE},
        {"what is not shown tells of the clock, too", B, 5, 3, LIVE_REDELIVERED},
        {"an old one, though nothing was shown", B, 86400, 0, LIVE_CLOCK},
        {"a new one", B, 0, 0, LIVE},
    };
    struct live *l = live_new(10800);

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct record r = {.arrival_ms = NOW_S * 1000LL,
                           .attempt = rows[i].attempt,
                           .reading = {.has_time = true, .time = NOW_S - rows[i].ago}};

        snprintf(r.reading.meter, sizeof r.reading.meter, "%s", rows[i].meter);
        if (live_judge(l, &r, NOW_S * 1000LL) != rows[i].verdict)
            fail_msg("%zu: %s", i, rows[i].why);
    }
    live_free(l);
}

/* A suspect one is not shown, and is not the last shown. */
static void a_suspect_one_is_kept_back(void **state)
{
    struct live *l = live_new(0);
    struct record r = {
        .arrival_ms = NOW_S * 1000LL,
        .reading = {.meter = A, .has_time = true, .time = NOW_S, .suspect = "energy-falls"}};

    (void)state;
    assert_int_equal(live_judge(l, &r, NOW_S * 1000LL), LIVE_SUSPECT);
    r.reading.suspect[0] = '\0';
    assert_int_equal(live_judge(l, &r, NOW_S * 1000LL), LIVE);
    live_free(l);
}

/* A meter without a clock is judged by arrival. */
static void without_a_clock_arrival_counts(void **state)
{
    struct live *l = live_new(0);
    struct record r = {
        .arrival_ms = NOW_S * 1000LL - 5000, .reading.counter = -1, .reading.meter = A};

    (void)state;
    assert_int_equal(live_judge(l, &r, NOW_S * 1000LL), LIVE);
    assert_int_equal(live_judge(l, &r, NOW_S * 1000LL), LIVE_STALE);
    r.arrival_ms += 1000;
    assert_int_equal(live_judge(l, &r, NOW_S * 1000LL), LIVE);
    live_free(l);
}

static void verdicts_have_names(void **state)
{
    (void)state;
    assert_string_equal(live_name(LIVE), "live");
    assert_string_equal(live_name(LIVE_REDELIVERED), "redelivered");
    assert_string_equal(live_name(LIVE_LATE), "late");
    assert_string_equal(live_name(LIVE_STALE), "stale");
    assert_string_equal(live_name(LIVE_SUSPECT), "suspect");
    assert_string_equal(live_name(LIVE_CLOCK), "clock");
}

static void topics_of_readings(void **state)
{
    static const struct row {
        const char *why, *pattern, *name;
        size_t size;
        const char *topic;
    } rows[] = {
        {"no placeholder", "sensors/smartmeter/values", "Keller", 64, "sensors/smartmeter/values"},
        {"the id", "s/{meter}/values", "Keller", 64, "s/" A "/values"},
        {"the name", "s/{name}/values", "Keller", 64, "s/Keller/values"},
        {"no name: the id", "s/{name}", "", 64, "s/" A},
        {"both", "{name}/{meter}", "k", 64, "k/" A},
        {"twice", "{name}{name}", "k", 64, "kk"},
        {"what means something in topics", "s/{name}", "+1/#2/x", 64, "s/_1__2_x"},
        {"UTF-8", "s/{name}",
         "K\xC3\xBC"
         "che 1",
         64,
         "s/K\xC3\xBC"
         "che 1"},
        {"a name is no pattern", "s/{name}", "{meter}", 64, "s/{meter}"},
        {"unknown ones stay", "s/{place}/{Name}", "k", 64, "s/{place}/{Name}"},
        {"open ones stay", "s/{meter", "k", 64, "s/{meter"},
        {"other braces stay", "s/{}/}", "k", 64, "s/{}/}"},
        {"empty", "", "k", 64, ""},
        {"cut in the pattern", "sensors/{name}", "k", 5, "sens"},
        {"cut in the name", "s/{name}/values", "Keller", 6, "s/Kel"},
        {"cut behind the name", "s/{name}/values", "Keller", 9, "s/Keller"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct reading r = {.meter = A};
        char *topic = malloc(rows[i].size);

        snprintf(r.name, sizeof r.name, "%s", rows[i].name);
        live_topic(rows[i].pattern, &r, topic, rows[i].size);
        if (strcmp(topic, rows[i].topic) != 0)
            fail_msg("%s: %s", rows[i].why, topic);
        free(topic);
    }
}

static void filters_of_topics(void **state)
{
    static const struct row {
        const char *pattern, *filter;
        bool tells;
    } rows[] = {
        {"sensors/smartmeter/values", "sensors/smartmeter/values", false},
        {"s/{meter}/values", "s/+/values", true},
        {"s/m-{name}", "s/+", true},
        {"{name}/{meter}", "+/+", true},
        {"s/{place}", "s/+", false},
        {"", "", false},
        {"/", "/", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char filter[64];

        live_filter(rows[i].pattern, filter, sizeof filter);
        if (strcmp(filter, rows[i].filter) != 0)
            fail_msg("%s: %s", rows[i].pattern, filter);
        if (live_topic_tells(rows[i].pattern) != rows[i].tells)
            fail_msg("%s: %d", rows[i].pattern, !rows[i].tells);
        live_filter(rows[i].pattern, filter, 3);
        assert_true(strlen(filter) < 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_live),
        cmocka_unit_test(meter_time_is_near_its_arrival),
        cmocka_unit_test(a_suspect_one_is_kept_back),
        cmocka_unit_test(without_a_clock_arrival_counts),
        cmocka_unit_test(verdicts_have_names),
        cmocka_unit_test(topics_of_readings),
        cmocka_unit_test(filters_of_topics),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
