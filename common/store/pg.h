/* pg: what the PostgreSQL store's files share. */
#ifndef PG_H
#define PG_H

#include <libpq-fe.h>

#include "names.h"
#include "pg_arrays.h"
#include "quarters.h"
#include "store.h"

struct pg_store {
    struct store base;
    PGconn *connection;
    struct names *meters; /* of int32_t: their small keys */
    struct pg_arrays arrays;
    struct quarters quarters; /* of the write under way */
    int64_t *times;           /* of the rows of a write, STORE_NULL: not to be written */
    size_t times_room;
    bool timescale; /* the tables are hypertables */
    bool told;      /* ... or why they are not */
};

/* pg_open.c: the connection and the tables. */

int pg_probe(struct store *base, char why[STORE_WHY_CHARS]);
int pg_connect(struct store *base, char why[STORE_WHY_CHARS]);
int pg_look(struct store *base, char why[STORE_WHY_CHARS]);
void pg_disconnect(struct pg_store *s);

/**
 * Take over a result, and add to *rows how many it changed. Returns 0; -EINVAL when the row is to
 * blame (SQLSTATE classes 22, data exception, and 23, constraint); -EAGAIN for all else.
 */
int pg_take(struct pg_store *s, PGresult *result, size_t *rows, char why[STORE_WHY_CHARS]);

/** A statement that no row is to blame for: 0 or -EAGAIN. */
int pg_run(struct store *base, const char *sql, char why[STORE_WHY_CHARS]);

/** Prepare text, with %1$s as the table's name; the first n parameters are arrays of these types.
 */
int pg_prepare(struct pg_store *s,
               const char *name,
               const char *text,
               const enum pg_type *types,
               int n,
               char why[STORE_WHY_CHARS]);

/** Execute a prepared statement with s->arrays as its parameters. */
PGresult *pg_ask(struct pg_store *s, const char *name);

/** The same, and add to *changed how many rows it changed. */
int pg_execute(struct pg_store *s, const char *name, size_t *changed, char why[STORE_WHY_CHARS]);

/* pg.c: what is written. */

/** The columns of a reading, in the order of its INSERT: time is 1, meter 5, counter 6. */
#define PG_READING_COLUMNS 16
extern const enum pg_type pg_reading_types[];

/** Prepare all its statements, after each connecting. */
int pg_prepare_all(struct pg_store *s, char why[STORE_WHY_CHARS]);

/* pg_quarters.c: quarters, beside what is written. */

int pg_prepare_quarters(struct pg_store *s, char why[STORE_WHY_CHARS]);

/**
 * Not all readings in s->arrays were new: make s->quarters of what stands in the table under their
 * keys (a reading that came twice may have been doubtful the first time).
 */
int pg_quarters_stored(struct pg_store *s, char why[STORE_WHY_CHARS]);

/** Merge s->quarters into the table, the last thing in a transaction. */
int pg_write_quarters(struct pg_store *s, char why[STORE_WHY_CHARS]);

/* pg_read.c: what is looked through, and dropped. */

extern const struct reject_dialect pg_reject_dialect;
extern const struct rows_dialect pg_rows_dialect;

int pg_select(struct store *base,
              const char *sql,
              int patience_ms,
              store_visit *visit,
              void *arg,
              char why[STORE_WHY_CHARS]);
int pg_drop_rows(struct store *base,
                 const struct rows_old *old,
                 size_t *dropped,
                 char why[STORE_WHY_CHARS]);

/* pg_timescale.c: where the extension is. */

/**
 * Make hypertables of the tables (timescale.sql), inside the transaction that brought them up to
 * date; where TimescaleDB is not, or not with all that is needed, nothing. Sets s->timescale, and
 * says which it is, once. Returns 0, -EINVAL or -EAGAIN with why.
 */
int pg_use_timescale(struct pg_store *s, char why[STORE_WHY_CHARS]);

/** store_drop_rows of hypertables: chunks that are old enough, the oldest first. */
int pg_drop_chunks(struct pg_store *s,
                   const struct rows_old *old,
                   size_t *dropped,
                   char why[STORE_WHY_CHARS]);
int pg_failing_jobs(struct store *base,
                    size_t *n,
                    char what[STORE_WHY_CHARS],
                    char why[STORE_WHY_CHARS]);

#endif
