/* Every published frame of a real meter: decoded as published, or refused for the right reason. */
#include "published.h"

#include "assembler.h"
#include "buf.h"
#include "notification.h"
#include "payload.h"

/* Not decodable as published: no key, noise in it, or a body without its header. */
static const char *const special[] = {"seed-frame", "ewr-kaifa-ma309m-broken-second-fragment",
                                      "landisgyr-e450-11-elements-body"};

static bool is_special(const char *id)
{
    for (size_t i = 0; i < COUNT(special); i++)
        if (strcmp(special[i], id) == 0)
            return true;
    return false;
}

/* One way for a telegram to come in. */
struct inflow {
    struct assembler *assembler;
    struct gcm *gcm;
    struct decode_keys keys;
    unsigned outcomes;
    enum verdict verdict; /* of the last */
    struct reading reading;
    size_t octets;
};

static void decode(void *arg, const struct telegram_octets *t)
{
    struct inflow *a = arg;
    const char *detail = t->detail;

    a->outcomes++;
    a->octets += t->octets_len;
    a->verdict = t->verdict;
    assert_non_null(t->detail);
    if (t->verdict == VERDICT_OK)
        a->verdict =
            decode_apdu(a->gcm, t->apdu, t->apdu_len, lookup, &a->keys, &a->reading, &detail);
    else
        assert_int_equal(t->apdu_len, 0);
}

static void feed(struct inflow *a, const uint8_t *octets, size_t len)
{
    struct octets exact = octets_copy(octets, len);

    assert_int_equal(
        assembler_feed(a->assembler, exact.at, exact.len, (struct arrival){0}, decode, a), 0);
    free(exact.at);
}

static void feed_payload(struct inflow *a, const uint8_t *payload, size_t len)
{
    struct buf out = {0};
    enum payload_form form;
    const char *detail;

    assert_int_equal(payload_octets(payload, len, &out, &form, &detail), 0);
    feed(a, out.data, out.len);
    buf_free(&out);
}

enum way { JOINED, EACH, OCTETS, HEX, RAW, HEX_EACH, RAW_EACH, WAYS };

static void feed_way(struct inflow *a, enum way way, const struct octets *frames, size_t count)
{
    struct buf all = {0};
    char *hex;

    for (size_t i = 0; i < count; i++) {
        hex = hex_text(frames[i].at, frames[i].len);
        if (way == EACH)
            feed(a, frames[i].at, frames[i].len);
        if (way == HEX_EACH)
            feed_payload(a, (uint8_t *)hex, strlen(hex));
        if (way == RAW_EACH)
            feed_payload(a, frames[i].at, frames[i].len);
        assert_int_equal(buf_add(&all, frames[i].at, frames[i].len), 0);
        free(hex);
    }
    hex = hex_text(all.data, all.len);
    if (way == JOINED)
        feed(a, all.data, all.len);
    if (way == HEX)
        feed_payload(a, (uint8_t *)hex, strlen(hex));
    if (way == RAW)
        feed_payload(a, all.data, all.len);
    for (size_t i = 0; way == OCTETS && i < all.len; i++)
        feed(a, all.data + i, 1);
    free(hex);
    buf_free(&all);
}

/* The telegram came in this way: one outcome, of all its octets. */
static void arrive(struct inflow *a, const json_t *vector, struct decode_keys keys, enum way way)
{
    struct octets frames[FRAMES_MAX];
    size_t count = vector_frames(vector, frames), octets = 0;

    *a = (struct inflow){.assembler = assembler_new(), .gcm = gcm_new(), .keys = keys};
    feed_way(a, way, frames, count);
    if (a->outcomes != 1 || assembler_pending(a->assembler) != 0)
        fail_msg("%s, way %d: %u outcomes", vector_text(vector, "id"), way, a->outcomes);
    while (count-- > 0) {
        octets += frames[count].len;
        free(frames[count].at);
    }
    assert_int_equal(a->octets, octets);
    assembler_free(a->assembler);
    gcm_free(a->gcm);
}

static void check_mbus(const json_t *vector, const char *id)
{
    bool bare = strcmp(id, "netznoe-sagemcom-t210d-olddoc") == 0; /* an APDU without frames */
    struct inflow a;

    if ((strcmp(vector_text(vector, "link"), "mbus") != 0 && !bare) || is_special(id))
        return;
    for (enum way way = 0; way < WAYS; way++) {
        if (bare && way == OCTETS)
            continue;
        arrive(&a, vector, keys_of(vector), way);
        if (a.verdict != VERDICT_OK)
            fail_msg("%s, way %d: %s", id, way, verdict_name(a.verdict));
        assert_string_equal(a.reading.meter, vector_text(vector, "system_title"));
        assert_int_equal(a.reading.counter,
                         json_integer_value(json_object_get(vector, "frame_counter")));
        assert_string_equal(a.reading.name, "");
        check_reading(id, &a.reading, vector);
    }
}

static void mbus_frames_in_every_way(void **state)
{
    (void)state;
    each_vector(check_mbus);
}

static void the_seed_frame_without_its_key(void **state)
{
    json_t *vectors = vectors_load();
    const json_t *vector = vector_find(vectors, "seed-frame");
    struct decode_keys none = {0}, other = {.has_key = true, .key = "any other key.."};
    struct inflow a;

    (void)state;
    for (enum way way = 0; way < WAYS; way++) {
        arrive(&a, vector, none, way);
        assert_int_equal(a.verdict, VERDICT_NO_KEY);
        assert_string_equal(a.reading.meter, "5341475905E6DBE2");
        assert_int_equal(a.reading.counter, 3770040);
        arrive(&a, vector, other, way);
        assert_int_equal(a.verdict, VERDICT_WRONG_KEY);
        assert_string_equal(a.reading.meter, "5341475905E6DBE2");
        assert_int_equal(a.reading.counter, 3770040);
    }
    json_decref(vectors);
}

static void the_broken_second_fragment(void **state)
{
    json_t *vectors = vectors_load();
    const json_t *vector = vector_find(vectors, "ewr-kaifa-ma309m-broken-second-fragment");
    struct octets plain = octets_from_hex(vector_text(vector, "plaintext"));
    struct reading r;
    const char *detail;
    struct inflow a;

    (void)state;
    for (enum way way = 0; way < WAYS; way++) {
        arrive(&a, vector, keys_of(vector), way);
        assert_int_equal(a.verdict, VERDICT_SEQUENCE);
    }
    /* and were it decrypted all the same, its noise would not pass */
    assert_int_equal(notification_read(plain.at, plain.len, &r, &detail), NOTIFICATION_BROKEN);
    free(plain.at);
    json_decref(vectors);
}

static void check_wrong_key(const json_t *vector, const char *id)
{
    struct decode_keys keys = keys_of(vector);
    struct inflow a;

    if (strcmp(vector_text(vector, "link"), "mbus") != 0 || !keys.has_key || is_special(id))
        return;
    for (size_t bit = 0; bit < 8 * KEY_OCTETS; bit++) {
        keys.key[bit / 8] ^= (uint8_t)(1 << bit % 8);
        arrive(&a, vector, keys, JOINED);
        if (a.verdict != VERDICT_WRONG_KEY)
            fail_msg("%s, bit %zu of the key: %s", id, bit, verdict_name(a.verdict));
        keys.key[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void a_key_with_one_bit_wrong(void **state)
{
    (void)state;
    each_vector(check_wrong_key);
}

static void check_plaintext(const json_t *vector, const char *id)
{
    const char *hex = vector_text(vector, "plaintext");
    struct octets plain;
    const char *detail;
    struct reading r;
    enum notification_result result;

    if (hex == NULL || is_special(id))
        return;
    plain = octets_from_hex(hex);
    result = notification_read(plain.at, plain.len, &r, &detail);
    if (is_readable(id)) {
        if (result != NOTIFICATION_OK)
            fail_msg("%s: %d (%s)", id, (int)result, detail);
        check_reading(id, &r, vector);
    } else {
        if (result != (is_dsmr_p1(id) ? NOTIFICATION_DSMR : NOTIFICATION_UNKNOWN))
            fail_msg("%s: %d (%s)", id, (int)result, detail);
        check_no_values(id, &r);
    }
    free(plain.at);
}

static void plaintexts(void **state)
{
    (void)state;
    each_vector(check_plaintext);
}

static void a_body_without_its_header_is_noise(void **state)
{
    json_t *vectors = vectors_load();
    const json_t *vector = vector_find(vectors, "landisgyr-e450-11-elements-body");
    struct octets plain = octets_from_hex(vector_text(vector, "plaintext"));
    struct reading r;
    const char *detail;

    (void)state;
    assert_int_equal(notification_read(plain.at, plain.len, &r, &detail), NOTIFICATION_NOISE);
    check_no_values("body", &r);
    free(plain.at);
    json_decref(vectors);
}

/* Unencrypted telegrams: named by a digest of their number. */
static void check_plain_telegram(const json_t *vector, const char *id)
{
    const char *security_control = vector_text(vector, "security_control");
    struct decode_keys none = {0};
    struct octets plain;
    const char *detail;
    struct reading r;
    enum verdict v;

    if (security_control != NULL || is_special(id))
        return;
    plain = octets_from_hex(vector_text(vector, "plaintext"));
    v = decode_apdu(NULL, plain.at, plain.len, lookup, &none, &r, &detail);
    if (v != verdict_of(id))
        fail_msg("%s: %s (%s)", id, verdict_name(v), detail);
    assert_int_equal(r.counter, -1);
    if (strcmp(id, "norway-aidon-1phase-plain") == 0)
        assert_string_equal(r.meter,
                            "056B3C12541276DE"); /* SHA-256 of "zaehlwerk:7359075322867363" */
    free(plain.at);
}

static void plain_telegrams(void **state)
{
    (void)state;
    each_vector(check_plain_telegram);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mbus_frames_in_every_way),
        cmocka_unit_test(the_seed_frame_without_its_key),
        cmocka_unit_test(the_broken_second_fragment),
        cmocka_unit_test(a_key_with_one_bit_wrong),
        cmocka_unit_test(plaintexts),
        cmocka_unit_test(a_body_without_its_header_is_noise),
        cmocka_unit_test(plain_telegrams),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
