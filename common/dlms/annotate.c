#include "annotate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "annotate_apdu.h"
#include "assembler.h"
#include "buf.h"
#include "link_scan.h"
#include "mbus.h"

/* The assembler's outcome for a telegram or a run of noise. */
struct outcome {
    enum verdict verdict;
    const char *detail;
    bool noise;
    size_t octets; /* how many of the input are in it */
    struct buf apdu;
};

struct annotator {
    struct notes n;
    struct gcm *gcm;
    decode_lookup *keys;
    void *keys_arg;
    struct buf pieces, outcomes; /* of struct link_piece and struct outcome, in order */
    size_t telegrams;
    bool out_of_memory;
};

static void keep_piece(void *arg, const struct link_piece *piece)
{
    struct annotator *a = arg;

    a->out_of_memory |= buf_add(&a->pieces, piece, sizeof *piece) != 0;
}

static void keep_outcome(void *arg, const struct telegram_octets *t)
{
    struct annotator *a = arg;
    struct outcome o = {
        .verdict = t->verdict, .detail = t->detail, .noise = t->noise, .octets = t->octets_len};

    a->out_of_memory |=
        buf_add(&o.apdu, t->apdu, t->apdu_len) != 0 || buf_add(&a->outcomes, &o, sizeof o) != 0;
}

static size_t count(const struct buf *b, size_t size)
{
    return b->len / size;
}

/* Link frames */

static void note_control(const struct notes *n, const uint8_t *p)
{
    const char *name = (*p & 0xDF) == 0x53   ? "SND_UD: the meter sends data"
                       : (*p & 0xCF) == 0x08 ? "RSP_UD: the meter responds with data"
                                             : "";

    if (*name != '\0')
        note_leaf(n, p, 1, "C", "%s", name);
    else
        note_wrong(n, p, 1, "C", "not a meter's");
}

static void note_fragment(const struct notes *n, const uint8_t *p)
{
    if ((*p & 0xE0) != 0)
        note_wrong(n, p, 1, "CI", "not a meter's");
    else
        note_leaf(n, p, 1, "CI", "fragment %d, %s", *p & 0x0F,
                  (*p & 0x10) != 0 ? "the last" : "more follow");
}

/* 68 L L 68 C A CI STSAP DTSAP as far as it goes; returns the octets explained. */
static size_t note_head(const struct notes *n, const uint8_t *p, size_t len, size_t body)
{
    note_leaf(n, p, 1, "start", "%s", "");
    note_leaf(n, p + 1, 2, "L", body == p[1] ? "%zu" : "%zu: the octet wraps", body);
    note_leaf(n, p + 3, 1, "start", "%s", "");
    if (len < 9)
        return 4;
    note_control(n, p + 4);
    note_leaf(n, p + 5, 1, "A", "%s", p[5] == 0xFF ? "broadcast" : "address");
    note_fragment(n, p + 6);
    note_leaf(n, p + 7, 1, "STSAP", "%u", p[7]);
    note_leaf(n, p + 8, 1, "DTSAP", "%u", p[8]);
    return 9;
}

static void note_tail(const struct notes *n, const uint8_t *p, size_t size)
{
    uint8_t sum = 0;

    for (size_t i = 4; i < size - 2; i++)
        sum = (uint8_t)(sum + p[i]);
    if (sum == p[size - 2])
        note_leaf(n, p + size - 2, 1, "checksum", "%02X, holds", sum);
    else
        note_wrong(n, p + size - 2, 1, "checksum", "%02X expected, %02X found", sum, p[size - 2]);
    note_leaf(n, p + size - 1, 1, "stop", "%s", "");
}

/* A frame of `size` octets, start to stop. */
static void note_frame(const struct notes *n, const uint8_t *p, size_t size, size_t before)
{
    size_t at = note_head(n, p, size, size - 6);

    note_leaf(n, p + at, size - 2 - at, "data", "octets %zu to %zu of the APDU", before,
              before + size - at - 3);
    note_tail(n, p, size);
}

static void note_wreck(struct annotator *a, const struct link_piece *piece)
{
    const uint8_t *p = piece->octets;
    size_t body = p[1] < 5 ? p[1] + 256U : p[1], size = body + 6, at;
    bool whole = piece->len >= size && p[size - 1] == MBUS_STOP;

    a->n.depth++;
    at = note_head(&a->n, p, whole ? size : piece->len, body);
    if (whole) {
        note_leaf(&a->n, p + at, size - 2 - at, "data", "not taken");
        note_tail(&a->n, p, size);
        at = size;
    }
    note_wrong(&a->n, p + at, piece->len - at, whole ? "octets behind the frame" : "data", "%s",
               piece->detail);
    a->n.depth--;
}

/* APDUs */

static void note_apdu(struct annotator *a, const struct buf *apdu, bool whole)
{
    struct notes n = a->n;

    n.space = NOTE_APDU;
    n.base = apdu->data;
    note_heading(&n, apdu->data, apdu->len, "APDU", "%zu octets%s", apdu->len,
                 whole ? "" : ": its beginning");
    n.depth++;
    annotate_apdu(&n, a->gcm, apdu->data, apdu->len, whole, a->keys, a->keys_arg);
}

static void note_verdict(struct annotator *a, const struct outcome *o)
{
    const char *detail = o->detail;
    enum verdict v = o->verdict;
    struct reading reading;

    if (v == VERDICT_OK)
        v = decode_apdu(a->gcm, o->apdu.data, o->apdu.len, a->keys, a->keys_arg, &reading, &detail);
    if (v == VERDICT_OK)
        note_heading(&a->n, NULL, 0, "verdict", "ok");
    else
        note_complaint(&a->n, "verdict", "%s: %s%s%s", verdict_name(v), verdict_advice(v),
                       *detail == '\0' ? "" : "; ", detail);
}

/* The pieces of one outcome, walked in the order of the input */

struct open_telegram {
    const struct outcome *outcome; /* NULL: none under way */
    size_t left;                   /* its octets that have not come yet */
    unsigned fragments;
    bool gap;        /* a fragment is missing: what follows belongs to no beginning */
    struct buf apdu; /* the data of its sound frames from the first on */
};

static const struct outcome *outcome_at(const struct annotator *a, size_t i)
{
    return (const struct outcome *)(const void *)(a->outcomes.data + i * sizeof(struct outcome));
}

/* The one whose frames come next: telegrams are decided in the order of their frames. */
static const struct outcome *next_telegram(const struct annotator *a, size_t *at)
{
    while (outcome_at(a, *at)->noise)
        ++*at;
    return outcome_at(a, (*at)++);
}

static void take_frame(struct annotator *a, const struct link_piece *piece, struct open_telegram *t)
{
    const struct link_frame *f = &piece->frame;
    size_t before = t->apdu.len;

    t->gap |= f->sequence != (t->fragments & 0x0F);
    t->fragments++;
    if (!t->gap)
        a->out_of_memory |= buf_add(&t->apdu, f->data, f->len) != 0;
    a->n.depth++;
    note_heading(&a->n, piece->octets, piece->len, "M-Bus frame", "%zu octets, sound", piece->len);
    a->n.depth++;
    note_frame(&a->n, piece->octets, piece->len, before);
    a->n.depth -= 2;
}

static void close_telegram(struct annotator *a, struct open_telegram *t)
{
    bool whole = t->outcome->verdict == VERDICT_OK;

    a->n.depth++;
    if (t->apdu.len > 0)
        note_apdu(a, whole ? &t->outcome->apdu : &t->apdu, whole);
    note_verdict(a, t->outcome);
    a->n.depth--;
    buf_free(&t->apdu);
    *t = (struct open_telegram){.outcome = NULL};
}

static void take_piece(struct annotator *a,
                       const struct link_piece *piece,
                       struct open_telegram *t,
                       size_t *next_outcome)
{
    if (t->outcome == NULL) {
        t->outcome = next_telegram(a, next_outcome);
        t->left = t->outcome->octets;
        note_heading(&a->n, piece->octets, 0, "telegram", "%zu, %zu octets", ++a->telegrams,
                     t->left);
    }
    if (piece->kind == PIECE_FRAME) {
        take_frame(a, piece, t);
    } else {
        t->gap = true;
        a->n.depth++;
        note_heading(&a->n, piece->octets, piece->len, "damaged frame", "%zu octets", piece->len);
        note_wreck(a, piece);
        a->n.depth--;
    }
    t->left -= piece->len;
    if (t->left == 0)
        close_telegram(a, t);
}

static void walk_pieces(struct annotator *a)
{
    const struct link_piece *pieces = (const struct link_piece *)(const void *)a->pieces.data;
    struct open_telegram t = {.outcome = NULL};
    size_t next = 0;

    for (size_t i = 0; i < count(&a->pieces, sizeof *pieces); i++) {
        const struct link_piece *p = &pieces[i];

        if (p->kind == PIECE_IDLE)
            note_leaf(&a->n, p->octets, p->len, "idle", "%zu octets between frames", p->len);
        else if (p->kind == PIECE_NOISE)
            note_wrong(&a->n, p->octets, p->len, verdict_name(p->verdict), "%s%s%s",
                       verdict_advice(p->verdict), *p->detail == '\0' ? "" : "; ", p->detail);
        else
            take_piece(a, p, &t, &next);
    }
}

/* The whole input is one APDU: the assembler took it as it is. */
static void walk_bare(struct annotator *a, const uint8_t *octets, size_t len)
{
    note_heading(&a->n, octets, len, "telegram", "1, %zu octets", len);
    a->n.depth++;
    note_leaf(&a->n, octets, len, "APDU", "without link frames");
    note_apdu(a, &outcome_at(a, 0)->apdu, true);
    note_verdict(a, outcome_at(a, 0));
}

static int collect(struct annotator *a, const uint8_t *octets, size_t len, bool *bare)
{
    struct assembler *assembler = assembler_new();
    size_t done;

    if (assembler == NULL ||
        assembler_feed(assembler, octets, len, (struct arrival){0}, keep_outcome, a) != 0) {
        assembler_free(assembler);
        return -ENOMEM;
    }
    *bare = assembler_pending(assembler) == 0 && apdu_is_whole(octets, len);
    assembler_flush(assembler, keep_outcome, a);
    assembler_free(assembler);
    if (*bare)
        return a->out_of_memory ? -ENOMEM : 0;
    /* twice, as the assembler: a tail that stays open is cut off there */
    done = link_scan(octets, len, false, keep_piece, a);
    link_scan(octets + done, len - done, true, keep_piece, a);
    return a->out_of_memory ? -ENOMEM : 0;
}

int annotate(struct gcm *gcm,
             const uint8_t *octets,
             size_t len,
             decode_lookup *keys,
             void *keys_arg,
             note_visit *visit,
             void *arg)
{
    struct annotator a = {
        .n = {.visit = visit, .arg = arg, .space = NOTE_INPUT, .base = octets},
        .gcm = gcm,
        .keys = keys,
        .keys_arg = keys_arg,
    };
    bool bare = false;
    int rc = len == 0 ? 0 : collect(&a, octets, len, &bare);

    if (rc == 0 && bare)
        walk_bare(&a, octets, len);
    else if (rc == 0)
        walk_pieces(&a);
    for (size_t i = 0; i < count(&a.outcomes, sizeof(struct outcome)); i++)
        buf_free(&((struct outcome *)(void *)a.outcomes.data)[i].apdu);
    buf_free(&a.pieces);
    buf_free(&a.outcomes);
    return a.out_of_memory ? -ENOMEM : rc;
}
