#include "hdlc.h"

#include "fw_crc.h"

enum { FORMAT = 1, ADDRESSES = 3, TAIL = 3, ADDRESS_MAX = 4 }; /* TAIL: FCS(2) 7E */

/* The place behind an address that begins at `at`: its last octet has bit 0 set. 0: none ends. */
static size_t skip_address(const uint8_t *octets, size_t at, size_t end)
{
    for (size_t n = 0; n < ADDRESS_MAX && at < end; n++)
        if ((octets[at++] & 1) != 0)
            return at;
    return 0;
}

static bool crc_holds(const uint8_t *octets, size_t from, size_t to)
{
    uint16_t crc = fw_crc(octets + from, to - from);

    return octets[to] == (uint8_t)crc && octets[to + 1] == (uint8_t)(crc >> 8);
}

/* The header of a whole frame whose FCS holds. */
static enum link_result
read_header(const uint8_t *octets, size_t size, bool segmented, struct link_frame *out)
{
    size_t end = size - TAIL;
    size_t destination = skip_address(octets, ADDRESSES, end);
    size_t source = destination == 0 ? 0 : skip_address(octets, destination, end);

    if (source == 0 || source + 3 > end || !crc_holds(octets, FORMAT, source + 1))
        return LINK_FOREIGN; /* S frames, which have no HCS, too: no meter sends them by itself */
    *out = (struct link_frame){
        .data = octets + source + 3,
        .len = end - (source + 3),
        .size = size,
        .address = (uint16_t)(octets[destination - 1] << 8 | octets[source - 1]),
        .last = !segmented,
    };
    return LINK_FRAME;
}

enum link_result hdlc_check(const uint8_t *octets, size_t len, struct link_frame *out)
{
    size_t size;

    if (len == 0 || octets[0] != HDLC_FLAG)
        return LINK_NOTHING;
    if (len > FORMAT && (octets[FORMAT] & 0xF0) != 0xA0)
        return LINK_NOTHING;
    if (len < ADDRESSES)
        return LINK_INCOMPLETE;
    size = ((size_t)(octets[FORMAT] & 0x07) << 8 | octets[FORMAT + 1]) + 2;
    if (size < HDLC_OVERHEAD || size > HDLC_FRAME_MAX)
        return LINK_NOTHING;
    if (len < size)
        return LINK_INCOMPLETE;
    if (octets[size - 1] != HDLC_FLAG)
        return LINK_BROKEN;
    if (!crc_holds(octets, FORMAT, size - TAIL))
        return LINK_DAMAGED;
    return read_header(octets, size, (octets[FORMAT] & 0x08) != 0, out);
}
