/* buf: a growing run of octets on the heap. */
#ifndef BUF_H
#define BUF_H

#include <stddef.h>
#include <stdint.h>

/** All-zero is an empty buffer. `data` moves when it grows. */
struct buf {
    uint8_t *data;
    size_t len;
    size_t room;
};

/** Append len octets. Returns 0, or -ENOMEM with the buffer as it was. */
int buf_add(struct buf *b, const void *octets, size_t len) __attribute__((warn_unused_result));

/**
 * Make room for len more octets; they begin at data + len and count once len is raised.
 * Returns 0, or -ENOMEM with the buffer as it was.
 */
int buf_reserve(struct buf *b, size_t len) __attribute__((warn_unused_result));

/** Forget the first n octets (all of them when n is larger). */
void buf_drop(struct buf *b, size_t n);

void buf_free(struct buf *b);

#endif
