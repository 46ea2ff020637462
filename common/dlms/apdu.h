/* apdu: the outermost DLMS message and its ciphering header. */
#ifndef APDU_H
#define APDU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "verdict.h"

#define APDU_DATA_NOTIFICATION     0x0F
#define APDU_GENERAL_GLO_CIPHERING 0xDB
#define APDU_GENERAL_CIPHERING     0xDD

#define SYSTEM_TITLE_OCTETS 8
#define TAG_OCTETS          12

#define SC_AUTHENTICATED 0x10 /* security control octet: bits of the Green Book, 9.2.7.2.4.1 */
#define SC_ENCRYPTED     0x20

/** Views into the parsed octets. */
struct apdu {
    bool ciphered;        /* false: body is the whole, plain APDU and nothing else is set */
    const uint8_t *title; /* SYSTEM_TITLE_OCTETS of the sender */
    uint8_t security_control;
    uint32_t counter;    /* invocation counter (frame counter) */
    const uint8_t *body; /* ciphertext, or the plain APDU */
    size_t body_len;
    const uint8_t *tag;    /* TAG_OCTETS, or NULL when not authenticated */
    const uint8_t *header; /* general-ciphering: transaction-id to other-information, part of the */
    size_t header_len;     /* authenticated data; else empty */
};

/**
 * Take one APDU apart:
 *   DB | 08 title | length | SC | counter(4) | ciphertext | [tag(12)]         general-glo-ciphering
 *   DD | transaction-id | originator title | recipient title | date-time | other-information |
 *        [key-info] | length | SC | counter(4) | ciphertext | [tag(12)]       general-ciphering
 *   0F | ...                                                                  plain
 * (DLMS UA Green Book, 9.2.7 and 9.5). Security control 20, 21 (encrypted) and 30, 31 (encrypted
 * and authenticated): suite 0 and 1 use the same AES-128-GCM.
 *
 * VERDICT_OK fills out. Else only out->ciphered and out->title (NULL unless it was found whole) are
 * defined, and *detail (a static phrase) says more:
 * VERDICT_LOST_OCTETS when a length does not match what is there, VERDICT_UNKNOWN_LAYOUT for other
 * tags, suites and keys by agreement.
 */
enum verdict apdu_parse(const uint8_t *octets, size_t len, struct apdu *out, const char **detail);

/** True when these octets, as they stand, are one complete APDU of the kinds above. */
bool apdu_is_whole(const uint8_t *octets, size_t len);

#endif
