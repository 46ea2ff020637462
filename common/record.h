/* record: what the services say to each other (proto/README.md), as msgpack maps. */
#ifndef RECORD_H
#define RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "reading.h"
#include "verdict.h"

#define RECORD_VERSION 1

#define ORIGIN_OCTETS 16
#define TOPIC_CHARS   255
#define DETAIL_CHARS  127
#define STREAMS_CHARS 127
#define DIGEST_OCTETS 32

enum record_type {
    RECORD_TELEGRAM,  /* mqtt-ingest -> decryptor */
    RECORD_READING,   /* decryptor -> db-writer, debouncer, publisher and others */
    RECORD_DEBOUNCED, /* debouncer -> db-writer */
    RECORD_REJECT,    /* decryptor -> db-writer */
    RECORD_ACK,       /* db-writer, debouncer -> mqtt-ingest */
    RECORD_TYPES
};

/** Octets that somebody else owns. */
struct view {
    const uint8_t *at;
    size_t len;
};

/** Entries first..last of one origin, of each the telegram with this index. */
struct ack_range {
    uint64_t first, last;
    uint32_t index;
};

/** One record of any type; which members count is told by the tables of proto/README.md. */
struct record {
    enum record_type type;

    /* the delivery: all types (an ack has only the origin) */
    uint8_t origin[ORIGIN_OCTETS];
    uint64_t seq;
    uint32_t index;
    uint32_t attempt;
    int64_t arrival_ms; /* UTC */
    uint8_t clock;      /* telegram: 1 when the arrival's clock was known to be right */
    char streams[STREAMS_CHARS + 1]; /* "history,debounced": the durable streams that must ack */
    char topic[TOPIC_CHARS + 1];     /* MQTT topic it arrived on, cut at 255 octets */
    uint8_t replays[DIGEST_OCTETS];  /* key of the reject that was sent through again, or zeros */

    enum verdict verdict;          /* telegram, reject */
    char detail[DETAIL_CHARS + 1]; /* telegram, reject */
    struct view apdu;              /* telegram: empty unless the verdict is VERDICT_OK */
    struct view octets;            /* telegram, reject: all link frames, or the payload */

    struct reading reading; /* reading, debounced; reject: meter and counter */
    int64_t window;         /* debounced: start of the window, seconds since 1970 UTC */

    char stream[STREAMS_CHARS + 1]; /* ack: the one stream */
    uint8_t reject;                 /* ack: 1 when a reject was committed in place of rows */
    const struct ack_range *ranges; /* ack */
    size_t range_count;
};

/** Append the record's octets. Returns 0 or -ENOMEM. */
int record_pack(const struct record *r, struct buf *out) __attribute__((warn_unused_result));

/** What record_unpack keeps alive: the strings and ranges of the last record. Zero it first. */
struct record_memory {
    void *unpacked;
};

/**
 * Read the record at octets[*at] and move *at behind it. Views point into octets, ranges into
 * memory, until the next call.
 *
 * Unknown keys are ignored. Returns 0; -EPROTO when the octets are no record, or one of its members
 * is missing, of another type or out of bounds (*at is then moved behind it where its end can be
 * told, else to len); -ENOTSUP for an unknown type or a newer version; -ENOMEM.
 */
int record_unpack(const uint8_t *octets,
                  size_t len,
                  size_t *at,
                  struct record *r,
                  struct record_memory *memory) __attribute__((warn_unused_result));

void record_memory_free(struct record_memory *memory);

/** The reading's time, seconds since 1970 UTC: the meter's clock, or the arrival where it has none.
 */
static inline int64_t record_time(const struct record *r)
{
    return r->reading.has_time ? r->reading.time : r->arrival_ms / 1000;
}

/** SHA-256 of octets: the key of the reject that holds them. */
void record_digest(const void *octets, size_t len, uint8_t digest[DIGEST_OCTETS]);

/** True when its payload was a reject, sent through again. */
bool record_is_replay(const struct record *r);

#endif
