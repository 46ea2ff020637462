/* silence: when each meter was last heard, to tell who has fallen silent. No clock in it. */
#ifndef SILENCE_H
#define SILENCE_H

#include <stddef.h>
#include <stdint.h>

enum { SILENCE_MS = 300000 };

struct silence;

/** NULL out of memory. */
struct silence *silence_new(void);
void silence_free(struct silence *s);

/** A meter's telegram has come. Out of memory, a new meter is not remembered. now_ms: monotonic. */
void silence_heard(struct silence *s, const char *meter, int64_t now_ms);

struct silence_counts {
    size_t meters; /* heard since the start */
    size_t silent; /* of them, not within SILENCE_MS */
};

struct silence_counts silence_count(const struct silence *s, int64_t now_ms);

#endif
