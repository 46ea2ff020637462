#include "utf8.h"

#include <string.h>

/* Octets of the valid sequence that begins here, of `left` octets, or 0. */
static size_t sequence(const uint8_t *p, size_t left)
{
    static const struct {
        uint8_t first, last, low, high, len; /* lead octet's range, second octet's range */
    } rows[] = {
        {0x01, 0x7F, 0, 0, 1},       {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
        {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
        {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (p[0] < rows[i].first || p[0] > rows[i].last)
            continue;
        if (rows[i].len > left)
            return 0;
        if (rows[i].len > 1 && (p[1] < rows[i].low || p[1] > rows[i].high))
            return 0;
        for (size_t j = 2; j < rows[i].len; j++)
            if ((p[j] & 0xC0) != 0x80)
                return 0;
        return rows[i].len;
    }
    return 0;
}

bool utf8_is_text(const uint8_t *octets, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t n = sequence(octets + at, len - at);
        uint8_t c = octets[at];

        if (n == 0 || c == 0x7F || (c < ' ' && (c < '\t' || c > '\r')))
            return false;
        at += n;
    }
    return true;
}

void utf8_copy(char *out, size_t size, const char *text)
{
    const uint8_t *p = (const uint8_t *)text;
    const uint8_t *end = p + strlen(text);
    size_t n = 0;

    while (p < end) {
        size_t len = sequence(p, (size_t)(end - p));

        if (len == 1 && (*p < ' ' || *p == 0x7F))
            len = 0;
        if (len == 2 && p[0] == 0xC2 && p[1] < 0xA0) /* C1 controls */
            len = 0;
        if (n + (len == 0 ? 1 : len) >= size)
            break;
        if (len == 0) {
            out[n++] = '?';
            p++;
            continue;
        }
        memcpy(out + n, p, len);
        n += len;
        p += len;
    }
    out[n] = '\0';
}
