/* fw_join: from single octets of the meter's line to whole telegrams. */
#ifndef FW_JOIN_H
#define FW_JOIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FW_TELEGRAM_MAX 1536 /* octets of one telegram, link frames included; seen: up to 622 */
#define FW_NOISE_MAX    32   /* octets that may stand between two fragments of a telegram */

/* Silence after which nothing more is expected. Meters send a frame's octets back to back (4.6 ms
 * each at 2400 baud) and the fragments of a telegram about 160 ms apart. */
#define FW_OCTET_MS 120
#define FW_FRAME_MS 1000

enum fw_outcome {
    FW_WHOLE,   /* all link frames of one telegram, in order and sound */
    FW_DAMAGED, /* octets that became no whole telegram: noise, broken frames, lone fragments */
};

/** The octets live until the callback returns. */
typedef void fw_join_emit(void *arg, enum fw_outcome outcome, const uint8_t *octets, size_t len);

/**
 * The state of one line. Every octet that was fed comes out in exactly one outcome, but for idle
 * octets (00, FF, CR, LF, tab, blank) between frames.
 *
 * - M-Bus frames are joined by their fragment numbers into one telegram. An HDLC frame is an
 * outcome of its own: it has no number to join by, and the server joins what comes on a topic.
 * - What stands where, sound frames are found: behind noise, behind a frame that broke off, in the
 *   middle of what looked like the start of another.
 * - Up to FW_NOISE_MAX octets of noise between two fragments are taken out; more, or the start of a
 *   frame among them, ends the telegram, since a fragment may be missing there.
 */
struct fw_join {
    fw_join_emit *emit;
    void *arg;
    uint32_t good;      /* sound frames */
    uint32_t bad;       /* frames that began and were damaged, and fragments without the others */
    uint32_t noise;     /* other octets */
    uint32_t telegrams; /* whole ones */

    size_t taken; /* octets of the telegram under way: sound frames at the start of `octets` */
    size_t len;   /* and what came behind them */
    uint16_t address;
    uint8_t fragments;
    uint32_t heard_ms;
    uint8_t octets[FW_TELEGRAM_MAX];
};

void fw_join_init(struct fw_join *j, fw_join_emit *emit, void *arg);

/**
 * Take the next octet. now_ms: any clock that counts milliseconds and wraps at 2^32. A pause before
 * the octet is no silence: the caller may have been late. Only fw_join_quiet decides by time.
 */
void fw_join_octet(struct fw_join *j, uint8_t octet, uint32_t now_ms);

/** The line's buffer is empty now: give up what has waited too long for more. */
void fw_join_quiet(struct fw_join *j, uint32_t now_ms);

#endif
