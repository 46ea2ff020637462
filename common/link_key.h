/* link_key: one secret for all streams of an installation (CurveZMQ), setting STREAM_KEY. */
#ifndef LINK_KEY_H
#define LINK_KEY_H

#include <stdbool.h>

struct _zactor_t; /* NOLINT: czmq's name */

#define LINK_KEY_CHARS 40 /* Z85 of the 32 octets of a CURVE secret key */

/** The form of STREAM_KEY; "" is none. Returns 0, or -EINVAL and logged, the key never with it. */
int link_key_check(const char *key);

/** Make a fresh key. Returns 0, or -ENOTSUP when libzmq was built without CURVE. */
int link_key_make(char key[LINK_KEY_CHARS + 1]) __attribute__((warn_unused_result));

/** The public key of a secret one, which everybody derives. Returns 0 or -EINVAL. */
int link_key_public(const char *key, char public[LINK_KEY_CHARS + 1])
    __attribute__((warn_unused_result));

/**
 * The door of a process: admits to its binding sockets only who holds the key. A thread that lives
 * until link_key_close, after the last of those sockets. Returns 0, -EINVAL or -ENOMEM.
 */
int link_key_open(const char *key, struct _zactor_t **door) __attribute__((warn_unused_result));
void link_key_close(struct _zactor_t **door);

/**
 * Give one of ZeroMQ's sockets the key, before it binds (as a server, with an open door) or
 * connects (as a client: to nobody but a holder of the same key). Returns 0 or -EINVAL.
 */
int link_key_apply(void *socket, const char *key, bool server) __attribute__((warn_unused_result));

#endif
