/* What the firmware tells of itself: JSON that parses, with every number, in buffers with an end.
 */
#include "tools.h"

#include <jansson.h>
#include <stdio.h>

#include "fw_status.h"
#include "fw_text.h"

static json_t *parse(const char *text, size_t len)
{
    json_error_t error;
    json_t *json = json_loads(text, 0, &error);

    assert_int_equal(strlen(text), len);
    if (json == NULL)
        fail_msg("%s: %s", error.text, text);
    return json;
}

/* All numbers as long as they get. */
static struct fw_status longest(void)
{
    struct fw_status s;

    memset(&s, 0xFF, sizeof s);
    s.version = "10.11.12-34-gabcdef0";
    s.line = "2400 8E1";
    s.reset = "exception";
    s.rssi_dbm = INT32_MIN;
    return s;
}

static void the_status_has_every_number(void **state)
{
    static const char *const keys[] = {
        "uptime_s",   "wifi_reconnects", "mqtt_reconnects", "telegrams",      "frames_good",
        "frames_bad", "noise",           "parity_errors",   "framing_errors", "overruns",
        "ring",       "ring_octets",     "dropped",         "heap",           "heap_least"};
    struct fw_status s = longest();
    char text[FW_STATUS_CHARS];
    json_t *json = parse(text, fw_status_json(&s, text, sizeof text));

    (void)state;
    for (size_t i = 0; i < COUNT(keys); i++)
        assert_int_equal(json_integer_value(json_object_get(json, keys[i])), UINT32_MAX);
    assert_int_equal(json_integer_value(json_object_get(json, "rssi")), INT32_MIN);
    assert_string_equal(json_string_value(json_object_get(json, "version")), s.version);
    assert_string_equal(json_string_value(json_object_get(json, "line")), s.line);
    assert_string_equal(json_string_value(json_object_get(json, "reset")), s.reset);
    assert_int_equal(json_object_size(json), COUNT(keys) + 4);
    json_decref(json);
}

static void the_status_in_words(void **state)
{
    const struct fw_status s = {.version = "0.1.0",
                                .line = "2400 8E1",
                                .reset = "power",
                                .uptime_s = 3600,
                                .rssi_dbm = -67,
                                .frames_good = 1440,
                                .telegrams = 720,
                                .heap = 31000,
                                .heap_least = 22000};
    char text[FW_STATUS_CHARS];

    (void)state;
    assert_true(fw_status_json(&s, text, sizeof text) > 0);
    assert_string_equal(
        text, "{\"version\":\"0.1.0\",\"line\":\"2400 8E1\",\"reset\":\"power\",\"rssi\":-67,"
              "\"uptime_s\":3600,\"wifi_reconnects\":0,\"mqtt_reconnects\":0,\"telegrams\":720,"
              "\"frames_good\":1440,\"frames_bad\":0,\"noise\":0,\"parity_errors\":0,"
              "\"framing_errors\":0,\"overruns\":0,\"ring\":0,\"ring_octets\":0,\"dropped\":0,"
              "\"heap\":31000,\"heap_least\":22000}");
}

static void no_room(void **state)
{
    struct fw_status s = longest();
    char full[FW_STATUS_CHARS];
    size_t len = fw_status_json(&s, full, sizeof full);

    (void)state;
    for (size_t room = 1; room <= len; room++) {
        struct octets out = octets_copy((const uint8_t *)full, room);

        assert_int_equal(fw_status_json(&s, (char *)out.at, room), 0);
        free(out.at);
    }
    assert_int_equal(fw_status_json(&s, full, len + 1), len);
}

/* Names that need escapes, as long as settings let them be. */
static void discovery_of_each_diagnostic(void **state)
{
    char topic[100], payload[FW_DISCOVERY_CHARS], want[100];
    static const char name[] = "M\xC3\xBCller \"1\" \\ 456789012345678901";
    static const char status[] =
        "status/567890123456789012345678901234567890123456789012345678\"\\";
    struct fw_status s = longest();
    char text[FW_STATUS_CHARS];
    json_t *json, *values;

    (void)state;
    values = parse(text, fw_status_json(&s, text, sizeof text));
    for (unsigned i = 0; i < FW_DIAGNOSTICS; i++) {
        char key[40] = "";

        json = parse(payload, fw_discovery(i, name, status, s.version, topic, sizeof topic, payload,
                                           sizeof payload));
        sscanf(json_string_value(json_object_get(json, "value_template")), "{{ value_json.%39s",
               key);
        assert_non_null(json_object_get(values, key)); /* the status has it */
        snprintf(want, sizeof want,
                 "homeassistant/sensor/M__ller__1____456789012345678901/%s/config", key);
        assert_string_equal(topic, want);
        assert_string_equal(json_string_value(json_object_get(json, "state_topic")), status);
        snprintf(want, sizeof want, "%s/online", status);
        assert_string_equal(json_string_value(json_object_get(json, "availability_topic")), want);
        assert_string_equal(
            json_string_value(json_object_get(json_object_get(json, "device"), "name")), name);
        json_decref(json);
    }
    assert_int_equal(fw_discovery(0, name, status, "1", topic, 20, payload, sizeof payload), 0);
    assert_int_equal(fw_discovery(0, name, status, "1", topic, sizeof topic, payload, 300), 0);
    json_decref(values);
}

static void numbers_without_a_division(void **state)
{
    static const uint32_t numbers[] = {0, 1, 9, 10, 99, 100, 1000000000, 999999999, UINT32_MAX};
    char text[16], want[16];

    (void)state;
    for (size_t i = 0; i < COUNT(numbers); i++) {
        struct fw_text t = fw_text_make(text, sizeof text);

        fw_text_number(&t, numbers[i]);
        snprintf(want, sizeof want, "%u", numbers[i]);
        assert_string_equal(text, want);
    }
}

static void escapes(void **state)
{
    char text[64];
    struct fw_text t = fw_text_make(text, sizeof text);

    (void)state;
    fw_text_json(&t, "a\"b\\c\n\x1F\xC3\xA4");
    assert_string_equal(text, "a\\\"b\\\\c\\u000A\\u001F\xC3\xA4");
    t = fw_text_make(text, sizeof text);
    fw_text_html(&t, "<a href=\"x\">&'");
    assert_string_equal(text, "&lt;a href=&quot;x&quot;>&amp;'");
    assert_false(t.full);
    t = fw_text_make(text, 4);
    fw_text_hex(&t, (const uint8_t *)"\xAB\xCD", 2);
    assert_true(t.full);
    t = fw_text_make(text, 5);
    fw_text_hex(&t, (const uint8_t *)"\xAB\xCD", 2);
    assert_string_equal(text, "ABCD");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_status_has_every_number),
        cmocka_unit_test(the_status_in_words),
        cmocka_unit_test(no_room),
        cmocka_unit_test(discovery_of_each_diagnostic),
        cmocka_unit_test(numbers_without_a_division),
        cmocka_unit_test(escapes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
