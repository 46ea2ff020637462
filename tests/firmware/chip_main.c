/*
 * The firmware's core on an emulated lx106: the same vectors as on the host, octet by octet, and
 * what it costs there. Prints TAP; vectors.inc is made from tests/vectors/field.json by run.sh.
 */
#include <stdbool.h>
#include <string.h>

#include "fw_join.h"
#include "fw_line.h"
#include "fw_ring.h"
#include "fw_settings.h"
#include "fw_status.h"
#include "fw_text.h"
#include "hex.h"

enum { SYS_WRITE = 4, FRAMES = 8, PAINT = 0xA5 };

struct vector {
    const char *id, *link;
    const char *frames[FRAMES]; /* hex */
};

static const struct vector vectors[] = {
#include "vectors.inc"
};
enum { VECTORS = sizeof vectors / sizeof vectors[0] };

extern char _stack_start[], _stack_end[];
int chip_call(int number, int a, int b, int c);
int main(void);

static unsigned tests, failures;

static void print(const char *text)
{
    chip_call(SYS_WRITE, 1, (int)(intptr_t)text, (int)strlen(text));
}

static void print_number(uint32_t number)
{
    char text[12];
    struct fw_text t = fw_text_make(text, sizeof text);

    fw_text_number(&t, number);
    print(text);
}

static void result(bool ok, const char *what)
{
    tests++;
    failures += !ok;
    print(ok ? "ok - " : "not ok - ");
    print(what);
    print("\n");
}

/* CCOUNT runs with qemu's clock: -icount shift=10 is 1024 ns an instruction, at 40 MHz 40.96. */
static uint32_t clock_now(void)
{
    uint32_t count;

    __asm__ volatile("rsr %0, ccount" : "=a"(count));
    return count;
}

static uint32_t instructions(uint32_t counts)
{
    return (counts >> 10) * 25 + ((counts & 1023) * 25 >> 10); /* no 64-bit product here */
}

/* What came out of the joiner since it was begun. */
static struct {
    struct fw_join join;
    uint8_t whole[4 * FW_TELEGRAM_MAX];
    size_t len;
    unsigned wholes, damaged;
    uint32_t worst, spent, octets; /* counts of one octet, of all, and how many */
} line;

static void take(void *arg, enum fw_outcome outcome, const uint8_t *octets, size_t len)
{
    (void)arg;
    line.wholes += outcome == FW_WHOLE;
    line.damaged += outcome == FW_DAMAGED;
    if (outcome != FW_WHOLE || len > sizeof line.whole - line.len)
        return;
    memcpy(line.whole + line.len, octets, len);
    line.len += len;
}

static void begin(void)
{
    fw_join_init(&line.join, take, NULL);
    line.len = 0;
    line.wholes = line.damaged = 0;
}

static void feed(const uint8_t *octets, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint32_t from = clock_now(), counts;

        fw_join_octet(&line.join, octets[i], 0);
        counts = clock_now() - from;
        line.spent += counts;
        line.octets++;
        if (counts > line.worst)
            line.worst = counts;
    }
}

/* A vector's octets and, joined, its hex digits. */
static uint8_t octets[FW_TELEGRAM_MAX];
static char digits[2 * FW_TELEGRAM_MAX + 1], back[2 * FW_TELEGRAM_MAX + 1];

static size_t read_vector(const struct vector *v, unsigned *frames)
{
    size_t len = 0;

    digits[0] = '\0';
    for (*frames = 0; *frames < FRAMES && v->frames[*frames] != NULL; ++*frames)
        strcat(digits, v->frames[*frames]);
    len = strlen(digits) >> 1;
    return hex_decode(digits, octets, len) == 0 ? len : 0;
}

static void check_vector(const struct vector *v)
{
    bool mbus = strcmp(v->link, "mbus") == 0, hdlc = strcmp(v->link, "hdlc") == 0;
    bool broken = strcmp(v->id, "ewr-kaifa-ma309m-broken-second-fragment") == 0;
    unsigned frames, wholes;
    size_t len = read_vector(v, &frames);

    begin();
    feed(octets, len);
    wholes = broken ? 0 : mbus ? 1 : hdlc ? frames : 0;
    hex_encode(line.whole, line.len, back);
    result(line.wholes == wholes && line.join.good == (mbus || hdlc ? frames : 0) &&
               strcmp(back, wholes > 0 ? digits : "") == 0,
           v->id);
}

static size_t the_vector(const char *id)
{
    unsigned frames;

    for (const struct vector *v = vectors; v < vectors + VECTORS; v++)
        if (strcmp(v->id, id) == 0)
            return read_vector(v, &frames);
    return 0;
}

/* One octet lost, doubled and flipped at each place; the good telegram behind is always whole. */
static void check_damage(void)
{
    size_t len = the_vector("netznoe-sagemcom-t210d-olddoc-mbus");
    bool ok = len > 0;

    for (size_t at = 0; at < len; at++) {
        for (unsigned damage = 0; damage < 3; damage++) {
            begin();
            feed(octets, at);
            if (damage == 1)
                feed(octets + at, 1);
            if (damage == 2)
                feed((const uint8_t[]){(uint8_t)(octets[at] ^ 1 << (at & 7))}, 1);
            feed(octets + at + (damage != 1), len - at - (damage != 1));
            feed(octets, len);
            for (unsigned i = 0; i < line.wholes; i++)
                ok = ok && memcmp(line.whole + i * len, octets, len) == 0;
            ok = ok && line.wholes >= 1 && line.wholes <= 2 && line.len == line.wholes * len;
        }
    }
    result(ok, "an octet lost, doubled or flipped at any place");
}

static void check_burst_and_ring(void)
{
    static uint8_t memory[4096];
    size_t len = the_vector("netznoe-kaifa-ma309m-doc"), n;
    struct fw_ring ring;
    uint32_t id, seen = 0;
    const uint8_t *oldest;
    bool ok;

    begin();
    for (int i = 0; i < 10; i++)
        feed(octets, len);
    ok = line.wholes == 10;
    fw_ring_init(&ring, memory, sizeof memory);
    for (uint32_t i = 0; i < 30; i++)
        ok = fw_ring_add(&ring, octets, len, i * 5000) && ok;
    ok = ok && ring.dropped + ring.count == 30 && ring.count == 13;
    while ((oldest = fw_ring_oldest(&ring, &n, &id)) != NULL) {
        ok = ok && n == len && memcmp(oldest, octets, len) == 0 && id > seen;
        seen = id;
        fw_ring_release(&ring, id);
    }
    result(ok && seen == 30 && ring.used == 0, "ten telegrams in a burst, and a full ring");
}

static void check_settings_and_texts(void)
{
    static struct fw_settings s, read;
    static uint8_t stored[FW_SETTINGS_MAX];
    static char text[FW_STATUS_CHARS];
    const struct fw_status status = {
        .version = "1", .line = "2", .reset = "3", .rssi_dbm = -67, .uptime_s = UINT32_MAX};
    struct fw_line l;
    size_t len;
    bool ok;

    fw_settings_defaults(&s, "zaehlwerk");
    s.port = 8883;
    len = fw_settings_encode(&s, stored);
    fw_settings_defaults(&read, "other");
    ok = fw_settings_decode(&read, stored, len) == FW_SETTINGS_READ &&
         memcmp(&s, &read, sizeof s) == 0;
    stored[5] ^= 1;
    ok = ok && fw_settings_decode(&read, stored, len) == FW_SETTINGS_DAMAGED;
    ok = ok && fw_status_json(&status, text, sizeof text) > 0 &&
         strstr(text, "\"rssi\":-67,\"uptime_s\":4294967295,") != NULL;
    fw_line_init(&l, 0, false);
    for (uint32_t i = 0; i < 64; i++) {
        fw_line_octets(&l, 1, i);
        fw_line_framing_error(&l);
    }
    result(ok && fw_line_step(&l, 64) && l.mode == 1, "settings, status, line");
}

static void figures(void)
{
    uint32_t from, hex, len = (uint32_t)the_vector("netznoe-kaifa-ma309m-doc");
    char *painted = _stack_start;

    from = clock_now();
    hex_encode(octets, len, back);
    hex = instructions(clock_now() - from);
    while (*painted == (char)PAINT)
        painted++;
    print("figures: firmware joiner ");
    print_number((uint32_t)sizeof line.join);
    print(" octets of RAM; stack ");
    print_number((uint32_t)((uintptr_t)_stack_end - (uintptr_t)painted));
    print("; instructions for all ");
    print_number(line.octets);
    print(" octets ");
    print_number(instructions(line.spent));
    print(", for one at most ");
    print_number(instructions(line.worst));
    print(", for the hex of ");
    print_number(len);
    print(" ");
    print_number(hex);
    print("\n");
}

int main(void)
{
    char here;

    memset(_stack_start, PAINT, (uintptr_t)&here - (uintptr_t)_stack_start - 256);
    for (const struct vector *v = vectors; v < vectors + VECTORS; v++)
        check_vector(v);
    line.spent = line.octets = line.worst = 0;
    check_burst_and_ring();
    figures();
    check_damage();
    check_settings_and_texts();
    print("1..");
    print_number(tests);
    print("\n");
    return failures > 0 || tests != VECTORS + 3;
}
