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

/** Give up on telegrams whose rest has not come by now. */
void topics_expire(struct topics *t, int64_t now_ms);

/** How many topics have an incomplete telegram. */
size_t topics_pending(const struct topics *t);

#endif
