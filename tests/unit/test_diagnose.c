/* What damaged octets tell of a receiver's set-up, and what comes from another interface. */
#include "vectors.h"

#include <stdio.h>

#include "diagnose.h"
#include "link_scan.h"

/* The pieces of a scan as one line: kind or verdict, and length. */
struct pieces {
    char text[400];
    size_t at;
};

static void take(void *arg, const struct link_piece *piece)
{
    struct pieces *p = arg;

    assert_int_equal(piece->at, p->at);
    p->at += piece->len;
    snprintf(p->text + strlen(p->text), sizeof p->text - strlen(p->text), "%s %zu;",
             piece->kind == PIECE_FRAME  ? "frame"
             : piece->kind == PIECE_IDLE ? "idle"
                                         : verdict_name(piece->verdict),
             piece->len);
}

static void scan(const struct octets *o, struct pieces *p)
{
    *p = (struct pieces){.text = ""};
    assert_int_equal(link_scan(o->at, o->len, true, take, p), o->len);
    assert_int_equal(p->at, o->len);
}

static void check_scan(const struct octets *o, const char *want, const char *why)
{
    struct pieces p;

    scan(o, &p);
    if (strcmp(p.text, want) != 0)
        fail_msg("%s: %s, not %s", why, p.text, want);
}

/* A first frame of a real meter. */
static struct octets frame(void)
{
    struct octets frames[FRAMES_MAX], first;
    json_t *vectors = vectors_load();

    assert_int_equal(vector_frames(vector_find(vectors, "netznoe-kaifa-ma309m-doc"), frames), 2);
    first = frames[0];
    free(frames[1].at);
    json_decref(vectors);
    return first;
}

static void seven_bits(void **state)
{
    struct octets o = frame();

    (void)state;
    check_scan(&o, "frame 256;", "as it is");
    for (size_t i = 0; i < o.len; i++)
        o.at[i] &= 0x7F;
    check_scan(&o, "parity 256;", "7 bits");
    o.at[100] |= 0x80;
    assert_null(diagnose_parity(o.at, o.len, false));
    assert_null(diagnose_parity(o.at, 31, false));
    assert_non_null(diagnose_parity(o.at, 32, false));
    free(o.at);
}

static void one_parity_only(void **state)
{
    struct octets o = frame(), dropped = frame();
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < o.len; i++) {
        if (!__builtin_parity(o.at[i]))
            o.at[i] = 0;
        if (__builtin_parity(dropped.at[i]))
            dropped.at[n++] = dropped.at[i];
    }
    dropped.len = n;
    check_scan(&o, "parity 256;", "octets of even parity are 00");
    assert_string_equal(diagnose_parity(dropped.at, n, false), "only octets of one parity arrive");
    o.at[200] = 3;
    assert_null(diagnose_parity(o.at, o.len, false));
    free(o.at);
    free(dropped.at);
}

/* Every single bit of the frame: never parity. Two of the head's octets and the sum: parity. */
static void noise_in_bit_7(void **state)
{
    struct octets o = frame();

    (void)state;
    for (size_t bit = 0; bit < 8 * o.len; bit++) {
        struct pieces p;

        o.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
        scan(&o, &p);
        if (strstr(p.text, "parity") != NULL || strstr(p.text, "interface") != NULL)
            fail_msg("bit %zu: %s", bit, p.text);
        o.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    o.at[4] ^= 0x80;
    o.at[6] ^= 0x80;
    check_scan(&o, "parity 256;", "an even number: the sum holds");
    o.at[99] ^= 0x80;
    check_scan(&o, "parity 256;", "an odd number");
    o.at[100] ^= 0x40;
    check_scan(&o, "checksum 256;", "another bit, too");
    free(o.at);
}

static void interfaces(void **state)
{
    static const struct {
        const char *why, *text, *want;
    } rows[] = {
        {"a P1 telegram", "/SAG5\\253833635_A\r\n\r\n1-0:1.8.0(000123.456*kWh)\r\n!1A2B\r\n", "P1"},
        {"its beginning", "/SAG5\\25", "P1"},
        {"its middle", "45*kWh)\r\n1-0:2.8.0(000000.000*kWh)\r\n", "P1"},
        {"ciphered", "\xDB\x08SAGY\x01\x02\x03\x04\x82\x01\xF2\x30zz", "P1"},
        {"encrypted only", "\xDB\x08SAGY\x01\x02\x03\x04\x82\x01\xF2\x20zz", NULL},
        {"no letters", "\xDB\x08SA0Y\x01\x02\x03\x04\x82\x01\xF2\x30zz", NULL},
        {"HDLC", "\x7E\xA0\x08\xCF\x02\x23\x13\xFB\xF1\x7E", "HDLC"},
        {"HDLC, its stop not there yet", "\x7E\xA0\x67\xCF\x02\x23\x13\xFB\xF1\xE6", "HDLC"},
        {"HDLC behind noise", "\x01\x7E\xA0\x08\xCF\x02\x23\x13\xFB\xF1\x7E", "HDLC"},
        {"7E A0 by chance", "\x01\x7E\xA0\x67\xCF\x02\x23\x13\xFB\xF1\xE6", NULL},
        {"text", "Good morning (all)", NULL},
        {"a path", "/etc/passwd", NULL},
        {"nothing", "", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct octets o = octets_copy((const uint8_t *)rows[i].text, strlen(rows[i].text));
        const char *got = diagnose_interface(o.at, o.len);

        if ((got == NULL) != (rows[i].want == NULL) ||
            (got != NULL && strstr(got, rows[i].want) == NULL))
            fail_msg("%s: %s", rows[i].why, got == NULL ? "none" : got);
        free(o.at);
    }
}

/* HDLC and P1 of real meters are named; no M-Bus octets are. */
static void published_frames(void **state)
{
    json_t *vectors = vectors_load();
    const json_t *vector;
    size_t i;

    (void)state;
    json_array_foreach(vectors, i, vector)
    {
        struct octets frames[FRAMES_MAX];
        size_t count = vector_frames(vector, frames);
        const char *link = vector_text(vector, "link");

        while (count-- > 0) {
            const char *got = diagnose_interface(frames[count].at, frames[count].len);
            const char *want = strcmp(link, "hdlc") == 0   ? "HDLC"
                               : strcmp(link, "dsmr") == 0 ? "P1"
                                                           : NULL;

            if ((got != NULL) != (want != NULL) || (got != NULL && strstr(got, want) == NULL))
                fail_msg("%s: %s", vector_text(vector, "id"), got == NULL ? "none" : got);
            assert_null(diagnose_parity(frames[count].at, frames[count].len, false));
            free(frames[count].at);
        }
    }
    json_decref(vectors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seven_bits),       cmocka_unit_test(one_parity_only),
        cmocka_unit_test(noise_in_bit_7),   cmocka_unit_test(interfaces),
        cmocka_unit_test(published_frames),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
