/* route: what there is to ask for, and who may. */
#ifndef ROUTE_H
#define ROUTE_H

#include "answer.h"
#include "board.h"
#include "guard.h"
#include "question.h"

/** What answers are made of. */
struct route_parts {
    struct guard *guard;
    struct board *board;
    const struct prices *prices;
};

enum route_next {
    ROUTE_ANSWERED,
    ROUTE_BODY,     /* route_headers alone: the body is wanted first */
    ROUTE_QUESTION, /* *question is for the database */
    ROUTE_EVENTS,   /* a listener for events */
};

/** The most that a body may have. */
#define ROUTE_BODY_MAX 65536

/** After the headers: whether it goes on at all. */
enum route_next
route_headers(const struct route_parts *p, const struct request *r, struct answer *a);

/** With the body, after ROUTE_BODY. now_s: since 1970 UTC. */
enum route_next route_request(const struct route_parts *p,
                              const struct request *r,
                              int64_t now_s,
                              struct answer *a,
                              struct question **question);

#endif
