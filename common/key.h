/* key: AES-128 keys as people have them. */
#ifndef KEY_H
#define KEY_H

#include <stdint.h>

#define KEY_OCTETS 16

/**
 * Read a key: 32 hex digits in either case; spaces, tabs, colons, dashes, commas and 0x prefixes
 * between the octets are ignored, and so are braces around a C list.
 *
 * Returns NULL and fills key; or, with key untouched, a sentence fit for a log line that says what
 * is wrong and never repeats the key. 16 printable characters get a hint that hex is wanted: some
 * operators' keys (Vorarlberg, Burgenland) are ASCII written as hex.
 */
const char *key_parse(const char *text, uint8_t key[KEY_OCTETS]);

#endif
