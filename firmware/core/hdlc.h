/* hdlc: HDLC frames, format type 3 (IEC 62056-46, 8.4), as the customer interfaces at 9600 baud
 * send them. */
#ifndef HDLC_H
#define HDLC_H

#include "link_frame.h"

#define HDLC_FLAG      0x7E
#define HDLC_OVERHEAD  11   /* flag, format, two addresses, control, HCS, FCS, flag */
#define HDLC_FRAME_MAX 1026 /* the longest that was seen has 491 */

/**
 * Check what begins at octets[0].
 *
 *   7E | Ax LL | destination | source | control | HCS(2) | data... | FCS(2) | 7E
 *
 * The low 11 bits of the format count everything between the flags; meters do not stuff octets, so
 * a flag may stand inside. Both check sequences are CRC-16/X-25, low octet first.
 *
 * LINK_FRAME fills out: data is a view of what stands behind the HCS (the LLC header included);
 * address holds the last octets of both addresses; last is false while the segmentation bit is set;
 * sequence is 0, since such frames have no number. A format of another type, or a length outside of
 * HDLC_OVERHEAD..HDLC_FRAME_MAX, is LINK_NOTHING.
 */
enum link_result hdlc_check(const uint8_t *octets, size_t len, struct link_frame *out);

#endif
