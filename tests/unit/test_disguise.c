/* Disguised telegrams: the same form, another meter; nothing of the old one is left. */
#include "sealed.h"

#include "disguise.h"
#include "disguise_plain.h"
#include "mbus.h"
#include "notification.h"

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
    return 0;
}

struct result {
    enum verdict verdict;
    struct buf octets;
    bool tagged;
    unsigned telegrams;
    struct disguise *disguise;
    struct decode_keys keys;
    const char *detail;
};

static void take(void *arg, const struct telegram_octets *t)
{
    struct result *r = arg;

    r->telegrams++;
    assert_int_equal(t->verdict, VERDICT_OK);
    r->verdict =
        disguise_telegram(r->disguise, t, lookup, &r->keys, &r->octets, &r->tagged, &r->detail);
    assert_non_null(r->detail);
}

/* Through the assembler, as the command does it; the octets of each telegram are appended. */
static void disguise(struct result *r, const uint8_t *octets, size_t len)
{
    struct assembler *a = assembler_new();
    struct octets exact = octets_copy(octets, len);

    assert_int_equal(assembler_feed(a, exact.at, exact.len, (struct arrival){0}, take, r), 0);
    assembler_flush(a, take, r);
    assembler_free(a);
    free(exact.at);
}

/* What the throwaway key opens. */
struct opened {
    enum verdict verdict;
    struct reading reading;
    struct buf plain;
    const struct decode_keys *keys;
};

static void open_one(void *arg, const struct telegram_octets *t)
{
    struct opened *o = arg;
    struct apdu apdu;
    const char *detail;

    assert_int_equal(t->verdict, VERDICT_OK);
    o->verdict = decode_apdu(gcm, t->apdu, t->apdu_len, lookup, (void *)(uintptr_t)o->keys,
                             &o->reading, &detail);
    assert_int_equal(apdu_parse(t->apdu, t->apdu_len, &apdu, &detail), VERDICT_OK);
    o->plain.len = 0;
    assert_int_equal(buf_add(&o->plain, apdu.body, apdu.body_len), 0);
    if (apdu.ciphered)
        assert_int_equal(
            gcm_decrypt(gcm, &apdu, o->keys->key, o->keys->authentication_key, o->plain.data), 0);
}

static struct opened open_with(const struct decode_keys *keys, const uint8_t *octets, size_t len)
{
    struct opened o = {.keys = keys, .verdict = VERDICT_COUNT};
    struct assembler *a = assembler_new();

    assert_int_equal(assembler_feed(a, octets, len, (struct arrival){0}, open_one, &o), 0);
    assembler_flush(a, open_one, &o);
    assembler_free(a);
    return o;
}

/* No four octets of a secret in a row anywhere, but those all in its first `keep`. */
static void check_no_run(const char *id,
                         const char *what,
                         const struct buf *in,
                         const uint8_t *secret,
                         size_t len,
                         size_t keep)
{
    for (size_t i = keep < 3 ? 0 : keep - 3; i + 4 <= len; i++)
        if (memmem(in->data, in->len, secret + i, 4) != NULL)
            fail_msg("%s: %zu octets of %s from %zu on are left", id, len, what, i);
}

static void check_silent(const char *id, const json_t *vector, const struct buf *in)
{
    const char *number = vector_text(vector, "meter_number"),
               *title = vector_text(vector, "system_title");
    uint8_t octets[SYSTEM_TITLE_OCTETS];

    if (number != NULL)
        check_no_run(id, "the number", in, (const uint8_t *)number, strlen(number), 0);
    if (title == NULL)
        return;
    assert_int_equal(hex_decode(title, octets, sizeof octets), 0);
    check_no_run(id, "the title", in, octets, sizeof octets, 3);
}

static void check_same_form(const char *id, const struct reading *a, const struct reading *b)
{
    for (int f = 0; f < FIELD_COUNT; f++) {
        const struct quantity *x = &a->values[f], *y = &b->values[f];
        bool energy = f == FIELD_WIN || f == FIELD_WOUT || f == FIELD_RIN || f == FIELD_ROUT;

        if (x->present != y->present || x->scaler != y->scaler ||
            (!energy && x->mantissa != y->mantissa) ||
            (energy && x->mantissa > 1000 && x->mantissa == y->mantissa))
            fail_msg("%s: %s", id, field_name((enum field)f));
    }
    assert_int_equal(a->time, b->time);
    assert_int_equal(a->clock_status, b->clock_status);
    assert_int_equal(strlen(a->number), strlen(b->number));
}

static void check_disguised(const json_t *vector, const char *id, const struct buf *original)
{
    struct result r = {.disguise = disguise_new(0), .keys = keys_of(vector)};
    struct opened before = open_with(&r.keys, original->data, original->len), after;

    disguise(&r, original->data, original->len);
    if (r.verdict == VERDICT_OTHER_INTERFACE || before.verdict == VERDICT_LOST_OCTETS) {
        assert_int_equal(r.octets.len, 0);
    } else if (r.verdict != VERDICT_OK) {
        fail_msg("%s: %s (%s)", id, verdict_name(r.verdict), r.detail);
    } else {
        assert_int_equal(r.octets.len, original->len);
        after = open_with(disguise_keys(r.disguise), r.octets.data, r.octets.len);
        assert_int_equal(after.verdict, before.verdict);
        assert_int_equal(after.plain.len, before.plain.len);
        assert_int_equal(r.tagged, r.keys.has_authentication_key);
        check_same_form(id, &before.reading, &after.reading);
        check_silent(id, vector, &r.octets);
        check_silent(id, vector, &after.plain);
        if (before.reading.counter >= 0)
            assert_true(after.reading.counter != before.reading.counter);
        buf_free(&after.plain);
    }
    buf_free(&before.plain);
    buf_free(&r.octets);
    disguise_free(r.disguise);
}

static void check_vector(const json_t *vector, const char *id)
{
    struct octets frames[FRAMES_MAX];
    size_t count = vector_frames(vector, frames);
    struct buf all = {0}, sealed = seal(gcm, vector);
    const char *plain = vector_text(vector, "plaintext");

    for (size_t i = 0; i < count; i++) {
        assert_int_equal(buf_add(&all, frames[i].at, frames[i].len), 0);
        free(frames[i].at);
    }
    if (strcmp(vector_text(vector, "link"), "mbus") == 0 && plain != NULL &&
        strstr(id, "broken") == NULL)
        check_disguised(vector, id, &all);
    if (sealed.len > 0) {
        check_disguised(vector, id, &sealed);
    } else if (plain != NULL && strncmp(plain, "0F", 2) == 0) {
        struct octets o = octets_from_hex(plain);
        struct buf b = {.data = o.at, .len = o.len};

        check_disguised(vector, id, &b);
        free(o.at);
    }
    buf_free(&all);
    buf_free(&sealed);
}

static void every_vector(void **state)
{
    (void)state;
    each_vector(check_vector);
}

/* Frames are the meter's own: same sizes, same fields, sums that hold. */
static void frames_stay(void **state)
{
    json_t *vectors = vectors_load();
    const json_t *v = vector_find(vectors, "netznoe-sagemcom-t210d-olddoc-mbus"); /* L = 01 */
    struct result r = {.disguise = disguise_new(0), .keys = keys_of(v)};
    struct octets frames[FRAMES_MAX];
    struct link_frame was, is;
    struct buf all = {0};
    size_t at = 0;

    (void)state;
    assert_int_equal(vector_frames(v, frames), 2);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(buf_add(&all, frames[i].at, frames[i].len), 0);
    disguise(&r, all.data, all.len);
    assert_int_equal(r.verdict, VERDICT_OK);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(mbus_check(frames[i].at, frames[i].len, &was), LINK_FRAME);
        assert_int_equal(mbus_check(r.octets.data + at, r.octets.len - at, &is), LINK_FRAME);
        assert_int_equal(is.size, was.size);
        assert_memory_equal(r.octets.data + at, frames[i].at, 9);
        at += is.size;
        free(frames[i].at);
    }
    assert_int_equal(at, r.octets.len);
    buf_free(&all);
    buf_free(&r.octets);
    disguise_free(r.disguise);
    json_decref(vectors);
}

/* A telegram with these energies and number. */
static struct octets telegram(uint32_t counter, uint32_t energy, const char *number)
{
    char hex[200], digits[40];

    hex_encode((const uint8_t *)number, strlen(number), digits);
    snprintf(
        hex, sizeof hex,
        "0F%08X 0C 07E5091B01092F0F00FF8880 0204 0906 0100010800FF 06%08X 0202 0F00 161E 090C%s",
        0x80000000 | counter, energy, digits);
    return octets_from_hex(hex);
}

/* The same stays the same, and differences stay. */
static void one_run_is_consistent(void **state)
{
    struct result r = {.disguise = disguise_new(0)};
    struct octets texts[] = {telegram(7, 5000000, "181220000009"),
                             telegram(8, 5000017, "181220000009"), telegram(9, 9, "181220000008")};
    struct opened o[COUNT(texts)];
    size_t at = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        disguise(&r, texts[i].at, texts[i].len);
        assert_int_equal(r.verdict, VERDICT_OK);
        o[i] = open_with(&r.keys, r.octets.data + at, r.octets.len - at);
        at = r.octets.len;
        assert_int_equal(o[i].verdict, VERDICT_OK);
        free(texts[i].at);
    }
    assert_string_equal(o[0].reading.number, o[1].reading.number);
    assert_string_not_equal(o[0].reading.number, o[2].reading.number);
    assert_int_equal(
        o[1].reading.values[FIELD_WIN].mantissa - o[0].reading.values[FIELD_WIN].mantissa, 17);
    assert_true(o[2].reading.values[FIELD_WIN].mantissa > 0);
    assert_int_equal((uint8_t)(o[1].plain.data[4] - o[0].plain.data[4]), 1);
    for (size_t i = 0; i < COUNT(o); i++)
        buf_free(&o[i].plain);
    buf_free(&r.octets);
    disguise_free(r.disguise);
}

static void dates_move(void **state)
{
    static const struct {
        const char *why, *date, *moved;
        int days;
    } rows[] = {
        {"not at all", "07E5091B01092F0F00FF8880", "07E5091B01092F0F00FF8880", 0},
        {"a week", "07E5091B01092F0F00FF8880", "07E50A0401092F0F00FF8880", 7},
        {"a day, into the next year", "07E50C1F05092F0F00FF8880", "07E6010106092F0F00FF8880", 1},
        {"back over a leap day", "07E8030105092F0F00FF8880", "07E8021D04092F0F00FF8880", -1},
        {"no weekday", "07E5091BFF092F0FFFFF88FF", "07E5091CFF092F0FFFFF88FF", 1},
        {"no year", "FFFF091BFF092F0FFFFF88FF", "FFFF091BFF092F0FFFFF88FF", 1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct octets is = octets_from_hex(rows[i].date), want = octets_from_hex(rows[i].moved);

        disguise_date(is.at, rows[i].days);
        if (memcmp(is.at, want.at, want.len) != 0)
            fail_msg("%s", rows[i].why);
        free(is.at);
        free(want.at);
    }
}

static void both_clocks_move(void **state)
{
    json_t *vectors = vectors_load();
    const json_t *v = vector_find(vectors, "netznoe-kaifa-ma309m-doc");
    struct result r = {.disguise = disguise_new(-30), .keys = keys_of(v)};
    struct buf sealed = seal(gcm, v);
    struct opened before = open_with(&r.keys, sealed.data, sealed.len), after;

    (void)state;
    disguise(&r, sealed.data, sealed.len);
    after = open_with(disguise_keys(r.disguise), r.octets.data, r.octets.len);
    assert_int_equal(after.reading.time, before.reading.time - 30 * 86400);
    assert_memory_equal(after.plain.data + 6, after.plain.data + 22, 12); /* header and body */
    buf_free(&before.plain);
    buf_free(&after.plain);
    buf_free(&sealed);
    buf_free(&r.octets);
    disguise_free(r.disguise);
    json_decref(vectors);
}

/* What could tell anything is refused. */
static void refused(void **state)
{
    static const struct {
        const char *why, *apdu;
        enum verdict verdict;
    } rows[] = {
        {"a compact array", "0F80000001 00 0201 13 11 03 010203", VERDICT_UNKNOWN_LAYOUT},
        {"no key", "DB 08 4B464D1020304050 08 20 01020304 AABBCC", VERDICT_NO_KEY},
        {"general-ciphering, no key", "DD 00 08 4B464D1020304050 00 00 00 00 08 20 01020304 AABBCC",
         VERDICT_NO_KEY},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct result r = {.disguise = disguise_new(0)};
        struct octets o = octets_from_hex(rows[i].apdu);

        disguise(&r, o.at, o.len);
        if (r.verdict != rows[i].verdict || r.octets.len != 0)
            fail_msg("%s: %s", rows[i].why, verdict_name(r.verdict));
        free(o.at);
        disguise_free(r.disguise);
    }
}

/* Strings everywhere: in general-ciphering's header, and of every kind in the plaintext. */
static void general_ciphering(void **state)
{
    static const char secret[] = "GEHEIM12";
    uint8_t head[] = {0xDD, 8,   'G', 'E', 'H', 'E', 'I', 'M', '1', '2', 8,    'S', 'A', 'G', 1,
                      2,    3,   4,   5,   8,   'G', 'E', 'H', 'E', 'I', 'M',  '1', '2', 0,   8,
                      'G',  'E', 'H', 'E', 'I', 'M', '1', '2', 0,   0,   0x30, 0,   0,   0,   7};
    struct octets plain = octets_from_hex("0F80000001 00 0203 0A08474548454 94D3132 "
                                          "0C08474548454 94D3132 0906 0100010800FF");
    struct apdu apdu = {.ciphered = true,
                        .title = head + 11,
                        .security_control = 0x30,
                        .counter = 7,
                        .header = head + 1,
                        .header_len = 37};
    struct result r = {.disguise = disguise_new(0), .keys = {true, true, {1}, {2}, NULL}};
    uint8_t tag[TAG_OCTETS];
    struct buf all = {0};
    struct opened o;

    (void)state;
    head[39] = (uint8_t)(5 + plain.len + TAG_OCTETS);
    assert_int_equal(
        gcm_encrypt(gcm, &apdu, r.keys.key, r.keys.authentication_key, plain.at, plain.len, tag),
        0);
    assert_int_equal(buf_add(&all, head, sizeof head), 0);
    assert_int_equal(buf_add(&all, plain.at, plain.len), 0);
    assert_int_equal(buf_add(&all, tag, sizeof tag), 0);
    disguise(&r, all.data, all.len);
    if (r.verdict != VERDICT_OK)
        fail_msg("%s: %s", verdict_name(r.verdict), r.detail);
    assert_true(r.tagged);
    o = open_with(disguise_keys(r.disguise), r.octets.data, r.octets.len);
    assert_int_equal(o.verdict, VERDICT_UNKNOWN_LAYOUT); /* the tag holds */
    check_no_run("general", "a string", &r.octets, (const uint8_t *)secret, 8, 0);
    check_no_run("general", "a string", &o.plain, (const uint8_t *)secret, 8, 0);
    check_no_run("general", "the title", &r.octets, head + 11, 8, 3);
    free(plain.at);
    buf_free(&all);
    buf_free(&o.plain);
    buf_free(&r.octets);
    disguise_free(r.disguise);
}

/* Meter numbers that are numbers, announced by electricity's own codes. */
static void numbers_of_general_objects(void **state)
{
    static const char *const codes[] = {"0100000000FF", "0101000005FF", "0100600100FF"};
    static const uint8_t secret[] = {0x0A, 0xCD, 0x87, 0x4B};

    (void)state;
    for (size_t i = 0; i < COUNT(codes); i++) {
        struct result r = {.disguise = disguise_new(0)};
        struct octets o;
        char hex[200];

        snprintf(hex, sizeof hex,
                 "0F80000007 0C 07E5091B01092F0F00FF8880 0206 0906 0100010800FF 0600006032 0202 "
                 "0F00 161E 0906 %s 060ACD874B 090C313831323230303030303039",
                 codes[i]);
        o = octets_from_hex(hex);
        disguise(&r, o.at, o.len);
        if (r.verdict != VERDICT_OK)
            fail_msg("%s: %s: %s", codes[i], verdict_name(r.verdict), r.detail);
        check_no_run(codes[i], "the number", &r.octets, secret, sizeof secret, 0);
        free(o.at);
        buf_free(&r.octets);
        disguise_free(r.disguise);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_vector),          cmocka_unit_test(frames_stay),
        cmocka_unit_test(one_run_is_consistent), cmocka_unit_test(dates_move),
        cmocka_unit_test(both_clocks_move),      cmocka_unit_test(refused),
        cmocka_unit_test(general_ciphering),     cmocka_unit_test(numbers_of_general_objects),
    };

    return cmocka_run_group_tests(tests, open_gcm, close_gcm);
}
