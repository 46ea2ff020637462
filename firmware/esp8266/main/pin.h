/* pin: the broker is known by the fingerprint of its certificate, whoever has signed it. */
#ifndef PIN_H
#define PIN_H

#include <stdint.h>

/**
 * A TLS connection without a CA certificate, which the SDK would let through unchecked, goes on
 * only when the SHA-256 of the server's certificate (DER) is this one; before this call none does.
 * Connections with a
 * CA certificate, such as those of updates, are checked by that as before.
 */
void pin_use(const uint8_t sha256[32]);

#endif
