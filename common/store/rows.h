/* rows: what db-writer has stored, read back: for the dashboard and the command line. */
#ifndef ROWS_H
#define ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum rows_table {
    ROWS_HISTORY,   /* every reading, by time */
    ROWS_DEBOUNCED, /* one a window, by window_start */
    ROWS_QUARTERS,  /* energy per quarter hour, by its start */
};

/** "history", "debounced", "quarter_hour"; the table of a name, or -1. */
const char *rows_table_name(enum rows_table t);
int rows_table_from_name(const char *name);

/** What to look for: rows with from <= at < to, in the order (at, meter, counter). */
struct rows_query {
    enum rows_table table;
    const char *meter; /* 16 hex digits; NULL: every one */
    int64_t from, to;  /* seconds since 1970 UTC */
    size_t max;        /* rows; the visitor is called no more often */
    bool newest;       /* the last `max` of them, in the same order */
    size_t skip;       /* rows at the very second `from` that were seen before: for paging */
};

/**
 * One row; the strings live until the callback returns. ROWS_NULL: the meter sends none, or it is
 * not known. Powers in W, u in mV, i in mA, pf in thousandths.
 */
#define ROWS_NULL INT64_MIN

struct rows_row {
    int64_t at;          /* what it is ordered by: time, window start or quarter's start, s */
    const char *meter;   /* 16 hex digits */
    int64_t time;        /* the meter's, s; quarters: at */
    int64_t received_ms; /* arrival, ms; quarters: 0 */
    int64_t counter;     /* -1: none */
    const char *suspect; /* why it is not trusted, or "" */
    const char *quality; /* quarters: ok gap missing reset start open; else "" */
    int64_t win, wout;   /* Wh: the meter's totals; quarters: the energy of the quarter */
    int64_t pin, pout, u[3], i[3], pf;
};

typedef void rows_visit(void *arg, const struct rows_row *row);

/** One meter and what is known of it. */
struct rows_meter {
    const char *meter;    /* 16 hex digits */
    const char *number;   /* printed on it, or "" */
    int64_t first_seen;   /* s since 1970 UTC */
    bool has_last;        /* it has a reading in history */
    struct rows_row last; /* the latest of them */
};

typedef void rows_meter_visit(void *arg, const struct rows_meter *meter);

#endif
