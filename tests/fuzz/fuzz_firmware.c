/*
 * fuzz_firmware: the firmware's core, with libFuzzer.
 *
 *   clang -g -O1 -std=gnu11 -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined
 * -fno-sanitize-recover=all -Icommon -Icommon/dlms -Ifirmware/core tests/fuzz/fuzz_firmware.c
 * firmware/core/[a-z]*.c common/hex.c common/dlms/mbus.c -o fuzz_firmware
 *   ./fuzz_firmware -max_len=3000 corpus
 *
 * The first octet of an input says what the rest is: octets of the line, stored settings, a
 * submitted form, or what happens to a ring. tests/fuzz/firmware.hex holds the corpus, an input a
 * line; with -DFUZZ_REPLAY: a program that runs the lines of the files it is given.
 */
#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fw_crc.h"
#include "fw_dns.h"
#include "fw_join.h"
#include "fw_portal.h"
#include "fw_ring.h"
#include "hdlc.h"
#include "hex.h"
#include "mbus.h"
#include "replay.h"

static uint8_t *copy(const void *octets, size_t len)
{
    uint8_t *exact = malloc(len > 0 ? len : 1);

    assert(exact != NULL);
    if (len > 0)
        memcpy(exact, octets, len);
    return exact;
}

static bool is_idle(uint8_t octet)
{
    return memchr("\x00\xFF\r\n\t ", octet, 6) != NULL;
}

/* Octets that are not idle: each that goes in must come out once. */
struct line {
    size_t in, out;
    unsigned wholes;
    bool again; /* a whole telegram, read by a joiner of its own */
};

static void take(void *arg, enum fw_outcome outcome, const uint8_t *octets, size_t len)
{
    struct line *l = arg;

    assert(len > 0 && len <= FW_TELEGRAM_MAX);
    for (size_t i = 0; i < len; i++)
        l->out += !is_idle(octets[i]);
    if (outcome == FW_DAMAGED)
        return;
    l->wholes++;
    if (!l->again) {
        struct fw_join *again = malloc(sizeof *again);
        struct line second = {.again = true};

        assert(again != NULL);
        fw_join_init(again, take, &second);
        for (size_t i = 0; i < len; i++)
            fw_join_octet(again, octets[i], 0);
        assert(second.wholes == 1 && again->len == 0);
        free(again);
    }
}

static void fuzz_name(const uint8_t *query, size_t len)
{
    static const uint8_t address[4] = {192, 168, 4, 1};
    uint8_t out[FW_DNS_MAX];
    size_t answer = fw_dns_answer(query, len, address, out, sizeof out);

    assert(answer == 0 || (answer <= sizeof out && memcmp(out, query, 2) == 0));
}

/* An octet AA is a pause, as long as the one behind it says. */
static void fuzz_line(const uint8_t *data, size_t size)
{
    struct fw_join *j = malloc(sizeof *j);
    struct line l = {0};
    struct link_frame f;
    uint32_t now = 0;

    assert(j != NULL);
    fw_join_init(j, take, &l);
    for (size_t i = 0; i < size; i++) {
        if (data[i] == 0xAA && i + 1 < size) {
            now += data[++i] * 8U;
            fw_join_quiet(j, now);
            continue;
        }
        l.in += !is_idle(data[i]);
        fw_join_octet(j, data[i], now++);
        assert(j->taken <= j->len && j->len <= FW_TELEGRAM_MAX);
    }
    fw_join_quiet(j, now + FW_FRAME_MS);
    assert(j->len == 0 && l.in == l.out && l.wholes == j->telegrams);
    free(j);
    (void)mbus_check(data, size, &f);
    (void)hdlc_check(data, size, &f);
    fuzz_name(data, size);
}

/* What was read can be written, and read again. */
static void read_settings(const uint8_t *data, size_t size)
{
    struct fw_settings s, before, again;
    uint8_t octets[FW_SETTINGS_MAX];
    size_t len;

    fw_settings_defaults(&s, "name");
    before = s;
    if (fw_settings_decode(&s, data, size) != FW_SETTINGS_READ) {
        assert(memcmp(&s, &before, sizeof s) == 0);
        return;
    }
    (void)fw_settings_wrong(&s);
    len = fw_settings_encode(&s, octets);
    assert(len <= sizeof octets);
    fw_settings_defaults(&again, "other");
    assert(fw_settings_decode(&again, octets, len) == FW_SETTINGS_READ);
    assert(fw_settings_encode(&again, octets) == len);
}

/* As they are, and with the check sequence that they should have. */
static void fuzz_settings(const uint8_t *data, size_t size)
{
    uint16_t crc = fw_crc(data, size);
    uint8_t *checked = malloc(size + 2);

    assert(checked != NULL);
    memcpy(checked, data, size);
    checked[size] = (uint8_t)crc;
    checked[size + 1] = (uint8_t)(crc >> 8);
    read_settings(data, size);
    read_settings(checked, size + 2);
    free(checked);
}

struct answer {
    unsigned begins, saves;
    size_t len;
};

static bool save(void *arg, const struct fw_settings *s, const char *ca)
{
    struct answer *a = arg;

    assert(fw_settings_wrong(s) == NULL);
    assert(ca == NULL || strlen(ca) <= FW_CA_MAX);
    a->saves++;
    return true;
}

static void begin(void *arg, unsigned status, const char *location)
{
    struct answer *a = arg;

    a->begins++;
    assert((status == 302) == (location != NULL));
}

static void take_page(void *arg, const char *text, size_t len)
{
    struct answer *a = arg;

    assert(a->begins == 1 && len > 0);
    assert(memchr(text, '\0', len) == NULL);
    a->len += len;
}

static void fuzz_form(const uint8_t *data, size_t size)
{
    static char scratch[FW_SCRATCH];
    static const char *const networks[] = {NULL};
    struct fw_settings s;
    struct answer a = {0};
    const struct fw_portal portal = {
        .settings = &s, .networks = networks, .scratch = scratch, .save = save, .arg = &a};
    const struct fw_request request = {.path = "/save",
                                       .language = "de",
                                       .post = true,
                                       .body = (const char *)data,
                                       .body_len = size};
    const struct fw_reply reply = {begin, take_page, &a};

    fw_settings_defaults(&s, "name");
    fw_portal_answer(&portal, &request, &reply);
    assert(a.begins == 1 && a.len > 0 && a.saves <= 1);
}

/* Each octet: one of 0 to 250 adds a telegram of so many, others release the oldest. */
static void fuzz_ring(const uint8_t *data, size_t size)
{
    uint8_t octets[256], memory[700];
    uint32_t added = 0, released = 0, seen = 0, id;
    const uint8_t *oldest;
    struct fw_ring r;
    size_t len;

    fw_ring_init(&r, memory, sizeof memory);
    for (size_t i = 0; i < size; i++) {
        if (data[i] <= 250) {
            memset(octets, data[i], sizeof octets);
            (void)fw_ring_add(&r, octets, data[i], (uint32_t)i * 77);
            added++;
        } else if ((oldest = fw_ring_oldest(&r, &len, &id)) != NULL) {
            assert(id > seen && (len == 0 || oldest[len - 1] == len));
            seen = id;
            fw_ring_release(&r, id);
            released++;
        }
        assert(r.used <= sizeof memory && r.count + r.dropped + released == added);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const parts[])(const uint8_t *, size_t) = {fuzz_line, fuzz_settings, fuzz_form,
                                                             fuzz_ring};
    uint8_t *exact;

    if (size == 0)
        return 0;
    exact = copy(data + 1, size - 1);
    parts[data[0] % 4](exact, size - 1);
    free(exact);
    return 0;
}
