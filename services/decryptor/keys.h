/* keys: which key belongs to which meter. */
#ifndef KEYS_H
#define KEYS_H

#include <stdint.h>

#include "decode.h"

/** The keys of one or a million meters. */
struct keys;

/**
 * key, authentication_key: serve every meter that is not in the file; "" for none. path: the keys
 * file, "" for none. CSV with the header line
 *   system_title,key,authentication_key,name
 * in any order of columns; the last two may be empty or absent, other columns are ignored. A line
 * that cannot be used is logged by its number and left out.
 *
 * Returns 0; -EINVAL (logged, with the variable's name) when neither gives a key or one is
 * malformed; -ENOMEM.
 */
int keys_open(const char *key, const char *authentication_key, const char *path, struct keys **out)
    __attribute__((warn_unused_result));

/** Wipes all keys. */
void keys_free(struct keys *k);

/** Read the file again if it changed (device, inode, size or mtime); a bad one changes nothing. */
void keys_refresh(struct keys *k);

/** A decode_lookup: arg is the struct keys. */
const struct decode_keys *keys_lookup(void *arg, const uint8_t title[SYSTEM_TITLE_OCTETS]);

/** How many meters the file names. */
size_t keys_count(const struct keys *k);

#endif
