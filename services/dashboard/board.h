/* board: the present state of everything, as the page shows it. */
#ifndef BOARD_H
#define BOARD_H

#include <stdbool.h>
#include <stdint.h>

#include "health.h"
#include "picture.h"
#include "prices.h"
#include "record.h"
#include "sums.h"

/** Thread-safe. */
struct board;

struct board_conf {
    const char *timezone;
    struct prices prices;
    bool login; /* there is a password, so that one can sign out */
};

/** conf's strings must outlive it. NULL out of memory. */
struct board *board_new(const struct board_conf *conf);
void board_free(struct board *b);

/**
 * A live reading; *unknown: the first of its meter, for which there was room. Returns the JSON of
 * `event: reading` on the heap, or NULL.
 */
char *board_reading(struct board *b, const struct record *r, bool *unknown);

/** What the others say. */
void board_database(struct board *b, bool up, const char *why);
void board_health(struct board *b, const struct health_report *report);

/** Take the meters out of a picture; it stays the caller's. */
void board_picture(struct board *b, struct picture *p);

/**
 * Put those meters into s whose sums are wanted next: those that were asked about longest ago, and
 * not in the last 10 seconds. Of one whose month is older than 10 minutes, or of another day, the
 * whole month. False when there are none, or while the database is away.
 */
bool board_wants_sums(struct board *b, struct sums *s);

/** Take what is known from it; *news: of a meter of which nothing was. */
void board_sums(struct board *b, const struct sums *s, bool *news);

/** JSON on the heap, or NULL: /api/state, `event: meters`. */
char *board_state_text(struct board *b, int64_t now_s);
char *board_meters_text(struct board *b, int64_t now_s);

/** `event: status` when it differs from what was last given out by this, else NULL. */
char *board_status_text(struct board *b);

#endif
