/* A row of the original: its time, its values, and what is wrong with it. */
#include "tools.h"

#include <stdio.h>
#include <time.h>

#include "import_rows.h"
#include "zone.h"

#define NOW INT64_C(1800000000) /* 2027-01-15 */

static int64_t utc_of(const char *text)
{
    struct tm tm = {0};

    assert_non_null(strptime(text, "%Y-%m-%d %H:%M:%S", &tm));
    return timegm(&tm);
}

static void times(void **state)
{
    static const struct {
        const char *why, *text;
        bool utc;
        const char *wrong, *is;
    } rows[] = {
        {"seconds", "1700000000", false, NULL, "2023-11-14 22:13:20"},
        {"a fraction is cut", "1700000000.9", false, NULL, "2023-11-14 22:13:20"},
        {"milliseconds", "1700000000999", false, NULL, "2023-11-14 22:13:20"},
        {"winter", "2023-11-14 23:13:20", false, NULL, "2023-11-14 22:13:20"},
        {"summer", "2023-07-14 23:13:20.250", false, NULL, "2023-07-14 21:13:20"},
        {"a TIMESTAMP", "2023-07-14 23:13:20", true, NULL, "2023-07-14 23:13:20"},
        {"with T", "2023-07-14T23:13:20", false, NULL, "2023-07-14 21:13:20"},
        {"RFC 3339", "2023-07-14T23:13:20+03:00", false, NULL, "2023-07-14 20:13:20"},
        {"the hour that is left out", "2023-03-26 02:30:00", false,
         "no such time: clocks were put forward", NULL},
        {"just before it", "2023-03-26 01:59:59", false, NULL, "2023-03-26 00:59:59"},
        {"just behind it", "2023-03-26 03:00:00", false, NULL, "2023-03-26 01:00:00"},
        {"an age is none", "2h", false, "no time", NULL},
        {"a day is none", "2023-07-14", false, "no time", NULL},
        {"zeros", "0000-00-00 00:00:00", false, "no time", NULL},
        {"no such day", "2023-02-30 00:00:00", false, "no time", NULL},
        {"negative", "-1700000000", false, "no time", NULL},
        {"hex", "0x65", false, "no time", NULL},
        {"too long", "17000000000000", false, "no time", NULL},
        {"nothing", "", false, "no time", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct import_clock clock = {0};
        int64_t t = 7;
        const char *wrong = import_time_read(&clock, rows[i].text, rows[i].utc, &t);

        if ((wrong == NULL) != (rows[i].wrong == NULL) ||
            (wrong != NULL && strcmp(wrong, rows[i].wrong) != 0))
            fail_msg("%s: %s", rows[i].why, wrong == NULL ? "taken" : wrong);
        if (t != (rows[i].is == NULL ? 7 : utc_of(rows[i].is)))
            fail_msg("%s: %lld", rows[i].why, (long long)t);
    }
}

/* Rows a minute apart over a whole night, as a clock on the wall shows them. */
static void the_night_that_is_longer(void **state)
{
    int64_t begin = utc_of("2023-10-28 22:00:00");
    struct import_clock clock = {0};

    (void)state;
    for (int64_t t = begin; t < begin + 6 * 3600; t += 60) {
        time_t s = (time_t)t;
        struct tm tm;
        char text[32];
        int64_t read = 0;

        localtime_r(&s, &tm);
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
        assert_null(import_time_read(&clock, text, false, &read));
        assert_int_equal(read, t);
    }
}

/* datetime.utcnow().timestamp() of CPython, where the zone is Europe/Vienna. */
static int64_t python(int64_t utc)
{
    int64_t offsets[2] = {3600, 7200}, found = INT64_MIN;

    for (int i = 0; i < 2; i++) { /* fold = 0: the first of two; in a gap: the later */
        int64_t s = utc - offsets[1 - i];
        time_t t = (time_t)s;
        struct tm tm;

        localtime_r(&t, &tm);
        if (timegm(&tm) == utc && found == INT64_MIN)
            found = s;
    }
    return found == INT64_MIN ? utc - 3600 : found;
}

static void a_shifted_clock_is_put_right(void **state)
{
    static const char *const days[] = {"2023-01-10 00:00:00", "2023-07-10 00:00:00",
                                       "2023-03-25 20:00:00", "2023-10-28 20:00:00"};

    (void)state;
    assert_int_equal(python(utc_of("2023-07-10 12:00:00")), utc_of("2023-07-10 10:00:00"));
    assert_int_equal(python(utc_of("2023-03-26 02:30:00")), utc_of("2023-03-26 01:30:00"));
    assert_int_equal(python(utc_of("2023-03-26 03:30:00")), utc_of("2023-03-26 01:30:00"));
    for (size_t i = 0; i < COUNT(days); i++) {
        struct import_clock clock = {.shifted = true};
        int64_t begin = utc_of(days[i]);

        for (int64_t t = begin; t < begin + 12 * 3600; t += 5) {
            char text[24];
            int64_t read = 0;

            snprintf(text, sizeof text, "%lld", (long long)python(t));
            assert_null(import_time_read(&clock, text, false, &read));
            if (read != t)
                fail_msg("%s + %lld s: %lld s off", days[i], (long long)(t - begin),
                         (long long)(read - t));
        }
    }
}

/* Rows */

static struct import_rows rows;
static struct record record;
static char reason[IMPORT_REASON_CHARS];

static int open_rows(void **state)
{
    (void)state;
    rows = (struct import_rows){.meter = "5341475E40F89D93", .to = INT64_MAX, .now = NOW};
    for (int t = 0; t < 2; t++)
        rows.plausible[t] = plausible_new();
    return 0;
}

static int close_rows(void **state)
{
    (void)state;
    for (int t = 0; t < 2; t++)
        plausible_free(rows.plausible[t]);
    return 0;
}

static struct import_row sound(void)
{
    return (struct import_row){.table = ROWS_HISTORY,
                               .where = 5,
                               .text = {"5", "1700000123", "10069016", "219", "366", "0.0", "233.8",
                                        "234.1", "234.8", "0.33", "0.46", "1.41", "-0.943"}};
}

static void a_row_becomes_a_reading(void **state)
{
    struct import_row row = sound();
    char json[VALUES_JSON_CHARS];

    (void)state;
    assert_int_equal(import_rows_read(&rows, &row, &record, reason), IMPORT_TAKEN);
    assert_int_equal(record.type, RECORD_READING);
    assert_int_equal(record.arrival_ms, 1700000123000);
    assert_int_equal(record.reading.time, 1700000123);
    assert_int_equal(record.reading.counter, -1);
    assert_true(record.reading.has_time);
    assert_string_equal(record.reading.meter, "5341475E40F89D93");
    assert_string_equal(record.reading.suspect, "");
    reading_values_json(&record.reading, 1700000123, json);
    assert_string_equal(
        json,
        "{\"WIn\": {\"value\": 10069016, \"unit\": \"Wh\"}, \"WOut\": {\"value\": 219, "
        "\"unit\": \"Wh\"}, \"PIn\": {\"value\": 366.0, \"unit\": \"W\"}, \"POut\": {\"value\": "
        "0.0, \"unit\": \"W\"}, \"U1\": {\"value\": 233.8, \"unit\": \"V\"}, \"U2\": {\"value\": "
        "234.1, \"unit\": \"V\"}, \"U3\": {\"value\": 234.8, \"unit\": \"V\"}, \"I1\": "
        "{\"value\": 0.33, \"unit\": \"A\"}, \"I2\": {\"value\": 0.46, \"unit\": \"A\"}, \"I3\": "
        "{\"value\": 1.41, \"unit\": \"A\"}, \"PF\": {\"value\": -0.943, \"unit\": \"1\"}, "
        "\"timestamp\": {\"value\": 1700000123, \"unit\": \"s\"}}");
    row.table = ROWS_DEBOUNCED;
    assert_int_equal(import_rows_read(&rows, &row, &record, reason), IMPORT_TAKEN);
    assert_int_equal(record.type, RECORD_DEBOUNCED);
    assert_int_equal(record.window, 1700000100);
}

static void rows_that_cannot_be_taken(void **state)
{
    static const struct {
        enum import_column column;
        const char *text, *reason;
    } wrong[] = {
        {IMPORT_TIME, NULL, "timestamp: nothing there"},
        {IMPORT_TIME, "0", "timestamp: before 2010"},
        {IMPORT_TIME, "garbage", "timestamp: no time"},
        {IMPORT_TIME, "1800000601", "timestamp: in the future"},
        {IMPORT_VALUES + FIELD_WIN, "10069.016", "WIn: not in whole Wh"},
        {IMPORT_VALUES + FIELD_WIN, "-1", "a value that no meter measures"},
        {IMPORT_VALUES + FIELD_WIN, "1e30", "WIn: more than a meter measures"},
        {IMPORT_VALUES + FIELD_WIN, "nan", "WIn: no number"},
        {IMPORT_VALUES + FIELD_WOUT, "", "WOut: no number"},
        {IMPORT_VALUES + FIELD_WOUT, "1.2.3", "WOut: no number"},
        {IMPORT_VALUES + FIELD_WOUT, "0x10", "WOut: no number"},
        {IMPORT_VALUES + FIELD_PIN, "-366", "a value that no meter measures"},
        {IMPORT_VALUES + FIELD_U1, "233800", "a value that no meter measures"},
        {IMPORT_VALUES + FIELD_I3, "inf", "I3: no number"},
        {IMPORT_VALUES + FIELD_PF, "943", "a value that no meter measures"},
        {IMPORT_VALUES + FIELD_PF, "0;DROP", "PF: no number"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct import_row row = sound();

        row.text[wrong[i].column] = wrong[i].text;
        assert_int_equal(import_rows_read(&rows, &row, &record, reason), IMPORT_REJECTED);
        assert_string_equal(reason, wrong[i].reason);
    }
    {
        struct import_row row = {.text = {"5", "1700000123"}};

        assert_int_equal(import_rows_read(&rows, &row, &record, reason), IMPORT_REJECTED);
        assert_string_equal(reason, "no value at all");
        row.wrong = "3 fields, not 5";
        assert_int_equal(import_rows_read(&rows, &row, &record, reason), IMPORT_REJECTED);
        assert_string_equal(reason, row.wrong);
    }
}

static void numbers_in_other_forms(void **state)
{
    struct import_row row = sound();
    struct quantity *values = record.reading.values;

    (void)state;
    row.text[IMPORT_VALUES + FIELD_WIN] = "10069016.000";
    row.text[IMPORT_VALUES + FIELD_U1] = "233,8";
    row.text[IMPORT_VALUES + FIELD_U2] = "234.09999999999999";
    row.text[IMPORT_VALUES + FIELD_U3] = "2.348e2";
    row.text[IMPORT_VALUES + FIELD_I1] = NULL;
    assert_int_equal(import_rows_read(&rows, &row, &record, reason), IMPORT_TAKEN);
    assert_int_equal(quantity_scaled(&values[FIELD_WIN], 0), 10069016);
    assert_int_equal(quantity_scaled(&values[FIELD_U1], -3), 233800);
    assert_int_equal(quantity_scaled(&values[FIELD_U2], -3), 234100);
    assert_int_equal(quantity_scaled(&values[FIELD_U3], -3), 234800);
    assert_false(values[FIELD_I1].present);
}

static void ranges(void **state)
{
    struct import_row row = sound();

    (void)state;
    rows.from = 1700000123;
    rows.to = 1700000124;
    assert_int_equal(import_rows_read(&rows, &row, &record, reason), IMPORT_TAKEN);
    rows.from = 1700000124;
    assert_int_equal(import_rows_read(&rows, &row, &record, reason), IMPORT_OUTSIDE);
    rows.from = 0;
    rows.to = 1700000123;
    assert_int_equal(import_rows_read(&rows, &row, &record, reason), IMPORT_OUTSIDE);
    rows.to = INT64_MAX;
    row.text[IMPORT_TIME] = "1799999400";
    assert_int_equal(import_rows_read(&rows, &row, &record, reason), IMPORT_TAKEN);
    row.text[IMPORT_TIME] = "1799999401";
    assert_int_equal(import_rows_read(&rows, &row, &record, reason), IMPORT_FRESH);
}

/* One row with an energy of 0, as the original's DEFAULT 0 gives, between sound ones. */
static void a_fall_is_suspect(void **state)
{
    static const char *const energies[] = {"10069016", "0", "10069017"};
    static const char *const suspects[] = {"", "energy-falls", ""};
    static const char *const at[] = {"1700000000", "1700000005", "1700000010"};

    (void)state;
    for (size_t i = 0; i < COUNT(energies); i++) {
        struct import_row row = sound();

        row.text[IMPORT_TIME] = at[i];
        row.text[IMPORT_VALUES + FIELD_WIN] = energies[i];
        assert_int_equal(import_rows_read(&rows, &row, &record, reason), IMPORT_TAKEN);
        assert_string_equal(record.reading.suspect, suspects[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times),
        cmocka_unit_test(the_night_that_is_longer),
        cmocka_unit_test(a_shifted_clock_is_put_right),
        cmocka_unit_test_setup_teardown(a_row_becomes_a_reading, open_rows, close_rows),
        cmocka_unit_test_setup_teardown(rows_that_cannot_be_taken, open_rows, close_rows),
        cmocka_unit_test_setup_teardown(numbers_in_other_forms, open_rows, close_rows),
        cmocka_unit_test_setup_teardown(ranges, open_rows, close_rows),
        cmocka_unit_test_setup_teardown(a_fall_is_suspect, open_rows, close_rows),
    };

    if (zone_use("Europe/Vienna") != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
