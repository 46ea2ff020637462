/* frame: a simulated meter's reading to the octets that a real one puts on its customer interface.
 */
#ifndef FRAME_H
#define FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "gcm.h"
#include "sim.h"

#define FRAME_COUNT_MAX    2
#define FRAME_TELEGRAM_MAX 512

/** The link frames of one telegram, one behind the other. */
struct frame_telegram {
    uint8_t octets[FRAME_TELEGRAM_MAX];
    size_t len;
    size_t count;
    size_t lens[FRAME_COUNT_MAX]; /* of each frame, in order */
};

/**
 * Encode, encrypt and cut up one reading as meter->model does it:
 *   data-notification -> general-glo-ciphering -> M-Bus long frames
 * Model by model in README.md, octet by octet in tests/vectors/layouts.md; test_sim.c compares with
 * the published frames.
 *
 * Returns 0, or -EIO when libgcrypt fails.
 */
int frame_encode(struct gcm *gcm,
                 const struct sim_meter *meter,
                 const struct sim_reading *reading,
                 struct frame_telegram *out) __attribute__((warn_unused_result));

#endif
