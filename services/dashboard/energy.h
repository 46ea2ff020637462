/* energy: quarter hours added up to what people ask about. */
#ifndef ENERGY_H
#define ENERGY_H

#include "answer.h"
#include "jobs.h"
#include "prices.h"
#include "rows.h"

enum energy_step { ENERGY_QUARTER, ENERGY_HOUR, ENERGY_DAY, ENERGY_MONTH };

/** "quarter" "hour" "day" "month"; -1 for another word. */
int energy_step_from_name(const char *name);

/** The step in the local zone that a second belongs to: its first second and the next one's. */
int64_t energy_step_start(enum energy_step step, int64_t utc);
int64_t energy_step_end(enum energy_step step, int64_t start);

/** Energy in Wh, ROWS_NULL as long as none is known. */
void energy_add(int64_t *sum, int64_t wh);

/** The worse of two qualities: reset missing gap start open ok, in this order. */
const char *energy_worse(const char *a, const char *b);

/** An answer in the making. */
struct energy;

/** NULL out of memory. Whole steps: `from` and `to` are moved out to where theirs begin and end. */
struct energy *energy_new(enum energy_step step,
                          const char *meter,
                          int64_t from,
                          int64_t to,
                          const struct prices *prices);

/** One quarter hour, in order of time. */
void energy_take(struct energy *e, const struct rows_row *row);

/** The answer of what was taken so far; only once. */
void energy_answer(struct energy *e, struct answer *a);
void energy_free(struct energy *e);

/** From a request, or NULL with 400 answered. */
struct energy *energy_ask(const struct request *r, const struct prices *prices, struct answer *a);

/** Take all its rows from the store (a job's run): 0, or -EAGAIN with why. */
int energy_run(struct energy *e, struct store *store, char why[STORE_WHY_CHARS]);

#endif
