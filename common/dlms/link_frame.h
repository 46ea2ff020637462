/* link_frame: what every link layer (M-Bus; later HDLC) makes of octets. */
#ifndef LINK_FRAME_H
#define LINK_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** One checked link frame; `data` is a view into the octets it was read from. */
struct link_frame {
    const uint8_t *data; /* the APDU's share of this frame */
    size_t len;
    size_t size;      /* octets of the whole frame, start to stop */
    uint16_t address; /* the same in every fragment of a telegram */
    uint8_t sequence; /* 0 = first fragment */
    bool last;
};

/** What stands at the first octet. */
enum link_result {
    LINK_FRAME,      /* a whole, sound frame: the out parameter is filled */
    LINK_INCOMPLETE, /* may become a frame when more octets come */
    LINK_FOREIGN,    /* a whole frame whose check holds, of a kind that no meter here sends */
    LINK_DAMAGED,    /* begins like a frame, has a stop where one belongs, fails its check */
    LINK_BROKEN,     /* begins like a frame, has no stop where one belongs */
    LINK_NOTHING,    /* no frame begins here */
};

#endif
