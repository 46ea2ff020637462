/* events: what happens, told to every browser that listens (Server-Sent Events). */
#ifndef EVENTS_H
#define EVENTS_H

#include <stddef.h>
#include <sys/types.h>

enum { EVENTS_QUEUE = 64 };

/** Thread-safe. */
struct events;
struct listener;

/** max: listeners at a time. NULL out of memory. */
struct events *events_new(size_t max);

/** After its last listener has left. */
void events_free(struct events *e);

/**
 * A new listener; `wake` is called, from whatever thread, when something has come for one that was
 * told to sleep. NULL when there are `max` of them already, all is ending, or out of memory.
 */
struct listener *events_join(struct events *e, void (*wake)(void *arg), void *arg);
void events_leave(struct events *e, struct listener *l);

/** Its connection is gone: it is woken and hears the end. */
void events_drop(struct events *e, struct listener *l);

/**
 * Copy what waits for a listener. Returns the number of octets; 0 when nothing waits, after `sleep`
 * was called (in one step with the look: nothing can come in between); -1 when all ends.
 */
ssize_t
events_take(struct events *e, struct listener *l, char *to, size_t max, void (*sleep)(void *arg));

/**
 * Tell all of them. name NULL: a comment, which keeps connections open. A listener keeps at most 64
 * of these: the oldest gives way, never half of one.
 */
void events_publish(struct events *e, const char *name, const char *data);

/** How many listen; how many were dropped of what they should have heard. */
size_t events_count(struct events *e);
size_t events_dropped(struct events *e);

/** No more: every listener is woken and hears the end. */
void events_end(struct events *e);

#endif
