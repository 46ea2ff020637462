/* utf8: text from outside made safe for databases and JSON. */
#ifndef UTF8_H
#define UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** True for valid UTF-8 without control characters other than white space. */
bool utf8_is_text(const uint8_t *octets, size_t len);

/**
 * Copy text into out (size octets with the NUL): valid UTF-8 as it is, each octet that belongs to
 * no valid sequence and each control character as '?', cut before a sequence that does not fit.
 * Source: RFC 3629, section 4.
 */
void utf8_copy(char *out, size_t size, const char *text);

#endif
