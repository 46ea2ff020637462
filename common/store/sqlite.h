/* sqlite: what the embedded store's files share. */
#ifndef SQLITE_H
#define SQLITE_H

#include <sqlite3.h>
#include <sys/stat.h>

#include "quarters.h"
#include "store.h"

enum statement {
    FIND_METER,
    ADD_METER,
    FIND_CLOCKLESS,
    FREE_CLOCKLESS,
    ADD_CLOCKLESS,
    ADD_READING,
    ADD_DEBOUNCED,
    ADD_REJECT,
    RESOLVE_REJECT,
    FIND_QUARTER,
    FIND_BESIDE,
    ADD_QUARTER,
    SET_FIRST,
    SET_LAST,
    STATEMENTS
};

struct sqlite_store {
    struct store base;
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    struct stat file;         /* at connecting */
    int64_t until_ms;         /* monotonic: when a look is given up */
    struct quarters quarters; /* of the write under way */
};

/* sqlite_open.c: the file and the tables. */

int sqlite_probe(struct store *base, char why[STORE_WHY_CHARS]);
int sqlite_connect(struct store *base, char why[STORE_WHY_CHARS]);
int sqlite_look(struct store *base, char why[STORE_WHY_CHARS]);
bool sqlite_alive(struct store *base);
void sqlite_disconnect(struct sqlite_store *s);

/** Say what went wrong: -EINVAL for data that the file will never take; -EAGAIN for all else. */
int sqlite_fail(struct sqlite_store *s, char why[STORE_WHY_CHARS]);

/** A statement that no row is to blame for: 0 or -EAGAIN. */
int sqlite_run(struct store *base, const char *sql, char why[STORE_WHY_CHARS]);

/* sqlite.c: what is written. */

/** Prepare all its statements, after each connecting. */
int sqlite_prepare_all(struct sqlite_store *s, char why[STORE_WHY_CHARS]);

/* sqlite_read.c: what is looked through, and dropped. */

extern const struct reject_dialect sqlite_reject_dialect;
extern const struct rows_dialect sqlite_rows_dialect;

int sqlite_select(struct store *base,
                  const char *sql,
                  int patience_ms,
                  store_visit *visit,
                  void *arg,
                  char why[STORE_WHY_CHARS]);
int sqlite_drop_rows(struct store *base,
                     const struct rows_old *old,
                     size_t *dropped,
                     char why[STORE_WHY_CHARS]);

#endif
