/* pg_arrays: rows as PostgreSQL's binary arrays, one for each column: what unnest() takes. */
#ifndef PG_ARRAYS_H
#define PG_ARRAYS_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"

/** The types of columns. */
enum pg_type { PG_INT2, PG_INT4, PG_INT8, PG_TIMESTAMPTZ };

#define PG_COLUMNS_MAX 17

/** All-zero is empty. */
struct pg_arrays {
    struct buf columns[PG_COLUMNS_MAX];
    const enum pg_type *types;
    int count; /* of columns */
};

/** Type of a column's array, as in pg_type.dat. */
unsigned pg_arrays_type(enum pg_type type);

/** Begin anew, for n rows of `count` columns; types must live on. Returns 0 or -ENOMEM. */
int pg_arrays_begin(struct pg_arrays *a, const enum pg_type *types, int count, size_t n)
    __attribute__((warn_unused_result));

/** Add one row; STORE_NULL is NULL. Returns 0 or -ENOMEM. */
int pg_arrays_add(struct pg_arrays *a, const int64_t *values) __attribute__((warn_unused_result));

/** The arrays as parameters of libpq; they point into a. */
void pg_arrays_bind(const struct pg_arrays *a,
                    const char *values[PG_COLUMNS_MAX],
                    int lengths[PG_COLUMNS_MAX],
                    int formats[PG_COLUMNS_MAX]);

void pg_arrays_free(struct pg_arrays *a);

/** A time in ms since 1970 UTC as PostgreSQL counts: microseconds since 2000. */
int64_t pg_timestamp(int64_t utc_ms);

#endif
