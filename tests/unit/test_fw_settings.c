/* The firmware's settings in flash: every field comes back, and nothing damaged does. */
#include "tools.h"

#include <stdbool.h>
#include <stdio.h>

#include "fw_crc.h"
#include "fw_line.h"
#include "fw_settings.h"

#define PIN "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"
#define PIN_COLONS                                                                                 \
    "00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:"   \
    "1E:1F"

static const struct fw_field *field(const char *name)
{
    for (const struct fw_field *f = fw_fields; f < fw_fields + FW_FIELDS; f++)
        if (strcmp(f->name, name) == 0)
            return f;
    fail_msg("no field %s", name);
    return NULL;
}

static bool set(struct fw_settings *s, const char *name, const char *text)
{
    return fw_settings_set(s, field(name), text);
}

static void sound(struct fw_settings *s)
{
    fw_settings_defaults(s, "zaehlwerk-A1B2C3");
    assert_true(set(s, "ssid", "home"));
    assert_true(set(s, "broker", "broker.local"));
}

/* Texts as long as they may be, and numbers at their ends. */
static void fill(struct fw_settings *s)
{
    char text[256];

    for (const struct fw_field *f = fw_fields; f < fw_fields + FW_FIELDS; f++) {
        if (f->kind == FW_TEXT || f->kind == FW_SECRET) {
            memset(text, 'a' + f->tag, f->size - 1U);
            text[f->size - 1] = '\0';
            assert_true(fw_settings_set(s, f, text));
        } else {
            assert_true(fw_settings_set(s, f, f->kind == FW_NUMBER ? "65535" : "1"));
        }
    }
}

static void every_field_comes_back(void **state)
{
    struct fw_settings full, back;
    uint8_t octets[FW_SETTINGS_MAX];
    size_t len;

    (void)state;
    fw_settings_defaults(&full, "x");
    fill(&full);
    len = fw_settings_encode(&full, octets);
    assert_true(len <= sizeof octets);
    fw_settings_defaults(&back, "y");
    assert_int_equal(fw_settings_decode(&back, octets, len), FW_SETTINGS_READ);
    assert_memory_equal(&back, &full, sizeof full);
}

static void tags_and_names_are_unique(void **state)
{
    (void)state;
    for (size_t i = 0; i < FW_FIELDS; i++)
        for (size_t k = 0; k < i; k++) {
            assert_int_not_equal(fw_fields[i].tag, fw_fields[k].tag);
            assert_string_not_equal(fw_fields[i].name, fw_fields[k].name);
        }
}

/* What version 1 wrote, for ever. */
static void golden(void **state)
{
    static const char hex[] =
        "5A5701 0104686F6D65 0200 030C62726F6B65722E6C6F63616C 0402075B 0500 0600"
        "071273656E736F72732F736D6172746D65746572 08117374617475732F736D6172746D65746572"
        "09107A6165686C7765726B2D413142324333 0A0100 0B00 0C01FF 0D0101 0E0101 0F0101 1000";
    struct fw_settings s;
    struct octets want = octets_from_hex(hex);
    uint8_t octets[FW_SETTINGS_MAX];
    size_t len;

    (void)state;
    sound(&s);
    len = fw_settings_encode(&s, octets);
    assert_int_equal(len, want.len + 2);
    assert_memory_equal(octets, want.at, want.len);
    assert_int_equal(octets[want.len] | octets[want.len + 1] << 8, fw_crc(want.at, want.len));
    assert_int_equal(fw_crc((const uint8_t *)"123456789", 9), 0x906E);
    free(want.at);
}

static void damage_is_seen(void **state)
{
    struct fw_settings s, before;
    uint8_t octets[FW_SETTINGS_MAX];
    size_t len;

    (void)state;
    sound(&s);
    before = s;
    len = fw_settings_encode(&s, octets);
    for (size_t i = 0; i < len; i++) {
        struct octets cut = octets_copy(octets, i);

        assert_int_equal(fw_settings_decode(&s, cut.at, cut.len), FW_SETTINGS_DAMAGED);
        free(cut.at);
    }
    for (size_t bit = 0; bit < 8 * len; bit++) {
        octets[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(fw_settings_decode(&s, octets, len), FW_SETTINGS_DAMAGED);
        octets[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_memory_equal(&s, &before, sizeof s);
}

/* With a right check sequence. */
static enum fw_settings_result decode(struct fw_settings *s, const char *hex)
{
    struct octets o = octets_from_hex(hex);
    uint8_t octets[FW_SETTINGS_MAX];
    uint16_t crc = fw_crc(o.at, o.len);
    enum fw_settings_result r;
    struct octets exact;

    memcpy(octets, o.at, o.len);
    octets[o.len] = (uint8_t)crc;
    octets[o.len + 1] = (uint8_t)(crc >> 8);
    exact = octets_copy(octets, o.len + 2);
    r = fw_settings_decode(s, exact.at, exact.len);
    free(exact.at);
    free(o.at);
    return r;
}

static void other_versions(void **state)
{
    struct fw_settings s;

    (void)state;
    sound(&s);
    assert_int_equal(decode(&s, "5A5701"), FW_SETTINGS_READ); /* no fields: all as they were */
    assert_string_equal(s.ssid, "home");
    assert_int_equal(decode(&s, "5A5701 FE03AABBCC 010178 FD00"), FW_SETTINGS_READ);
    assert_string_equal(s.ssid, "x"); /* between fields of a newer firmware */
    assert_int_equal(decode(&s, "5A5701 0401FF 04030102FF"), FW_SETTINGS_READ);
    assert_int_equal(s.port, 1883); /* not of its size */
    assert_int_equal(decode(&s, "5A5702 010179"), FW_SETTINGS_NEWER);
    assert_int_equal(decode(&s, "5A5701 0105686F"), FW_SETTINGS_DAMAGED);
    assert_int_equal(decode(&s, "5A5701 01"), FW_SETTINGS_DAMAGED);
    assert_int_equal(decode(&s, "5A5801 010179"), FW_SETTINGS_DAMAGED);
    assert_string_equal(s.ssid, "x");
}

static void a_text_too_long_is_skipped(void **state)
{
    struct fw_settings s;
    char hex[200] = "5A5701 0121";

    (void)state;
    sound(&s);
    for (int i = 0; i < 33; i++)
        strcat(hex, "61");
    assert_int_equal(decode(&s, hex), FW_SETTINGS_READ);
    assert_string_equal(s.ssid, "home");
}

static void what_a_form_may_set(void **state)
{
    static const struct row {
        const char *name, *text;
        bool taken;
    } rows[] = {
        {"ssid", "12345678901234567890123456789012", true},
        {"ssid", "123456789012345678901234567890123", false},
        {"ssid", "a\tb", false},
        {"ssid", "a\x7F", false},
        {"ssid", "Caf\xC3\xA9", true},
        {"port", "1", true},
        {"port", "65535", true},
        {"port", "65536", false},
        {"port", "", false},
        {"port", "-1", false},
        {"port", "18 83", false},
        {"port", "000001", false},
        {"tls", "1", true},
        {"tls", "2", false},
        {"line_mode", "3", true},
        {"line_mode", "4", false},
        {"line_mode", "255", true},
    };
    struct fw_settings s;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        sound(&s);
        if (set(&s, rows[i].name, rows[i].text) != rows[i].taken)
            fail_msg("%s=%s", rows[i].name, rows[i].text);
    }
}

static void what_cannot_work(void **state)
{
    static const struct row {
        const char *name, *text;
    } rows[] = {
        {"ssid", ""},
        {"wifi_password", "short"},
        {"wifi_password", "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1g"},
        {"broker", ""},
        {"broker", "a b"},
        {"broker", "mqtt://a"},
        {"port", "0"},
        {"topic", ""},
        {"topic", "a/+"},
        {"topic", "#"},
        {"status_topic", ""},
        {"status_topic", "a/#"},
        {"status_topic", "sensors/smartmeter"},
        {"name", ""},
        {"name", "a/b"},
        {"name", "a+"},
        {"update_url", "http://x/y"},
        {"fingerprint", "AB"},
        {"fingerprint", PIN "0"},
        {"fingerprint", PIN ":"},
        {"fingerprint", ":" PIN},
        {"fingerprint", "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1g"},
    };
    struct fw_settings s;

    (void)state;
    sound(&s);
    assert_null(fw_settings_wrong(&s));
    assert_true(set(&s, "update_url", "https://x/y"));
    assert_true(set(&s, "wifi_password", "12345678"));
    assert_null(fw_settings_wrong(&s));
    assert_true(set(&s, "wifi_password",
                    "00102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1g")); /* 63 */
    assert_null(fw_settings_wrong(&s));
    assert_true(set(&s, "wifi_password",
                    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"));
    assert_null(fw_settings_wrong(&s));
    fw_settings_defaults(&s, "n");
    assert_string_equal(fw_settings_wrong(&s), "ssid");
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *wrong;

        sound(&s);
        assert_true(set(&s, rows[i].name, rows[i].text));
        wrong = fw_settings_wrong(&s);
        if (wrong == NULL || strcmp(wrong, rows[i].name) != 0)
            fail_msg("%s=%s: %s", rows[i].name, rows[i].text, wrong == NULL ? "fine" : wrong);
    }
}

static void a_fingerprint_as_people_write_it(void **state)
{
    static const char *const texts[] = {
        PIN, PIN_COLONS, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"};
    struct fw_settings s;
    uint8_t pin[FW_PIN_LEN];

    (void)state;
    sound(&s);
    assert_false(fw_settings_pin(&s, pin));
    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_true(set(&s, "fingerprint", texts[i]));
        assert_null(fw_settings_wrong(&s));
        assert_true(fw_settings_pin(&s, pin));
        for (uint8_t k = 0; k < FW_PIN_LEN; k++)
            assert_int_equal(pin[k], k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_comes_back),
        cmocka_unit_test(tags_and_names_are_unique),
        cmocka_unit_test(golden),
        cmocka_unit_test(damage_is_seen),
        cmocka_unit_test(other_versions),
        cmocka_unit_test(a_text_too_long_is_skipped),
        cmocka_unit_test(what_a_form_may_set),
        cmocka_unit_test(what_cannot_work),
        cmocka_unit_test(a_fingerprint_as_people_write_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
