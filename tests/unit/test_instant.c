/* instant: points in time as text. */
#include "tools.h"

#include "instant.h"

static void seconds_and_milliseconds(void **state)
{
    static const struct row {
        const char *why;
        int64_t utc_ms;
        const char *text, *text_ms;
    } rows[] = {
        {"now", 1795507200007, "2026-11-24T08:00:00Z", "2026-11-24T08:00:00.007Z"},
        {"the beginning", 0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"},
        {"before it", -1, "1970-01-01T00:00:00Z", "1969-12-31T23:59:59.999Z"},
        {"a second before it", -1000, "1969-12-31T23:59:59Z", "1969-12-31T23:59:59.000Z"},
    };
    char text[INSTANT_CHARS];

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        instant_print(rows[i].utc_ms / 1000, text);
        assert_string_equal(text, rows[i].text);
        instant_print_ms(rows[i].utc_ms, text);
        assert_string_equal(text, rows[i].text_ms);
    }
}

static void read_back(void **state)
{
    static const char *const wrong[] = {"",
                                        "now",
                                        "2026-11-24",
                                        "2026-11-24T08:00Z",
                                        "2026-11-24T08:00:00",
                                        "2026-11-24T08:00:00+01:00",
                                        "2026-02-30T08:00:00Z",
                                        "2026-11-24T08:00:00Z ",
                                        "2026-11-24T8:00:00Z",
                                        "2026-11-24T08:00:60Z"};
    int64_t utc = 0;

    (void)state;
    assert_true(instant_parse("2026-11-24T08:00:00Z", &utc));
    assert_int_equal(utc, 1795507200);
    for (size_t i = 0; i < COUNT(wrong); i++)
        if (instant_parse(wrong[i], &utc))
            fail_msg("\"%s\" is a time", wrong[i]);
}

static void beyond_all_years(void **state)
{
    char text[INSTANT_CHARS];

    (void)state;
    instant_print(INT64_MAX, text);
    assert_string_equal(text, "");
    instant_print(INT64_MIN, text);
    assert_string_equal(text, "");
    instant_print_ms(INT64_MAX, text);
    assert_string_equal(text, "292278994-08-17T07:12:55.807Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seconds_and_milliseconds),
        cmocka_unit_test(read_back),
        cmocka_unit_test(beyond_all_years),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
