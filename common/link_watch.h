/* link_watch: what becomes of a socket's connections (libzmq's monitor), and why one is refused. */
#ifndef LINK_WATCH_H
#define LINK_WATCH_H

#include "svc.h"

enum link_event {
    LINK_UP,
    LINK_DOWN,
    LINK_GIVEN_UP, /* refused, and libzmq does not try again */
};

struct link_watch;

/**
 * Watch a socket that is not bound or connected yet. A refused connection is logged, with what to
 * do, and counted (zaehlwerk_stream_refused_total); `variable` is the setting that holds the
 * endpoints, kept by reference; keyed: the socket has a STREAM_KEY. event (or NULL) hears of a
 * connecting socket's endpoints, from the loop. Returns 0, or a negative errno with *out to be
 * freed.
 */
int link_watch_open(struct svc *svc,
                    void *socket,
                    const char *variable,
                    bool keyed,
                    void (*event)(void *arg, enum link_event event, const char *endpoint),
                    void *arg,
                    struct link_watch **out) __attribute__((warn_unused_result));

/** Before the socket is closed; NULL is fine. */
void link_watch_free(struct link_watch *w);

#endif
