/* rejects: the table of rejects, looked through in the order of (time, digest). */
#ifndef REJECTS_H
#define REJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h"

/** A place in the order of rejects; all zero is before the first. */
struct reject_mark {
    int64_t time_ms; /* arrival */
    uint8_t digest[DIGEST_OCTETS];
};

/** What to look for. */
struct reject_query {
    struct reject_mark after; /* what stands behind it */
    const char *meter;        /* hex digits; NULL: any */
    enum verdict reason;      /* VERDICT_OK: any */
    bool resolved_too;
    bool newest;  /* the last `max`, not the first; in the same order */
    bool bare;    /* no more than mark and octets, which an index tells */
    bool payload; /* the octets themselves, too */
    size_t max;
};

/** One reject; the views live until the callback returns. */
struct reject_row {
    struct reject_mark mark;
    int64_t octets;
    const char *meter; /* "" when it is not known */
    int64_t counter;
    const char *topic, *reason, *detail;
    int64_t resolved_ms; /* 0: not yet */
    struct view payload;
};

typedef void reject_visit(void *arg, const struct reject_row *row);

/* What the stores share: SQL differs in a few words only. */

struct reject_dialect {
    const char *time_ms, *resolved_ms;        /* columns as ms since 1970 UTC */
    const char *instant_open, *instant_close; /* around ms since 1970 UTC */
    const char *hex_open, *hex_close;         /* around a column of octets: hex digits */
    const char *octets_open, *octets_close;   /* around hex digits: octets */
};

#define REJECT_SQL_CHARS 1024

/** The SELECT of a query. Returns 0, or -EINVAL when its meter is not hex digits. */
int reject_select(const struct reject_query *q,
                  const struct reject_dialect *d,
                  char sql[REJECT_SQL_CHARS]) __attribute__((warn_unused_result));

/** The DELETE of all up to and with a mark. */
void reject_delete(const struct reject_mark *last,
                   const struct reject_dialect *d,
                   char sql[REJECT_SQL_CHARS]);

/** Columns of a SELECT's row, as text or NULL. */
#define REJECT_COLUMNS 10

/**
 * Hand one row of the SELECT to the visitor; payload's digits are decoded into scratch. Returns 0,
 * -EPROTO when a column is not what it should be, or -ENOMEM.
 */
int reject_row_read(const char *const columns[REJECT_COLUMNS],
                    const struct reject_query *q,
                    struct buf *scratch,
                    reject_visit *visit,
                    void *arg) __attribute__((warn_unused_result));

#endif
