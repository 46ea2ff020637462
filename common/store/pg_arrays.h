/* pg_arrays: rows as PostgreSQL's binary arrays, one for each column: what unnest() takes. */
#ifndef PG_ARRAYS_H
#define PG_ARRAYS_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"

/** The columns of a reading, in the order of the INSERTs; only a debounced row has the last. */
enum pg_column {
    COL_TIME,
    COL_RECEIVED_AT,
    COL_WIN,
    COL_WOUT,
    COL_METER,
    COL_COUNTER,
    COL_PIN,
    COL_POUT,
    COL_U1,
    COL_U2,
    COL_U3,
    COL_I1,
    COL_I2,
    COL_I3,
    COL_PF,
    COL_SUSPECT,
    COL_WINDOW,
    PG_COLUMNS
};

/** All-zero is empty. */
struct pg_arrays {
    struct buf columns[PG_COLUMNS];
};

/** Type of a column's array, as in pg_type.dat. */
unsigned pg_arrays_type(enum pg_column column);

/** Begin anew, for n rows. Returns 0 or -ENOMEM. */
int pg_arrays_begin(struct pg_arrays *a, size_t n) __attribute__((warn_unused_result));

/** Add one row; STORE_NULL is NULL. Returns 0 or -ENOMEM. */
int pg_arrays_add(struct pg_arrays *a, const int64_t values[PG_COLUMNS])
    __attribute__((warn_unused_result));

/** The first `columns` arrays as parameters of libpq; they point into a. */
void pg_arrays_bind(const struct pg_arrays *a,
                    int columns,
                    const char *values[PG_COLUMNS],
                    int lengths[PG_COLUMNS],
                    int formats[PG_COLUMNS]);

void pg_arrays_free(struct pg_arrays *a);

/** A time in ms since 1970 UTC as PostgreSQL counts: microseconds since 2000. */
int64_t pg_timestamp(int64_t utc_ms);

#endif
