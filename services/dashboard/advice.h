/* advice: what a verdict means to the people who own the meter, in their language. */
#ifndef ADVICE_H
#define ADVICE_H

#include "verdict.h"

struct json_t; /* NOLINT: jansson's name */

/** One or two plain sentences. Never NULL. */
const char *advice_de(enum verdict v);
const char *advice_en(enum verdict v);

/** {"de": ..., "en": ...} */
struct json_t *advice_json(enum verdict v);

#endif
