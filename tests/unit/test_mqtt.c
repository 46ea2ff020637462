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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_match),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
