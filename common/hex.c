#include "hex.h"

#include <errno.h>
#include <string.h>

#define NONE16  -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1
#define LETTERS -1, 10, 11, 12, 13, 14, 15, -1, -1, -1, -1, -1, -1, -1, -1, -1

const int8_t hex_values[256] = {
    NONE16, NONE16, NONE16, 0,      1,      2,      3,      4,      5,       6,      7,
    8,      9,      -1,     -1,     -1,     -1,     -1,     -1,     LETTERS, NONE16, LETTERS,
    NONE16, NONE16, NONE16, NONE16, NONE16, NONE16, NONE16, NONE16, NONE16,
};

void hex_encode(const uint8_t *octets, size_t len, char *text)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < len; i++) {
        text[2 * i] = digits[octets[i] >> 4];
        text[2 * i + 1] = digits[octets[i] & 0x0F];
    }
    text[2 * len] = '\0';
}

int hex_decode(const char *text, uint8_t *octets, size_t len)
{
    if (strlen(text) != 2 * len)
        return -EINVAL;
    for (size_t i = 0; i < len; i++) {
        int high = hex_digit((unsigned char)text[2 * i]);
        int low = hex_digit((unsigned char)text[2 * i + 1]);

        if (high < 0 || low < 0)
            return -EINVAL;
        octets[i] = (uint8_t)(high << 4 | low);
    }
    return 0;
}
