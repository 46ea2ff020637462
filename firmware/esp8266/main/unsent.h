/* unsent: the ring between the meter's task and the broker's. */
#ifndef UNSENT_H
#define UNSENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "freertos/FreeRTOS.h"
#include "freertos/semphr.h"

#include "fw_ring.h"

struct unsent {
    SemaphoreHandle_t lock; /* of ring */
    SemaphoreHandle_t more; /* given when something was added */
    struct fw_ring ring;
};

/** A ring of so many octets on the heap, for good. */
void unsent_begin(struct unsent *u, size_t size);

/** Add a telegram that came now; one that is not whole never drives out another. False when it was
 * dropped. */
bool unsent_add(struct unsent *u, const uint8_t *octets, size_t len, bool whole);

/** Copy the oldest as hex text with a NUL; false when there is none, or no room for it. */
bool unsent_oldest_hex(struct unsent *u, char *text, size_t room, uint32_t *id);

/** The broker has it. */
void unsent_release(struct unsent *u, uint32_t id);

/** Depth, octets and dropped telegrams. */
struct fw_ring unsent_look(struct unsent *u);

#endif
