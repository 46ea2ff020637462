/* tries: how often somebody may try a password. */
#ifndef TRIES_H
#define TRIES_H

#include <stdint.h>

enum { TRIES_PER_ADDRESS = 5, TRIES_IN_ALL = 60, TRIES_SECONDS = 60, TRIES_ADDRESSES = 1024 };

/** A fixed amount of memory, however many addresses there are. One thread at a time. */
struct tries;

struct tries *tries_new(void);
void tries_free(struct tries *t);

/**
 * Count one try of an address ("192.0.2.1", "2001:db8::1", of which the first 64 bits count).
 * Returns 0 when it may go on, else the seconds to wait: five tries a minute for an address, sixty
 * for all of them.
 */
unsigned tries_count(struct tries *t, const char *address, int64_t now_ms);

/** It was the right password: the address begins anew. */
void tries_forget(struct tries *t, const char *address);

#endif
