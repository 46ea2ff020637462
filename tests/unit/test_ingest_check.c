/* Settings under which mqtt-ingest would read what the publisher writes. */
#include "tools.h"

#include <errno.h>
#include <stdio.h>

#include "capture.h"
#include "mqtt_ingest.h"

static struct mqtt_ingest settings(char *raw, char *values)
{
    static char none[] = "";

    return (struct mqtt_ingest){
        .mqtt_conf = {.ca_file = none, .cert_file = none, .cert_key_file = none},
        .ingest.refill_since = none,
        .raw_topics = raw,
        .values_topic = values,
        .slots = {.count = 1, .fixed = none},
    };
}

static void a_loop_is_refused(void **state)
{
    static const struct row {
        const char *raw, *values;
        int rc;
    } rows[] = {
        {"sensors/smartmeter", "sensors/smartmeter/values", 0},
        {"sensors/+", "sensors/smartmeter/values", 0},
        {"sensors/smartmeter, haus/7/raw", "sensors/smartmeter/values", 0},
        {"sensors/smartmeter/values", "sensors/smartmeter/values", -EINVAL},
        {"sensors/smartmeter/#", "sensors/smartmeter/values", -EINVAL},
        {"sensors/smartmeter/+", "sensors/smartmeter/values", -EINVAL},
        {"#", "sensors/smartmeter/values", -EINVAL},
        {"+/+/+", "sensors/smartmeter/values", -EINVAL},
        {"haus/7/raw,sensors/#", "sensors/smartmeter/values", -EINVAL},
        {"sensors/smartmeter/values/7", "sensors/smartmeter/values", -EINVAL},
        {"sensors/smartmeter/values/+", "sensors/smartmeter/values", -EINVAL},
        {"sensors/smartmeter/value", "sensors/smartmeter/values", 0},
        {"values/+", "values/{meter}", -EINVAL},
        {"values/keller", "values/{name}", -EINVAL},
        {"values/keller/raw", "values/{name}/now", 0},
        {"values/keller/now", "values/{name}/now", -EINVAL},
        {"values/keller/now/x", "values/{name}/now", -EINVAL},
        {"meters/m-keller", "meters/m-{name}", -EINVAL},
        {"meters/raw", "{meter}/raw", -EINVAL},
        {"+/raw", "{meter}/values", 0},
        {"", "sensors/smartmeter/values", -EINVAL},
        {" , ", "sensors/smartmeter/values", -EINVAL},
        {"a/#/b", "values", -EINVAL},
        {"a+/b", "values", -EINVAL},
        {"a/b#", "values", -EINVAL},
        {"a/+b", "values", -EINVAL},
        {"a/+/#", "values", 0},
    };
    static struct capture capture;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char raw[64], values[64];
        struct mqtt_ingest self = settings(raw, values);
        const char *log;
        int rc;

        snprintf(raw, sizeof raw, "%s", rows[i].raw);
        snprintf(values, sizeof values, "%s", rows[i].values);
        capture_begin(&capture);
        rc = mqtt_ingest_check(&self);
        log = capture_end(&capture);
        if (rc != rows[i].rc)
            fail_msg("\"%s\" and \"%s\": %d", raw, values, rc);
        if ((rc == 0) != (*log == '\0') ||
            (rc != 0 && strstr(log, "variable=SMARTMETER_RAWDATA_MQTT_TOPIC ") == NULL))
            fail_msg("\"%s\" and \"%s\": %s", raw, values, log);
    }
}

/* As many filters as one subscription carries, and one more. */
static void the_number_of_filters_is_bounded(void **state)
{
    char raw[4 * (MQTT_FILTERS_MAX + 1)] = "", values[] = "values";
    struct mqtt_ingest self = settings(raw, values);
    static struct capture capture;
    int rc[2];

    (void)state;
    for (int i = 0; i < MQTT_FILTERS_MAX; i++)
        snprintf(raw + strlen(raw), sizeof raw - strlen(raw), "%d,", i);
    capture_begin(&capture);
    rc[0] = mqtt_ingest_check(&self);
    strcat(raw, "x");
    rc[1] = mqtt_ingest_check(&self);
    capture_end(&capture);
    assert_int_equal(rc[0], 0);
    assert_int_equal(rc[1], -EINVAL);
}

static void long_topics_do_no_harm(void **state)
{
    static char raw[4001], values[4001];
    struct mqtt_ingest self = settings(raw, values);
    static struct capture capture;
    int rc;

    (void)state;
    for (size_t i = 0; i < 4000; i += 2) {
        memcpy(raw + i, "a/", 2);
        memcpy(values + i, "a/", 2);
    }
    capture_begin(&capture);
    rc = mqtt_ingest_check(&self);
    capture_end(&capture);
    assert_true(rc == 0 || rc == -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loop_is_refused),
        cmocka_unit_test(the_number_of_filters_is_bounded),
        cmocka_unit_test(long_topics_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
