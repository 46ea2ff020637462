/* gcm: AES-128-GCM as DLMS security suites 0 and 1 use it (libgcrypt). */
#ifndef GCM_H
#define GCM_H

#include <stddef.h>
#include <stdint.h>

#include "apdu.h"
#include "key.h"

/** One cipher handle; for one thread. The key is given with each call. */
struct gcm;

/** NULL when libgcrypt is missing or unfit. */
struct gcm *gcm_new(void);
void gcm_free(struct gcm *g);

/**
 * Decrypt apdu->body into plain (apdu->body_len octets). The nonce is title || counter; with
 * apdu->tag the authenticated data SC || authentication_key || header is checked against it.
 * (Green Book 9.2.7.2.4; NIST SP 800-38D.)
 *
 * Returns 0; -EBADMSG when the tag does not hold (plain is filled all the same, to tell a wrong key
 * from a wrong authentication key); -EINVAL when there is a tag and no authentication_key.
 */
int gcm_decrypt(struct gcm *g,
                const struct apdu *apdu,
                const uint8_t key[KEY_OCTETS],
                const uint8_t *authentication_key,
                uint8_t *plain) __attribute__((warn_unused_result));

/**
 * The reverse, for meter-sim and tests: encrypt `octets` in place for apdu's title, counter and
 * security_control; with authentication in it `tag` gets TAG_OCTETS.
 */
int gcm_encrypt(struct gcm *g,
                const struct apdu *apdu,
                const uint8_t key[KEY_OCTETS],
                const uint8_t *authentication_key,
                uint8_t *octets,
                size_t len,
                uint8_t *tag) __attribute__((warn_unused_result));

#endif
