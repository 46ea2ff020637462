/* cursor: read octets with one sticky error; never reads past the end. */
#ifndef CURSOR_H
#define CURSOR_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

/** A view of octets that somebody else owns; `at` moves towards `end`. The first error sticks. */
struct cursor {
    const uint8_t *at;
    const uint8_t *end;
    int err; /* 0 or -EPROTO */
};

static inline struct cursor cursor_make(const uint8_t *octets, size_t len)
{
    return (struct cursor){.at = octets, .end = octets + len};
}

static inline size_t cursor_left(const struct cursor *c)
{
    return (size_t)(c->end - c->at);
}

/** The next n octets, valid as long as what the cursor views; NULL and a sticky error when fewer
 * are left. */
static inline const uint8_t *cursor_take(struct cursor *c, size_t n)
{
    const uint8_t *p = c->at;

    if (c->err != 0 || n > cursor_left(c)) {
        c->err = -EPROTO;
        return NULL;
    }
    c->at += n;
    return p;
}

/** One octet; 0 after an error (look at err). */
static inline uint8_t cursor_u8(struct cursor *c)
{
    const uint8_t *p = cursor_take(c, 1);

    return p == NULL ? 0 : *p;
}

/** A big-endian unsigned number of n <= 8 octets; 0 after an error (look at err). */
static inline uint64_t cursor_be(struct cursor *c, size_t n)
{
    const uint8_t *p = cursor_take(c, n);
    uint64_t v = 0;

    for (size_t i = 0; p != NULL && i < n; i++)
        v = v << 8 | p[i];
    return v;
}

/**
 * A BER / A-XDR length: one octet below 0x80, or 0x81..0x84 followed by that many octets.
 * Returns 0 with a sticky error on 0x80, on more than four octets, and at the end of input.
 * Source: IEC 62056-6 A-XDR (IEC 61334-6) 6.1; seen in meters: 4D, 81 F8, 82 01 55.
 */
static inline size_t cursor_length(struct cursor *c)
{
    uint8_t first = cursor_u8(c);

    if (first < 0x80)
        return first;
    if (first == 0x80 || first > 0x84) {
        c->err = -EPROTO;
        return 0;
    }
    return (size_t)cursor_be(c, first & 0x7F);
}

#endif
