#include "fw_line.h"

#include <string.h>

enum {
    SAMPLE = 64,          /* octets that errors are counted in */
    PATIENCE = 1400,      /* octets: two telegrams, since listening may begin within one */
    PATIENCE_MS = 15000,  /* from the first octet on; meters send every 5 s, some every 10 s */
    PROVEN_MS = 60000,    /* how long a proven mode may bring octets without a frame */
    PROVEN_OCTETS = 2400, /* and how many */
};

const struct fw_line_mode fw_line_modes[FW_LINE_MODES] = {
    {2400, true, "2400 8E1"},
    {2400, false, "2400 8N1"},
    {9600, false, "9600 8N1"},
    {9600, true, "9600 8E1"},
};

static void begin(struct fw_line *l)
{
    l->heard = l->wrong = 0;
}

void fw_line_init(struct fw_line *l, uint8_t mode, bool fixed)
{
    memset(l, 0, sizeof *l);
    l->mode = mode < FW_LINE_MODES ? mode : 0;
    l->fixed = fixed && mode < FW_LINE_MODES;
}

void fw_line_octets(struct fw_line *l, uint32_t n, uint32_t now_ms)
{
    if (l->heard == 0)
        l->begun_ms = now_ms;
    l->heard += n;
}

void fw_line_parity_error(struct fw_line *l)
{
    l->parity_errors++;
    l->wrong++;
}

void fw_line_framing_error(struct fw_line *l)
{
    l->framing_errors++;
    l->wrong++;
}

bool fw_line_sound(struct fw_line *l)
{
    bool first = !l->proven;

    l->proven = true;
    begin(l);
    return first;
}

bool fw_line_step(struct fw_line *l, uint32_t now_ms)
{
    uint32_t listened_ms = now_ms - l->begun_ms;
    bool leave;

    if (l->fixed || l->heard == 0)
        return false;
    if (l->proven)
        leave = l->heard >= PROVEN_OCTETS && listened_ms >= PROVEN_MS;
    else
        leave = (l->heard >= SAMPLE && l->wrong * 4 > l->heard) || l->heard >= PATIENCE ||
                listened_ms >= PATIENCE_MS;
    if (!leave)
        return false;
    l->mode = (uint8_t)(l->mode + 1 < FW_LINE_MODES ? l->mode + 1 : 0);
    l->proven = false;
    begin(l);
    return true;
}
