/* annotate_plain: what the octets of a decrypted (or never encrypted) APDU mean. */
#ifndef ANNOTATE_PLAIN_H
#define ANNOTATE_PLAIN_H

#include "note.h"

/** Explain it, at n's depth. whole: all of it has come; else this is its beginning. */
void annotate_plain(const struct notes *n, const uint8_t *octets, size_t len, bool whole);

#endif
