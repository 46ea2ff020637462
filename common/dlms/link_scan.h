/* link_scan: octets of a line, cut into sound frames and what stands between them. */
#ifndef LINK_SCAN_H
#define LINK_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link_frame.h"
#include "verdict.h"

enum link_piece_kind {
    PIECE_FRAME, /* a sound frame: `frame` is filled */
    PIECE_WRECK, /* begins like a frame; `verdict` and `detail` say why it is none */
    PIECE_NOISE, /* no frame begins here; `verdict` and `detail` likewise */
    PIECE_IDLE,  /* octets that an idle line or a text tool leaves between frames */
};

/** One piece; the views point into the octets that were scanned. */
struct link_piece {
    enum link_piece_kind kind;
    const uint8_t *octets;
    size_t at; /* offset of its first octet */
    size_t len;
    struct link_frame frame;
    enum verdict verdict;
    const char *detail; /* a static phrase, or "" */
};

typedef void link_piece_visit(void *arg, const struct link_piece *piece);

/**
 * Visit the pieces of `octets` in order: without a gap, none twice. A tail that may become a frame
 * when more octets come is left out, unless the octets have `ended`.
 * Returns how many octets were visited.
 */
size_t link_scan(const uint8_t *octets, size_t len, bool ended, link_piece_visit *visit, void *arg);

#endif
