/* series: stored readings as columns, for charts. */
#ifndef SERIES_H
#define SERIES_H

#include "answer.h"
#include "store.h"

/** An answer in the making. */
struct series;

/**
 * From a request: range=hour or day ending at now_s, or from= and to=. NULL with 400 answered (or
 * 500).
 */
struct series *series_ask(const struct request *r, int64_t now_s, struct answer *a);

/** Take all its rows from the store (a job's run): 0, -EAGAIN with why, -ENOMEM. */
int series_run(struct series *s, struct store *store, char why[STORE_WHY_CHARS]);

/** {"at": [...], "power": [...], "pin": ...}: a column each, as long as "at". Suspect ones are not
 * among them. */
void series_answer(struct series *s, struct answer *a);
void series_free(struct series *s);

#endif
