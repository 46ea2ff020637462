/* Annotations: no octet is left out or told twice, whatever comes; the values are the decoder's. */
#include "published.h"

#include <stdio.h>

#include "annotate.h"
#include "buf.h"

/* What the notes of one input have covered, and what they told. */
struct watch {
    const char *id;
    size_t next[3], end[3]; /* of each space: the next octet, and where it ends */
    unsigned wrong, telegrams;
    struct quantity last; /* number and scaler as the leaves tell them */
    struct reading told;  /* the values of the headings */
    char clock[32];
    char verdict[200];
};

static void close_space(struct watch *w, enum note_space space)
{
    if (w->next[space] != w->end[space])
        fail_msg("%s: space %d ends at %zu, not %zu", w->id, (int)space, w->next[space],
                 w->end[space]);
}

static void open_space(struct watch *w, enum note_space space, size_t len)
{
    close_space(w, space);
    w->next[space] = 0;
    w->end[space] = len;
}

static void take_leaf(struct watch *w, const struct note *n)
{
    long long number;
    int scaler;

    assert_true(n->len > 0);
    if (n->at != w->next[n->space] || n->at + n->len > w->end[n->space])
        fail_msg("%s: %s at %zu, %zu octets; next is %zu of %zu", w->id, n->name, n->at, n->len,
                 w->next[n->space], w->end[n->space]);
    w->next[n->space] += n->len;
    if (sscanf(n->value, "scaler: 10^%d", &scaler) == 1)
        w->last.scaler = (int8_t)scaler;
    else if (sscanf(n->value, "%lld", &number) == 1)
        w->last = (struct quantity){true, 0, number};
}

static void take_heading(struct watch *w, const struct note *n)
{
    int field = field_from_name(n->name, (unsigned)strlen(n->name));
    char unit[8] = "";

    if (strcmp(n->name, "APDU") == 0)
        open_space(w, NOTE_APDU, n->len);
    else if (strcmp(n->name, "plaintext") == 0 && !n->wrong)
        open_space(w, NOTE_PLAIN, n->len);
    else if (strcmp(n->name, "telegram") == 0)
        w->telegrams++;
    else if (strcmp(n->name, "verdict") == 0)
        snprintf(w->verdict, sizeof w->verdict, "%s", n->value);
    else if (strcmp(n->name, "= in UTC") == 0)
        snprintf(w->clock, sizeof w->clock, "%s", n->value);
    if (field >= 0) {
        char text[QUANTITY_CHARS];

        assert_true(sscanf(n->value, "= %47s %7s", text, unit) >= 1);
        assert_string_equal(unit, field == FIELD_PF ? "" : field_unit((enum field)field));
        w->told.values[field] = w->last;
    }
}

static void take_note(void *arg, const struct note *n)
{
    struct watch *w = arg;

    assert_non_null(n->name);
    assert_non_null(n->value);
    w->wrong += n->wrong;
    for (size_t i = 0; i < strlen(n->value); i++)
        if (n->value[i] < ' ' || n->value[i] > '~')
            fail_msg("%s: %s: %s", w->id, n->name, n->value);
    if (n->leaf)
        take_leaf(w, n);
    else
        take_heading(w, n);
}

static struct watch
watch(const char *id, struct gcm *gcm, struct decode_keys keys, const uint8_t *octets, size_t len)
{
    struct octets exact = octets_copy(octets, len);
    struct watch w = {.id = id, .end = {len}};

    assert_int_equal(annotate(gcm, exact.at, exact.len, lookup, &keys, take_note, &w), 0);
    for (int space = 0; space < 3; space++)
        close_space(&w, (enum note_space)space);
    free(exact.at);
    return w;
}

/* All frames of a vector, one behind the other. */
static struct buf joined(const json_t *vector)
{
    struct octets frames[FRAMES_MAX];
    size_t count = vector_frames(vector, frames);
    struct buf all = {0};

    for (size_t i = 0; i < count; i++) {
        assert_int_equal(buf_add(&all, frames[i].at, frames[i].len), 0);
        free(frames[i].at);
    }
    return all;
}

static void check_values_told(const char *id, const struct watch *w, const struct reading *r)
{
    for (int f = 0; f < FIELD_COUNT; f++) {
        const struct quantity *q = &r->values[f], *told = &w->told.values[f];

        if (q->present != told->present ||
            (q->present && (q->mantissa != told->mantissa || q->scaler != told->scaler)))
            fail_msg("%s: %s", id, field_name((enum field)f));
    }
}

static void check_whole(const json_t *vector, const char *id)
{
    struct gcm *gcm = gcm_new();
    struct decode_keys keys = keys_of(vector), none = {0};
    struct buf all = joined(vector);
    struct watch w = watch(id, gcm, keys, all.data, all.len);
    const json_t *values = json_object_get(vector, "values");

    if (all.len > 0 && strcmp(vector_text(vector, "link"), "hdlc") != 0 && is_readable(id)) {
        struct reading told = w.told;

        assert_string_equal(w.verdict, "ok");
        assert_int_equal(w.wrong, 0);
        assert_int_equal(w.telegrams, 1);
        check_values(id, &told, values);
        w = watch(id, gcm, none, all.data, all.len);
        assert_int_equal(w.wrong, 2); /* the plaintext, and the verdict */
        assert_memory_equal(w.verdict, "no-key: ", 8);
    } else if (all.len > 0) {
        assert_true(w.wrong > 0);
    }
    buf_free(&all);
    gcm_free(gcm);
}

static void every_vector(void **state)
{
    (void)state;
    each_vector(check_whole);
}

static void check_plain(const json_t *vector, const char *id)
{
    const char *hex = vector_text(vector, "plaintext");
    struct decode_keys none = {0};
    struct octets plain;
    struct reading r;
    struct watch w;
    const char *detail;

    if (hex == NULL || is_dsmr_p1(id))
        return;
    plain = octets_from_hex(hex);
    w = watch(id, NULL, none, plain.at, plain.len);
    if (is_readable(id) &&
        decode_apdu(NULL, plain.at, plain.len, lookup, &none, &r, &detail) == VERDICT_OK) {
        if (strstr(id, "kamstrup") == NULL && strstr(id, "kaifa-se") == NULL)
            check_values_told(id, &w, &r); /* those two send no scalers */
        assert_string_equal(w.verdict, "ok");
        assert_int_equal(w.wrong, 0);
    }
    free(plain.at);
}

static void every_plaintext(void **state)
{
    (void)state;
    each_vector(check_plain);
}

/* Cut off anywhere; any octet lost; any bit flipped; a wrong key: covered all the same. */
static void check_broken(const json_t *vector, const char *id)
{
    struct gcm *gcm = gcm_new();
    struct decode_keys keys = keys_of(vector), wrong = keys;
    struct buf all = joined(vector);
    struct octets copy = octets_copy(all.data, all.len);

    wrong.key[3] ^= 1;
    for (size_t i = 0; i < all.len; i++) {
        watch(id, gcm, keys, all.data, i);
        watch(id, gcm, keys, all.data + i, all.len - i);
        memcpy(copy.at, all.data, i);
        memcpy(copy.at + i, all.data + i + 1, all.len - i - 1);
        watch(id, gcm, keys, copy.at, all.len - 1);
        memcpy(copy.at, all.data, all.len);
        copy.at[i] ^= (uint8_t)(1 << i % 8);
        watch(id, gcm, keys, copy.at, all.len);
    }
    watch(id, gcm, wrong, all.data, all.len);
    free(copy.at);
    buf_free(&all);
    gcm_free(gcm);
}

static void broken_vectors(void **state)
{
    (void)state;
    each_vector(check_broken);
}

/* Plaintexts with every octet changed, as an input of their own: the walker sees all A-XDR. */
static void check_broken_plain(const json_t *vector, const char *id)
{
    const char *hex = vector_text(vector, "plaintext");
    struct decode_keys none = {0};
    struct octets plain;

    if (hex == NULL)
        return;
    plain = octets_from_hex(hex);
    for (size_t bit = 0; bit < 8 * plain.len; bit++) {
        plain.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
        watch(id, NULL, none, plain.at, plain.len);
        plain.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    free(plain.at);
}

static void broken_plaintexts(void **state)
{
    (void)state;
    each_vector(check_broken_plain);
}

/* Several telegrams, noise and idle octets between and inside them. */
static void mixed_input(void **state)
{
    json_t *vectors = vectors_load();
    const json_t *a = vector_find(vectors, "netznoe-kaifa-ma309m-doc");
    struct octets frames[FRAMES_MAX], noise = octets_from_hex("00 68 16 41 68 FF 12");
    struct gcm *gcm = gcm_new();
    struct buf all = {0};
    struct watch w;

    (void)state;
    assert_int_equal(vector_frames(a, frames), 2);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(buf_add(&all, frames[0].at, frames[0].len), 0);
        assert_int_equal(buf_add(&all, noise.at, i == 1 ? noise.len : (size_t)(i == 2)), 0);
        assert_int_equal(buf_add(&all, frames[1].at, i == 3 ? 0 : frames[1].len), 0);
    }
    w = watch("mixed", gcm, keys_of(a), all.data, all.len);
    assert_int_equal(w.telegrams, 5);
    assert_string_equal(w.clock, "2021-09-27T07:47:15Z");
    for (size_t i = 0; i < 2; i++)
        free(frames[i].at);
    free(noise.at);
    buf_free(&all);
    gcm_free(gcm);
    json_decref(vectors);
}

/* Every type, a compact array and general-ciphering, too. */
static void rare_forms(void **state)
{
    static const char *const inputs[] = {
        "0F80000001 00 0208 0301 04 0AA5C0 0A 0268C3 0C 02C3A4 17 42280000 18 4045000000000000 FF "
        "00",
        "0F80000001 00 0202 13 11 03 010203 1107",
        "0F80000001 00 0201 13 02 02 12 0906 0F 0001 06 0100010800FF 07 00",
        "0F80000001 00 0201 19 07E5091B01092F0F00FF8880",
        "0F80000001 00 0203 0906 0100010800FF 1107 0203 0F00",
        "DD 00 08 4B464D1020304050 00 00 00 00 08 20 01020304 AABBCC",
        "DD 01 AA 08 4B464D1020304050 08 4B464D1020304051 00 02 0102 01 00 00 08 20 01020304 "
        "AABBCC",
        "DB 08 4B464D1020304050 14 30 01020304 AABBCC 000102030405060708090A0B",
    };
    struct gcm *gcm = gcm_new();

    (void)state;
    for (size_t i = 0; i < COUNT(inputs); i++) {
        struct octets o = octets_from_hex(inputs[i]);
        struct decode_keys keys = {.has_key = true};

        for (size_t len = 0; len <= o.len; len++) {
            watch(inputs[i], gcm, keys, o.at, len);
            keys.has_key = false;
            watch(inputs[i], gcm, keys, o.at, len);
            keys.has_key = true;
        }
        free(o.at);
    }
    gcm_free(gcm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_vector),   cmocka_unit_test(every_plaintext),
        cmocka_unit_test(broken_vectors), cmocka_unit_test(broken_plaintexts),
        cmocka_unit_test(mixed_input),    cmocka_unit_test(rare_forms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
