/* inbox: payloads on their way from paho's thread to the loop. */
#ifndef INBOX_H
#define INBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** One MQTT message as it arrived; the strings are the inbox's. */
struct payload {
    struct payload *next;
    int64_t arrival_ms;
    char *topic;
    uint8_t *octets;
    size_t len;
};

struct inbox;

/** At most `window` payloads wait; NULL out of memory or file descriptors. */
struct inbox *inbox_new(size_t window);
void inbox_free(struct inbox *b);

/**
 * Add a copy of one message, from any thread; blocks while the window is full, which holds back the
 * broker. Returns false when the inbox was closed meanwhile or memory is out: the message is lost.
 */
bool inbox_add(
    struct inbox *b, const char *topic, const void *octets, size_t len, int64_t arrival_ms);

/** The oldest payload, the caller's now (payload_free), or NULL. */
struct payload *inbox_take(struct inbox *b);
void payload_free(struct payload *p);

/** Readable while payloads wait. */
int inbox_fd(const struct inbox *b);

/** True while inbox_add would block. */
bool inbox_is_full(struct inbox *b);

/** Refuse what comes from now on and release a thread that waits in inbox_add. */
void inbox_close(struct inbox *b);

#endif
