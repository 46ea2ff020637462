/* acks: collect what a consumer has committed and publish it. */
#ifndef ACKS_H
#define ACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "link.h"
#include "record.h"

/** Deliveries to acknowledge. Zero it first. */
struct acks {
    struct buf list; /* of struct ack_item */
    struct buf packed;
};

/**
 * Note that the delivery of this record is done for one stream. Only after the effect is committed
 * and synced, or when none is needed; reject: a reject was stored in place of it. Returns 0 or
 * -ENOMEM.
 */
int acks_add(struct acks *a, const struct record *delivery, const char *stream, bool reject)
    __attribute__((warn_unused_result));

/** The same for every stream that the record names: a stored reject. */
int acks_add_all(struct acks *a, const struct record *delivery) __attribute__((warn_unused_result));

/**
 * Publish all, one record for each (origin, stream, reject) with exact ranges, under the origin as
 * topic, and forget them. Returns how many deliveries that were.
 */
size_t acks_publish(struct acks *a, struct link *link);

void acks_free(struct acks *a);

#endif
