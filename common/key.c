#include "key.h"

#include <stdbool.h>
#include <string.h>

#include "hex.h"

static bool is_separator(int c)
{
    return c != '\0' && strchr(" \t\r\n:,;-{}", c) != NULL;
}

static const char *complaint(const char *text)
{
    return strlen(text) == KEY_OCTETS
               ? "16 characters: write the key as 32 hex digits (each character as two)"
               : "not a key: 32 hex digits are wanted (spaces, colons and 0x are ignored)";
}

const char *key_parse(const char *text, uint8_t key[KEY_OCTETS])
{
    uint8_t octets[KEY_OCTETS];
    size_t digits = 0;
    const char *wrong = NULL;

    for (const char *p = text; *p != '\0' && wrong == NULL; p++) {
        int digit = hex_digit((unsigned char)*p);

        if (is_separator((unsigned char)*p))
            continue;
        if (*p == '0' && (p[1] == 'x' || p[1] == 'X') && digits % 2 == 0) {
            p++;
            continue;
        }
        if (digit < 0)
            wrong = complaint(text);
        else if (digits == 2 * KEY_OCTETS)
            wrong = "not a key: more than 32 hex digits";
        else if (digits % 2 == 0)
            octets[digits++ / 2] = (uint8_t)(digit << 4);
        else
            octets[digits++ / 2] |= (uint8_t)digit;
    }
    if (wrong == NULL && digits < 2 * KEY_OCTETS)
        wrong = complaint(text);
    if (wrong == NULL)
        memcpy(key, octets, KEY_OCTETS);
    explicit_bzero(octets, sizeof octets);
    return wrong;
}
