/* MQTT topic filters: what they match, and what two of them could both match. */
#include "tools.h"

#include "mqtt.h"

static const struct row {
    const char *filter, *topic;
    bool matches;
} rows[] = {
    {"a", "a", true},
    {"a", "b", false},
    {"a", "A", false},
    {"a", "ab", false},
    {"ab", "a", false},
    {"a/b", "a/b", true},
    {"a/b", "a", false},
    {"a", "a/b", false},
    {"a/b/c", "a/b/d", false},
    {"a/b", "a/b/c", false},
    {"a/b/c", "a/b", false},
    /* + is one level, an empty one too */
    {"+", "a", true},
    {"+", "a/b", false},
    {"+/b", "a/b", true},
    {"a/+", "a/b", true},
    {"a/+", "a", false},
    {"a/+", "a/", true},
    {"a/+", "a/b/c", false},
    {"a/+/c", "a/b/c", true},
    {"a/+/c", "a//c", true},
    {"a/+/c", "a/b/d", false},
    {"a/+/c", "a/b", false},
    {"a/+/c", "a/", false},
    {"+/+", "a/b", true},
    {"+/+", "/", true},
    {"+/+/+", "a/", false},
    {"+/+/c", "a/", false},
    {"+/b", "/b", true},
    {"+", "/b", false},
    {"/+", "/b", true},
    {"/+", "b", false},
    /* # is all levels from here, none too */
    {"#", "a", true},
    {"#", "a/b/c", true},
    {"#", "/", true},
    {"a/#", "a", true},
    {"a/#", "a/", true},
    {"a/#", "a/b", true},
    {"a/#", "a/b/c", true},
    {"a/#", "ab", false},
    {"a/#", "b/a", false},
    {"a/b/#", "a", false},
    {"a/b/#", "a/c", false},
    {"+/#", "a", true},
    {"+/b/#", "a/b/c/d", true},
    {"a/+/#", "a", false},
    {"a/+/#", "a/b", true},
    {"a/+/#", "a/", true},
    /* empty levels are levels */
    {"a/", "a/", true},
    {"a/", "a", false},
    {"a", "a/", false},
    {"a/b", "a/", false},
    {"a//b", "a//b", true},
    {"a//b", "a/b", false},
    {"/a", "a", false},
    /* both sides filters: is there a topic for both */
    {"a/+", "+/b", true},
    {"a/+/c", "+/b/+", true},
    {"a/+/c", "+/b/d", false},
    {"a/#", "+/b", true},
    {"a/#", "#", true},
    {"a/b", "a/b/#", true},
    {"a", "a/b/#", false},
    {"a/+", "a/b/#", true},
    {"a/#", "b/#", false},
    {"a/b/c", "a/+/#", true},
    {"+/x/#", "a/y/#", false},
    {"sensors/smartmeter", "sensors/smartmeter/values/#", false},
    {"sensors/+", "sensors/smartmeter/values/#", false},
    {"sensors/+/+", "sensors/smartmeter/values/#", true},
    {"sensors/smartmeter/#", "sensors/smartmeter/values/#", true},
};

static void filters_match(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (mqtt_filter_matches(rows[i].filter, rows[i].topic) != rows[i].matches)
            fail_msg("%s and %s: %d", rows[i].filter, rows[i].topic, !rows[i].matches);
        if (mqtt_filter_matches(rows[i].topic, rows[i].filter) != rows[i].matches)
            fail_msg("%s and %s, the other way round", rows[i].topic, rows[i].filter);
    }
}

/* --- stated arrivals ------------------------------------------------------------------- */

#define NOW INT64_C(1795520000123)

static const struct {
    const char *text;
    int64_t arrival_ms;
} arrivals[] = {
    {"1795520000123", NOW},
    {"1", 1},
    {"0001795520000123", NOW},
    {"1795520600123", NOW + 600000},
    {"1795520600124", -1}, /* more than 10 minutes ahead */
    {"9999999999999999", -1},
    {"00000000000000001", -1}, /* longer than any time */
    {"99999999999999999999999", -1},
    {"0", -1},
    {"-1", -1},
    {"+1", -1},
    {" 1", -1},
    {"1 ", -1},
    {"1.5", -1},
    {"1e3", -1},
    {"soon", -1},
    {"", -1},
};

static void an_arrival_is_digits_of_a_sane_time(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(arrivals); i++)
        if (mqtt_arrival(arrivals[i].text, strlen(arrivals[i].text), NOW) != arrivals[i].arrival_ms)
            fail_msg("%s", arrivals[i].text);
    assert_true(mqtt_arrival("12x", 2, NOW) == 12); /* a view, no NUL */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_match),
        cmocka_unit_test(an_arrival_is_digits_of_a_sane_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
