/* Quantities as numbers and text, and the values JSON that owners of the original program parse. */
#include "tools.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "reading.h"

static void quantities_as_text(void **state)
{
    static const struct row {
        const char *why;
        int64_t mantissa;
        int8_t scaler;
        const char *text;
    } rows[] = {
        {"a voltage", 2338, -1, "233.8"},
        {"a current", 33, -2, "0.33"},
        {"a power factor", 943, -3, "0.943"},
        {"trailing zero kept: one decimal", 2370, -1, "237.0"},
        {"trailing zeros dropped down to one", 23700, -2, "237.0"},
        {"one trailing zero dropped", 3120, -3, "3.12"},
        {"zero", 0, -1, "0.0"},
        {"zero with three decimals", 0, -3, "0.0"},
        {"one", 1000, -3, "1.0"},
        {"below one", 5, -3, "0.005"},
        {"negative", -5, -2, "-0.05"},
        {"negative, trailing zeros", -1000, -3, "-1.0"},
        {"negative beyond one", -12345, -3, "-12.345"},
        {"integer", 10069016, 0, "10069016"},
        {"integer zero", 0, 0, "0"},
        {"negative integer", -1, 0, "-1"},
        {"scaler +1", 6307498, 1, "63074980"},
        {"scaler +3", -7, 3, "-7000"},
        {"scaler above 0 of zero", 0, 9, "0"},
        {"nine decimals", 1, -9, "0.000000001"},
        {"largest", INT64_MAX, 0, "9223372036854775807"},
        {"smallest", INT64_MIN, 0, "-9223372036854775808"},
        {"largest, decimals", INT64_MAX, -3, "9223372036854775.807"},
        {"smallest, decimals", INT64_MIN, -3, "-9223372036854775.808"},
        {"largest, all decimals", INT64_MAX, -18, "9.223372036854775807"},
        {"beyond the ends saturates", INT64_MAX, 1, "9223372036854775807"},
        {"beyond the other end", INT64_MIN, 1, "-9223372036854775808"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct quantity q = {true, rows[i].scaler, rows[i].mantissa};
        char text[QUANTITY_CHARS];

        quantity_format(&q, text);
        if (strcmp(text, rows[i].text) != 0)
            fail_msg("%s: %s, not %s", rows[i].why, text, rows[i].text);
    }
}

static void quantities_as_integers(void **state)
{
    static const struct row {
        const char *why;
        int64_t mantissa;
        int8_t scaler;
        int exponent;
        int64_t scaled;
    } rows[] = {
        {"millivolts", 2338, -1, -3, 233800},
        {"milliamperes", 33, -2, -3, 33 * 10},
        {"as it is", 943, -3, -3, 943},
        {"volts, down", 2334, -1, 0, 233},
        {"volts, half goes up", 2335, -1, 0, 234},
        {"negative half goes away from zero", -2335, -1, 0, -234},
        {"negative, towards zero", -2334, -1, 0, -233},
        {"only the first digit cut off decides", 149, -2, 0, 1},
        {"the same, negative", -149, -2, 0, -1},
        {"just half", 150, -2, 0, 2},
        {"half of one", 5, -1, 0, 1},
        {"less than half of one", 49, -2, 0, 0},
        {"less by two digits", 5, -2, 0, 0},
        {"nine tenths of a hundredth", 9, -3, 0, 0},
        {"ninety-nine", 99, -2, 0, 1},
        {"tens of Wh", 6307498, 1, 0, 63074980},
        {"zero stays zero however far", 0, 127, -128, 0},
        {"down to nothing", INT64_MAX, -128, 127, 0},
        {"largest, rounded", INT64_MAX, -1, 0, 922337203685477581},
        {"smallest, rounded", INT64_MIN, -1, 0, -922337203685477581},
        {"largest as it is", INT64_MAX, 0, 0, INT64_MAX},
        {"smallest as it is", INT64_MIN, 0, 0, INT64_MIN},
        {"too large", INT64_MAX, 0, -1, INT64_MAX},
        {"too small", INT64_MIN, 0, -1, INT64_MIN},
        {"far too large", 1, 127, -128, INT64_MAX},
        {"far too small", -1, 127, -128, INT64_MIN},
        {"the last that fits", 922337203685477580, 1, 0, 9223372036854775800},
        {"the first that does not", 922337203685477581, 1, 0, INT64_MAX},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct quantity q = {true, rows[i].scaler, rows[i].mantissa};
        int64_t scaled = quantity_scaled(&q, rows[i].exponent);

        if (scaled != rows[i].scaled)
            fail_msg("%s: %" PRId64 ", not %" PRId64, rows[i].why, scaled, rows[i].scaled);
    }
}

/* Decimal text read again is the quantity, whatever zeros were dropped. */
static void text_loses_nothing(void **state)
{
    static const int64_t mantissas[] = {0, 1, -1, 9, 10, 99, 100, -100, 12345, 1000000, -70000};

    (void)state;
    for (size_t i = 0; i < COUNT(mantissas); i++) {
        for (int8_t scaler = -9; scaler <= 3; scaler++) {
            struct quantity q = {true, scaler, mantissas[i]};
            char text[QUANTITY_CHARS], scientific[48];

            quantity_format(&q, text);
            snprintf(scientific, sizeof scientific, "%" PRId64 "e%d", mantissas[i], scaler);
            assert_true(strtod(text, NULL) == strtod(scientific, NULL));
            assert_int_equal(strchr(text, '.') != NULL, scaler < 0);
        }
    }
}

static void names_and_units(void **state)
{
    static const char *const wants[FIELD_COUNT] = {
        "WIn Wh", "WOut Wh", "PIn W", "POut W",   "U1 V",      "U2 V",    "U3 V",    "I1 A",
        "I2 A",   "I3 A",    "PF 1",  "RIn varh", "ROut varh", "QIn var", "QOut var"};
    char text[64];

    (void)state;
    for (int f = 0; f < FIELD_COUNT; f++) {
        const char *name = field_name((enum field)f);

        snprintf(text, sizeof text, "%s %s", name, field_unit((enum field)f));
        assert_string_equal(text, wants[f]);
        assert_int_equal(field_from_name(name, (unsigned)strlen(name)), f);
        assert_int_equal(field_from_name(name, (unsigned)strlen(name) - 1), -1);
    }
    assert_int_equal(field_from_name("WIn\": 1", 3), FIELD_WIN); /* a view, not a string */
    assert_int_equal(field_from_name("win", 3), -1);
    assert_int_equal(field_from_name("U4", 2), -1);
    assert_int_equal(field_from_name("", 0), -1);
}

/* The line of the original's README. */
static const struct reading example = {
    .values = {[FIELD_WIN] = {true, 0, 10069016},
               [FIELD_WOUT] = {true, 0, 219},
               [FIELD_PIN] = {true, 0, 366},
               [FIELD_POUT] = {true, 0, 0},
               [FIELD_U1] = {true, -1, 2338},
               [FIELD_U2] = {true, -1, 2341},
               [FIELD_U3] = {true, -1, 2348},
               [FIELD_I1] = {true, -2, 33},
               [FIELD_I2] = {true, -2, 46},
               [FIELD_I3] = {true, -2, 141},
               [FIELD_PF] = {true, -3, 943}},
};

static void values_json_octet_for_octet(void **state)
{
    char text[VALUES_JSON_CHARS];

    (void)state;
    reading_values_json(&example, 1665581631, text);
    assert_string_equal(text, "{\"WIn\": {\"value\": 10069016, \"unit\": \"Wh\"}, "
                              "\"WOut\": {\"value\": 219, \"unit\": \"Wh\"}, "
                              "\"PIn\": {\"value\": 366, \"unit\": \"W\"}, "
                              "\"POut\": {\"value\": 0, \"unit\": \"W\"}, "
                              "\"U1\": {\"value\": 233.8, \"unit\": \"V\"}, "
                              "\"U2\": {\"value\": 234.1, \"unit\": \"V\"}, "
                              "\"U3\": {\"value\": 234.8, \"unit\": \"V\"}, "
                              "\"I1\": {\"value\": 0.33, \"unit\": \"A\"}, "
                              "\"I2\": {\"value\": 0.46, \"unit\": \"A\"}, "
                              "\"I3\": {\"value\": 1.41, \"unit\": \"A\"}, "
                              "\"PF\": {\"value\": 0.943, \"unit\": \"1\"}, "
                              "\"timestamp\": {\"value\": 1665581631, \"unit\": \"s\"}}");
}

static void values_json_leaves_out_what_is_not_sent(void **state)
{
    struct reading r = {0};
    char text[VALUES_JSON_CHARS];

    (void)state;
    reading_values_json(&r, -1, text);
    assert_string_equal(text, "{\"timestamp\": {\"value\": -1, \"unit\": \"s\"}}");

    r.values[FIELD_U1] = (struct quantity){true, -1, 2308};
    r.values[FIELD_RIN] = (struct quantity){true, 0, 96}; /* not among the original's */
    r.values[FIELD_QOUT] = (struct quantity){true, 0, 9};
    reading_values_json(&r, 0, text);
    assert_string_equal(text, "{\"U1\": {\"value\": 230.8, \"unit\": \"V\"}, "
                              "\"timestamp\": {\"value\": 0, \"unit\": \"s\"}}");
}

static void the_longest_values_json_fits(void **state)
{
    struct reading r = example;
    char text[VALUES_JSON_CHARS];
    json_t *json;

    (void)state;
    for (int f = 0; f < FIELD_COUNT; f++)
        r.values[f] = (struct quantity){true, -9, INT64_MIN};
    reading_values_json(&r, INT64_MIN, text);
    json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_int_equal(json_object_size(json), FIELD_ORIGINAL + 1);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantities_as_text),
        cmocka_unit_test(quantities_as_integers),
        cmocka_unit_test(text_loses_nothing),
        cmocka_unit_test(names_and_units),
        cmocka_unit_test(values_json_octet_for_octet),
        cmocka_unit_test(values_json_leaves_out_what_is_not_sent),
        cmocka_unit_test(the_longest_values_json_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
