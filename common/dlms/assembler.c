#include "assembler.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "apdu.h"
#include "buf.h"
#include "link_scan.h"

enum { OCTETS_MAX = 4 * APDU_MAX };

struct assembler {
    struct buf stream;           /* octets not yet known to be a frame */
    struct arrival stream_since; /* of its first octet */
    struct buf octets;           /* link frames of the telegram under way; empty: none */
    struct buf apdu;
    struct arrival since; /* of the telegram's first frame */
    enum verdict verdict; /* VERDICT_OK until a cause to reject it is known */
    const char *detail;
    unsigned fragments;
    uint16_t address;
};

struct outlet {
    assembler_emit *emit;
    void *arg;
};

struct assembler *assembler_new(void)
{
    return calloc(1, sizeof(struct assembler));
}

void assembler_free(struct assembler *a)
{
    if (a == NULL)
        return;
    buf_free(&a->stream);
    buf_free(&a->octets);
    buf_free(&a->apdu);
    free(a);
}

size_t assembler_pending(const struct assembler *a)
{
    return a->stream.len + a->octets.len;
}

struct arrival assembler_since(const struct assembler *a)
{
    if (a->octets.len == 0 || (a->stream.len > 0 && a->stream_since.seq < a->since.seq))
        return a->stream_since;
    return a->since;
}

static void spoil(struct assembler *a, enum verdict v, const char *detail)
{
    if (a->verdict == VERDICT_OK) {
        a->verdict = v;
        a->detail = detail;
    }
}

/* Emit the telegram under way, complete or not, and be ready for the next. */
static void finish(struct assembler *a, const struct outlet *out)
{
    struct telegram_octets t = {
        .verdict = a->verdict,
        .detail = a->detail,
        .octets = a->octets.data,
        .octets_len = a->octets.len,
    };

    if (a->octets.len == 0)
        return;
    if (a->verdict == VERDICT_OK) {
        t.apdu = a->apdu.data;
        t.apdu_len = a->apdu.len;
    }
    out->emit(out->arg, &t);
    a->octets.len = a->apdu.len = 0;
}

static void give_up(struct assembler *a, const struct outlet *out)
{
    spoil(a, VERDICT_TRUNCATED, "the last fragment never came");
    finish(a, out);
}

static void begin(struct assembler *a, struct arrival since)
{
    a->since = since;
    a->verdict = VERDICT_OK;
    a->detail = "";
    a->fragments = 0;
}

/* Add a frame's octets to the telegram under way; out of memory or bounds spoils it. */
static void
append(struct assembler *a, const uint8_t *octets, size_t len, const struct link_frame *f)
{
    a->fragments++;
    if (a->octets.len + len > OCTETS_MAX || (f != NULL && a->apdu.len + f->len > APDU_MAX))
        spoil(a, VERDICT_UNKNOWN_LAYOUT, "the telegram is longer than 4096 octets");
    if (buf_add(&a->octets, octets, len) != 0 ||
        (f != NULL && a->verdict == VERDICT_OK && buf_add(&a->apdu, f->data, f->len) != 0))
        spoil(a, VERDICT_LOST_OCTETS, "out of memory");
}

static void take_frame(struct assembler *a,
                       const uint8_t *octets,
                       const struct link_frame *f,
                       struct arrival since,
                       const struct outlet *out)
{
    bool under_way = a->octets.len > 0;
    bool lost = a->verdict != VERDICT_OK && a->verdict != VERDICT_UNKNOWN_LAYOUT; /* too long */
    bool follows = under_way && !lost && f->sequence == (a->fragments & 0x0F);

    if (f->sequence == 0 && !follows) {
        give_up(a, out);
        under_way = false;
    }
    if (!under_way) {
        begin(a, since);
        a->address = f->address;
        if (f->sequence != 0)
            spoil(a, VERDICT_SEQUENCE, "the first fragment is missing");
    } else if (!follows) {
        spoil(a, VERDICT_SEQUENCE, "a fragment is missing in between or came twice");
    } else if (f->address != a->address) {
        spoil(a, VERDICT_SEQUENCE, "a fragment is addressed to other SAPs than the first");
    }
    append(a, octets, f->size, f);
    if (f->last || a->octets.len > OCTETS_MAX)
        finish(a, out);
}

/* Octets that begin like a frame but are none: a part of the telegram under way, or of a new one.
 */
static void take_damaged(struct assembler *a,
                         const struct link_piece *piece,
                         struct arrival since,
                         const struct outlet *out)
{
    uint8_t ci = piece->len > 6 ? piece->octets[6] : 0x0F;

    if ((ci & 0x0F) == 0)
        give_up(a, out);
    if (a->octets.len == 0)
        begin(a, since);
    spoil(a, piece->verdict, piece->detail);
    append(a, piece->octets, piece->len, NULL);
    if ((ci & 0xF0) == 0x10 || a->octets.len > OCTETS_MAX)
        finish(a, out);
}

/* What link_scan's visitor needs. */
struct intake {
    struct assembler *a;
    const struct outlet *out;
    struct arrival now;
};

static void take_piece(void *arg, const struct link_piece *piece)
{
    const struct intake *in = arg;
    struct assembler *a = in->a;
    const struct telegram_octets noise = {.verdict = piece->verdict,
                                          .detail = piece->detail,
                                          .octets = piece->octets,
                                          .octets_len = piece->len,
                                          .noise = true};

    switch (piece->kind) {
    case PIECE_FRAME:
        take_frame(a, piece->octets, &piece->frame, piece->at == 0 ? a->stream_since : in->now,
                   in->out);
        break;
    case PIECE_WRECK:
        take_damaged(a, piece, a->stream_since, in->out);
        break;
    case PIECE_NOISE:
        in->out->emit(in->out->arg, &noise);
        break;
    case PIECE_IDLE:
        break;
    }
}

/* Take every sound frame out of the stream; keep only a tail that may still become one. */
static void scan(struct assembler *a, bool ended, struct arrival now, const struct outlet *out)
{
    struct intake in = {a, out, now};
    size_t done = link_scan(a->stream.data, a->stream.len, ended, take_piece, &in);

    if (done > 0)
        a->stream_since = now;
    buf_drop(&a->stream, done);
}

int assembler_feed(struct assembler *a,
                   const uint8_t *octets,
                   size_t len,
                   struct arrival arrival,
                   assembler_emit *emit,
                   void *arg)
{
    const struct outlet out = {emit, arg};

    if (assembler_pending(a) == 0 && apdu_is_whole(octets, len)) {
        struct telegram_octets t = {
            .detail = "", .apdu = octets, .apdu_len = len, .octets = octets, .octets_len = len};

        emit(arg, &t);
        return 0;
    }
    if (len == 0)
        return 0;
    if (a->stream.len == 0)
        a->stream_since = arrival;
    if (buf_add(&a->stream, octets, len) != 0)
        return -ENOMEM;
    scan(a, false, arrival, &out);
    return 0;
}

void assembler_expire(struct assembler *a, int64_t before_ms, assembler_emit *emit, void *arg)
{
    const struct outlet out = {emit, arg};

    if (a->stream.len > 0 && a->stream_since.ms < before_ms)
        scan(a, true, a->stream_since, &out);
    if (a->octets.len > 0 && a->since.ms < before_ms && a->stream.len == 0)
        give_up(a, &out);
}

void assembler_flush(struct assembler *a, assembler_emit *emit, void *arg)
{
    assembler_expire(a, INT64_MAX, emit, arg);
}
