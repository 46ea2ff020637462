/* session: the password, and the cookie that stands for it. */
#ifndef SESSION_H
#define SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SESSION_COOKIE  "zaehlwerk_session"
#define SESSION_SECONDS INT64_C(2592000) /* 30 days */
#define SESSION_CHARS   128

/**
 * A token is "EXPIRY.NONCE.MAC", the MAC by a key that is derived from the password: every replica
 * takes it, a restart changes nothing, and another password ends all sessions.
 */
struct session;

/** Derives the key, which takes a moment on purpose: tokens must not tell the password. NULL: no
 * memory. */
struct session *session_new(const char *password);
void session_free(struct session *s);

/** Whether this is the password; the time it takes tells nothing of it. */
bool session_password(const struct session *s, const char *text);

/** A new token, good from now_s (seconds since 1970) on for SESSION_SECONDS. */
void session_token(const struct session *s, int64_t now_s, char token[SESSION_CHARS]);

/**
 * Whether a Cookie header (may be NULL) holds a good token; *age_s, when not NULL, says for how
 * long it has been one.
 */
bool session_cookie(const struct session *s, const char *header, int64_t now_s, int64_t *age_s);

#endif
