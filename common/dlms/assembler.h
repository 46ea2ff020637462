/* assembler: from payloads of one sender to whole telegrams. */
#ifndef ASSEMBLER_H
#define ASSEMBLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "verdict.h"

#define APDU_MAX 4096

/** One outcome. The views live until the callback returns. */
struct telegram_octets {
    enum verdict verdict; /* VERDICT_OK: apdu is complete; else why not, and apdu is empty */
    const char *detail;   /* a static phrase that says more, or "" */
    const uint8_t *apdu;  /* the DLMS application message */
    size_t apdu_len;
    const uint8_t *octets; /* all octets that belong to it, link frames included */
    size_t octets_len;
    bool noise; /* not a telegram's octets: no frame begins in them */
};

/** When octets came, by any clock, and a number that the caller knows them by. */
struct arrival {
    int64_t ms;
    uint64_t seq;
};

typedef void assembler_emit(void *arg, const struct telegram_octets *t);

/**
 * The link-layer state of one topic: feed it payloads in order of arrival and it emits each
 * telegram once, when it is complete or can no longer become complete. Every octet that was fed
 * comes out in exactly one outcome, except idle octets (00, FF, CR, LF, blank) between frames.
 *
 * - A telegram may be spread over payloads, and a payload may hold many.
 * - A damaged frame makes one reject of the telegram it belonged to, with the first cause.
 * - Scanning goes on at the next sound frame, whatever stands before it.
 * - A payload that is one bare APDU (tags DB, DD, 0F) is a telegram without link frames.
 */
struct assembler;

struct assembler *assembler_new(void);
void assembler_free(struct assembler *a);

/**
 * Take one payload.
 * Returns 0, or -ENOMEM with the payload not taken.
 */
int assembler_feed(struct assembler *a,
                   const uint8_t *octets,
                   size_t len,
                   struct arrival arrival,
                   assembler_emit *emit,
                   void *arg) __attribute__((warn_unused_result));

/** Give up on what has been incomplete since before `before_ms`. */
void assembler_expire(struct assembler *a, int64_t before_ms, assembler_emit *emit, void *arg);

/** Give up on all that is incomplete: the end of input. */
void assembler_flush(struct assembler *a, assembler_emit *emit, void *arg);

/** Octets that wait for the rest of their telegram. */
size_t assembler_pending(const struct assembler *a);

/** Arrival of the oldest of them. */
struct arrival assembler_since(const struct assembler *a);

#endif
