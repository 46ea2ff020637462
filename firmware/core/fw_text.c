#include "fw_text.h"

#include <string.h>

#include "hex.h"

struct fw_text fw_text_make(char *buffer, size_t room)
{
    buffer[0] = '\0';
    return (struct fw_text){.at = buffer, .room = room};
}

static void add(struct fw_text *t, const char *text, size_t len)
{
    if (t->full || len >= t->room - t->len) {
        t->full = true;
        return;
    }
    memcpy(t->at + t->len, text, len);
    t->len += len;
    t->at[t->len] = '\0';
}

void fw_text_add(struct fw_text *t, const char *text)
{
    add(t, text, strlen(text));
}

void fw_text_char(struct fw_text *t, char c)
{
    add(t, &c, 1);
}

/* Digits are counted off by subtraction: at most nine rounds each. */
void fw_text_number(struct fw_text *t, uint32_t number)
{
    static const uint32_t powers[] = {1000000000, 100000000, 10000000, 1000000, 100000,
                                      10000,      1000,      100,      10,      1};
    enum { POWERS = sizeof powers / sizeof powers[0] };
    char digits[POWERS];
    size_t n = 0;

    for (size_t i = 0; i < POWERS; i++) {
        char digit = '0';

        for (; number >= powers[i]; number -= powers[i])
            digit++;
        if (n > 0 || digit != '0' || i + 1 == POWERS)
            digits[n++] = digit;
    }
    add(t, digits, n);
}

void fw_text_signed(struct fw_text *t, int32_t number)
{
    if (number < 0)
        fw_text_char(t, '-');
    fw_text_number(t, number < 0 ? 0 - (uint32_t)number : (uint32_t)number);
}

void fw_text_hex(struct fw_text *t, const uint8_t *octets, size_t len)
{
    if (t->full || len > (t->room - t->len - 1) / 2) {
        t->full = true;
        return;
    }
    hex_encode(octets, len, t->at + t->len);
    t->len += 2 * len;
}

void fw_text_json(struct fw_text *t, const char *text)
{
    for (; *text != '\0'; text++) {
        uint8_t c = (uint8_t)*text;

        if (c < ' ') {
            fw_text_add(t, "\\u00");
            fw_text_hex(t, &c, 1);
        } else {
            if (c == '"' || c == '\\')
                fw_text_char(t, '\\');
            fw_text_char(t, *text);
        }
    }
}

void fw_text_html(struct fw_text *t, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&':
            fw_text_add(t, "&amp;");
            break;
        case '<':
            fw_text_add(t, "&lt;");
            break;
        case '"':
            fw_text_add(t, "&quot;");
            break;
        default:
            fw_text_char(t, *text);
            break;
        }
    }
}
