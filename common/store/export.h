/* export: rows of the database as text, for files and other programs. */
#ifndef EXPORT_H
#define EXPORT_H

#include "buf.h"
#include "rows.h"

/*
 * Columns, in this order:
 *   history       time meter counter received_at suspect win wout pin pout u1 u2 u3 i1 i2 i3 pf
 *   debounced     time meter window_start, then as history from counter on
 *   quarter_hour  time meter win wout quality
 * Times are RFC 3339 in UTC; energies Wh, powers W, u V, i A, pf 1; meter is 16 hex digits. time is
 * the meter's clock; of quarter_hour the start of the quarter, and win and wout its energy.
 */

enum export_format {
    EXPORT_CSV,  /* RFC 4180: a header line, commas, CR LF; nothing where there is no value */
    EXPORT_JSON, /* an object a line, LF; null where there is no value */
};

/** "csv", "json"; the format of a name, or -1. */
int export_format_from_name(const char *name);

/** Append what stands before the first row: the header line, or nothing. Returns 0 or -ENOMEM. */
int export_header(enum rows_table table, enum export_format format, struct buf *out)
    __attribute__((warn_unused_result));

/** Append one row. Returns 0 or -ENOMEM. */
int export_row(enum rows_table table,
               enum export_format format,
               const struct rows_row *row,
               struct buf *out) __attribute__((warn_unused_result));

#endif
