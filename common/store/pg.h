/* pg: what the PostgreSQL store's files share. */
#ifndef PG_H
#define PG_H

#include <libpq-fe.h>

#include "names.h"
#include "pg_arrays.h"
#include "store.h"

struct pg_store {
    struct store base;
    PGconn *connection;
    struct names *meters; /* of int32_t: their small keys */
    struct pg_arrays arrays;
    int64_t *times; /* of the rows of a write, STORE_NULL: not to be written */
    size_t times_room;
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

/** Prepare text, with %1$s as the table's name; the first `types` parameters are columns' arrays.
 */
int pg_prepare(struct pg_store *s, const char *name, const char *text, int types, char *why);

/* pg.c: what is written and read. */

/** Prepare all its statements, after each connecting. */
int pg_prepare_all(struct pg_store *s, char why[STORE_WHY_CHARS]);

#endif
