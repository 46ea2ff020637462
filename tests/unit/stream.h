/* stream: feeding an assembler and keeping what comes out. */
#ifndef STREAM_H
#define STREAM_H

#include "vectors.h"

#include <stdio.h>

#include "assembler.h"
#include "buf.h"
#include "mbus.h"

/** What was fed and what came out. */
struct stream {
    struct assembler *assembler;
    int64_t now_ms;
    char text[4096];  /* verdict names in order: "ok truncated " */
    struct buf apdus; /* of the good ones, joined */
    unsigned good;
    size_t in, out; /* octets */
    uint64_t in_of[256], out_of[256];
    const char *detail; /* of the last */
};

static inline void stream_open(struct stream *s)
{
    memset(s, 0, sizeof *s);
    s->assembler = assembler_new();
    assert_non_null(s->assembler);
}

static inline void stream_take(void *arg, const struct telegram_octets *t)
{
    struct stream *s = arg;
    size_t at = strlen(s->text);

    snprintf(s->text + at, sizeof s->text - at, "%s ", verdict_name(t->verdict));
    assert_non_null(t->detail);
    assert_true(t->octets_len > 0);
    s->detail = t->detail;
    s->out += t->octets_len;
    for (size_t i = 0; i < t->octets_len; i++)
        s->out_of[t->octets[i]]++;
    if (t->verdict != VERDICT_OK) {
        assert_int_equal(t->apdu_len, 0);
        return;
    }
    s->good++;
    assert_true(t->apdu_len > 0 && t->apdu_len <= APDU_MAX && t->apdu_len <= t->octets_len);
    assert_int_equal(buf_add(&s->apdus, t->apdu, t->apdu_len), 0);
}

/** One payload, in an allocation of its own. */
static inline void stream_feed(struct stream *s, const uint8_t *octets, size_t len)
{
    struct octets exact = octets_copy(octets, len);

    s->in += len;
    for (size_t i = 0; i < len; i++)
        s->in_of[octets[i]]++;
    assert_int_equal(assembler_feed(s->assembler, exact.at, exact.len,
                                    (struct arrival){.ms = s->now_ms}, stream_take, s),
                     0);
    free(exact.at);
}

/** The end of input: nothing may be left, and every octet that is not idle has come out once. */
static inline void stream_close(struct stream *s)
{
    assembler_flush(s->assembler, stream_take, s);
    assert_int_equal(assembler_pending(s->assembler), 0);
    for (int octet = 0; octet < 256; octet++) {
        bool idle = memchr("\x00\xFF\r\n\t ", octet, 6) != NULL;

        if (idle ? s->out_of[octet] > s->in_of[octet] : s->out_of[octet] != s->in_of[octet])
            fail_msg("octet %02X: %u fed, %u out: %s", octet, (unsigned)s->in_of[octet],
                     (unsigned)s->out_of[octet], s->text);
    }
    assembler_free(s->assembler);
    buf_free(&s->apdus);
}

/** An APDU in fragments of `share` octets of data, appended to out; returns how many. */
static inline unsigned fragments(const uint8_t *apdu, size_t len, size_t share, struct buf *out)
{
    unsigned n = 0;
    size_t at = 0;

    do {
        size_t data = len - at < share ? len - at : share;
        uint8_t frame[MBUS_FRAME_MAX];
        uint8_t ci = (uint8_t)((n & 0x0F) | (at + data == len ? 0x10 : 0));
        size_t size = mbus_write(frame, sizeof frame, ci, 0x0167, apdu + at, data);

        assert_true(size > 0);
        assert_int_equal(buf_add(out, frame, size), 0);
        at += data;
        n++;
    } while (at < len);
    return n;
}

#endif
