/* disguise: one telegram that anybody may see, made of one that tells whose it is. */
#ifndef DISGUISE_H
#define DISGUISE_H

#include "assembler.h"
#include "buf.h"
#include "decode.h"

/** One run: the throwaway keys, and replacements that stay the same. */
struct disguise;

/** shift_days: by how many days every date is moved. NULL when libgcrypt or memory is missing. */
struct disguise *disguise_new(int shift_days);
void disguise_free(struct disguise *d);

/** The key that everything is encrypted with, and the authentication key where there is a tag. */
const struct decode_keys *disguise_keys(const struct disguise *d);

/**
 * Append the frames of a telegram (an outcome of the assembler with VERDICT_OK), decrypted with its
 * own keys, with
 *   - system title: its manufacturer's three letters stay, the rest is replaced; other titles and
 *     strings in the header likewise
 *   - invocation counter and invoke id: moved by one throwaway distance each
 *   - strings in the plaintext: replaced, but OBIS codes, dates and list versions
 *   - numbers of 4 and 8 octets: energies moved by a throwaway distance; what no electricity OBIS
 *     code announces replaced; all others, scalers and units stay
 *   - encrypted, tagged and summed anew; every length and every fragment is as it was
 *
 * Returns VERDICT_OK; or the reason why it is refused, with *detail (a static phrase): whatever
 * does not decrypt and decode to its last octet, since it could hold anything. *tagged: it needs
 * the authentication key.
 */
enum verdict disguise_telegram(struct disguise *d,
                               const struct telegram_octets *t,
                               decode_lookup *keys,
                               void *keys_arg,
                               struct buf *out,
                               bool *tagged,
                               const char **detail);

#endif
