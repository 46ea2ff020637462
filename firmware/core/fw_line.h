/* fw_line: which baud rate and parity the meter has, by what comes in. */
#ifndef FW_LINE_H
#define FW_LINE_H

#include <stdbool.h>
#include <stdint.h>

/** One way to listen. 8 data bits and 1 stop bit in all of them. */
struct fw_line_mode {
    uint32_t baud;
    bool even; /* parity */
    const char *name;
};

#define FW_LINE_AUTO  0xFF /* no mode: find it */
#define FW_LINE_MODES 4    /* 2400 8E1, 2400 8N1, 9600 8N1 and 9600 8E1 (HDLC meters) */

extern const struct fw_line_mode fw_line_modes[FW_LINE_MODES];

/**
 * A sound frame proves a mode. Until one has come, a mode is left when a quarter of the octets have
 * parity or framing errors (each wrong mode makes more), or when two telegrams' worth of octets
 * held no frame. A proven mode is left only when frames stop while octets go on.
 */
struct fw_line {
    uint8_t mode;   /* place in fw_line_modes */
    bool proven;    /* by a sound frame */
    bool fixed;     /* chosen by the user: never changed */
    uint32_t heard; /* octets since the mode was set or proven last */
    uint32_t wrong; /* errors among them */
    uint32_t begun_ms;
    uint32_t parity_errors, framing_errors; /* since the start */
};

/** mode: where to begin; with `fixed` also where to stay. */
void fw_line_init(struct fw_line *l, uint8_t mode, bool fixed);

void fw_line_octets(struct fw_line *l, uint32_t n, uint32_t now_ms);
void fw_line_parity_error(struct fw_line *l);
void fw_line_framing_error(struct fw_line *l);

/** A sound frame came in. True when it is the first in this mode: worth remembering. */
bool fw_line_sound(struct fw_line *l);

/** True when the mode has changed: set up the UART anew and forget its octets. */
bool fw_line_step(struct fw_line *l, uint32_t now_ms);

#endif
