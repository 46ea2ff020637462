/* tools: what the unit tests share. */
#ifndef TOOLS_H
#define TOOLS_H

/* cmocka.h wants these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "hex.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/** Octets on the heap without any room behind them: the sanitizer sees the first octet too far. */
struct octets {
    uint8_t *at;
    size_t len;
};

static inline struct octets octets_copy(const uint8_t *from, size_t len)
{
    struct octets o = {malloc(len), len};

    assert_non_null(o.at);
    if (len > 0)
        memcpy(o.at, from, len);
    return o;
}

/** From digits with blanks anywhere. */
static inline struct octets octets_from_hex(const char *hex)
{
    struct octets all = octets_copy((const uint8_t *)hex, strlen(hex)), o;
    size_t digits = 0;

    for (size_t i = 0; i < all.len; i++) {
        int digit = hex_digit(all.at[i]);

        if (all.at[i] == ' ')
            continue;
        assert_true(digit >= 0);
        if (digits % 2 == 0)
            all.at[digits / 2] = (uint8_t)(digit << 4);
        else
            all.at[digits / 2] |= (uint8_t)digit;
        digits++;
    }
    assert_int_equal(digits % 2, 0);
    o = octets_copy(all.at, digits / 2);
    free(all.at);
    return o;
}

/** As upper-case digits on the heap. */
static inline char *hex_text(const uint8_t *octets, size_t len)
{
    char *text = malloc(2 * len + 1);

    assert_non_null(text);
    hex_encode(octets, len, text);
    return text;
}

#endif
