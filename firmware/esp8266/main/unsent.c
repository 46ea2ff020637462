#include "unsent.h"

#include <stdlib.h>

#include "freertos/task.h"

#include "hex.h"

void unsent_begin(struct unsent *u, size_t size)
{
    void *memory = malloc(size);

    u->lock = xSemaphoreCreateMutex();
    u->more = xSemaphoreCreateBinary();
    if (memory == NULL || u->lock == NULL || u->more == NULL)
        abort(); /* at the start: the watchdog's way out */
    fw_ring_init(&u->ring, memory, size);
}

bool unsent_add(struct unsent *u, const uint8_t *octets, size_t len, bool whole)
{
    uint32_t now_ms = xTaskGetTickCount() * portTICK_PERIOD_MS;
    bool added;

    xSemaphoreTake(u->lock, portMAX_DELAY);
    added = whole ? fw_ring_add(&u->ring, octets, len, now_ms)
                  : fw_ring_add_spare(&u->ring, octets, len, now_ms);
    xSemaphoreGive(u->lock);
    xSemaphoreGive(u->more);
    return added;
}

bool unsent_oldest_hex(struct unsent *u, char *text, size_t room, uint32_t *id)
{
    const uint8_t *octets;
    size_t len;
    bool found;

    xSemaphoreTake(u->lock, portMAX_DELAY);
    octets = fw_ring_oldest(&u->ring, &len, id);
    found = octets != NULL && 2 * len + 1 <= room;
    if (found)
        hex_encode(octets, len, text);
    xSemaphoreGive(u->lock);
    return found;
}

void unsent_release(struct unsent *u, uint32_t id)
{
    xSemaphoreTake(u->lock, portMAX_DELAY);
    fw_ring_release(&u->ring, id);
    xSemaphoreGive(u->lock);
}

struct fw_ring unsent_look(struct unsent *u)
{
    struct fw_ring copy;

    xSemaphoreTake(u->lock, portMAX_DELAY);
    copy = u->ring;
    xSemaphoreGive(u->lock);
    return copy;
}
