/* The outermost message, its ciphering, and the verdicts that follow (quirks Q8, Q9, Q10). */
#include "tools.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include "apdu.h"
#include "decode.h"
#include "gcm.h"

#define TITLE        "4B464D1020304050"
#define TAG          "A1A2A3A4A5A6A7A8A9AAABAC"
#define PLAIN_HEADER "0F80000001 0C 07E60A0B020C0C3700FF8882"

static const struct row {
    const char *why, *octets;
    enum verdict verdict;
    const char *body; /* of VERDICT_OK, ciphered */
    bool tag;
    size_t header;
} rows[] = {
    {"length of one octet", "DB 08" TITLE "08 20 01020304 AABBCC", VERDICT_OK, "AABBCC", false, 0},
    {"length 81", "DB 08" TITLE "8108 20 01020304 AABBCC", VERDICT_OK, "AABBCC", false, 0},
    {"length 82", "DB 08" TITLE "820008 20 01020304 AABBCC", VERDICT_OK, "AABBCC", false, 0},
    {"length 84", "DB 08" TITLE "8400000008 20 01020304 AABBCC", VERDICT_OK, "AABBCC", false, 0},
    {"title's length as 81", "DB 8108" TITLE "08 20 01020304 AABBCC", VERDICT_OK, "AABBCC", false,
     0},
    {"suite 1, west Austria", "DB 08" TITLE "08 21 01020304 AABBCC", VERDICT_OK, "AABBCC", false,
     0},
    {"authenticated", "DB 08" TITLE "14 30 01020304 AABBCC" TAG, VERDICT_OK, "AABBCC", true, 0},
    {"authenticated, suite 1", "DB 08" TITLE "14 31 01020304 AABBCC" TAG, VERDICT_OK, "AABBCC",
     true, 0},
    {"no ciphertext", "DB 08" TITLE "05 20 01020304", VERDICT_OK, "", false, 0},
    {"tag alone", "DB 08" TITLE "11 30 01020304" TAG, VERDICT_OK, "", true, 0},
    {"general-ciphering, all optional fields absent",
     "DD 00 08" TITLE "00 00 00 00 08 20 01020304 AABBCC", VERDICT_OK, "AABBCC", false, 13},
    {"general-ciphering, all fields",
     "DD 02 0001 08" TITLE "08 5052494E54455231 0C 07E60A0B020C0C3700FF8882 03 616263 00 "
     "08 20 01020304 AABBCC",
     VERDICT_OK, "AABBCC", false, 3 + 9 + 9 + 13 + 4},
    {"general-ciphering, identified key",
     "DD 00 08" TITLE "00 00 00 01 00 00 08 20 01020304 AABBCC", VERDICT_OK, "AABBCC", false, 13},
    {"general-ciphering, identified broadcast key, authenticated",
     "DD 00 08" TITLE "00 00 00 01 00 01 14 30 01020304 AABBCC" TAG, VERDICT_OK, "AABBCC", true,
     13},

    {"general-ciphering, wrapped key",
     "DD 00 08" TITLE "00 00 00 01 01 00 03 010203 08 20 01020304 AABBCC", VERDICT_UNKNOWN_LAYOUT,
     NULL, false, 0},
    {"general-ciphering, agreed key",
     "DD 00 08" TITLE "00 00 00 01 02 01 01 02 0102 08 20 01020304 AABBCC", VERDICT_UNKNOWN_LAYOUT,
     NULL, false, 0},
    {"general-ciphering without a title", "DD 00 00 00 00 00 00 08 20 01020304 AABBCC",
     VERDICT_UNKNOWN_LAYOUT, NULL, false, 0},
    {"title of 7 octets", "DB 07 4B464D10203040 08 20 01020304 AABBCC", VERDICT_UNKNOWN_LAYOUT,
     NULL, false, 0},
    {"no title", "DB 00 08 20 01020304 AABBCC", VERDICT_UNKNOWN_LAYOUT, NULL, false, 0},
    {"title of one octet, and nothing more", "DB 01 4B", VERDICT_UNKNOWN_LAYOUT, NULL, false, 0},
    {"title of 9 octets", "DB 09 4B464D102030405060 08 20 01020304 AABBCC", VERDICT_UNKNOWN_LAYOUT,
     NULL, false, 0},
    {"not ciphered at all", "DB 08" TITLE "08 00 01020304 AABBCC", VERDICT_UNKNOWN_LAYOUT, NULL,
     false, 0},
    {"authenticated only", "DB 08" TITLE "14 10 01020304 AABBCC" TAG, VERDICT_UNKNOWN_LAYOUT, NULL,
     false, 0},
    {"suite 2 (AES-256)", "DB 08" TITLE "08 22 01020304 AABBCC", VERDICT_UNKNOWN_LAYOUT, NULL,
     false, 0},
    {"broadcast key set", "DB 08" TITLE "08 60 01020304 AABBCC", VERDICT_UNKNOWN_LAYOUT, NULL,
     false, 0},
    {"compressed", "DB 08" TITLE "08 A0 01020304 AABBCC", VERDICT_UNKNOWN_LAYOUT, NULL, false, 0},
    {"glo-get-response", "CC 08 20 01020304 AABBCC", VERDICT_UNKNOWN_LAYOUT, NULL, false, 0},
    {"general block transfer", "E0 C0 0001 0000 02 0F80", VERDICT_UNKNOWN_LAYOUT, NULL, false, 0},
    {"nothing", "", VERDICT_UNKNOWN_LAYOUT, NULL, false, 0},

    {"one octet lost", "DB 08" TITLE "08 20 01020304 AABB", VERDICT_LOST_OCTETS, NULL, false, 0},
    {"one octet too many", "DB 08" TITLE "08 20 01020304 AABBCCDD", VERDICT_LOST_OCTETS, NULL,
     false, 0},
    {"shorter than its counter", "DB 08" TITLE "04 20 010203", VERDICT_LOST_OCTETS, NULL, false, 0},
    {"empty", "DB 08" TITLE "00", VERDICT_LOST_OCTETS, NULL, false, 0},
    {"shorter than its tag", "DB 08" TITLE "10 30 01020304 A1A2A3A4A5A6A7A8A9AAAB",
     VERDICT_LOST_OCTETS, NULL, false, 0},
    {"length of 4 GiB", "DB 08" TITLE "84FFFFFFFF 20 01020304 AABBCC", VERDICT_LOST_OCTETS, NULL,
     false, 0},
    {"indefinite length", "DB 08" TITLE "80 20 01020304 AABBCC", VERDICT_LOST_OCTETS, NULL, false,
     0},
    {"title breaks off", "DB 08 4B464D", VERDICT_LOST_OCTETS, NULL, false, 0},
};

static void check_parts(const struct row *row, const struct octets *o, const struct apdu *apdu)
{
    struct octets body = octets_from_hex(row->body), title = octets_from_hex(TITLE);

    assert_true(apdu->ciphered);
    assert_memory_equal(apdu->title, title.at, SYSTEM_TITLE_OCTETS);
    assert_int_equal(apdu->counter, 0x01020304);
    assert_int_equal(apdu->body_len, body.len);
    if (body.len > 0)
        assert_memory_equal(apdu->body, body.at, body.len);
    assert_int_equal(apdu->tag != NULL, row->tag);
    if (row->tag)
        assert_ptr_equal(apdu->tag, o->at + o->len - TAG_OCTETS);
    assert_int_equal((apdu->security_control & SC_AUTHENTICATED) != 0, row->tag);
    assert_int_equal(apdu->header_len, row->header);
    if (row->header > 0)
        assert_ptr_equal(apdu->header, o->at + 1);
    free(body.at);
    free(title.at);
}

static void parses(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct octets o = octets_from_hex(rows[i].octets);
        const char *detail = NULL;
        struct apdu apdu;
        enum verdict v = apdu_parse(o.at, o.len, &apdu, &detail);

        if (v != rows[i].verdict)
            fail_msg("%s: %s (%s)", rows[i].why, verdict_name(v), detail);
        assert_non_null(detail);
        assert_int_equal(*detail == '\0', v == VERDICT_OK);
        assert_int_equal(apdu_is_whole(o.at, o.len), v == VERDICT_OK);
        if (v == VERDICT_OK)
            check_parts(&rows[i], &o, &apdu);
        free(o.at);
    }
}

static void every_truncation_fails(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct octets o = octets_from_hex(rows[i].octets);

        for (size_t len = 0; rows[i].verdict == VERDICT_OK && len < o.len; len++) {
            struct octets cut = octets_copy(o.at, len);
            const char *detail;
            struct apdu apdu;
            enum verdict v = apdu_parse(cut.at, cut.len, &apdu, &detail);

            if (v != (len == 0 ? VERDICT_UNKNOWN_LAYOUT : VERDICT_LOST_OCTETS))
                fail_msg("%s, %zu octets: %s", rows[i].why, len, verdict_name(v));
            assert_false(apdu_is_whole(cut.at, cut.len));
            free(cut.at);
        }
        free(o.at);
    }
}

static void plain(void **state)
{
    struct octets whole = octets_from_hex(PLAIN_HEADER "0201 1107");
    struct apdu apdu;
    const char *detail;

    (void)state;
    assert_int_equal(apdu_parse(whole.at, whole.len, &apdu, &detail), VERDICT_OK);
    assert_false(apdu.ciphered);
    assert_null(apdu.title);
    assert_null(apdu.tag);
    assert_ptr_equal(apdu.body, whole.at);
    assert_int_equal(apdu.body_len, whole.len);
    for (size_t len = 0; len < whole.len; len++)
        assert_false(apdu_is_whole(whole.at, len));
    assert_true(apdu_is_whole(whole.at, whole.len));
    free(whole.at);
}

/* Keys of one meter, or none. */
static const struct decode_keys *lookup(void *arg, const uint8_t title[SYSTEM_TITLE_OCTETS])
{
    const struct decode_keys *keys = arg;

    assert_memory_equal(title, "\x4B\x46\x4D\x10\x20\x30\x40\x50", SYSTEM_TITLE_OCTETS);
    return keys;
}

/* "The rest is undefined" is no licence to read behind the octets: each row in an exact allocation.
 */
static void broken_headers_name_the_meter_as_far_as_they_go(void **state)
{
    struct decode_keys none = {0};
    struct gcm *gcm = gcm_new();

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct octets o = octets_from_hex(rows[i].octets);
        struct reading r;
        const char *detail = NULL;
        enum verdict v = decode_apdu(gcm, o.at, o.len, lookup, &none, &r, &detail);
        bool named = strcmp(r.meter, TITLE) == 0;

        assert_int_equal(v, rows[i].verdict == VERDICT_OK ? VERDICT_NO_KEY : rows[i].verdict);
        assert_non_null(detail);
        if (!named && r.meter[0] != '\0')
            fail_msg("%s: meter %s", rows[i].why, r.meter);
        if (rows[i].verdict == VERDICT_OK)
            assert_true(named);
        if (r.counter != 0x01020304 && r.counter != -1)
            fail_msg("%s: counter %lld", rows[i].why, (long long)r.counter);
        free(o.at);
    }
    gcm_free(gcm);
}

/* Encrypt a plaintext in place of the row's ciphertext. Returns the whole APDU. */
static struct octets seal(struct gcm *gcm,
                          const char *header,
                          uint8_t security_control,
                          const char *plaintext,
                          const struct decode_keys *keys)
{
    struct octets head = octets_from_hex(header), text = octets_from_hex(plaintext);
    size_t tag_len = (security_control & SC_AUTHENTICATED) != 0 ? TAG_OCTETS : 0;
    size_t service = 1 + 4 + text.len + tag_len; /* below 128 in these tests */
    struct octets o = {malloc(head.len + 1 + service), head.len + 1 + service};
    uint8_t *at = o.at + head.len;
    uint8_t tag[TAG_OCTETS];
    const char *detail;
    struct apdu apdu;

    memcpy(o.at, head.at, head.len);
    *at++ = (uint8_t)service;
    *at++ = security_control;
    memcpy(at, "\x01\x02\x03\x04", 4);
    memcpy(at + 4, text.at, text.len);
    memset(at + 4 + text.len, 0, tag_len);
    assert_true(service < 128);
    assert_int_equal(apdu_parse(o.at, o.len, &apdu, &detail), VERDICT_OK);
    assert_int_equal(gcm_encrypt(gcm, &apdu, keys->key, keys->authentication_key, at + 4, text.len,
                                 tag_len > 0 ? tag : NULL),
                     0);
    memcpy(at + 4 + text.len, tag, tag_len);
    free(head.at);
    free(text.at);
    return o;
}

#define GLO     "DB 08" TITLE
#define GENERAL "DD 02 0001 08" TITLE "08 5052494E54455231 0C 07E60A0B020C0C3700FF8882 03 616263"
#define WIN     "0203 0906 0100010800FF 0600003289 0202 0F00 161E"

static const struct decode_keys right = {.has_key = true,
                                         .has_authentication_key = true,
                                         .key = "0123456789abcde",
                                         .authentication_key = "fedcba987654321"};

static enum verdict open_with(struct gcm *gcm, const struct octets *o, struct decode_keys keys)
{
    struct octets exact = octets_copy(o->at, o->len);
    struct reading r;
    const char *detail;
    enum verdict v = decode_apdu(gcm, exact.at, exact.len, lookup, &keys, &r, &detail);

    if (v == VERDICT_OK) {
        assert_string_equal(r.meter, TITLE);
        assert_int_equal(r.counter, 0x01020304);
        assert_int_equal(r.values[FIELD_WIN].mantissa, 12937);
        assert_true(r.has_time);
    }
    free(exact.at);
    return v;
}

static void sealed_and_opened(void **state)
{
    static const struct {
        const char *header;
        uint8_t security_control;
    } forms[] = {{GLO, 0x20},
                 {GLO, 0x21},
                 {GLO, 0x30},
                 {GLO, 0x31},
                 {GENERAL "00", 0x20},
                 {GENERAL "00", 0x30},
                 {GENERAL "010000", 0x31},
                 {"DD 00 08" TITLE "00 00 00 00", 0x30}};
    struct decode_keys wrong_key = right, wrong_ak = right, no_ak = right, no_key = right;
    struct gcm *gcm = gcm_new();

    (void)state;
    wrong_key.key[15] ^= 1;
    wrong_ak.authentication_key[0] ^= 0x80;
    no_ak.has_authentication_key = false;
    no_key.has_key = false;
    for (size_t i = 0; i < COUNT(forms); i++) {
        bool tag = (forms[i].security_control & SC_AUTHENTICATED) != 0;
        struct octets o =
            seal(gcm, forms[i].header, forms[i].security_control, PLAIN_HEADER WIN, &right);

        assert_int_equal(open_with(gcm, &o, right), VERDICT_OK);
        assert_int_equal(open_with(gcm, &o, wrong_key), VERDICT_WRONG_KEY);
        assert_int_equal(open_with(gcm, &o, wrong_ak), tag ? VERDICT_TAG : VERDICT_OK);
        assert_int_equal(open_with(gcm, &o, no_ak), tag ? VERDICT_NO_KEY : VERDICT_OK);
        assert_int_equal(open_with(gcm, &o, no_key), VERDICT_NO_KEY);
        free(o.at);
    }
    gcm_free(gcm);
}

/* Every octet of an authenticated telegram counts: header fields, control, counter, text, tag. */
static void every_flipped_bit_of_an_authenticated_telegram_is_seen(void **state)
{
    static const char *const headers[] = {GLO, GENERAL "00"};
    struct gcm *gcm = gcm_new();

    (void)state;
    for (size_t h = 0; h < COUNT(headers); h++) {
        struct octets o = seal(gcm, headers[h], 0x30, PLAIN_HEADER WIN, &right);
        struct octets title = octets_from_hex(TITLE);

        for (size_t bit = 0; bit < 8 * o.len; bit++) {
            o.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
            /* another title is another meter: the keys' lookup would not find it */
            if (memmem(o.at, o.len, title.at, title.len) != NULL &&
                open_with(gcm, &o, right) == VERDICT_OK)
                fail_msg("bit %zu of %s", bit, headers[h]);
            o.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        assert_int_equal(open_with(gcm, &o, right), VERDICT_OK);
        free(title.at);
        free(o.at);
    }
    gcm_free(gcm);
}

static void verdicts_on_plaintexts(void **state)
{
    static const struct {
        const char *why, *plaintext;
        enum verdict untagged, held, failed; /* without a tag, with one that holds, that does not */
    } texts[] = {
        {"a reading", PLAIN_HEADER WIN, VERDICT_OK, VERDICT_OK, VERDICT_TAG},
        {"nothing known", PLAIN_HEADER "0201 1107", VERDICT_UNKNOWN_LAYOUT, VERDICT_UNKNOWN_LAYOUT,
         VERDICT_TAG},
        {"DSMR", "2F4B464D35 0D0A0D0A 302D303A312E302E30283129 0D0A 21 0D0A",
         VERDICT_OTHER_INTERFACE, VERDICT_OTHER_INTERFACE, VERDICT_TAG},
        {"noise", "8899AABBCCDDEEFF0011223344556677", VERDICT_WRONG_KEY, VERDICT_UNKNOWN_LAYOUT,
         VERDICT_WRONG_KEY},
        {"noise that begins with DSMR's slash", "2F99AABBCCDDEEFF0011223344556677",
         VERDICT_WRONG_KEY, VERDICT_UNKNOWN_LAYOUT, VERDICT_WRONG_KEY},
        {"nothing", "", VERDICT_WRONG_KEY, VERDICT_UNKNOWN_LAYOUT, VERDICT_WRONG_KEY},
        {"breaks off", PLAIN_HEADER "0203 0906 0100010800FF 0600003289", VERDICT_LOST_OCTETS,
         VERDICT_UNKNOWN_LAYOUT, VERDICT_LOST_OCTETS},
        {"octets left", PLAIN_HEADER WIN "00", VERDICT_LOST_OCTETS, VERDICT_UNKNOWN_LAYOUT,
         VERDICT_LOST_OCTETS},
    };
    struct gcm *gcm = gcm_new();

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct octets untagged = seal(gcm, GLO, 0x20, texts[i].plaintext, &right);
        struct octets tagged = seal(gcm, GLO, 0x30, texts[i].plaintext, &right);
        enum verdict u = open_with(gcm, &untagged, right), h = open_with(gcm, &tagged, right), f;

        tagged.at[tagged.len - 1] ^= 1;
        f = open_with(gcm, &tagged, right);
        if (u != texts[i].untagged || h != texts[i].held || f != texts[i].failed)
            fail_msg("%s: %s; tag held: %s; tag failed: %s", texts[i].why, verdict_name(u),
                     verdict_name(h), verdict_name(f));
        free(untagged.at);
        free(tagged.at);
    }
    gcm_free(gcm);
}

/* libgcrypt keeps a partial block of a message whose tag was never asked for. */
static void one_handle_for_tagged_and_untagged_in_turn(void **state)
{
    struct gcm *gcm = gcm_new();
    struct octets untagged = seal(gcm, GLO, 0x20, PLAIN_HEADER WIN, &right);
    struct octets tagged = seal(gcm, GLO, 0x30, PLAIN_HEADER WIN, &right);

    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(open_with(gcm, &untagged, right), VERDICT_OK);
        assert_int_equal(open_with(gcm, &tagged, right), VERDICT_OK);
        assert_int_equal(open_with(gcm, &tagged, right), VERDICT_OK);
    }
    free(untagged.at);
    free(tagged.at);
    gcm_free(gcm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses),
        cmocka_unit_test(every_truncation_fails),
        cmocka_unit_test(plain),
        cmocka_unit_test(broken_headers_name_the_meter_as_far_as_they_go),
        cmocka_unit_test(sealed_and_opened),
        cmocka_unit_test(every_flipped_bit_of_an_authenticated_telegram_is_seen),
        cmocka_unit_test(verdicts_on_plaintexts),
        cmocka_unit_test(one_handle_for_tagged_and_untagged_in_turn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
