/* window: which telegrams are on their way, and which of them must be sent again. */
#ifndef WINDOW_H
#define WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * Everything that is remembered of deliveries, at most `max` of them; no clock and no I/O in it.
 *
 * A telegram is taken for lost when a stream that owes its ack has acked one that was sent after it
 * and the time-out has passed: max(1 s, 4 x the smoothed ack time). While a stream acks nothing,
 * only a few of the oldest are sent again, with time-outs that double up to 5 minutes. How many may
 * be on their way adapts like TCP's congestion window.
 */
struct window;

#define WINDOW_STREAMS     16
#define WINDOW_ALONE_AFTER 5  /* failures after which a telegram travels alone */
#define WINDOW_POISON      10 /* failures after which it is given up */

struct window_telegram {
    uint64_t seq;
    uint32_t index;
    uint32_t attempt;  /* how often it was sent before */
    unsigned owed;     /* bit i: stream i */
    uint32_t failures; /* times it was lost while others got through */
};

struct window *window_new(size_t max);
void window_free(struct window *w);

/** Hear of each first delivery's ack: the stream's number and the ms since it was sent. */
typedef void window_acked(void *arg, int stream, int64_t ms);
void window_listen(struct window *w, window_acked *acked, void *arg);

/** Remember a telegram that was just sent for the first time. False when there is no room. */
bool window_sent(struct window *w, const struct window_telegram *t, int64_t now_ms);

/** True when it is remembered. */
bool window_has(const struct window *w, uint64_t seq, uint32_t index);

/** One ack range of one stream (bit). Telegrams that owe nothing any more are forgotten. */
void window_ack(struct window *w,
                uint64_t first,
                uint64_t last,
                uint32_t index,
                unsigned stream,
                int64_t now_ms);

/**
 * Telegrams to send again now, oldest first, at most max. They count as sent, with `attempt` as in
 * out; give one back by window_unsent when nobody takes it. Returns how many.
 */
size_t window_due(struct window *w, int64_t now_ms, struct window_telegram *out, size_t max);
void window_unsent(struct window *w, const struct window_telegram *t);

/** Forget one that was given up. */
void window_forget(struct window *w, uint64_t seq, uint32_t index);

/** How many more the journal may add now. */
size_t window_room(const struct window *w);

/** Telegrams remembered, and the longest time-out of some streams (bits) in ms. */
size_t window_count(const struct window *w);
int64_t window_timeout(const struct window *w, unsigned streams);

#endif
