#include "link_scan.h"

#include <string.h>

#include "diagnose.h"
#include "mbus.h"

/* One link layer a line: each is one file beside mbus.c. */
static enum link_result (*const layers[])(const uint8_t *, size_t, struct link_frame *) = {
    mbus_check,
};
enum { LAYERS = sizeof layers / sizeof layers[0] };

struct scan {
    const uint8_t *octets;
    link_piece_visit *visit;
    void *arg;
};

static bool idle(const uint8_t *octets, size_t len)
{
    static const uint8_t idle_octets[] = {0x00, 0xFF, '\r', '\n', '\t', ' '};

    for (size_t i = 0; i < len; i++)
        if (memchr(idle_octets, octets[i], sizeof idle_octets) == NULL)
            return false;
    return true;
}

static size_t find_start(const uint8_t *octets, size_t len)
{
    size_t at = 0;

    while (at + 4 <= len && !(octets[at] == MBUS_START && octets[at + 3] == MBUS_START &&
                              octets[at + 1] == octets[at + 2]))
        at++;
    return at + 4 <= len ? at : len;
}

static void visit_noise(const struct scan *s, size_t at, size_t len)
{
    struct link_piece piece = {.kind = PIECE_IDLE,
                               .octets = s->octets + at,
                               .at = at,
                               .len = len,
                               .verdict = VERDICT_NOT_A_FRAME,
                               .detail = ""};
    const char *why;

    if (len == 0)
        return;
    if (!idle(piece.octets, len)) {
        piece.kind = PIECE_NOISE;
        if ((why = diagnose_interface(piece.octets, len)) != NULL)
            piece.verdict = VERDICT_OTHER_INTERFACE;
        else if ((why = diagnose_parity(piece.octets, len, false)) != NULL)
            piece.verdict = VERDICT_PARITY;
        if (why != NULL)
            piece.detail = why;
    }
    s->visit(s->arg, &piece);
}

static enum verdict say(const char **detail, enum verdict v, const char *phrase)
{
    *detail = phrase;
    return v;
}

/* Why octets that begin like a frame are none; `span` of them stand before the next start or the
 * end. */
static enum verdict diagnose(const uint8_t *octets, size_t span, const char **detail)
{
    size_t size = (size_t)octets[1] + 6; /* 68 L L 68 and CS 16 around L octets */
    bool whole, foreign;
    struct link_frame f;
    const char *parity;

    if (size < MBUS_OVERHEAD)
        size += 256;
    whole = span >= size && octets[size - 1] == MBUS_STOP;
    foreign = mbus_check(octets, span, &f) == LINK_FOREIGN;
    parity = diagnose_parity(octets, whole ? size : span, whole);
    if (parity != NULL)
        return say(detail, VERDICT_PARITY, parity);
    if (foreign)
        return say(detail, VERDICT_SEQUENCE, "the C or CI field is not one of a meter's fragment");
    if (whole)
        return say(detail, VERDICT_CHECKSUM, "the frame's sum does not hold");
    if (span < size && octets[span - 1] != MBUS_STOP)
        return say(detail, VERDICT_TRUNCATED, "the frame breaks off");
    return say(detail, VERDICT_LOST_OCTETS,
               span < size ? "the frame is shorter than its length field says"
                           : "no stop octet where the frame's length field puts it");
}

/*
 * Octets of which it is now certain that no sound frame begins in them. Damaged frames are told by
 * what stands at their start; what stands before the first is noise.
 */
static void visit_wreck(const struct scan *s, size_t from, size_t to)
{
    size_t at = from + find_start(s->octets + from, to - from);

    visit_noise(s, from, at - from);
    while (at < to) {
        struct link_piece piece = {.kind = PIECE_WRECK, .octets = s->octets + at, .at = at};

        piece.len = 4 + find_start(piece.octets + 4, to - at - 4);
        piece.verdict = diagnose(piece.octets, piece.len, &piece.detail);
        s->visit(s->arg, &piece);
        at += piece.len;
    }
}

static enum link_result check_any(const uint8_t *octets, size_t len, struct link_frame *f)
{
    enum link_result best = LINK_NOTHING;

    for (size_t i = 0; i < LAYERS; i++) {
        enum link_result r = layers[i](octets, len, f);

        if (r < best)
            best = r;
        if (r == LINK_FRAME)
            break;
    }
    return best;
}

size_t link_scan(const uint8_t *octets, size_t len, bool ended, link_piece_visit *visit, void *arg)
{
    const struct scan s = {octets, visit, arg};
    size_t done = 0, keep = len;

    for (size_t at = 0; at < len;) {
        struct link_piece piece = {
            .kind = PIECE_FRAME, .octets = octets + at, .at = at, .detail = ""};
        enum link_result r = check_any(octets + at, len - at, &piece.frame);

        if (r == LINK_FRAME) {
            visit_wreck(&s, done, at);
            piece.len = piece.frame.size;
            visit(arg, &piece);
            at += piece.len;
            done = at;
            keep = len;
            continue;
        }
        if (r == LINK_INCOMPLETE && keep == len)
            keep = at;
        at++;
    }
    if (ended)
        keep = len;
    visit_wreck(&s, done, keep);
    return keep;
}
