/* fw_text: text into a fixed buffer, without a division. */
#ifndef FW_TEXT_H
#define FW_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Always ends with a NUL. What does not fit sets `full`, which sticks: look once, at the end. */
struct fw_text {
    char *at;
    size_t room; /* of the buffer, NUL included */
    size_t len;
    bool full;
};

struct fw_text fw_text_make(char *buffer, size_t room);

void fw_text_add(struct fw_text *t, const char *text);
void fw_text_char(struct fw_text *t, char c);
void fw_text_number(struct fw_text *t, uint32_t number);
void fw_text_signed(struct fw_text *t, int32_t number);

/** As the inside of a JSON string: quotes, backslashes and control characters escaped. */
void fw_text_json(struct fw_text *t, const char *text);

/** As HTML text or the inside of a quoted attribute. */
void fw_text_html(struct fw_text *t, const char *text);

/** Octets as upper-case hex digits. */
void fw_text_hex(struct fw_text *t, const uint8_t *octets, size_t len);

#endif
