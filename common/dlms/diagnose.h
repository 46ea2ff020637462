/* diagnose: what octets tell about a receiver or an interface that is set up wrongly. */
#ifndef DIAGNOSE_H
#define DIAGNOSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * Is a parity mismatch (8E1, 8N1, 7E1) the likely reason why these octets, which begin with
 * 68 L L 68 or are noise between frames, are no sound frame? Looked for are patterns that
 * ciphertext shows by chance in one of 2^24 cases or less, so a single flipped bit is never called
 * parity:
 *
 * - no octet has bit 7 set, in 32 octets or more: the receiver takes 7 data bits
 * - every octet but 00 has an odd number of ones, in 24 or more: UART drivers replace or drop the
 *   others, whichever side has the parity bit
 * - two of C, A, CI, STSAP and DTSAP are wrong in bit 7, and the sum in nothing but bit 7
 *
 * frame: the octets are one frame from its start to its stop octet; the third is asked only then.
 * Returns NULL, or a static phrase that says which.
 */
const char *diagnose_parity(const uint8_t *octets, size_t len, bool frame);

/**
 * Do these octets, in which no M-Bus frame begins, come from another interface? Returns NULL, or a
 * static phrase that names it: DSMR P1 as text (Sagemcom T210-D-r, "/SAG5..." to "!CRC"), P1 as
 * bare ciphered APDUs (DB 08 ... 82 .. .. 30), or HDLC frames (7E ... 7E).
 */
const char *diagnose_interface(const uint8_t *octets, size_t len);

#endif
