/* Rows as text: every column of every table, without values, with odd ones, quoted as RFC 4180 has
 * it. */
#include "tools.h"

#include <jansson.h>
#include <stdio.h>

#include "export.h"

static const struct rows_row full = {
    .at = 1763971200,
    .meter = "534147B13DC66D62",
    .time = 1763971205,
    .received_ms = 1763971206078,
    .counter = 119348,
    .suspect = "energy-falls",
    .quality = "gap",
    .win = 10069016,
    .wout = 0,
    .pin = 366,
    .pout = 0,
    .u = {233800, 0, 230050},
    .i = {330, 0, 1},
    .pf = -943,
};

static const struct rows_row empty = {
    .at = -1,
    .meter = "534147B13DC66D62",
    .time = -1,
    .received_ms = -1,
    .counter = -1,
    .suspect = "",
    .quality = "",
    .win = ROWS_NULL,
    .wout = ROWS_NULL,
    .pin = ROWS_NULL,
    .pout = ROWS_NULL,
    .u = {ROWS_NULL, ROWS_NULL, ROWS_NULL},
    .i = {ROWS_NULL, ROWS_NULL, ROWS_NULL},
    .pf = ROWS_NULL,
};

static void check_text(enum rows_table table,
                       enum export_format format,
                       const struct rows_row *row,
                       const char *want)
{
    struct buf out = {0};

    if (row == NULL)
        assert_int_equal(export_header(table, format, &out), 0);
    else
        assert_int_equal(export_row(table, format, row, &out), 0);
    assert_int_equal(buf_add(&out, "", 1), 0);
    assert_string_equal((const char *)out.data, want);
    buf_free(&out);
}

static void csv(void **state)
{
    (void)state;
    check_text(ROWS_HISTORY, EXPORT_CSV, NULL,
               "time,meter,counter,received_at,suspect,win,wout,pin,pout,u1,u2,u3,i1,i2,i3,pf\r\n");
    check_text(ROWS_HISTORY, EXPORT_CSV, &full,
               "2025-11-24T08:00:05Z,534147B13DC66D62,119348,2025-11-24T08:00:06.078Z,energy-falls,"
               "10069016,0,366,0,233.8,0.0,230.05,0.33,0.0,0.001,-0.943\r\n");
    check_text(ROWS_HISTORY, EXPORT_CSV, &empty,
               "1969-12-31T23:59:59Z,534147B13DC66D62,,1969-12-31T23:59:59.999Z,,,,,,,,,,,,\r\n");
    check_text(ROWS_DEBOUNCED, EXPORT_CSV, NULL,
               "time,meter,window_start,counter,received_at,suspect,win,wout,pin,pout,u1,u2,u3,i1,"
               "i2,i3,pf\r\n");
    check_text(ROWS_DEBOUNCED, EXPORT_CSV, &full,
               "2025-11-24T08:00:05Z,534147B13DC66D62,2025-11-24T08:00:00Z,119348,"
               "2025-11-24T08:00:06.078Z,energy-falls,10069016,0,366,0,233.8,0.0,230.05,0.33,0.0,"
               "0.001,-0.943\r\n");
    check_text(ROWS_QUARTERS, EXPORT_CSV, NULL, "time,meter,win,wout,quality\r\n");
    check_text(ROWS_QUARTERS, EXPORT_CSV, &full,
               "2025-11-24T08:00:05Z,534147B13DC66D62,10069016,0,gap\r\n");
    check_text(ROWS_QUARTERS, EXPORT_CSV, &empty, "1969-12-31T23:59:59Z,534147B13DC66D62,,,\r\n");
}

static void quotes(void **state)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"plain", "plain"},
        {"a,b", "\"a,b\""},
        {"say \"no\"", "\"say \"\"no\"\"\""},
        {"two\nlines", "\"two\nlines\""},
        {"cr\r", "\"cr\r\""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rows_row row = empty;
        char want[128];

        row.quality = rows[i].text;
        snprintf(want, sizeof want, "1969-12-31T23:59:59Z,534147B13DC66D62,,,%s\r\n", rows[i].want);
        check_text(ROWS_QUARTERS, EXPORT_CSV, &row, want);
    }
}

static void json(void **state)
{
    struct rows_row odd = empty;

    (void)state;
    check_text(ROWS_QUARTERS, EXPORT_JSON, NULL, "");
    check_text(ROWS_QUARTERS, EXPORT_JSON, &full,
               "{\"time\":\"2025-11-24T08:00:05Z\",\"meter\":\"534147B13DC66D62\",\"win\":10069016,"
               "\"wout\":0,\"quality\":\"gap\"}\n");
    check_text(ROWS_QUARTERS, EXPORT_JSON, &empty,
               "{\"time\":\"1969-12-31T23:59:59Z\",\"meter\":\"534147B13DC66D62\",\"win\":null,"
               "\"wout\":null,\"quality\":null}\n");
    odd.quality = "\"\n\\";
    check_text(ROWS_QUARTERS, EXPORT_JSON, &odd,
               "{\"time\":\"1969-12-31T23:59:59Z\",\"meter\":\"534147B13DC66D62\",\"win\":null,"
               "\"wout\":null,\"quality\":\"\\\"\\n\\\\\"}\n");
}

/* What it prints, another program reads: the same columns as CSV, the same values. */
static void json_can_be_read(void **state)
{
    struct buf out = {0};
    json_error_t error;
    json_t *o;

    (void)state;
    assert_int_equal(export_row(ROWS_DEBOUNCED, EXPORT_JSON, &full, &out), 0);
    o = json_loadb((const char *)out.data, out.len, 0, &error);
    assert_int_equal(json_object_size(o), 17);
    assert_true(json_real_value(json_object_get(o, "u1")) == 233.8);
    assert_int_equal(json_integer_value(json_object_get(o, "counter")), 119348);
    json_decref(o);
    buf_free(&out);
}

static void names(void **state)
{
    (void)state;
    assert_int_equal(export_format_from_name("csv"), EXPORT_CSV);
    assert_int_equal(export_format_from_name("json"), EXPORT_JSON);
    assert_int_equal(export_format_from_name("xml"), -1);
    assert_int_equal(export_format_from_name(""), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv),   cmocka_unit_test(quotes),
        cmocka_unit_test(json),  cmocka_unit_test(json_can_be_read),
        cmocka_unit_test(names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
