/* import_rows: a row of the original becomes a record, as the decryptor would have made it. */
#ifndef IMPORT_ROWS_H
#define IMPORT_ROWS_H

#include "import_source.h"
#include "import_time.h"
#include "plausible.h"
#include "record.h"

enum { IMPORT_WINDOW_SECONDS = 300, IMPORT_SETTLE_SECONDS = 600, IMPORT_REASON_CHARS = 80 };

/** What it takes. */
struct import_rows {
    char meter[METER_ID_CHARS + 1];
    int64_t from, to, now; /* s since 1970 UTC: rows with from <= time < to, none ahead of now */
    struct import_clock clocks[2]; /* ROWS_HISTORY, ROWS_DEBOUNCED */
    struct plausible *plausible[2];
};

enum import_verdict {
    IMPORT_TAKEN,
    IMPORT_OUTSIDE, /* of from and to */
    IMPORT_FRESH,   /* of the last IMPORT_SETTLE_SECONDS: ours may not be in the database yet */
    IMPORT_REJECTED /* with reason */
};

/**
 * Make the record: time and arrival are the row's time, the counter is -1, suspect is judged along
 * the rows. A debounced one gets its window of five minutes, the original's. Any value may be
 * missing, but not all; what is there must be a number that a meter can measure.
 */
enum import_verdict import_rows_read(struct import_rows *rows,
                                     const struct import_row *row,
                                     struct record *record,
                                     char reason[IMPORT_REASON_CHARS]);

#endif
