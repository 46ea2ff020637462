/* fw_ring: telegrams that the broker has not acknowledged yet. */
#ifndef FW_RING_H
#define FW_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FW_RING_HEAD 12 /* octets that each telegram takes besides its own */

/**
 * A queue in memory that the caller lends. When it is full, the telegram goes whose absence leaves
 * the smallest gap in time: so after a long outage what is left covers all of it, thinly, and the
 * oldest (which may be on its way) stays to the end.
 */
struct fw_ring {
    uint8_t *memory;
    size_t size;
    size_t used;
    uint32_t count;
    uint32_t dropped; /* telegrams that never left, since the start */
    uint32_t next_id;
};

void fw_ring_init(struct fw_ring *r, void *memory, size_t size);

/**
 * Append a telegram that came at at_ms (any clock that wraps at 2^32). False, and counted as
 * dropped, when there is no room for it beside the oldest.
 */
bool fw_ring_add(struct fw_ring *r, const uint8_t *octets, size_t len, uint32_t at_ms);

/** Append what may be done without: it takes free room only, and is the first to go. */
bool fw_ring_add_spare(struct fw_ring *r, const uint8_t *octets, size_t len, uint32_t at_ms);

/** The oldest telegram, in place until the ring is changed, or NULL. *id names it. */
const uint8_t *fw_ring_oldest(const struct fw_ring *r, size_t *len, uint32_t *id);

/** The broker has this one. Unless it is the oldest nothing happens. */
void fw_ring_release(struct fw_ring *r, uint32_t id);

#endif
