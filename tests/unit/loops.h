/* loops: a service's loop for as long as a test wants, and raw sockets at the other end. */
#ifndef LOOPS_H
#define LOOPS_H

#include "tools.h"

#include <czmq.h>

#include "clock.h"
#include "svc.h"

static struct svc svc;

/** setup and teardown. */
static inline int loop_open(void **state)
{
    (void)state;
    svc = (struct svc){.signals = -1};
    svc.loop = zloop_new();
    return svc.loop == NULL;
}

static inline int loop_close(void **state)
{
    (void)state;
    zloop_destroy(&svc.loop);
    return 0;
}

/** What ends a run. */
struct loop_end {
    bool (*done)(void *arg);
    void *arg;
    int64_t until_ms;
    bool was_done;
};

static inline int loop_look(zloop_t *loop, int id, void *arg)
{
    struct loop_end *end = arg;

    (void)loop;
    (void)id;
    end->was_done = end->done != NULL && end->done(end->arg);
    return end->was_done || clock_monotonic_ms() >= end->until_ms ? -1 : 0;
}

/** Run the loop until done says so (true), or for ms (false). */
static inline bool loop_run(int64_t ms, bool (*done)(void *arg), void *arg)
{
    struct loop_end end = {done, arg, clock_monotonic_ms() + ms, false};
    int timer = zloop_timer(svc.loop, 5, 0, loop_look, &end);

    assert_true(timer >= 0);
    zloop_start(svc.loop);
    zloop_timer_end(svc.loop, timer);
    return end.was_done;
}

/** A raw socket that gives up sending and receiving after ms. */
static inline zsock_t *raw_new(int type, int ms)
{
    zsock_t *sock = zsock_new(type);

    assert_non_null(sock);
    zsock_set_sndtimeo(sock, ms);
    zsock_set_rcvtimeo(sock, ms);
    zsock_set_linger(sock, 0);
    return sock;
}

#endif
