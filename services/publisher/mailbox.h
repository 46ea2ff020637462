/* mailbox: MQTT messages on their way from paho's thread to the loop. */
#ifndef MAILBOX_H
#define MAILBOX_H

#include <stdbool.h>
#include <stddef.h>

/** One message; both are the letter's own. */
struct letter {
    struct letter *next;
    const char *topic;
    size_t len;
    char payload[]; /* a NUL stands behind it */
};

struct mailbox;

/** NULL out of memory. */
struct mailbox *mailbox_new(void);
void mailbox_free(struct mailbox *b);

/** Add a copy, from any thread; never blocks. False when 64 MiB wait or memory is out. */
bool mailbox_put(struct mailbox *b, const char *topic, const void *payload, size_t len);

/** The oldest, the caller's now (free it), or NULL. */
struct letter *mailbox_take(struct mailbox *b);

#endif
