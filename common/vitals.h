/* vitals: what /metrics says of every service: version, process, dependencies, streams. */
#ifndef VITALS_H
#define VITALS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "metrics.h"

struct svc;

/** Of svc->vitals, in this order; the rest is read when it is printed. */
enum { VITALS_PRODUCERS, VITALS_REFUSED };
extern const struct metric_def vitals_metrics[];

/** A consumer is connected to so many producers of a stream; `variable` is X_CONNECT. */
void vitals_peers(struct svc *svc, const char *variable, size_t up);

/** started: seconds since 1970 UTC. */
void vitals_print(struct svc *svc, int64_t started, FILE *out);

#endif
