/* The forms in which senders put octets into an MQTT message. */
#include "vectors.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#include "payload.h"

static const char *const forms[] = {
    [PAYLOAD_HEX] = "hex", [PAYLOAD_RAW] = "raw", [PAYLOAD_JSON] = "json"};

static void check(const char *why,
                  const uint8_t *payload,
                  size_t len,
                  enum payload_form want,
                  const uint8_t *octets,
                  size_t octets_len)
{
    struct octets exact = octets_copy(payload, len);
    struct buf out = {0};
    enum payload_form form;
    const char *detail = NULL;
    int rc = payload_octets(exact.at, exact.len, &out, &form, &detail);

    if (rc != 0 || form != want)
        fail_msg("%s: %d, %s, \"%s\"", why, rc, rc == 0 ? forms[form] : "-", detail);
    if (out.len != octets_len || (out.len > 0 && memcmp(out.data, octets, out.len) != 0))
        fail_msg("%s: %zu other octets", why, out.len);
    assert_non_null(detail);
    buf_free(&out);
    free(exact.at);
}

static void texts(void **state)
{
    static const struct row {
        const char *why, *payload;
        enum payload_form form;
        const char *octets; /* of PAYLOAD_RAW: the payload itself */
    } rows[] = {
        {"upper case", "68FAFA68", PAYLOAD_HEX, "68FAFA68"},
        {"lower case", "68fafa68", PAYLOAD_HEX, "68FAFA68"},
        {"mixed", "68fAFa68", PAYLOAD_HEX, "68FAFA68"},
        {"digits alone look like hex", "1234", PAYLOAD_HEX, "1234"},
        {"blank between octets", "68 FA FA 68", PAYLOAD_HEX, "68FAFA68"},
        {"blank within octets", "6 8F AF A6 8", PAYLOAD_HEX, "68FAFA68"},
        {"lines", "68FA\r\nFA68\r\n", PAYLOAD_HEX, "68FAFA68"},
        {"all white space there is", " \t\n\v\f\r68FA", PAYLOAD_HEX, "68FA"},
        {"half an octet at the end is dropped", "68FAF", PAYLOAD_HEX, "68FA"},
        {"one octet", "E5", PAYLOAD_HEX, "E5"},
        {"half an octet alone is none", "6", PAYLOAD_RAW, NULL},
        {"nothing", "", PAYLOAD_RAW, NULL},
        {"white space alone", " \r\n", PAYLOAD_RAW, NULL},
        {"0x is no hex text", "0x68FA", PAYLOAD_RAW, NULL},
        {"a word", "online", PAYLOAD_RAW, NULL},
        {"one character too far", "68FAFA6G", PAYLOAD_RAW, NULL},
        {"a JSON string without an object", "\"68FA\"", PAYLOAD_RAW, NULL},

        {"Tasmota", "{\"SSerialReceived\":\"68FAFA68\"}", PAYLOAD_JSON, "68FAFA68"},
        {"data", "{\"data\":\"68fa\"}", PAYLOAD_JSON, "68FA"},
        {"payload", "{\"payload\":\"68FA\"}", PAYLOAD_JSON, "68FA"},
        {"raw", "{\"raw\":\"68FA\"}", PAYLOAD_JSON, "68FA"},
        {"among other members",
         "{\"Time\":\"2026-11-24T08:00:00\", \"rssi\": -61, \"data\": \"68FA\", \"ok\": true}",
         PAYLOAD_JSON, "68FA"},
        {"a known name without a string is passed over", "{\"data\": 104, \"raw\": \"68FA\"}",
         PAYLOAD_JSON, "68FA"},
        {"blanks in the string", "{\"data\": \"68 FA\\r\\n\"}", PAYLOAD_JSON, "68FA"},
        {"escapes in the string", "{\"data\": \"\\u0036\\u0038FA\"}", PAYLOAD_JSON, "68FA"},
        {"white space around", " \r\n{\"data\":\"68FA\"}\r\n", PAYLOAD_JSON, "68FA"},
        {"two objects", "{\"data\":\"68FA\"}{\"data\":\"FA68\"}", PAYLOAD_JSON, "68FAFA68"},
        {"three objects in lines, of different names",
         "{\"SSerialReceived\":\"68\"}\n{\"data\":\"FA\"}\n\n{\"raw\":\"FA68\"}\n", PAYLOAD_JSON,
         "68FAFA68"},
        {"text beyond ASCII before the string",
         "{\"Zähler\":\"Küche €\",\"data\":\"68FA\"} {\"data\":\"16\"}", PAYLOAD_JSON, "68FA16"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const uint8_t *payload = (const uint8_t *)rows[i].payload;
        size_t len = strlen(rows[i].payload);
        struct octets want =
            rows[i].octets == NULL ? octets_copy(payload, len) : octets_from_hex(rows[i].octets);

        check(rows[i].why, payload, len, rows[i].form, want.at, want.len);
        free(want.at);
    }
}

static void json_that_is_refused(void **state)
{
    static const struct row {
        const char *why, *payload;
    } rows[] = {
        {"no string under a known name", "{\"state\":\"online\"}"},
        {"empty object", "{}"},
        {"a number", "{\"data\": 68}"},
        {"null", "{\"data\": null}"},
        {"one level too deep", "{\"StatusSNS\": {\"data\": \"68FA\"}}"},
        {"a string that is not hex", "{\"data\": \"hello\"}"},
        {"an empty string", "{\"data\": \"\"}"},
        {"half an octet", "{\"data\": \"6\"}"},
        {"breaks off in the string", "{\"data\": \"68FA"},
        {"breaks off before the brace", "{\"data\": \"68FA\""},
        {"a brace alone", "{"},
        {"words behind the object", "{\"data\": \"68FA\"} and more"},
        {"second object broken", "{\"data\": \"68FA\"}{\"data\": \"16"},
        {"second object without a string", "{\"data\": \"68FA\"}{}"},
        {"an array behind the object", "{\"data\": \"68FA\"}[\"16\"]"},
        {"single quotes", "{'data': '68FA'}"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf out = {0};
        enum payload_form form;
        const char *detail = "";
        int rc;

        assert_int_equal(buf_add(&out, "before", 6), 0);
        rc = payload_octets((const uint8_t *)rows[i].payload, strlen(rows[i].payload), &out, &form,
                            &detail);
        if (rc != -EPROTO || *detail == '\0')
            fail_msg("%s: %d \"%s\"", rows[i].why, rc, detail);
        assert_int_equal(out.len, 6); /* nothing of it was kept */
        assert_memory_equal(out.data, "before", 6);
        buf_free(&out);
    }
}

static void octets_are_appended(void **state)
{
    struct buf out = {0};
    enum payload_form form;
    const char *detail;

    (void)state;
    assert_int_equal(payload_octets((const uint8_t *)"68FA", 4, &out, &form, &detail), 0);
    assert_int_equal(payload_octets((const uint8_t *)"\x01\x02", 2, &out, &form, &detail), 0);
    assert_int_equal(payload_octets((const uint8_t *)"{\"raw\":\"16\"}", 12, &out, &form, &detail),
                     0);
    assert_int_equal(out.len, 5);
    assert_memory_equal(out.data, "\x68\xFA\x01\x02\x16", 5);
    buf_free(&out);
}

/* Every published frame in every form. */
static void check_frame(const char *id, const struct octets *frame)
{
    char *hex = hex_text(frame->at, frame->len);
    char *json = malloc(2 * frame->len + 64);
    size_t len = strlen(hex);

    check(id, frame->at, frame->len, PAYLOAD_RAW, frame->at, frame->len);
    check(id, (uint8_t *)hex, len, PAYLOAD_HEX, frame->at, frame->len);
    snprintf(json, 2 * frame->len + 64, "{\"SSerialReceived\":\"%s\"}", hex);
    check(id, (uint8_t *)json, strlen(json), PAYLOAD_JSON, frame->at, frame->len);
    for (size_t i = 0; i < len; i++)
        hex[i] = (char)tolower((unsigned char)hex[i]);
    check(id, (uint8_t *)hex, len, PAYLOAD_HEX, frame->at, frame->len);
    free(hex);
    free(json);
}

static void real_frames_in_every_form(void **state)
{
    json_t *vectors = vectors_load();
    const json_t *vector;
    size_t i;

    (void)state;
    json_array_foreach(vectors, i, vector)
    {
        struct octets frames[FRAMES_MAX];
        size_t count = vector_frames(vector, frames);

        for (size_t f = 0; f < count; f++) {
            check_frame(vector_text(vector, "id"), &frames[f]);
            free(frames[f].at);
        }
    }
    json_decref(vectors);
}

/* A raw stream may be cut anywhere, in front of a 7B ('{') too: that is no JSON. */
static void raw_pieces_that_begin_with_a_brace(void **state)
{
    json_t *vectors = vectors_load();
    const json_t *vector;
    size_t i, found = 0;

    (void)state;
    json_array_foreach(vectors, i, vector)
    {
        struct octets frames[FRAMES_MAX];
        size_t count = vector_frames(vector, frames);

        for (size_t f = 0; f < count; f++) {
            for (size_t at = 0; at + 8 < frames[f].len; at++) {
                size_t left = frames[f].len - at;

                if (frames[f].at[at] != '{')
                    continue;
                check(vector_text(vector, "id"), frames[f].at + at, left, PAYLOAD_RAW,
                      frames[f].at + at, left);
                found++;
            }
            free(frames[f].at);
        }
    }
    json_decref(vectors);
    assert_true(found > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts),
        cmocka_unit_test(json_that_is_refused),
        cmocka_unit_test(octets_are_appended),
        cmocka_unit_test(real_frames_in_every_form),
        cmocka_unit_test(raw_pieces_that_begin_with_a_brace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
