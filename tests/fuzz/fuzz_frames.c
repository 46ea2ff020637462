/*
 * fuzz_frames: from a payload to a reading, with libFuzzer.
 *
 *   clang -g -O1 -std=gnu11 -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined
 * -fno-sanitize-recover=all -Icommon -Icommon/dlms tests/fuzz/fuzz_frames.c
 *       common/{buf,hex,key,payload,reading}.c common/dlms/[a-z]*.c -lgcrypt -ljansson -lm -o
 * fuzz_frames mkdir seeds; grep -o '[0-9A-F]\{40,\}' tests/vectors/field.json | split -l 1 -
 * seeds/frame- for f in seeds/frame-*; do (cat $f; printf '\1') > ${f}1; (cat $f; printf '\3') >
 * ${f}3; done
 *   ./fuzz_frames -max_len=9000 corpus seeds
 *
 * The last octet of an input steers: even: the rest is a payload, given to an assembler in two
 * pieces; odd: it stands for a plaintext, which is sealed with a fixed key (with bit 1:
 * authenticated) and must then be read just as without ciphering. With -DFUZZ_REPLAY: a program
 * that runs the files it is given.
 */
#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assembler.h"
#include "buf.h"
#include "decode.h"
#include "mbus.h"
#include "notification.h"
#include "payload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct decode_keys keys = {.has_key = true,
                                        .has_authentication_key = true,
                                        .key = "0123456789abcde",
                                        .authentication_key = "fedcba987654321"};

struct run {
    struct gcm *gcm;
    size_t out; /* octets that are not idle */
};

static const struct decode_keys *lookup(void *arg, const uint8_t title[SYSTEM_TITLE_OCTETS])
{
    static const struct decode_keys *result;

    (void)arg;
    result = title[0] == 0 ? NULL : &keys; /* looks at the title: it must be readable */
    return result;
}

/* Octets that must come out of an assembler exactly once. */
static size_t not_idle(const uint8_t *octets, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++)
        n += memchr("\x00\xFF\r\n\t ", octets[i], 6) == NULL;
    return n;
}

static void check_reading(const struct reading *r)
{
    char text[VALUES_JSON_CHARS], number[QUANTITY_CHARS];
    bool any = false;

    assert(strlen(r->meter) == METER_ID_CHARS);
    assert(strspn(r->meter, "0123456789ABCDEF") == METER_ID_CHARS);
    assert(r->counter >= -1 && r->counter <= UINT32_MAX);
    assert(memchr(r->number, '\0', sizeof r->number) != NULL);
    for (const char *p = r->number; *p != '\0'; p++)
        assert(*p > ' ' && *p <= '~');
    for (int f = 0; f < FIELD_COUNT; f++) {
        const struct quantity *q = &r->values[f];

        if (!q->present)
            continue;
        any = true;
        assert(q->scaler >= -12 && q->scaler <= 9);
        quantity_format(q, number);
        assert(strspn(number, "-0123456789.") == strlen(number));
        (void)quantity_scaled(q, -3);
    }
    assert(any);
    reading_values_json(r, r->time, text);
    assert(text[strlen(text) - 1] == '}');
}

static enum verdict decode(struct gcm *gcm, const uint8_t *apdu, size_t len, struct reading *r)
{
    const char *detail = NULL;
    enum verdict v = decode_apdu(gcm, apdu, len, lookup, NULL, r, &detail);

    assert(v < VERDICT_COUNT && detail != NULL);
    assert(r->meter[0] == '\0' || strlen(r->meter) == METER_ID_CHARS);
    if (v == VERDICT_OK)
        check_reading(r);
    return v;
}

static void take(void *arg, const struct telegram_octets *t)
{
    struct run *run = arg;
    struct reading r;

    assert(t->detail != NULL && t->octets_len > 0);
    run->out += not_idle(t->octets, t->octets_len);
    if (t->verdict == VERDICT_OK) {
        assert(t->apdu_len <= t->octets_len);
        decode(run->gcm, t->apdu, t->apdu_len, &r);
    } else {
        assert(t->apdu_len == 0);
    }
}

/* Of exactly this size, so that the sanitizer sees the first octet too far. */
static uint8_t *copy(const uint8_t *octets, size_t len)
{
    uint8_t *exact = malloc(len > 0 ? len : 1);

    assert(exact != NULL);
    if (len > 0)
        memcpy(exact, octets, len);
    return exact;
}

static void
feed(struct assembler *a, const uint8_t *octets, size_t len, int64_t now, struct run *run)
{
    uint8_t *exact = copy(octets, len);

    assert(assembler_feed(a, exact, len, (struct arrival){.ms = now}, take, run) == 0);
    assert(assembler_pending(a) <= 4 * APDU_MAX + MBUS_FRAME_MAX);
    free(exact);
}

static void fuzz_payload(struct run *run, const struct buf *octets, size_t cut)
{
    struct assembler *a = assembler_new();

    assert(a != NULL);
    feed(a, octets->data, cut, 0, run);
    if (cut < octets->len)
        feed(a, octets->data + cut, octets->len - cut, 1, run);
    assembler_expire(a, 1, take, run);
    assembler_flush(a, take, run);
    assert(assembler_pending(a) == 0);
    assert(run->out == not_idle(octets->data, octets->len));
    assembler_free(a);
}

/* What decode.h promises of a plaintext under the right keys. */
static enum verdict promised(enum notification_result r, bool authenticated)
{
    if (r == NOTIFICATION_OK)
        return VERDICT_OK;
    if (r == NOTIFICATION_UNKNOWN || authenticated)
        return VERDICT_UNKNOWN_LAYOUT;
    return r == NOTIFICATION_NOISE ? VERDICT_WRONG_KEY : VERDICT_LOST_OCTETS;
}

static void fuzz_plaintext(struct run *run, const struct buf *plain, bool authenticated)
{
    uint8_t apdu[13 + 5 + APDU_MAX + TAG_OCTETS] = {0xDB, 8,   'Z', 'A', 'E', 'H',
                                                    'L',  'E', 'R', 1,   0x82};
    size_t tag_len = authenticated ? TAG_OCTETS : 0, service = 5 + plain->len + tag_len;
    struct apdu header = {.title = apdu + 2, .security_control = authenticated ? 0x30 : 0x20};
    struct reading direct = {0}, sealed;
    const char *detail;
    uint8_t *exact = copy(plain->data, plain->len);
    enum notification_result r = notification_read(exact, plain->len, &direct, &detail);

    free(exact);
    apdu[11] = (uint8_t)(service >> 8);
    apdu[12] = (uint8_t)service;
    apdu[13] = header.security_control;
    memcpy(apdu + 18, plain->data, plain->len);
    assert(gcm_encrypt(run->gcm, &header, keys.key, keys.authentication_key, apdu + 18, plain->len,
                       authenticated ? apdu + 18 + plain->len : NULL) == 0);
    assert(decode(run->gcm, apdu, 13 + service, &sealed) == promised(r, authenticated));
    if (r == NOTIFICATION_OK)
        assert(memcmp(direct.values, sealed.values, sizeof direct.values) == 0 &&
               direct.has_time == sealed.has_time && direct.time == sealed.time &&
               direct.clock_status == sealed.clock_status &&
               strcmp(direct.number, sealed.number) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct gcm *gcm;
    struct run run = {0};
    struct buf octets = {0};
    enum payload_form form;
    const char *detail = NULL;

    if (size == 0)
        return 0;
    if (gcm == NULL)
        gcm = gcm_new();
    run.gcm = gcm;
    if (payload_octets(data, size - 1, &octets, &form, &detail) != 0)
        assert(detail != NULL && octets.len == 0);
    else if (data[size - 1] % 2 == 0)
        fuzz_payload(&run, &octets, octets.len * data[size - 1] / 256);
    else if (octets.len > 0 && octets.len <= APDU_MAX)
        fuzz_plaintext(&run, &octets, (data[size - 1] & 2) != 0);
    buf_free(&octets);
    return 0;
}

#ifdef FUZZ_REPLAY
int main(int argc, char **argv)
{
    static uint8_t data[1 << 20];

    for (int i = 1; i < argc; i++) {
        FILE *in = fopen(argv[i], "rb");
        size_t size = in == NULL ? 0 : fread(data, 1, sizeof data, in);
        uint8_t *exact = copy(data, size);

        if (in == NULL)
            return 1;
        fclose(in);
        LLVMFuzzerTestOneInput(exact, size);
        free(exact);
    }
    printf("%d inputs\n", argc - 1);
    return 0;
}
#endif
