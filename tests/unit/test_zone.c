/* Where days and months begin, over both clock changes and where midnight does not exist. */
#include "tools.h"

#include <errno.h>
#include <inttypes.h>

#include "instants.h"
#include "zone.h"

static void days_and_months_begin(void **state)
{
    static const struct row {
        const char *why, *zone, *second, *day, *month;
    } rows[] = {
        {"winter", "Europe/Vienna", "2026-11-24T12:00:00+01:00", "2026-11-24T00:00:00+01:00",
         "2026-11-01T00:00:00+01:00"},
        {"the very start", "Europe/Vienna", "2026-11-24T00:00:00+01:00",
         "2026-11-24T00:00:00+01:00", "2026-11-01T00:00:00+01:00"},
        {"a second before it", "Europe/Vienna", "2026-11-23T23:59:59+01:00",
         "2026-11-23T00:00:00+01:00", "2026-11-01T00:00:00+01:00"},
        {"summer: yesterday in UTC", "Europe/Vienna", "2026-07-15T00:30:00+02:00",
         "2026-07-15T00:00:00+02:00", "2026-07-01T00:00:00+02:00"},
        {"the day of 23 hours, before", "Europe/Vienna", "2026-03-29T01:59:59+01:00",
         "2026-03-29T00:00:00+01:00", "2026-03-01T00:00:00+01:00"},
        {"after", "Europe/Vienna", "2026-03-29T03:00:00+02:00", "2026-03-29T00:00:00+01:00",
         "2026-03-01T00:00:00+01:00"},
        {"its end", "Europe/Vienna", "2026-03-29T23:59:59+02:00", "2026-03-29T00:00:00+01:00",
         "2026-03-01T00:00:00+01:00"},
        {"the day behind it", "Europe/Vienna", "2026-03-30T00:00:00+02:00",
         "2026-03-30T00:00:00+02:00", "2026-03-01T00:00:00+01:00"},
        {"the day of 25 hours, first 2:30", "Europe/Vienna", "2026-10-25T02:30:00+02:00",
         "2026-10-25T00:00:00+02:00", "2026-10-01T00:00:00+02:00"},
        {"second 2:30", "Europe/Vienna", "2026-10-25T02:30:00+01:00", "2026-10-25T00:00:00+02:00",
         "2026-10-01T00:00:00+02:00"},
        {"its 25th hour", "Europe/Vienna", "2026-10-25T23:30:00+01:00", "2026-10-25T00:00:00+02:00",
         "2026-10-01T00:00:00+02:00"},
        {"a month that ends in the other time", "Europe/Vienna", "2026-03-31T23:59:59+02:00",
         "2026-03-31T00:00:00+02:00", "2026-03-01T00:00:00+01:00"},
        {"the last second of a year", "Europe/Vienna", "2026-12-31T23:59:59+01:00",
         "2026-12-31T00:00:00+01:00", "2026-12-01T00:00:00+01:00"},
        {"the first one", "Europe/Vienna", "2027-01-01T00:00:00+01:00", "2027-01-01T00:00:00+01:00",
         "2027-01-01T00:00:00+01:00"},
        {"29 February", "Europe/Vienna", "2028-02-29T23:00:00+01:00", "2028-02-29T00:00:00+01:00",
         "2028-02-01T00:00:00+01:00"},
        {"after 2037", "Europe/Vienna", "2050-07-15T00:30:00+02:00", "2050-07-15T00:00:00+02:00",
         "2050-07-01T00:00:00+02:00"},
        {"UTC", "UTC", "2026-11-24T12:00:00+00:00", "2026-11-24T00:00:00+00:00",
         "2026-11-01T00:00:00+00:00"},
        {"a zone of half hours", "Asia/Kolkata", "2026-11-01T00:10:00+05:30",
         "2026-11-01T00:00:00+05:30", "2026-11-01T00:00:00+05:30"},
        {"west of UTC", "America/New_York", "2026-11-30T23:30:00-05:00",
         "2026-11-30T00:00:00-05:00", "2026-11-01T00:00:00-04:00"},
        {"no midnight: the day begins at 1:00", "Asia/Beirut", "2023-03-26T12:00:00+03:00",
         "2023-03-26T01:00:00+03:00", "2023-03-01T00:00:00+02:00"},
        {"midnight twice: the first", "America/Havana", "2025-11-02T12:00:00-05:00",
         "2025-11-02T00:00:00-04:00", "2025-11-01T00:00:00-04:00"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t second = at(rows[i].second);

        assert_int_equal(zone_use(rows[i].zone), 0);
        if (zone_day_start(second) != at(rows[i].day))
            fail_msg("%s: day %" PRId64, rows[i].why, zone_day_start(second) - at(rows[i].day));
        if (zone_month_start(second) != at(rows[i].month))
            fail_msg("%s: month %" PRId64, rows[i].why,
                     zone_month_start(second) - at(rows[i].month));
    }
}

/* Every hour of three years: starts never fall, a day has 23 to 25 hours, and each is its own. */
static void no_hour_is_left_out(void **state)
{
    int64_t day = 0, month = 0, days = 0, months = 0;

    (void)state;
    assert_int_equal(zone_use("Europe/Vienna"), 0);
    for (int64_t t = at("2026-01-01T00:00:00+01:00"); t < at("2029-01-01T00:00:00+01:00");
         t += 3600) {
        int64_t d = zone_day_start(t), m = zone_month_start(t);

        if (d > t || t - d >= 25 * 3600 || m > d || zone_day_start(d) != d ||
            zone_month_start(m) != m || zone_day_start(d - 1) == d)
            fail_msg("%" PRId64, t);
        days += d != day;
        months += m != month;
        assert_true(d >= day && m >= month);
        day = d;
        month = m;
    }
    assert_int_equal(days, 365 + 365 + 366);
    assert_int_equal(months, 36);
}

static void what_is_no_zone(void **state)
{
    static const char *const wrong[] = {"",
                                        "Europe/Wien",
                                        "europe/vienna",
                                        "CET-1CEST",
                                        "/usr/share/zoneinfo/UTC",
                                        "../zoneinfo/UTC",
                                        "Europe",
                                        "tzdata.zi",
                                        "zone.tab",
                                        " Europe/Vienna"};

    (void)state;
    assert_int_equal(zone_use("Asia/Kolkata"), 0);
    for (size_t i = 0; i < COUNT(wrong); i++)
        if (zone_use(wrong[i]) != -EINVAL)
            fail_msg("%s", wrong[i]);
    assert_int_equal(zone_day_start(at("2026-11-01T00:10:00+05:30")),
                     at("2026-11-01T00:00:00+05:30"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(days_and_months_begin),
        cmocka_unit_test(no_hour_is_left_out),
        cmocka_unit_test(what_is_no_zone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
