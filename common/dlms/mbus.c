#include "mbus.h"

#include <string.h>

enum { HEAD = 4, BODY_HEAD = 5, TAIL = 2 }; /* 68 L L 68; C A CI STSAP DTSAP; CS 16 */
enum { DATA_MAX = MBUS_FRAME_MAX - MBUS_OVERHEAD };

static uint8_t sum(const uint8_t *p, size_t n)
{
    uint8_t s = 0;

    while (n-- > 0)
        s = (uint8_t)(s + *p++);
    return s;
}

/* The frame if its body had this length. */
static enum link_result check_length(const uint8_t *octets, size_t len, size_t body)
{
    if (body < BODY_HEAD)
        return LINK_BROKEN;
    if (len < HEAD + body + TAIL)
        return LINK_INCOMPLETE;
    if (octets[HEAD + body + 1] != MBUS_STOP)
        return LINK_BROKEN;
    return sum(octets + HEAD, body) == octets[HEAD + body] ? LINK_FRAME : LINK_DAMAGED;
}

bool mbus_control_fits(uint8_t c, uint8_t ci)
{
    bool send = (c & 0xDF) == 0x53;    /* SND_UD, either frame count bit */
    bool respond = (c & 0xCF) == 0x08; /* RSP_UD, any access demand or data flow bit */

    return (send || respond) && (ci & 0xE0) == 0;
}

enum link_result mbus_check(const uint8_t *octets, size_t len, struct link_frame *out)
{
    enum link_result small, large;
    size_t body;

    if (len == 0 || octets[0] != MBUS_START)
        return LINK_NOTHING;
    if ((len > 3 && octets[3] != MBUS_START) || (len > 2 && octets[2] != octets[1]))
        return LINK_NOTHING;
    if (len < HEAD)
        return LINK_INCOMPLETE;

    body = octets[1];
    small = check_length(octets, len, body);
    large = small == LINK_FRAME ? LINK_BROKEN : check_length(octets, len, body + 256);
    if (large == LINK_FRAME)
        body += 256;
    else if (small == LINK_INCOMPLETE || large == LINK_INCOMPLETE)
        return LINK_INCOMPLETE;
    else if (small != LINK_FRAME)
        return small == LINK_DAMAGED || large == LINK_DAMAGED ? LINK_DAMAGED : LINK_BROKEN;

    if (!mbus_control_fits(octets[HEAD], octets[HEAD + 2]))
        return LINK_FOREIGN;
    *out = (struct link_frame){
        .data = octets + HEAD + BODY_HEAD,
        .len = body - BODY_HEAD,
        .size = HEAD + body + TAIL,
        .address = (uint16_t)(octets[HEAD + 3] << 8 | octets[HEAD + 4]),
        .sequence = octets[HEAD + 2] & 0x0F,
        .last = (octets[HEAD + 2] & 0x10) != 0,
    };
    return LINK_FRAME;
}

size_t
mbus_write(uint8_t *out, size_t room, uint8_t ci, uint16_t address, const uint8_t *data, size_t len)
{
    size_t body = len + BODY_HEAD;
    const uint8_t head[HEAD + BODY_HEAD] = {
        MBUS_START, (uint8_t)body,           (uint8_t)body,   MBUS_START, 0x53, 0xFF,
        ci,         (uint8_t)(address >> 8), (uint8_t)address};

    if (len > DATA_MAX || room < len + MBUS_OVERHEAD)
        return 0;
    memcpy(out, head, sizeof head);
    memcpy(out + sizeof head, data, len);
    out[HEAD + body] = sum(out + HEAD, body);
    out[HEAD + body + 1] = MBUS_STOP;
    return HEAD + body + TAIL;
}
