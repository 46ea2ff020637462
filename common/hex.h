/* hex: octets to and from hexadecimal text. */
#ifndef HEX_H
#define HEX_H

#include <stddef.h>
#include <stdint.h>

/** The value of each character as a hex digit in either case, or -1. */
extern const int8_t hex_values[256];

static inline int hex_digit(int c)
{
    return hex_values[(uint8_t)c];
}

/** Write len octets as 2*len upper-case digits and a NUL; `text` holds 2*len+1. */
void hex_encode(const uint8_t *octets, size_t len, char *text);

/**
 * Read exactly len octets from 2*len digits, either case, nothing else.
 * Returns 0, or -EINVAL when the text is shorter, longer or not hex (octets then undefined).
 */
int hex_decode(const char *text, uint8_t *octets, size_t len);

#endif
