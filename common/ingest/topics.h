/* topics: the reassembly under way, per MQTT topic. */
#ifndef TOPICS_H
#define TOPICS_H

#include <stddef.h>
#include <stdint.h>

#include "assembler.h"

/** Where an outcome belongs: entry and index of proto/README.md, "identity of a delivery". */
struct topic_outcome {
    const char *topic;
    uint64_t seq;   /* the payload at whose arrival it was decided */
    uint32_t index; /* counts the outcomes of that payload */
    int64_t arrival_ms;
    const struct telegram_octets *telegram;
};

typedef void topic_emit(void *arg, const struct topic_outcome *outcome);

/** Holds state only for topics with an incomplete telegram: a million quiet meters cost nothing. */
struct topics;

/** Telegrams incomplete for longer than reassembly_ms are given up. NULL out of memory. */
struct topics *topics_new(int64_t reassembly_ms, topic_emit *emit, void *arg);
void topics_free(struct topics *t);

/** Take the octets of one payload. Returns 0, or -ENOMEM with nothing emitted. */
int topics_feed(struct topics *t,
                const char *topic,
                uint64_t seq,
                int64_t arrival_ms,
                const uint8_t *octets,
                size_t len) __attribute__((warn_unused_result));

/** Until now_ms nothing could arrive: patience with what is incomplete begins anew. */
void topics_resume(struct topics *t, int64_t now_ms);

/** Give up on telegrams whose rest has not come by now. */
void topics_expire(struct topics *t, int64_t now_ms);

/**
 * Take octets again that an earlier process took without deciding them all; nothing is emitted.
 * What is decided later at this payload is numbered from `index` on. Returns as topics_feed.
 */
int topics_restore(struct topics *t,
                   const char *topic,
                   uint64_t seq,
                   uint32_t index,
                   int64_t arrival_ms,
                   const uint8_t *octets,
                   size_t len) __attribute__((warn_unused_result));

/** The payload that brought the oldest octets of a topic that wait for the rest of their telegram;
 * 0: none do. */
uint64_t topics_since(struct topics *t, const char *topic);

/** How many topics have an incomplete telegram. */
size_t topics_pending(const struct topics *t);

#endif
