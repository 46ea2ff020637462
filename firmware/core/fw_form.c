#include "fw_form.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "hex.h"

/* One character, escaped or not; 0: a broken escape or a NUL. */
static char take_char(const char *value, size_t len, size_t *at)
{
    char c = value[(*at)++];
    int high, low;

    if (c == '+')
        return ' ';
    if (c != '%')
        return c;
    if (len - *at < 2)
        return '\0';
    high = hex_digit(value[*at]);
    low = hex_digit(value[*at + 1]);
    *at += 2;
    if (high < 0 || low < 0)
        return '\0';
    return (char)(high << 4 | low);
}

static int decode(const char *value, size_t len, char *out, size_t room)
{
    size_t n = 0;

    for (size_t at = 0; at < len;) {
        char c = take_char(value, len, &at);

        if (c == '\0' || n + 1 >= room) {
            out[0] = '\0';
            return FW_FORM_WRONG;
        }
        out[n++] = c;
    }
    out[n] = '\0';
    return (int)n;
}

int fw_form_get(const char *body, size_t len, const char *name, char *out, size_t room)
{
    size_t name_len = strlen(name);

    out[0] = '\0';
    for (size_t at = 0; at < len;) {
        const char *field = body + at, *end = memchr(field, '&', len - at);
        size_t field_len = end == NULL ? len - at : (size_t)(end - field);

        if (field_len > name_len && field[name_len] == '=' && memcmp(field, name, name_len) == 0)
            return decode(field + name_len + 1, field_len - name_len - 1, out, room);
        at += field_len + 1;
    }
    return FW_FORM_ABSENT;
}
