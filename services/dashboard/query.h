/* query: what stands behind the ? of a request, made sure of. */
#ifndef QUERY_H
#define QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "answer.h"
#include "reading.h"

/** A meter's id, in capitals; false, with a 400 answered, when there is none or it is not one. */
bool query_meter(const struct request *r, char meter[METER_ID_CHARS + 1], struct answer *a);

/** from and to in seconds since 1970 UTC, from before to, years 1970 to 2200; else 400. */
bool query_span(const struct request *r, int64_t *from, int64_t *to, struct answer *a);

/** 400 with these words; returns false. */
bool query_wrong(struct answer *a, const char *words);

#endif
