/* annotate_apdu: what the octets of one APDU mean. */
#ifndef ANNOTATE_APDU_H
#define ANNOTATE_APDU_H

#include "decode.h"
#include "note.h"

/**
 * Explain one APDU, at n's depth: its header, ciphertext and tag; with a key the plaintext, too.
 * whole: all of it has come; else what there is is explained as its beginning.
 */
void annotate_apdu(const struct notes *n,
                   struct gcm *gcm,
                   const uint8_t *octets,
                   size_t len,
                   bool whole,
                   decode_lookup *keys,
                   void *keys_arg);

#endif
