/* alive: asks a running service whether it lives, as its image's HEALTHCHECK does. */
#ifndef ALIVE_H
#define ALIVE_H

/**
 * Ask for /healthz where HTTP_LISTEN says that the service listens; loopback where it says "any
 * address" (0.0.0.0, [::], *).
 *
 * listen      HTTP_LISTEN, as http_open takes it.
 * timeout_ms  how long connecting, and again how long the answer, may take.
 *
 * Returns 0 when the answer is 200. Otherwise, logged: -EINVAL when the setting is none, or one by
 * which nobody can be asked ("off", port 0); -EPROTO for another answer; -ETIMEDOUT; connect's
 * negative errno.
 */
int alive_ask(const char *listen, int timeout_ms) __attribute__((warn_unused_result));

#endif
