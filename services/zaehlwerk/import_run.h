/* import_run: the rows of a source go into the database, in batches as db-writer's. */
#ifndef IMPORT_RUN_H
#define IMPORT_RUN_H

#include "import_known.h"
#include "import_report.h"
#include "import_rows.h"

/** Zero it, fill in the first members; import_run_close frees what import_run made. */
struct import_run {
    struct store *store; /* connected, or for a dry run opened to look */
    struct import_source *source;
    bool dry; /* write nothing */
    struct import_rows rows;
    struct import_report report;

    struct record *batch;
    size_t count;
    enum rows_table table; /* of the batch */
    int64_t first, last;   /* its earliest and latest row, s */
    struct import_known *known[2];
    size_t shifted; /* rows that ours has at the zone's offset */
};

/**
 * Until the source's end, SIGINT or SIGTERM. What is written is whole batches; run again, it goes
 * on where it was. Returns an exit status; stderr says why when it is not 0: 65 the source's rows
 * are not understood, or the original's clock was shifted; 69 source or database is not there; 71
 * out of memory; 73 the file of rejected rows; 75 a signal came; 77 not let in. 0 with
 * rejected rows, too.
 */
int import_run(struct import_run *run);

void import_run_close(struct import_run *run);

#endif
