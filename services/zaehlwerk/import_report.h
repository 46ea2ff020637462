/* import_report: how far it is, what became of the rows, and those that were rejected, in a file.
 */
#ifndef IMPORT_REPORT_H
#define IMPORT_REPORT_H

#include <stdio.h>

#include "import_rows.h"

struct import_counts {
    size_t read, fresh, there, outside, later, rejected, suspect; /* fresh: new in the database */
};

enum { IMPORT_REASONS_MAX = 32 };

struct import_report {
    struct import_counts counts[2]; /* ROWS_HISTORY, ROWS_DEBOUNCED */
    const char *path;               /* of the file of rejected rows, made with the first of them */
    FILE *rejected;
    bool terminal; /* stderr is one: a bar; else a line now and then */
    bool shown;    /* a bar stands on the terminal's line */
    int64_t begun_ms, told_ms;
    struct {
        char text[IMPORT_REASON_CHARS];
        size_t rows;
    } reasons[IMPORT_REASONS_MAX];
};

void import_report_open(struct import_report *r, const char *path);

/** Note a rejected row: its table, line or id, reason and fields. Returns 0, or -errno of the file.
 */
int import_report_reject(struct import_report *r,
                         const struct import_source *source,
                         const struct import_row *row,
                         const char *reason);

/** Say how far it is, when it is time. share: as of import_source_ops. */
void import_report_progress(struct import_report *r, double share);

/** End the bar, so that something else can be printed. */
void import_report_pause(struct import_report *r);

/** Say what became of all rows. dry: of what would have become. Closes the file. */
void import_report_close(struct import_report *r, bool dry);

#endif
