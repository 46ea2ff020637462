/* guard: who may ask what. */
#ifndef GUARD_H
#define GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "answer.h"

/** Password, sessions and limits of a dashboard. One thread at a time. */
struct guard;

/**
 * password: "" for none. proxy: a proxy in front names who has signed in, so that `user` of a
 * request counts. With neither, only this machine's own names are taken for a host, so that no
 * page of another site can have its name point here. NULL out of memory.
 */
struct guard *guard_new(const char *password, bool proxy);
void guard_free(struct guard *g);

/** Whether pages offer to sign out. */
bool guard_has_password(const struct guard *g);

/** 421 when the host is none of ours: true when the request may go on, else answered. */
bool guard_host(const struct guard *g, const struct request *r, struct answer *a);

/** Whether whoever asks has signed in, or needs not. */
bool guard_knows(const struct guard *g, const struct request *r, int64_t now_s);

/** 401 or 403 for one who has not. */
void guard_refuse(const struct guard *g, struct answer *a);

/** 403 for a POST that a page of another site makes, 415 for one without JSON; true to go on. */
bool guard_post(const struct request *r, struct answer *a);

/**
 * Whose tries are counted: the peer's address; of a proxy that is trusted, or on this machine, the
 * last one in X-Forwarded-For, which is what that proxy has put there.
 */
void guard_address(const struct guard *g, const struct request *r, char address[64]);

/** POST /api/login: 204 and a cookie, 401, 429, 400. */
void guard_login(struct guard *g, const struct request *r, struct answer *a, int64_t now_s);

/** POST /api/logout: 204, and the browser forgets the cookie. */
void guard_logout(const struct request *r, struct answer *a);

/** Put a new cookie beside an answer when the one that came is older than a day. */
void guard_renew(const struct guard *g, const struct request *r, struct answer *a, int64_t now_s);

#endif
