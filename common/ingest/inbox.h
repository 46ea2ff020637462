/* inbox: telegrams on their way from the source's thread to the loop. */
#ifndef INBOX_H
#define INBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** One packed telegram record that is in the journal already. */
struct fresh {
    struct fresh *next;
    uint64_t seq;
    uint32_t index;
    size_t len;
    uint8_t record[];
};

/** A copy of a record on the heap; NULL out of memory. */
struct fresh *fresh_new(uint64_t seq, uint32_t index, const void *record, size_t len);

struct inbox;

#define INBOX_OCTETS (64 * 1024 * 1024)

/** At most `window` telegrams, of INBOX_OCTETS together, wait; NULL out of memory or file
 * descriptors. */
struct inbox *inbox_new(size_t window);
void inbox_free(struct inbox *b);

/**
 * Add one, from any thread; never blocks. False when the window is full: the telegram, freed here,
 * will come from the journal.
 */
bool inbox_add(struct inbox *b, struct fresh *f);

/** The oldest, the caller's now (free it), or NULL. */
struct fresh *inbox_take(struct inbox *b);

/** Readable while some wait. */
int inbox_fd(const struct inbox *b);

#endif
