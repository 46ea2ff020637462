/* decode_apdu's promises that no published telegram touches; ciphering itself is in test_apdu. */
#include "tools.h"

#include "assembler.h"
#include "decode.h"

#define TITLE    "4B464D1020304050"
#define REGISTER "0906 0100010800FF 0600003289"
#define NUMBER   "090C313831323230303030303039"

static const struct decode_keys *no_keys(void *arg, const uint8_t title[SYSTEM_TITLE_OCTETS])
{
    (void)arg;
    (void)title;
    return NULL;
}

static const struct decode_keys *lookup(void *arg, const uint8_t title[SYSTEM_TITLE_OCTETS])
{
    assert_memory_equal(title, "\x4B\x46\x4D\x10\x20\x30\x40\x50", SYSTEM_TITLE_OCTETS);
    return arg;
}

static void plain_telegrams(void **state)
{
    static const struct row {
        const char *why, *octets;
        enum verdict verdict;
        const char *meter; /* SHA-256 of "zaehlwerk:" and the number */
    } rows[] = {
        {"named by its number", "0F80000001 00 0203" REGISTER NUMBER, VERDICT_OK,
         "4967FDE8AD2E27C6"},
        {"a bare number is digits alone",
         "0F80000001 00 0203" REGISTER "0A0E20313831323230303030303039 20", VERDICT_UNKNOWN_LAYOUT,
         ""},
        {"nothing names it", "0F80000001 00 0202" REGISTER, VERDICT_UNKNOWN_LAYOUT, ""},
        {"no register", "0F80000001 00 0201" NUMBER, VERDICT_UNKNOWN_LAYOUT, ""},
        {"breaks off", "0F80000001 00 0203" REGISTER "090C3138", VERDICT_LOST_OCTETS, ""},
        {"octets behind it", "0F80000001 00 0203" REGISTER NUMBER "00", VERDICT_LOST_OCTETS, ""},
        {"no header", "0F80000001 33 0203" REGISTER NUMBER, VERDICT_NOT_A_FRAME, ""},
        {"the tag alone", "0F", VERDICT_NOT_A_FRAME, ""},
        {"DSMR is no APDU", "2F4B464D35", VERDICT_UNKNOWN_LAYOUT, ""},
        {"nothing", "", VERDICT_UNKNOWN_LAYOUT, ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct octets o = octets_from_hex(rows[i].octets);
        struct reading r;
        const char *detail = NULL;
        enum verdict v = decode_apdu(NULL, o.at, o.len, no_keys, NULL, &r, &detail);

        if (v != rows[i].verdict || strcmp(r.meter, rows[i].meter) != 0)
            fail_msg("%s: %s, %s (%s)", rows[i].why, verdict_name(v), r.meter, detail);
        assert_int_equal(r.counter, -1);
        assert_non_null(detail);
        free(o.at);
    }
}

static struct octets
untagged(struct gcm *gcm, const struct decode_keys *keys, const char *plaintext)
{
    struct octets head = octets_from_hex("DB08" TITLE "82 0000 20 01020304");
    struct octets text = octets_from_hex(plaintext);
    struct octets o = {malloc(head.len + text.len), head.len + text.len};
    struct apdu apdu = {.title = head.at + 2, .counter = 0x01020304, .security_control = 0x20};

    assert_int_equal(gcm_encrypt(gcm, &apdu, keys->key, NULL, text.at, text.len, NULL), 0);
    head.at[11] = (uint8_t)((5 + text.len) >> 8);
    head.at[12] = (uint8_t)(5 + text.len);
    memcpy(o.at, head.at, head.len);
    memcpy(o.at + head.len, text.at, text.len);
    free(head.at);
    free(text.at);
    return o;
}

static void names_come_from_the_keys(void **state)
{
    static const struct row {
        const char *name, *want;
    } rows[] = {
        {NULL, ""},
        {"", ""},
        {"Haus 7", "Haus 7"},
        {"0123456789012345678901234567890123456789012345678901234567890123456789",
         "0123456789012345678901234567890123456789012345678901234567890123"},
    };
    struct gcm *gcm = gcm_new();

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct decode_keys keys = {.has_key = true, .key = "0123456789abcde", .name = rows[i].name};
        struct octets o = untagged(gcm, &keys, "0F80000001 00 0202" REGISTER);
        struct reading r;
        const char *detail;

        assert_int_equal(decode_apdu(gcm, o.at, o.len, lookup, &keys, &r, &detail), VERDICT_OK);
        assert_string_equal(r.name, rows[i].want);
        assert_string_equal(r.meter, TITLE);
        assert_int_equal(r.counter, 0x01020304);
        assert_false(r.has_time);
        assert_int_equal(r.clock_status, 0xFF);
        assert_string_equal(r.number, "");
        free(o.at);
    }
    gcm_free(gcm);
}

/* A counter of 4 octets never turns negative: -1 means that there is none. */
static void the_counter_has_32_bits(void **state)
{
    struct octets o = octets_from_hex("DB08" TITLE "08 20 FFFFFFFF AABBCC");
    struct reading r;
    const char *detail;

    (void)state;
    assert_int_equal(decode_apdu(NULL, o.at, o.len, no_keys, NULL, &r, &detail), VERDICT_NO_KEY);
    assert_true(r.counter == INT64_C(4294967295));
    assert_string_equal(r.meter, TITLE);
    free(o.at);
}

static void bare_apdus_have_a_longest_too(void **state)
{
    struct decode_keys keys = {.has_key = true};
    struct gcm *gcm = gcm_new();

    (void)state;
    for (size_t body = APDU_MAX - 1; body <= APDU_MAX + 1; body++) {
        struct octets o = octets_from_hex("DB08" TITLE "82 0000 20 01020304");
        struct reading r;
        const char *detail;
        enum verdict v;

        o.at = realloc(o.at, o.len + body);
        memset(o.at + o.len, 0x55, body);
        o.len += body;
        o.at[11] = (uint8_t)((body + 5) >> 8);
        o.at[12] = (uint8_t)(body + 5);
        v = decode_apdu(gcm, o.at, o.len, lookup, &keys, &r, &detail);
        assert_int_equal(v, body > APDU_MAX ? VERDICT_UNKNOWN_LAYOUT : VERDICT_WRONG_KEY);
        free(o.at);
    }
    gcm_free(gcm);
}

static void verdicts_have_names_and_advice(void **state)
{
    static const char *const names[] = {
        "ok",          "checksum",  "truncated", "lost-octets",    "sequence",
        "no-key",      "wrong-key", "tag",       "unknown-layout", "not-a-frame",
        "implausible", "poison",    "refused",   "parity",         "other-interface"};

    (void)state;
    assert_int_equal(COUNT(names), VERDICT_COUNT);
    for (int v = 0; v < VERDICT_COUNT; v++) {
        assert_string_equal(verdict_name((enum verdict)v), names[v]);
        assert_int_equal(verdict_from_name(names[v]), v);
        assert_true(strlen(verdict_advice((enum verdict)v)) > 3);
    }
    assert_int_equal(verdict_from_name("OK"), -1);
    assert_int_equal(verdict_from_name(""), -1);
    assert_non_null(verdict_name((enum verdict)VERDICT_COUNT));
    assert_non_null(verdict_advice((enum verdict) - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_telegrams),
        cmocka_unit_test(names_come_from_the_keys),
        cmocka_unit_test(the_counter_has_32_bits),
        cmocka_unit_test(bare_apdus_have_a_longest_too),
        cmocka_unit_test(verdicts_have_names_and_advice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
