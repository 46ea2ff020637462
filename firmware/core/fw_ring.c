#include "fw_ring.h"

#include <string.h>

/* Stands before the octets of each telegram. */
struct head {
    uint32_t id;
    uint32_t at_ms;
    uint16_t len;
    uint16_t spare; /* 1: the first to go */
};

_Static_assert(sizeof(struct head) == FW_RING_HEAD, "no padding");

void fw_ring_init(struct fw_ring *r, void *memory, size_t size)
{
    memset(r, 0, sizeof *r);
    r->memory = memory;
    r->size = size;
}

static struct head head_at(const struct fw_ring *r, size_t at)
{
    struct head h;

    memcpy(&h, r->memory + at, sizeof h);
    return h;
}

static void take_out(struct fw_ring *r, size_t at)
{
    size_t size = sizeof(struct head) + head_at(r, at).len;

    memmove(r->memory + at, r->memory + at + size, r->used - at - size);
    r->used -= size;
    r->count--;
}

/*
 * A spare one, else the telegram whose neighbours are closest to each other, or 0: there is none
 * beside the oldest. The neighbour behind the last one is the newcomer.
 */
static size_t find_least(const struct fw_ring *r, uint32_t newcomer_ms)
{
    size_t least = 0, at = 0;
    uint32_t least_gap = UINT32_MAX;

    if (r->count < 2)
        return 0;
    for (struct head before = head_at(r, 0);;) {
        size_t here = at + sizeof before + before.len, behind;
        struct head h;
        uint32_t gap;

        if (here == r->used)
            return least;
        h = head_at(r, here);
        if (h.spare != 0)
            return here;
        behind = here + sizeof h + h.len;
        gap = (behind == r->used ? newcomer_ms : head_at(r, behind).at_ms) - before.at_ms;
        if (gap < least_gap) {
            least_gap = gap;
            least = here;
        }
        before = h;
        at = here;
    }
}

static void append(struct fw_ring *r, struct head h, const uint8_t *octets)
{
    h.id = ++r->next_id;
    memcpy(r->memory + r->used, &h, sizeof h);
    memcpy(r->memory + r->used + sizeof h, octets, h.len);
    r->used += sizeof h + h.len;
    r->count++;
}

/* Whether it has room beside so many octets; if not, it is counted. */
static bool fits(struct fw_ring *r, size_t beside, size_t len)
{
    bool yes = len <= UINT16_MAX && r->size >= FW_RING_HEAD + beside &&
               len <= r->size - FW_RING_HEAD - beside;

    r->dropped += !yes;
    return yes;
}

bool fw_ring_add(struct fw_ring *r, const uint8_t *octets, size_t len, uint32_t at_ms)
{
    size_t oldest = r->count == 0 ? 0 : FW_RING_HEAD + head_at(r, 0).len;

    if (!fits(r, oldest, len))
        return false;
    while (r->size - r->used < FW_RING_HEAD + len) {
        take_out(r, find_least(r, at_ms));
        r->dropped++;
    }
    append(r, (struct head){.at_ms = at_ms, .len = (uint16_t)len}, octets);
    return true;
}

bool fw_ring_add_spare(struct fw_ring *r, const uint8_t *octets, size_t len, uint32_t at_ms)
{
    if (!fits(r, r->used, len))
        return false;
    append(r, (struct head){.at_ms = at_ms, .len = (uint16_t)len, .spare = 1}, octets);
    return true;
}

const uint8_t *fw_ring_oldest(const struct fw_ring *r, size_t *len, uint32_t *id)
{
    struct head h;

    if (r->count == 0)
        return NULL;
    h = head_at(r, 0);
    *len = h.len;
    *id = h.id;
    return r->memory + sizeof h;
}

void fw_ring_release(struct fw_ring *r, uint32_t id)
{
    if (r->count > 0 && head_at(r, 0).id == id)
        take_out(r, 0);
}
