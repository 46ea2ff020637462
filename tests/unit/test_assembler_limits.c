/* The assembler's bounds: long telegrams, endless ones, time, and payloads without link frames. */
#include "stream.h"

enum {
    PENDING_MAX = 4 * APDU_MAX + 2 * MBUS_FRAME_MAX, /* whatever a sender does */
    TAIL_MAX = MBUS_FRAME_MAX - 1,                   /* without a telegram under way */
};

/* An APDU of this many octets, with frame octets among its data (Q6). */
static struct octets data_of(size_t len)
{
    static const uint8_t pattern[] = {0xDB, 0x68, 0x16, 0x68, 0x05, 0x05, 0x68, 0x53,
                                      0xFF, 0x11, 0x01, 0x67, 0x16, 0x68, 0x68, 0x16};
    struct octets o = {malloc(len), len};

    assert_non_null(o.at);
    for (size_t i = 0; i < len; i++)
        o.at[i] = pattern[i % sizeof pattern];
    return o;
}

/* The same without anything that looks like a frame. */
static struct octets plain_data_of(size_t len)
{
    struct octets o = data_of(len);

    memset(o.at, 0xDB, len);
    return o;
}

static void feed_telegram(struct stream *s, const struct octets *apdu, size_t share)
{
    struct buf all = {0};

    fragments(apdu->at, apdu->len, share, &all);
    for (size_t at = 0; at < all.len; at += 97)
        stream_feed(s, all.data + at, all.len - at < 97 ? all.len - at : 97);
    buf_free(&all);
}

static void telegrams_of_many_fragments(void **state)
{
    static const struct row {
        const char *why;
        size_t len, share;
    } rows[] = {
        {"one octet", 1, 245},
        {"one full fragment", 245, 245},
        {"two", 246, 245},
        {"three", 735, 245},
        {"sixteen: the last number is F", 3920, 245},
        {"seventeen: the last number is 0 again", 4096, 245},
        {"thirty-three of them, twice round", 4096, 128},
        {"the longest APDU in the longest fragments", 4096, 506},
        {"with L that wraps", 1024, 252},
        {"many small ones", 1000, 10},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct octets apdu = data_of(rows[i].len);
        struct stream s;

        stream_open(&s);
        feed_telegram(&s, &apdu, rows[i].share);
        feed_telegram(&s, &apdu, rows[i].share);
        if (strcmp(s.text, "ok ok ") != 0)
            fail_msg("%s: %s (%s)", rows[i].why, s.text, s.detail);
        assert_int_equal(s.apdus.len, 2 * apdu.len);
        assert_memory_equal(s.apdus.data, apdu.at, apdu.len);
        assert_memory_equal(s.apdus.data + apdu.len, apdu.at, apdu.len);
        free(apdu.at);
        stream_close(&s);
    }
}

static void too_long_a_telegram_is_one_reject(void **state)
{
    static const struct row {
        size_t len, share;
    } rows[] = {{4097, 245}, {4097, 506}, {8000, 245}, {9800, 245}, {15000, 245}};
    struct octets after = data_of(243);

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct octets apdu = data_of(rows[i].len);
        struct stream s;

        stream_open(&s);
        feed_telegram(&s, &apdu, rows[i].share);
        feed_telegram(&s, &after, 245);
        if (strcmp(s.text, "unknown-layout ok ") != 0)
            fail_msg("%zu octets by %zu: %s", rows[i].len, rows[i].share, s.text);
        free(apdu.at);
        stream_close(&s);
    }
    free(after.at);
}

/* Octets that a hostile or broken sender repeats for ever. */
static void memory_stays_bounded(void **state)
{
    static const struct row {
        const char *why, *octets;
        size_t pending_max;
    } rows[] = {
        {"starts alone", "68", TAIL_MAX},
        {"stops alone", "16", TAIL_MAX},
        {"heads of long frames", "68FFFF68", PENDING_MAX},
        {"heads of short frames", "68050568", PENDING_MAX},
        {"heads with a length that only wraps", "68000068", PENDING_MAX},
        {"the middle of a telegram, damaged", "68050568 53FF010167 00 16", PENDING_MAX},
        {"the middle of a telegram, no stop", "68050568 53FF010167 BB 00", PENDING_MAX},
        {"the middle of a telegram, sound", "68050568 53FF010167 BB 16", PENDING_MAX},
        {"idle octets", "00FF0D0A20", TAIL_MAX},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct octets o = octets_from_hex(rows[i].octets);
        struct stream s;

        stream_open(&s);
        for (int n = 0; n < 20000; n++) {
            s.text[0] = '\0';
            stream_feed(&s, o.at, o.len);
            if (assembler_pending(s.assembler) > rows[i].pending_max)
                fail_msg("%s: %zu pending", rows[i].why, assembler_pending(s.assembler));
        }
        assert_int_equal(s.good, 0);
        free(o.at);
        stream_close(&s);
    }
}

/* Fragments in sequence, round and round, without a last one. */
static void a_telegram_without_end(void **state)
{
    struct stream s;

    (void)state;
    stream_open(&s);
    for (unsigned n = 0; n < 2000; n++) {
        uint8_t data[245] = {0xDB}, frame[MBUS_FRAME_MAX];
        size_t size =
            mbus_write(frame, sizeof frame, (uint8_t)(n & 0x0F), 0x0167, data, sizeof data);

        stream_feed(&s, frame, size);
        if (assembler_pending(s.assembler) > PENDING_MAX)
            fail_msg("%u fragments: %zu pending", n, assembler_pending(s.assembler));
    }
    assert_int_equal(s.good, 0);
    stream_close(&s);
}

/* The same as one payload: what is pending afterwards is bounded, and it takes no ages. */
static void one_huge_payload(void **state)
{
    static const char *const octets[] = {
        "68", "68FFFF68", "68050568", "68050568 53FF010167 00 16", "68050568 53FF010167 BB 16",
        "41"};

    (void)state;
    for (size_t i = 0; i < COUNT(octets); i++) {
        struct octets o = octets_from_hex(octets[i]), all = {malloc(1 << 18), 1 << 18};
        struct stream s;

        for (size_t at = 0; at < all.len; at++)
            all.at[at] = o.at[at % o.len];
        stream_open(&s);
        stream_feed(&s, all.at, all.len);
        assert_int_equal(s.good, 0);
        assert_true(assembler_pending(s.assembler) <= PENDING_MAX);
        free(o.at);
        free(all.at);
        stream_close(&s);
    }
}

/* Sixteen fragments of a telegram that is lost already: number 0 is the next one's first. */
static void a_spoiled_telegram_takes_no_other_along(void **state)
{
    struct octets apdu = data_of(260);

    (void)state;
    for (unsigned count = 1; count <= 40; count++) {
        struct stream s;

        stream_open(&s);
        for (unsigned n = 0; n < count; n++) { /* number 5 again and again */
            uint8_t frame[MBUS_FRAME_MAX];
            size_t size = mbus_write(frame, sizeof frame, 5, 0x0167, apdu.at, 20);

            stream_feed(&s, frame, size);
        }
        feed_telegram(&s, &apdu, 245);
        if (strcmp(s.text, "sequence ok ") != 0)
            fail_msg("%u fragments: %s", count, s.text);
        stream_close(&s);
    }
    free(apdu.at);
}

static void fragments_of_two_addresses(void **state)
{
    uint8_t frame[MBUS_FRAME_MAX];
    struct stream s;

    (void)state;
    stream_open(&s);
    stream_feed(&s, frame, mbus_write(frame, sizeof frame, 0x00, 0x0167, frame + 100, 20));
    stream_feed(&s, frame, mbus_write(frame, sizeof frame, 0x11, 0x0168, frame + 100, 20));
    assert_string_equal(s.text, "sequence ");
    stream_close(&s);
}

static void expire(struct stream *s, int64_t before)
{
    assembler_expire(s->assembler, before, stream_take, s);
}

static void what_is_older_expires(void **state)
{
    struct octets apdu = plain_data_of(260);
    struct buf all = {0};
    struct stream s;

    (void)state;
    fragments(apdu.at, apdu.len, 245, &all);
    stream_open(&s);
    expire(&s, INT64_MAX); /* nothing there */
    s.now_ms = 1000;
    stream_feed(&s, all.data, 256);
    expire(&s, 1000); /* not older than that */
    assert_string_equal(s.text, "");
    expire(&s, 1001);
    assert_string_equal(s.text, "truncated ");

    s.now_ms = 2000; /* the start of a frame alone is as old as its first octet */
    stream_feed(&s, all.data, 100);
    s.now_ms = 3000;
    stream_feed(&s, all.data + 100, 100);
    expire(&s, 2000);
    assert_string_equal(s.text, "truncated ");
    expire(&s, 2001);
    assert_string_equal(s.text, "truncated truncated ");
    free(apdu.at);
    buf_free(&all);
    stream_close(&s);
}

/* What came in slowly but is still coming is not given up. */
static void what_is_still_coming_does_not_expire(void **state)
{
    struct octets apdu = plain_data_of(260);
    struct buf all = {0};
    struct stream s;

    (void)state;
    fragments(apdu.at, apdu.len, 245, &all);
    stream_open(&s);
    s.now_ms = 1000;
    stream_feed(&s, all.data, 256);
    s.now_ms = 1900;
    stream_feed(&s, all.data + 256, 10); /* half of the second */
    expire(&s, 1500);
    assert_string_equal(s.text, "");
    stream_feed(&s, all.data + 266, all.len - 266);
    assert_string_equal(s.text, "ok ");
    free(apdu.at);
    buf_free(&all);
    stream_close(&s);
}

/* A telegram behind a broken-off frame is as old as itself, not as the wreck. */
static void a_wreck_does_not_age_what_follows(void **state)
{
    struct octets apdu = plain_data_of(260);
    struct buf all = {0};
    struct stream s;

    (void)state;
    fragments(apdu.at, apdu.len, 245, &all);
    stream_open(&s);
    s.now_ms = 1000;
    stream_feed(&s, all.data, 100);
    s.now_ms = 3900;
    stream_feed(&s, all.data, 256);
    assert_string_equal(s.text, "truncated ");
    s.now_ms = 4050;
    expire(&s, s.now_ms - 3000);
    stream_feed(&s, all.data + 256, all.len - 256);
    assert_string_equal(s.text, "truncated ok ");
    free(apdu.at);
    buf_free(&all);
    stream_close(&s);
}

#define TITLE "4B464D1020304050"

static void payloads_without_link_frames(void **state)
{
    static const struct row {
        const char *why, *octets, *outcomes;
    } rows[] = {
        {"general-glo-ciphering", "DB08" TITLE "08 20 01020304 AABBCC", "ok "},
        {"general-ciphering", "DD0008" TITLE "00000000 08 20 01020304 AABBCC", "ok "},
        {"plain, with a register", "0F80000001 00 0202 0906 0100010800FF 1107", "ok "},
        {"plain, with nothing known", "0F80000001 00 0201 1107", "ok "},
        {"breaks off", "DB08" TITLE "08 20 01020304 AABB", "not-a-frame "},
        {"an octet too many", "DB08" TITLE "08 20 01020304 AABBCCDD", "not-a-frame "},
        {"two in one payload",
         "DB08" TITLE "08 20 01020304 AABBCC DB08" TITLE "08 20 01020305 AABBCC", "not-a-frame "},
        {"plain, breaks off", "0F80000001 00 0202 0906 0100010800FF 11", "not-a-frame "},
        {"nothing", "", ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct octets o = octets_from_hex(rows[i].octets);
        struct stream s;

        stream_open(&s);
        stream_feed(&s, o.at, o.len);
        if (strcmp(s.text, rows[i].outcomes) != 0)
            fail_msg("%s: %s", rows[i].why, s.text);
        if (s.good == 1) {
            assert_int_equal(s.apdus.len, o.len);
            assert_memory_equal(s.apdus.data, o.at, o.len);
        }
        assert_int_equal(assembler_pending(s.assembler), 0);
        free(o.at);
        stream_close(&s);
    }
    assembler_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(telegrams_of_many_fragments),
        cmocka_unit_test(too_long_a_telegram_is_one_reject),
        cmocka_unit_test(memory_stays_bounded),
        cmocka_unit_test(a_telegram_without_end),
        cmocka_unit_test(one_huge_payload),
        cmocka_unit_test(a_spoiled_telegram_takes_no_other_along),
        cmocka_unit_test(fragments_of_two_addresses),
        cmocka_unit_test(what_is_older_expires),
        cmocka_unit_test(what_is_still_coming_does_not_expire),
        cmocka_unit_test(a_wreck_does_not_age_what_follows),
        cmocka_unit_test(payloads_without_link_frames),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
