/* check: a frame and a key that somebody pasted, tried in memory. */
#ifndef CHECK_H
#define CHECK_H

#include "answer.h"

/**
 * From now on whatever jansson frees is wiped first: a key stands in what it parses. Before its
 * first use.
 */
void check_prepare(void);

/**
 * POST /api/check of the README, answered. Nothing of it is kept or logged; the caller wipes the
 * request's body.
 */
void check_frame(const struct request *r, struct answer *a);

#endif
