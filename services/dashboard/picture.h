/* picture: what the database says of the meters, read again now and then. */
#ifndef PICTURE_H
#define PICTURE_H

#include "names.h"
#include "reading_json.h"
#include "store.h"

enum { PICTURE_METERS = 500, PICTURE_REJECTS = 5000, PICTURE_DAYS = 7 };

/** Energy in Wh; ROWS_NULL: not known. */
struct energy_pair {
    int64_t win, wout;
};

/** What is known of one meter; "" is the name of those rejects that have none. */
struct picture_meter {
    char number[NUMBER_CHARS + 1];
    char name[NAME_CHARS + 1];
    int64_t first_seen; /* s since 1970 UTC; 0: not stored yet */
    bool has_last;
    struct told last;
    struct energy_pair today, month_before; /* this local day, and this month before it */
    int64_t asked_s, month_s; /* when they were asked for last, and known for all the month; or 0 */
    struct {
        int64_t count, last; /* not resolved, of the last 7 days; arrival of the newest, s */
    } rejects[VERDICT_COUNT];
};

/** A reading from the database; at most PICTURE_METERS meters and PICTURE_REJECTS rejects. */
struct picture {
    struct names *meters; /* of struct picture_meter */
    int64_t now_s;
};

/** Of the moment now_s. NULL out of memory. */
struct picture *picture_new(int64_t now_s);
void picture_free(struct picture *p);

/**
 * The meter of an id, added without energy when it is not there. NULL when there is no room or no
 * memory for it. *is_new: it was added.
 */
struct picture_meter *picture_add(struct names *meters, const char *id, bool *is_new);

/** Read it, but for the sums (a job's run): 0, or -ETIMEDOUT or -EAGAIN with why. */
int picture_run(struct picture *p, struct store *store, char why[STORE_WHY_CHARS]);

#endif
