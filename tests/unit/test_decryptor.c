/* From a telegram record to the reading or the reject that it becomes. */
#include "vectors.h"

#include <errno.h>
#include <stdio.h>

#include "assembler.h"
#include "capture.h"
#include "decryptor.h"
#include "scratch.h"

#define SAGEMCOM "netznoe-sagemcom-t210d-2"
#define KAMSTRUP "denmark-kamstrup-omnipower"
#define AIDON    "norway-aidon-1phase-plain"
#define WRONG    "00112233445566778899AABBCCDDEEFF"

static struct gcm *gcm;
static json_t *vectors;

/* A telegram record as mqtt-ingest sends it; its octets are its own. */
struct sent {
    struct record record;
    struct octets octets, apdu;
};

static void keep_apdu(void *arg, const struct telegram_octets *t)
{
    assert_int_equal(t->verdict, VERDICT_OK);
    *(struct octets *)arg = octets_copy(t->apdu, t->apdu_len);
}

/* Of M-Bus frames by way of an assembler, of one HDLC frame what stands behind its LLC header. */
static struct octets apdu_of(const struct octets *frames)
{
    struct assembler *assembler;
    struct octets apdu = {NULL, 0};

    if (frames->at[0] == 0x7E) {
        const uint8_t *llc = memmem(frames->at, frames->len, "\xE6\xE7", 2);

        return octets_copy(llc + 3, (size_t)(frames->at + frames->len - 3 - (llc + 3)));
    }
    assembler = assembler_new();
    assert_int_equal(
        assembler_feed(assembler, frames->at, frames->len, (struct arrival){0}, keep_apdu, &apdu),
        0);
    assembler_free(assembler);
    return apdu;
}

static struct sent telegram(const char *id)
{
    struct octets frames[FRAMES_MAX];
    size_t n = vector_frames(vector_find(vectors, id), frames);
    struct sent s = {.record = {.type = RECORD_TELEGRAM,
                                .origin = {1, 2, 3},
                                .seq = 4711,
                                .index = 2,
                                .attempt = 1,
                                .arrival_ms = 1686293876623,
                                .streams = "history,debounced",
                                .topic = "sensors/smartmeter",
                                .verdict = VERDICT_OK}};

    s.octets = (struct octets){malloc(4096), 0};
    for (size_t i = 0; i < n; i++) {
        memcpy(s.octets.at + s.octets.len, frames[i].at, frames[i].len);
        s.octets.len += frames[i].len;
        free(frames[i].at);
    }
    s.apdu = apdu_of(&s.octets);
    s.record.apdu = (struct view){s.apdu.at, s.apdu.len};
    s.record.octets = (struct view){s.octets.at, s.octets.len};
    return s;
}

static void sent_free(struct sent *s)
{
    free(s->octets.at);
    free(s->apdu.at);
}

static void check_delivery(const struct record *in, const struct record *out)
{
    assert_memory_equal(out->origin, in->origin, ORIGIN_OCTETS);
    assert_int_equal(out->seq, in->seq);
    assert_int_equal(out->index, in->index);
    assert_int_equal(out->attempt, in->attempt);
    assert_int_equal(out->arrival_ms, in->arrival_ms);
    assert_string_equal(out->streams, in->streams);
    assert_string_equal(out->topic, in->topic);
    assert_ptr_equal(out->octets.at, in->octets.at);
    assert_int_equal(out->octets.len, in->octets.len);
}

static struct keys *open_keys(const char *key, const char *authentication_key, const char *path)
{
    struct keys *keys = NULL;

    if (*key == '\0' && *path == '\0')
        path = scratch_write("keys.csv", "system_title,key\n0000000000000001," WRONG "\n");
    assert_int_equal(keys_open(key, authentication_key, path, &keys), 0);
    return keys;
}

/* --- readings -------------------------------------------------------------------------- */

static void a_telegram_becomes_a_reading(void **state)
{
    static const struct row {
        const char *why, *file, *name;
    } rows[] = {
        {"everybody's key", "", ""},
        {"a key of its own and a name",
         "system_title,key,name\n5341475E40F89D93,157C6C7CD7087EFEC0DD383801D60EED,Keller\n",
         "Keller"},
        {"a key of its own and no name",
         "system_title,key\n5341475E40F89D93,157C6C7CD7087EFEC0DD383801D60EED\n", ""},
    };
    struct sent in = telegram(SAGEMCOM);

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *path = *rows[i].file == '\0' ? "" : scratch_write("keys.csv", rows[i].file);
        struct keys *keys =
            open_keys(*path == '\0' ? "157C6C7CD7087EFEC0DD383801D60EED" : WRONG, "", path);
        struct record out;

        memset(&out, 0xA5, sizeof out);
        decryptor_convert(gcm, keys, &in.record, &out);
        if (out.type != RECORD_READING || out.verdict != VERDICT_OK)
            fail_msg("%s: %s, %s", rows[i].why, verdict_name(out.verdict), out.detail);
        check_delivery(&in.record, &out);
        assert_string_equal(out.detail, "");
        assert_string_equal(out.reading.meter, "5341475E40F89D93");
        assert_int_equal(out.reading.counter, 117277);
        assert_true(out.reading.has_time);
        assert_int_equal(out.reading.time, 1686293875);
        assert_int_equal(out.reading.clock_status, 0x82);
        assert_string_equal(out.reading.number, "178290335021");
        assert_string_equal(out.reading.name, rows[i].name);
        assert_true(out.reading.values[FIELD_U1].present);
        assert_int_equal(out.reading.values[FIELD_U1].mantissa, 2373);
        assert_int_equal(out.reading.values[FIELD_U1].scaler, -1);
        assert_int_equal(out.reading.values[FIELD_POUT].mantissa, 2088);
        assert_false(out.reading.values[FIELD_RIN].present);
        keys_free(keys);
    }
    sent_free(&in);
}

static void a_plain_telegram_needs_no_key(void **state)
{
    struct sent in = telegram(AIDON);
    struct keys *keys = open_keys("", "", "");
    struct record out;

    (void)state;
    decryptor_convert(gcm, keys, &in.record, &out);
    assert_int_equal(out.type, RECORD_READING);
    assert_string_equal(out.reading.meter, "056B3C12541276DE");
    assert_int_equal(out.reading.counter, -1);
    assert_false(out.reading.has_time);
    assert_string_equal(out.reading.number, "7359075322867363");
    keys_free(keys);
    sent_free(&in);
}

static void an_authenticated_telegram_has_its_tag_checked(void **state)
{
    struct sent in = telegram(KAMSTRUP);
    struct keys *keys =
        open_keys("E6E24EF7EBD29A2D8B904871BFC0A9E3", "85730BB11A4A40BEA770A54167DD0BD1", "");
    struct record out;

    (void)state;
    decryptor_convert(gcm, keys, &in.record, &out);
    assert_int_equal(out.type, RECORD_READING);
    assert_int_equal(out.reading.counter, 17784996);
    keys_free(keys);
    sent_free(&in);
}

/* --- rejects --------------------------------------------------------------------------- */

static void rejects_and_their_reasons(void **state)
{
    static const struct row {
        const char *why, *id, *key, *authentication_key;
        int cut;  /* octets off the APDU's end */
        int flip; /* an octet to change, -1: none */
        enum verdict verdict;
        const char *detail;
        const char *meter;
        int64_t counter;
    } rows[] = {
        {"no key", SAGEMCOM, "", "", 0, -1, VERDICT_NO_KEY, "", "5341475E40F89D93", 117277},
        {"no authentication key", KAMSTRUP, "E6E24EF7EBD29A2D8B904871BFC0A9E3", "", 0, -1,
         VERDICT_NO_KEY, "authentication key", "4B414DB20E7EF1D3", 17784996},
        {"wrong key", SAGEMCOM, WRONG, "", 0, -1, VERDICT_WRONG_KEY, "", "5341475E40F89D93",
         117277},
        {"wrong key, with tag", KAMSTRUP, WRONG, WRONG, 0, -1, VERDICT_WRONG_KEY, "",
         "4B414DB20E7EF1D3", 17784996},
        {"wrong authentication key", KAMSTRUP, "E6E24EF7EBD29A2D8B904871BFC0A9E3", WRONG, 0, -1,
         VERDICT_TAG, "tag", "4B414DB20E7EF1D3", 17784996},
        {"the end is missing", SAGEMCOM, "157C6C7CD7087EFEC0DD383801D60EED", "", 4, -1,
         VERDICT_LOST_OCTETS, "", "5341475E40F89D93", -1},
        {"nothing at all", SAGEMCOM, "157C6C7CD7087EFEC0DD383801D60EED", "", 9999, -1,
         VERDICT_UNKNOWN_LAYOUT, "", "", -1},
        {"another service", SAGEMCOM, "157C6C7CD7087EFEC0DD383801D60EED", "", 0, 0,
         VERDICT_UNKNOWN_LAYOUT, "", "", -1},
        {"a plain one that breaks off", AIDON, "", "", 10, -1, VERDICT_LOST_OCTETS, "", "", -1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct sent in = telegram(rows[i].id);
        struct keys *keys = open_keys(rows[i].key, rows[i].authentication_key, "");
        struct view *apdu = &in.record.apdu;
        struct record out;

        apdu->len = apdu->len > (size_t)rows[i].cut ? apdu->len - (size_t)rows[i].cut : 0;
        if (rows[i].flip >= 0)
            in.apdu.at[rows[i].flip] ^= 0x11;
        memset(&out, 0xA5, sizeof out);
        decryptor_convert(gcm, keys, &in.record, &out);
        if (out.type != RECORD_REJECT || out.verdict != rows[i].verdict)
            fail_msg("%s: %s, %s", rows[i].why, verdict_name(out.verdict), out.detail);
        if (strstr(out.detail, rows[i].detail) == NULL)
            fail_msg("%s: %s", rows[i].why, out.detail);
        if (strcmp(out.reading.meter, rows[i].meter) != 0 || out.reading.counter != rows[i].counter)
            fail_msg("%s: meter %s, counter %d", rows[i].why, out.reading.meter,
                     (int)out.reading.counter);
        check_delivery(&in.record, &out);
        keys_free(keys);
        sent_free(&in);
    }
}

static void what_ingest_rejects_goes_through(void **state)
{
    struct keys *keys = open_keys(WRONG, "", "");

    (void)state;
    for (int v = VERDICT_CHECKSUM; v < VERDICT_COUNT; v++) {
        struct sent in = telegram(SAGEMCOM);
        struct record out;

        in.record.verdict = (enum verdict)v;
        in.record.apdu = (struct view){NULL, 0};
        snprintf(in.record.detail, sizeof in.record.detail, "why %d", v);
        memset(&out, 0xA5, sizeof out);
        decryptor_convert(gcm, keys, &in.record, &out);
        assert_int_equal(out.type, RECORD_REJECT);
        assert_int_equal(out.verdict, v);
        assert_string_equal(out.detail, in.record.detail);
        assert_string_equal(out.reading.meter, "");
        assert_int_equal(out.reading.counter, -1);
        check_delivery(&in.record, &out);
        sent_free(&in);
    }
    keys_free(keys);
}

/* What comes out can be sent on and read, whatever went in. */
static void what_comes_out_can_be_packed(void **state)
{
    static const char *const keys_of_all[] = {"157C6C7CD7087EFEC0DD383801D60EED", WRONG};
    struct record_memory memory = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(keys_of_all); i++) {
        struct sent in = telegram(SAGEMCOM);
        struct keys *keys = open_keys(keys_of_all[i], "", "");
        struct buf packed = {0};
        struct record out, back;
        size_t at = 0;

        decryptor_convert(gcm, keys, &in.record, &out);
        assert_int_equal(record_pack(&out, &packed), 0);
        assert_int_equal(record_unpack(packed.data, packed.len, &at, &back, &memory), 0);
        assert_int_equal(back.type, i == 0 ? RECORD_READING : RECORD_REJECT);
        assert_string_equal(back.reading.meter, "5341475E40F89D93");
        if (i == 1)
            assert_int_equal(back.octets.len, in.octets.len);
        buf_free(&packed);
        keys_free(keys);
        sent_free(&in);
    }
    record_memory_free(&memory);
}

static void settings_are_checked(void **state)
{
    static struct capture capture;
    static char good[] = "157C6C7CD7087EFEC0DD383801D60EED", bad[] = "157C", none[] = "";
    struct decryptor d = {.key = good, .authentication_key = none, .keys_file = none};
    int rc;

    (void)state;
    assert_int_equal(decryptor_check(&d), 0);
    d.authentication_key = bad;
    capture_begin(&capture);
    rc = decryptor_check(&d);
    capture_end(&capture);
    assert_int_equal(rc, -EINVAL);
    assert_non_null(strstr(capture.text, "SMARTMETER_AUTHENTICATION_KEY"));
    assert_null(strstr(capture.text, "157C"));
}

static int open_all(void **state)
{
    gcm = gcm_new();
    vectors = vectors_load();
    return gcm == NULL || scratch_open(state) != 0;
}

static int close_all(void **state)
{
    gcm_free(gcm);
    json_decref(vectors);
    return scratch_close(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_telegram_becomes_a_reading),
        cmocka_unit_test(a_plain_telegram_needs_no_key),
        cmocka_unit_test(an_authenticated_telegram_has_its_tag_checked),
        cmocka_unit_test(rejects_and_their_reasons),
        cmocka_unit_test(what_ingest_rejects_goes_through),
        cmocka_unit_test(what_comes_out_can_be_packed),
        cmocka_unit_test(settings_are_checked),
    };

    return cmocka_run_group_tests(tests, open_all, close_all);
}
