#include "fw_join.h"

#include <string.h>

#include "hdlc.h"
#include "mbus.h"

enum layer { MBUS, HDLC };

_Static_assert(FW_TELEGRAM_MAX > MBUS_FRAME_MAX && FW_TELEGRAM_MAX > HDLC_FRAME_MAX,
               "a full buffer holds more than the longest frame");

void fw_join_init(struct fw_join *j, fw_join_emit *emit, void *arg)
{
    memset(j, 0, sizeof *j);
    j->emit = emit;
    j->arg = arg;
}

static enum link_result check(const struct fw_join *j, size_t at, struct link_frame *f)
{
    const uint8_t *octets = j->octets + at;

    if (octets[0] == MBUS_START)
        return mbus_check(octets, j->len - at, f);
    return octets[0] == HDLC_FLAG ? hdlc_check(octets, j->len - at, f) : LINK_NOTHING;
}

/* What an idle line or a text tool leaves between frames. */
static bool is_idle(const uint8_t *octets, size_t len)
{
    static const uint8_t idle[] = {0x00, 0xFF, '\r', '\n', '\t', ' '};

    for (size_t i = 0; i < len; i++)
        if (memchr(idle, octets[i], sizeof idle) == NULL)
            return false;
    return true;
}

/* How many frames begin in these octets. */
static unsigned starts(const uint8_t *octets, size_t len)
{
    unsigned n = 0;

    for (size_t i = 0; i + 4 <= len; i++)
        n += (octets[i] == MBUS_START && octets[i + 3] == MBUS_START &&
              octets[i + 1] == octets[i + 2]) ||
             (octets[i] == HDLC_FLAG && (octets[i + 1] & 0xF0) == 0xA0);
    return n;
}

/* Take the octets from `from` to `to` out of the buffer. */
static void cut(struct fw_join *j, size_t from, size_t to)
{
    memmove(j->octets + from, j->octets + to, j->len - to);
    j->len -= to - from;
}

/* The telegram under way and all octets before `end` are one outcome. */
static void finish(struct fw_join *j, enum fw_outcome outcome, size_t end)
{
    if (outcome == FW_WHOLE)
        j->telegrams++;
    j->emit(j->arg, outcome, j->octets, end);
    j->taken = 0;
    j->fragments = 0;
    cut(j, 0, end);
}

static void give_up(struct fw_join *j)
{
    if (j->taken == 0)
        return;
    j->bad++;
    finish(j, FW_DAMAGED, j->taken);
}

/* Between the telegram under way and `end` no sound frame begins. */
static void take_wreck(struct fw_join *j, size_t end)
{
    const uint8_t *wreck = j->octets + j->taken;
    size_t len = end - j->taken;
    unsigned broken = starts(wreck, len);

    if (is_idle(wreck, len)) {
        cut(j, j->taken, end);
        return;
    }
    j->bad += broken;
    if (broken == 0)
        j->noise += (uint32_t)len;
    if (j->taken == 0 || broken > 0 || len > FW_NOISE_MAX) {
        j->bad += j->taken > 0 && broken == 0;
        finish(j, FW_DAMAGED, end);
        return;
    }
    j->emit(j->arg, FW_DAMAGED, wreck, len);
    cut(j, j->taken, end);
}

/* A sound fragment stands behind the telegram under way, as the last in the buffer. */
static void take_fragment(struct fw_join *j, const struct link_frame *f)
{
    bool follows = j->taken > 0 && f->address == j->address && f->sequence == (j->fragments & 0x0F);

    if (!follows)
        give_up(j);
    if (!follows && f->sequence != 0) { /* the first one is missing */
        j->bad++;
        finish(j, FW_DAMAGED, f->size);
        return;
    }
    j->address = f->address;
    j->fragments++;
    j->taken += f->size;
    if (f->last)
        finish(j, FW_WHOLE, j->taken);
}

static void take_frame(struct fw_join *j, size_t at, enum layer layer, const struct link_frame *f)
{
    if (at > j->taken)
        take_wreck(j, at);
    j->good++;
    if (layer == HDLC) {
        give_up(j);
        finish(j, FW_WHOLE, f->size);
    } else {
        take_fragment(j, f);
    }
}

/* A frame ends in the octet that came last, or nothing does. */
static void scan(struct fw_join *j)
{
    struct link_frame f;

    for (size_t at = j->taken; at + MBUS_OVERHEAD <= j->len; at++)
        if (check(j, at, &f) == LINK_FRAME) {
            take_frame(j, at, j->octets[at] == MBUS_START ? MBUS : HDLC, &f);
            return;
        }
}

/* The buffer is full: keep of it what may still become a frame. */
static void make_room(struct fw_join *j)
{
    struct link_frame f;
    size_t keep = j->taken;

    while (keep < j->len && check(j, keep, &f) != LINK_INCOMPLETE)
        keep++;
    if (keep == j->taken)
        give_up(j);
    else
        take_wreck(j, keep);
}

void fw_join_octet(struct fw_join *j, uint8_t octet, uint32_t now_ms)
{
    if (j->len == FW_TELEGRAM_MAX)
        make_room(j);
    j->octets[j->len++] = octet;
    j->heard_ms = now_ms;
    if (octet == MBUS_STOP || octet == HDLC_FLAG)
        scan(j);
}

void fw_join_quiet(struct fw_join *j, uint32_t now_ms)
{
    uint32_t quiet_ms = now_ms - j->heard_ms;

    if (j->len > j->taken && quiet_ms >= FW_OCTET_MS)
        take_wreck(j, j->len);
    if (quiet_ms >= FW_FRAME_MS)
        give_up(j);
}
