/* annotate: what every octet of an input means, from the line to the last value. */
#ifndef ANNOTATE_H
#define ANNOTATE_H

#include "decode.h"
#include "note.h"

/**
 * Explain octets (of a payload: payload_octets) to their last, telegram by telegram: the link
 * frames, the APDU that they carry, and, where the lookup has its key, what is encrypted in it.
 *
 * It decides nothing: link_scan, the assembler, notification_read and decode_apdu do, and give the
 * verdict of each telegram. What is damaged is explained as far as it goes, and the place where it
 * goes wrong is marked. The leaves of the input follow one another without a gap and end with it;
 * so do, within each telegram, those of its APDU and of its plaintext.
 *
 * Returns 0, or -ENOMEM.
 */
int annotate(struct gcm *gcm,
             const uint8_t *octets,
             size_t len,
             decode_lookup *keys,
             void *keys_arg,
             note_visit *visit,
             void *arg) __attribute__((warn_unused_result));

#endif
