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
    size_t skip; /* rows at the very second `from` that were seen before: for paging forward */
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

/** Import less export, W; a meter of one direction sends one of them. */
static inline int64_t rows_power(const struct rows_row *r)
{
    if (r->pin == ROWS_NULL && r->pout == ROWS_NULL)
        return ROWS_NULL;
    return (r->pin == ROWS_NULL ? 0 : r->pin) - (r->pout == ROWS_NULL ? 0 : r->pout);
}

typedef void rows_visit(void *arg, const struct rows_row *row);

/** One meter and what is known of it. */
struct rows_meter {
    const char *meter;  /* 16 hex digits */
    const char *number; /* printed on it, or "" */
    int64_t first_seen; /* s since 1970 UTC */
    bool has_last;      /* a reading of it is known */
    struct rows_row
        last; /* the latest; of one that retention has dropped time, win and wout alone */
};

typedef void rows_meter_visit(void *arg, const struct rows_meter *meter);

/**
 * Rows to drop, the oldest first: those more than keep_s older than now or than the newest row,
 * whichever is earlier, so that a wrong clock does not take everything.
 */
struct rows_old {
    enum rows_table table; /* history or debounced */
    int64_t keep_s, now_s; /* now: s since 1970 UTC */
    size_t max;            /* at once */
};

/* What the stores share: SQL differs in a few words only. */

struct rows_dialect {
    const char *seconds_open, *seconds_close; /* around a column of time: s since 1970 UTC */
    const char *instant_open, *instant_close; /* around s since 1970 UTC: such a column's value */
    const char *received_ms;                  /* arrival of row h, ms */
    const char *counter;                      /* the counter of row h; -1: none */
    const char *last_read;                    /* time of the last reading of quarter l */
    bool lateral; /* it knows LATERAL, which keeps TimescaleDB from joining all chunks */
};

#define ROWS_SQL_CHARS 4096

/** A look may take so long, if nothing else was said; then it ends with -ETIMEDOUT. */
#define ROWS_TIMEOUT_MS 15000

/** The SELECT of a query. Returns 0, or -EINVAL when its meter is not 16 hex digits. */
int rows_select(const struct rows_query *q,
                const struct rows_dialect *d,
                const char *table,
                char sql[ROWS_SQL_CHARS]) __attribute__((warn_unused_result));

/** The SELECT of the first `max` meters and their last readings; now: s since 1970 UTC. */
void rows_select_meters(const struct rows_dialect *d,
                        const char *table,
                        int64_t now,
                        size_t max,
                        char sql[ROWS_SQL_CHARS]);

/** Columns of a SELECT's row, as text or NULL; those of rows are the first ROWS_COLUMNS. */
#define ROWS_COLUMNS       18
#define ROWS_METER_COLUMNS (ROWS_COLUMNS + 4)

/** Whom to tell of what was read. */
struct rows_visitor {
    rows_visit *row;
    rows_meter_visit *meter;
    void *arg;
};

/** Hand one row of a SELECT to the visitor, a struct rows_visitor; always 0. */
int rows_read(void *visitor, const char *const columns[ROWS_METER_COLUMNS]);
int rows_read_meter(void *visitor, const char *const columns[ROWS_METER_COLUMNS]);

#endif
