/*
 * import_known: which rows of the original the database has already.
 *
 * The original's rows have no meter, no counter and no meter clock; their time is the second of
 * arrival. So a row is the same as
 *   - one of an earlier import: the same second of arrival, no counter, the same values;
 *   - a reading of ours (both programs ran side by side): the same values, and it arrived, or was
 *     measured by the meter's clock, within a minute of that second.
 * Each of ours stands for one of theirs only. What is new keeps its second as its time, or takes
 * the next one that is free. All that depends on the order of the rows alone, so that an import
 * that was cut off and is run again finds its rows.
 *
 * Of debounced windows the earliest reading stays, but a reading of ours always does.
 */
#ifndef IMPORT_KNOWN_H
#define IMPORT_KNOWN_H

#include "record.h"
#include "store.h"

enum {
    IMPORT_SAME_SECONDS = 60,
    IMPORT_REACH_SECONDS = 2 * 3600 + 600, /* rows beside a batch that are looked at */
};

struct import_known;

struct import_known *import_known_new(enum rows_table table);
void import_known_free(struct import_known *k);

/**
 * Read what the database holds of a meter from first to last and beside it, before the rows of a
 * batch are tried; what was found or added before stays taken. Returns as store_rows, or -ENOMEM.
 */
int import_known_load(struct import_known *k,
                      struct store *s,
                      const char *meter,
                      int64_t first,
                      int64_t last,
                      char why[STORE_WHY_CHARS]) __attribute__((warn_unused_result));

enum import_known_verdict {
    IMPORT_NEW,      /* to be written; its time may have moved on */
    IMPORT_THERE,    /* the database has it */
    IMPORT_SHIFTED,  /* new, but ours has one with the same values just where it belongs if the
                        original's clock was wrong by the zone's offset */
    IMPORT_NO_PLACE, /* a minute full of others with its second */
    IMPORT_NO_MEMORY
};

/** Try one row of the batch, in the order of the source. */
enum import_known_verdict import_known_try(struct import_known *k, struct record *r);

#endif
