#include "tries.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A window of a minute that begins with the first try in it. */
struct window {
    uint8_t prefix[8];
    bool used;
    unsigned count;
    int64_t since_ms;
};

struct tries {
    struct window all;
    struct window list[TRIES_ADDRESSES];
};

struct tries *tries_new(void)
{
    return calloc(1, sizeof(struct tries));
}

void tries_free(struct tries *t)
{
    free(t);
}

/* IPv4 whole, IPv6 by /64: what one customer of a provider has. */
static void read_prefix(const char *address, uint8_t prefix[8])
{
    static const uint8_t mapped[4] = {0, 0, 0xFF, 0xFF};
    struct in6_addr six;
    struct in_addr four;

    memset(prefix, 0, 8);
    if (inet_pton(AF_INET, address, &four) == 1) {
        memcpy(prefix, mapped, sizeof mapped);
        memcpy(prefix + 4, &four, 4);
    } else if (inet_pton(AF_INET6, address, &six) == 1) {
        if (IN6_IS_ADDR_V4MAPPED(&six))
            memcpy(prefix, six.s6_addr + 8, 8);
        else
            memcpy(prefix, six.s6_addr, 8);
    }
}

/* The window of a prefix; the one that was idle longest gives way to a new address. */
static struct window *find(struct tries *t, const uint8_t prefix[8])
{
    struct window *oldest = &t->list[0];

    for (size_t i = 0; i < TRIES_ADDRESSES; i++) {
        struct window *w = &t->list[i];

        if (w->used && memcmp(w->prefix, prefix, sizeof w->prefix) == 0)
            return w;
        if (oldest->used && (!w->used || w->since_ms < oldest->since_ms))
            oldest = w;
    }
    *oldest = (struct window){.used = true};
    memcpy(oldest->prefix, prefix, sizeof oldest->prefix);
    return oldest;
}

static unsigned count(struct window *w, unsigned most, int64_t now_ms)
{
    int64_t left = w->since_ms + TRIES_SECONDS * 1000 - now_ms;

    if (w->count == 0 || left <= 0) {
        w->since_ms = now_ms;
        w->count = 0;
        left = TRIES_SECONDS * 1000;
    }
    if (w->count >= most)
        return (unsigned)((left + 999) / 1000);
    w->count++;
    return 0;
}

unsigned tries_count(struct tries *t, const char *address, int64_t now_ms)
{
    uint8_t prefix[8];
    unsigned wait;

    read_prefix(address, prefix);
    wait = count(find(t, prefix), TRIES_PER_ADDRESS, now_ms);
    return wait != 0 ? wait : count(&t->all, TRIES_IN_ALL, now_ms);
}

void tries_forget(struct tries *t, const char *address)
{
    uint8_t prefix[8];

    read_prefix(address, prefix);
    find(t, prefix)->count = 0;
}
