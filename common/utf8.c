#include "utf8.h"

#include <stdint.h>
#include <string.h>

/* Octets of the valid sequence that begins here, or 0. */
static size_t sequence(const unsigned char *p)
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
        if (rows[i].len > 1 && (p[1] < rows[i].low || p[1] > rows[i].high))
            return 0;
        for (size_t j = 2; j < rows[i].len; j++)
            if ((p[j] & 0xC0) != 0x80)
                return 0;
        return rows[i].len;
    }
    return 0;
}

void utf8_copy(char *out, size_t size, const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t n = 0;

    while (*p != '\0') {
        size_t len = sequence(p);

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
