/* Published plaintexts under their keys again: octets as the meter sent them, and each way to fail.
 */
#include "sealed.h"

#include "mbus.h"

static struct gcm *gcm;

static int open_gcm(void **state)
{
    (void)state;
    gcm = gcm_new();
    return gcm == NULL;
}

static int close_gcm(void **state)
{
    (void)state;
    gcm_free(gcm);
    gcm_free(NULL); /* fine too */
    return 0;
}

/* The APDU as sent: M-Bus frames opened, P1 as it is; of HDLC only what came in one frame. */
static void check_as_sent(const json_t *vector, const char *id)
{
    struct octets frames[FRAMES_MAX];
    size_t count = vector_frames(vector, frames);
    struct buf sealed = seal(gcm, vector), sent = {0};

    for (size_t i = 0; i < count; i++) {
        struct link_frame f = {.data = frames[i].at, .len = frames[i].len};

        if (strcmp(vector_text(vector, "link"), "mbus") == 0)
            assert_int_equal(mbus_check(frames[i].at, frames[i].len, &f), LINK_FRAME);
        assert_int_equal(buf_add(&sent, f.data, f.len), 0);
        free(frames[i].at);
    }
    if (sealed.len > 0 && (count == 1 || strcmp(vector_text(vector, "link"), "hdlc") != 0) &&
        memmem(sent.data, sent.len, sealed.data, sealed.len) == NULL)
        fail_msg("%s: other octets than the meter's", id);
    buf_free(&sealed);
    buf_free(&sent);
}

static void octets_as_sent(void **state)
{
    (void)state;
    each_vector(check_as_sent);
}

static enum verdict open_with(const struct buf *sealed, struct decode_keys keys, struct reading *r)
{
    struct octets exact = octets_copy(sealed->data, sealed->len);
    const char *detail = NULL;
    enum verdict v = decode_apdu(gcm, exact.at, exact.len, lookup, &keys, r, &detail);

    assert_non_null(detail);
    free(exact.at);
    return v;
}

static void check_opened(const json_t *vector, const char *id)
{
    struct buf sealed = seal(gcm, vector);
    struct reading r;
    enum verdict v;

    if (sealed.len == 0)
        return;
    v = open_with(&sealed, keys_of(vector), &r);
    assert_string_equal(r.meter, vector_text(vector, "system_title"));
    assert_int_equal(r.counter, json_integer_value(json_object_get(vector, "frame_counter")));
    if (strstr(id, "broken-second-fragment") != NULL)
        assert_int_equal(v, VERDICT_LOST_OCTETS);
    else if (v != verdict_of(id))
        fail_msg("%s: %s", id, verdict_name(v));
    if (v == VERDICT_OK)
        check_reading(id, &r, vector);
    if (v == VERDICT_UNKNOWN_LAYOUT || v == VERDICT_OTHER_INTERFACE)
        check_no_values(id, &r);
    buf_free(&sealed);
}

static void opened_with_their_keys(void **state)
{
    (void)state;
    each_vector(check_opened);
}

static unsigned authenticated;

static void check_authenticated(const json_t *vector, const char *id)
{
    struct buf sealed = seal(gcm, vector);
    struct decode_keys right = keys_of(vector), wrong = right;
    struct reading r;
    enum verdict v;

    if (sealed.len == 0 || !right.has_authentication_key) {
        buf_free(&sealed);
        return;
    }
    authenticated++;
    for (size_t bit = 0; bit < 8 * KEY_OCTETS; bit++) {
        wrong = right;
        wrong.authentication_key[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if ((v = open_with(&sealed, wrong, &r)) != VERDICT_TAG)
            fail_msg("%s, bit %zu of the authentication key: %s", id, bit, verdict_name(v));
        wrong = right;
        wrong.key[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if ((v = open_with(&sealed, wrong, &r)) != VERDICT_WRONG_KEY)
            fail_msg("%s, bit %zu of the key: %s", id, bit, verdict_name(v));
    }
    wrong = right;
    wrong.has_authentication_key = false;
    assert_int_equal(open_with(&sealed, wrong, &r), VERDICT_NO_KEY);
    assert_string_equal(r.meter, vector_text(vector, "system_title"));
    for (size_t bit = 0; bit < 8 * TAG_OCTETS; bit++) {
        uint8_t *octet = &sealed.data[sealed.len - 1 - bit / 8];

        *octet ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(open_with(&sealed, right, &r), VERDICT_TAG);
        *octet ^= (uint8_t)(1 << bit % 8);
    }
    buf_free(&sealed);
}

static void authenticated_telegrams(void **state)
{
    (void)state;
    authenticated = 0;
    each_vector(check_authenticated);
    assert_int_equal(authenticated, 5);
}

/* A bit changed on the way, where a tag guards it: never a reading. */
static void check_changed(const json_t *vector, const char *id)
{
    struct buf sealed = seal(gcm, vector);
    struct decode_keys keys = keys_of(vector);

    for (size_t i = 10; keys.has_authentication_key && i < sealed.len; i++) {
        struct reading r;
        enum verdict v;

        sealed.data[i] ^= (uint8_t)(1 << i % 8);
        v = open_with(&sealed, keys, &r);
        if (v == VERDICT_OK || v == VERDICT_NO_KEY)
            fail_msg("%s, octet %zu: %s", id, i, verdict_name(v));
        sealed.data[i] ^= (uint8_t)(1 << i % 8);
    }
    buf_free(&sealed);
}

static void changed_on_the_way(void **state)
{
    (void)state;
    each_vector(check_changed);
}

/* NIST's GCM test case 4 (the GCM specification, appendix B) has a nonce like ours, but no AAD. */
static void agrees_with_a_published_vector(void **state)
{
    struct octets key = octets_from_hex("FEFFE9928665731C6D6A8F9467308308");
    struct octets text =
        octets_from_hex("D9313225F88406E5A55909C5AFF5269A86A7A9531534F7DA2E4C303D8A318A72"
                        "1C3C0C95956809532FCF0E2449A6B525B16AEDF5AA0DE657BA637B391AAFD255");
    struct octets want =
        octets_from_hex("42831EC2217774244B7221B784D0D49CE3AA212F2C02A4E035C17E2329ACA12E"
                        "21D514B25466931C7D8F6A5AAC84AA051BA30B396A0AAC973D58E091473F5985");
    struct octets title = octets_from_hex("CAFEBABEFACEDBAD");
    struct apdu apdu = {.title = title.at, .counter = 0xDECAF888, .security_control = 0x20};

    (void)state;
    assert_int_equal(gcm_encrypt(gcm, &apdu, key.at, NULL, text.at, text.len, NULL), 0);
    assert_memory_equal(text.at, want.at, want.len);
    free(key.at);
    free(text.at);
    free(want.at);
    free(title.at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(octets_as_sent),
        cmocka_unit_test(opened_with_their_keys),
        cmocka_unit_test(authenticated_telegrams),
        cmocka_unit_test(changed_on_the_way),
        cmocka_unit_test(agrees_with_a_published_vector),
    };

    return cmocka_run_group_tests(tests, open_gcm, close_gcm);
}
