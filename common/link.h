/* link: the streams between services (ZeroMQ). The producer binds, consumers connect to all of it.
 */
#ifndef LINK_H
#define LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "svc.h"

#define LINK_BATCH 64 /* records in one PUSH message */

enum link_pattern {
    LINK_STREAM, /* PUSH/PULL: each message goes to one consumer */
    LINK_TOPICS, /* PUB/SUB: each goes to every subscriber; nobody waits for a slow one */
};

/** One end of a stream. */
struct link;

/** The form of a list of endpoints, without touching the network: 0, or -EINVAL and logged. */
int link_check(bool bind, const char *variable, const char *endpoints);

/**
 * Bind the producer's end to every endpoint of a list ("tcp://127.0.0.1:5550,ipc:///run/x").
 * `variable` is the setting that holds it, for log lines, kept by reference. With a STREAM_KEY
 * (svc.conf) only consumers that hold it are admitted. PUSH/PULL ends hold at most 4
 * messages and 64 KiB of kernel buffers, since what they hold dies with a peer; TCP keep-alive
 * finds lost hosts. Returns 0; -EINVAL when an endpoint cannot be bound, already logged; -ENOMEM.
 */
int link_bind(struct svc *svc,
              enum link_pattern pattern,
              const char *variable,
              const char *endpoints,
              struct link **out) __attribute__((warn_unused_result));

/** What a consumer does with its messages. Views live until the return. */
struct link_consumer {
    /** One message (topic: PUB/SUB's, else empty). Returns false to stop reading for this turn. */
    bool (*message)(
        void *arg, const uint8_t *topic, size_t topic_len, const uint8_t *octets, size_t len);
    /** After each turn of messages: nothing more to read now. May be NULL. */
    void (*drained)(void *arg);
    void *arg;
};

/**
 * Connect a consumer to every address of every endpoint in the list. tcp:// names are resolved now
 * and every 5 seconds; each address is connected once. A failed or empty answer changes nothing; a
 * connection is dropped only when its address is gone from DNS and it has been unreachable for 30
 * s.
 *
 * topics (PUB/SUB): prefixes to subscribe to, NULL-terminated text; link_subscribe takes binary.
 * Returns 0; -EINVAL for a malformed endpoint, already logged; -ENOMEM.
 */
int link_connect(struct svc *svc,
                 enum link_pattern pattern,
                 const char *variable,
                 const char *endpoints,
                 const struct link_consumer *consumer,
                 struct link **out) __attribute__((warn_unused_result));

/** Subscribe to all topics that begin with these octets. */
int link_subscribe(struct link *l, const void *prefix, size_t len)
    __attribute__((warn_unused_result));

/** Stop and resume calling the consumer; what waits stays with the producer. */
void link_pause(struct link *l);
void link_resume(struct link *l);

/**
 * Add one record to the batch under way, which leaves when it is full. Returns 0; -EAGAIN when the
 * batch is full and no consumer takes it (the record was not taken); -ENOMEM.
 */
int link_put(struct link *l, const void *record, size_t len) __attribute__((warn_unused_result));

/** Send the batch under way, if there is one. Returns 0, or -EAGAIN with the batch kept. */
int link_flush(struct link *l);

/** Forget the batch under way; returns how many records that were. */
size_t link_discard(struct link *l);

/** Publish one message; never blocks, dropped when nobody subscribes or a subscriber is slow. */
void link_publish(
    struct link *l, const void *topic, size_t topic_len, const void *octets, size_t len);

/** Unbind or disconnect; lets what was sent go out for up to half a second. NULL is fine. */
void link_free(struct link *l);

/** Connections that are up now, for metrics and tests. */
size_t link_peers(const struct link *l);

/**
 * How names become addresses; tests put their own here before link_connect. Writes up to max
 * endpoints ("tcp://192.0.2.1:5550") for host and port; returns their number, or a negative errno.
 */
typedef int link_resolve(const char *host, const char *port, char (*endpoints)[80], int max);
extern link_resolve *link_resolver;
extern int64_t link_resolve_ms, link_unreachable_ms; /* 5000 and 30000; shorter in tests */

#endif
