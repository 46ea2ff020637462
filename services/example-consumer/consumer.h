/* consumer: what the example holds; consumer.c has its settings and its end. */
#ifndef CONSUMER_H
#define CONSUMER_H

#include "link.h"
#include "load.h"
#include "surplus.h"
#include "svc.h"

struct consumer {
    struct svc svc;
    char *connect;
    struct surplus surplus; /* decides */
    struct load load;       /* obeys */
    struct link *readings;
};

extern const struct svc_info consumer_info;

/** The load off, then everything closed. Takes a half-open one. */
void consumer_close(struct consumer *c);

#endif
