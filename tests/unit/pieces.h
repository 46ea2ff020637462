/* pieces: random streams of good telegrams, damaged ones, noise and idle octets. */
#ifndef PIECES_H
#define PIECES_H

#include "stream.h"

#include <inttypes.h>
#include <time.h>

enum { PIECES_MAX = 12 };

static uint64_t seed;

/* xorshift64* */
static inline uint32_t dice(uint32_t sides)
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return (uint32_t)((seed * UINT64_C(2685821657736338717)) >> 32) % sides;
}

/* Half the octets are such as frames are made of. */
static inline uint8_t any_octet(void)
{
    static const uint8_t of_frames[] = {0x68, 0x16, 0x68, 0x01, 0x67, 0x53, 0xFF, 0x11, 0x00, 0xFA};

    return dice(2) == 0 ? (uint8_t)dice(256) : of_frames[dice(sizeof of_frames)];
}

static inline void add_octets(struct buf *b, size_t n)
{
    while (n-- > 0) {
        uint8_t octet = any_octet();

        assert_int_equal(buf_add(b, &octet, 1), 0);
    }
}

struct piece {
    struct buf octets;
    bool good;
    struct buf apdu; /* of a good one */
};

static inline struct piece good_telegram(void)
{
    struct piece p = {.good = true};

    /* at most 15 fragments: what 16 without a last one and a new first mean cannot be told */
    add_octets(&p.apdu, 20 + dice(600));
    fragments(p.apdu.data, p.apdu.len, p.apdu.len / 15 + 1 + dice(400), &p.octets);
    return p;
}

static inline struct piece damaged_telegram(void)
{
    struct piece p = good_telegram();
    size_t at = dice((uint32_t)p.octets.len);

    p.good = false;
    buf_free(&p.apdu);
    switch (dice(5)) {
    case 0: /* octets lost */
        memmove(p.octets.data + at, p.octets.data + at + 1, p.octets.len - at - 1);
        p.octets.len--;
        break;
    case 1: /* a bit flipped */
        p.octets.data[at] ^= (uint8_t)(1 << dice(8));
        break;
    case 2: /* its end lost */
        p.octets.len = at;
        break;
    case 3: /* its start lost */
        buf_drop(&p.octets, at);
        break;
    default: /* another octet in its place, or twice */
        add_octets(&p.octets, 1);
        memmove(p.octets.data + at + 1, p.octets.data + at, p.octets.len - at - 1);
        break;
    }
    return p;
}

static inline struct piece random_piece(void)
{
    static const uint8_t idle[] = {0x00, 0xFF, 0x0D, 0x0A, 0x20, 0x09};
    struct piece p = {0};
    size_t n;

    switch (dice(6)) {
    case 0:
        add_octets(&p.octets, dice(40));
        return p;
    case 1:
        for (n = dice(20); n > 0; n--)
            assert_int_equal(buf_add(&p.octets, &idle[dice(sizeof idle)], 1), 0);
        return p;
    case 2:
    case 3:
        return damaged_telegram();
    default:
        return good_telegram();
    }
}

/* With both L and L + 256 in it a frame's sum may hold for the shorter one by chance. */
static inline bool is_ambiguous(const struct piece *p)
{
    struct link_frame f;
    size_t data = 0;

    for (size_t at = 0; at < p->octets.len; at += f.size) {
        if (mbus_check(p->octets.data + at, p->octets.len - at, &f) != LINK_FRAME)
            return true;
        data += f.len;
    }
    return data != p->apdu.len;
}

/* A frame may arise by chance across pieces, and then none of the promises is about it. */
static inline bool has_false_frame(const struct buf *all, const bool *sound)
{
    struct link_frame f;

    for (size_t at = 0; at < all->len; at++)
        if (!sound[at] && mbus_check(all->data + at, all->len - at, &f) <= LINK_FOREIGN &&
            mbus_check(all->data + at, all->len - at, &f) != LINK_INCOMPLETE)
            return true;
    return false;
}

/* Marks where a piece's own sound frames begin. */
static inline void mark_frames(const struct buf *piece, bool *sound)
{
    struct link_frame f;

    for (size_t at = 0; at < piece->len; at++)
        if (mbus_check(piece->data + at, piece->len - at, &f) == LINK_FRAME) {
            sound[at] = true;
            at += f.size - 1;
        }
}

/* Frames of a damaged piece count too: only what arises across pieces is false. */
static inline void join(struct piece *pieces, size_t count, struct buf *all, bool **sound)
{
    for (size_t i = 0; i < count; i++)
        assert_int_equal(buf_add(all, pieces[i].octets.data, pieces[i].octets.len), 0);
    *sound = calloc(all->len + 1, 1);
    assert_non_null(*sound);
    for (size_t i = 0, at = 0; i < count; i++) {
        mark_frames(&pieces[i].octets, *sound + at);
        at += pieces[i].octets.len;
    }
}

/* One random stream. */
struct pieces {
    struct piece each[PIECES_MAX];
    size_t count;
    struct buf all;
    bool fit; /* false: nothing is promised of it */
};

static inline void pieces_make(struct pieces *p)
{
    bool *sound;

    *p = (struct pieces){.count = 1 + dice(PIECES_MAX)};
    for (size_t i = 0; i < p->count; i++)
        p->each[i] = random_piece();
    join(p->each, p->count, &p->all, &sound);
    p->fit = !has_false_frame(&p->all, sound);
    for (size_t i = 0; i < p->count; i++)
        p->fit = p->fit && !(p->each[i].good && is_ambiguous(&p->each[i]));
    free(sound);
}

static inline void pieces_free(struct pieces *p)
{
    for (size_t i = 0; i < p->count; i++) {
        buf_free(&p->each[i].octets);
        buf_free(&p->each[i].apdu);
    }
    buf_free(&p->all);
}

/* What was made of the good ones: their octets, or their APDUs, in their order. */
static inline void pieces_check(const struct pieces *p, const struct buf *made, bool apdus)
{
    size_t at = 0;

    for (size_t i = 0; i < p->count; i++) {
        const struct buf *want = apdus ? &p->each[i].apdu : &p->each[i].octets;
        const uint8_t *found;

        if (!p->each[i].good)
            continue;
        found =
            made->len == at ? NULL : memmem(made->data + at, made->len - at, want->data, want->len);
        if (found == NULL)
            fail_msg("piece %zu of %zu is missing", i, p->count);
        at = (size_t)(found - made->data) + want->len;
    }
}

/* Many streams, of which nearly all prove something. SEED=n repeats a run. */
static inline void pieces_run(void (*run_case)(const struct pieces *p))
{
    enum { CASES = 400 };
    const char *text = getenv("SEED");
    struct pieces p;
    unsigned fit = 0;

    seed = text == NULL ? (uint64_t)time(NULL) : strtoull(text, NULL, 0);
    print_message("SEED=%" PRIu64 "\n", seed);
    seed = seed * 2 + 1; /* never zero */
    for (int i = 0; i < CASES; i++) {
        pieces_make(&p);
        run_case(&p);
        fit += p.fit;
        pieces_free(&p);
    }
    assert_true(fit > CASES * 9 / 10);
}

#endif
