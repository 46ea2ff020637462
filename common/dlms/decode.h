/* decode: one APDU and its key to a reading. */
#ifndef DECODE_H
#define DECODE_H

#include <stddef.h>
#include <stdint.h>

#include "gcm.h"
#include "reading.h"
#include "verdict.h"

struct decode_keys {
    bool has_key, has_authentication_key;
    uint8_t key[KEY_OCTETS];
    uint8_t authentication_key[KEY_OCTETS];
    const char *name; /* for the reading, or NULL */
};

/**
 * Finds the keys of a system title; returns NULL when there are none. The result is used only until
 * the next call.
 */
typedef const struct decode_keys *decode_lookup(void *arg,
                                                const uint8_t title[SYSTEM_TITLE_OCTETS]);

/**
 * Decrypt and decode one complete APDU.
 *
 * VERDICT_OK fills out. Otherwise out->meter and out->counter are filled as far as the header gave
 * them (meter "" when it did not), the rest is undefined, and *detail, a static phrase, says more.
 *
 * Without a tag (security control 20, 21) the decoder's strictness is the check: no header after
 * decryption is VERDICT_WRONG_KEY, a header followed by octets that do not decode is
 * VERDICT_LOST_OCTETS. With a tag that fails it is VERDICT_TAG when the plaintext decodes all the
 * same, else as without a tag. With a tag that holds, what does not decode is
 * VERDICT_UNKNOWN_LAYOUT.
 *
 * A plain telegram names no system title; its meter id is the first 8 octets of the SHA-256 of
 * "zaehlwerk:" and its meter number, as 16 hex digits, and its counter is -1.
 */
enum verdict decode_apdu(struct gcm *gcm,
                         const uint8_t *octets,
                         size_t len,
                         decode_lookup *lookup,
                         void *lookup_arg,
                         struct reading *out,
                         const char **detail);

#endif
