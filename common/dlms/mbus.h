/* mbus: M-Bus long frames (EN 13757-2, 5.3) as the customer interface of DLMS meters sends them. */
#ifndef MBUS_H
#define MBUS_H

#include "link_frame.h"

/* Portable: no heap, no stdio, no division; the firmware builds this file as it is. */

#define MBUS_START     0x68
#define MBUS_STOP      0x16
#define MBUS_OVERHEAD  11  /* start L L start, C A CI STSAP DTSAP, checksum, stop */
#define MBUS_FRAME_MAX 517 /* L = 255 + 256 */

/**
 * Check what begins at octets[0].
 *
 *   68 L L 68 | C A CI STSAP DTSAP data... | CS 16
 *
 * L counts C to the last data octet but is one octet wide and wraps in some meters (Sagemcom T210-D
 * sends 257 as 01): both L and L + 256 are tried, and the one whose stop octet and sum (of C to the
 * last data octet, modulo 256) hold is taken; the model plays no part.
 * CI: bits 0-3 fragment number, bit 4 last fragment, bits 5-7 zero (EN 13757-3 transport; IEC
 * 62056-7-3). C must be 53 or 73 (SND_UD) or 08, 18, 28, 38 (RSP_UD).
 *
 * LINK_FRAME fills out (data: a view; address: STSAP << 8 | DTSAP). A frame whose sum holds but
 * whose C or CI is none of these is LINK_FOREIGN.
 */
enum link_result mbus_check(const uint8_t *octets, size_t len, struct link_frame *out);

/** True when these are the C and CI fields of a meter's fragment. */
bool mbus_control_fits(uint8_t c, uint8_t ci);

/**
 * Write one fragment (for meter-sim and tests): `data` of at most 506 octets.
 * Returns the frame's size, len + MBUS_OVERHEAD, or 0 when it does not fit room or the format.
 */
size_t mbus_write(
    uint8_t *out, size_t room, uint8_t ci, uint16_t address, const uint8_t *data, size_t len);

#endif
