/* web: the page and its /api over HTTP: web.c, web_answer.c and web_request.c alone know
 * libmicrohttpd. */
#ifndef WEB_H
#define WEB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "events.h"
#include "jobs.h"
#include "listen.h"
#include "route.h"

struct web;

struct web_conf {
    const char *listen; /* DASHBOARD_LISTEN */
    struct listen_address address;
    const char *user_header; /* a trusted proxy's, or "" */
    size_t clients;          /* listeners for events */
};

struct web_parts {
    struct route_parts route;
    struct events *events;
    struct jobs *jobs;
    void (*counted)(void *arg, unsigned status); /* every answer; thread-safe */
    void *arg;
};

/**
 * Listen, in a thread of its own that never waits for anything: not for the database, nor for a
 * slow client. A request must have come within 10 seconds; a client that takes nothing for 20
 * seconds is dropped; one address has at most half of all connections, where addresses mean
 * something. Returns 0; -EINVAL when DASHBOARD_LISTEN cannot be listened on, logged; -ENOMEM.
 */
int web_open(const struct web_conf *conf, const struct web_parts *parts, struct web **out)
    __attribute__((warn_unused_result));

/** Drop who is too slow, and listeners that have gone; call it every second. */
void web_tick(struct web *w, int64_t now_ms);

/** After events_end and jobs_end. NULL is fine. */
void web_close(struct web *w);

/** Raise the limit of open files to what is allowed, for as many connections. */
void web_raise_limit(size_t clients);

#endif
