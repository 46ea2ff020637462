/*
 * import_source: where rows of the original program come from: a MariaDB or MySQL server, a dump of
 * it, or a CSV file. One interface, a file for each.
 */
#ifndef IMPORT_SOURCE_H
#define IMPORT_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"
#include "import_file.h"
#include "reading.h"
#include "rows.h"

/** The original's columns, in the order in which it makes them. */
enum import_column {
    IMPORT_ID,
    IMPORT_TIME,
    IMPORT_VALUES, /* FIELD_WIN to FIELD_PF follow one another from here */
    IMPORT_COLUMNS = IMPORT_VALUES + FIELD_ORIGINAL
};

/** The column of a name, in any case, or -1; names of time: timestamp, time, ts, datetime. */
int import_column_from_name(const char *name);

/** Its name in the original. */
const char *import_column_name(enum import_column c);

enum { IMPORT_FIELDS_MAX = 64 };

/** What stands where in a source's rows. All-zero: not known yet. */
struct import_layout {
    size_t count;              /* fields of a row */
    int of[IMPORT_FIELDS_MAX]; /* column, or -1 for one that does not count */
    bool utc;                  /* times without a zone are UTC, not local */
    bool has_time, has_win;
};

/** Add the next field's name; -E2BIG when there are too many, -EEXIST for a column that was there.
 */
int import_layout_add(struct import_layout *l, const char *name);

/** The original's own order, for rows of 13 fields, or 12 without id. -EINVAL for others. */
int import_layout_guess(struct import_layout *l, size_t fields);

/** One row. What it points to lives until the next call. */
struct import_row {
    enum rows_table table;            /* ROWS_HISTORY or ROWS_DEBOUNCED */
    uint64_t where;                   /* line of a file, or id in a database */
    bool utc;                         /* as in its layout */
    const char *text[IMPORT_COLUMNS]; /* NULL: not there, or SQL's NULL */
    const char *wrong;                /* NULL, or why the row cannot be taken apart */
};

#define IMPORT_WHY_CHARS 256

struct import_source;

/**
 * next: 1 with the next row; 0 at the end; -EINVAL when this source will never do (no such table or
 * column, not understood), -EACCES when it lets us not in, -EAGAIN when it is not there (now),
 * -EINTR when a signal came; all with why. share: what is done of the whole, 0 to 1, or -1 when
 * nobody knows.
 */
struct import_source_ops {
    int (*next)(struct import_source *s, struct import_row *row, char why[IMPORT_WHY_CHARS]);
    double (*share)(const struct import_source *s);
    void (*close)(struct import_source *s);
};

/** Each source's struct begins with this. */
struct import_source {
    const struct import_source_ops *ops;
    const char *what; /* "line" or "id": what `where` of its rows is */
};

/** Which tables are wanted, and what they are called. */
struct import_tables {
    bool wanted[2];        /* ROWS_HISTORY, ROWS_DEBOUNCED */
    char name[2][64 + 10]; /* "history", "historyDebounced" */
};

/** The wanted table of a name, in any case, or -1. */
int import_table_from_name(const struct import_tables *t, const char *name);

/** The original's database. */
struct import_db_conf {
    char *host; /* a name, or the path of a socket */
    int64_t port;
    char *user;
    char *password;
    char *name;
    char *table;
    bool tls;
    char *ca_file;
};

/* Each takes what it is given over only when it succeeds; NULL out of memory. */

/** `tables` must live as long as the source. The connection is made by the first `next`. */
struct import_source *import_mysql_new(const struct import_db_conf *conf,
                                       const struct import_tables *tables);

/** mysqldump, mariadb-dump or phpMyAdmin's SQL. Closes the file at its end. */
struct import_source *import_dump_new(struct import_file *file, const struct import_tables *tables);

/** CSV or tab-separated; its rows are of one table. columns: names in order, or NULL: see there. */
struct import_source *
import_csv_new(struct import_file *file, enum rows_table table, const char *columns);

#endif
