#include "rejects.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hex.h"

enum column { DIGEST, TIME, OCTETS, METER, COUNTER, TOPIC, REASON, DETAIL, RESOLVED, PAYLOAD };

/* (time, digest) of a mark, in the store's words. */
static void print_mark(const struct reject_mark *m, const struct reject_dialect *d, char text[160])
{
    char digits[2 * DIGEST_OCTETS + 1];

    hex_encode(m->digest, DIGEST_OCTETS, digits);
    snprintf(text, 160, "(%s%" PRId64 "%s, %s%s%s)", d->instant_open, m->time_ms, d->instant_close,
             d->octets_open, digits, d->octets_close);
}

int reject_select(const struct reject_query *q,
                  const struct reject_dialect *d,
                  char sql[REJECT_SQL_CHARS])
{
    char mark[160], more[200] = "", payload[64] = "", meter[64] = "", reason[64] = "";
    const char *order = q->newest ? " DESC" : "";
    const char *meter_is = q->meter == NULL ? "" : q->meter;

    if (strspn(meter_is, "0123456789ABCDEF") != strlen(meter_is) || strlen(meter_is) > 32)
        return -EINVAL;
    print_mark(&q->after, d, mark);
    if (!q->bare)
        snprintf(more, sizeof more, ", meter, counter, topic, reason, detail, %s", d->resolved_ms);
    if (q->payload)
        snprintf(payload, sizeof payload, ", %spayload%s", d->hex_open, d->hex_close);
    if (q->meter != NULL)
        snprintf(meter, sizeof meter, " AND meter = '%s'", meter_is);
    if (q->reason != VERDICT_OK)
        snprintf(reason, sizeof reason, " AND reason = '%s'", verdict_name(q->reason));
    snprintf(sql, REJECT_SQL_CHARS,
             "%sSELECT %sdigest%s AS key, %s AS at, octets%s%s FROM rejects WHERE (time, digest) > "
             "%s%s%s%s ORDER BY time%s, digest%s LIMIT %zu%s",
             q->newest ? "SELECT * FROM (" : "", d->hex_open, d->hex_close, d->time_ms, more,
             payload, mark, meter, reason, q->resolved_too ? "" : " AND resolved_at IS NULL", order,
             order, q->max, q->newest ? ") AS found ORDER BY at, key" : "");
    return 0;
}

void reject_delete(const struct reject_mark *last,
                   const struct reject_dialect *d,
                   char sql[REJECT_SQL_CHARS])
{
    char mark[160];

    print_mark(last, d, mark);
    snprintf(sql, REJECT_SQL_CHARS, "DELETE FROM rejects WHERE (time, digest) <= %s", mark);
}

/* A column's number, or fallback where it is NULL. */
static int64_t number(const char *text, int64_t fallback)
{
    return text == NULL ? fallback : strtoll(text, NULL, 10);
}

static const char *text_of(const char *text)
{
    return text == NULL ? "" : text;
}

int reject_row_read(const char *const columns[REJECT_COLUMNS],
                    const struct reject_query *q,
                    struct buf *scratch,
                    reject_visit *visit,
                    void *arg)
{
    struct reject_row row = {.meter = "", .topic = "", .reason = "", .detail = "", .counter = -1};
    size_t len;

    if (columns[DIGEST] == NULL || hex_decode(columns[DIGEST], row.mark.digest, DIGEST_OCTETS) != 0)
        return -EPROTO;
    row.mark.time_ms = number(columns[TIME], 0);
    row.octets = number(columns[OCTETS], 0);
    if (!q->bare) {
        row.meter = text_of(columns[METER]);
        row.counter = number(columns[COUNTER], -1);
        row.topic = text_of(columns[TOPIC]);
        row.reason = text_of(columns[REASON]);
        row.detail = text_of(columns[DETAIL]);
        row.resolved_ms = number(columns[RESOLVED], 0);
    }
    if (q->payload && columns[PAYLOAD] != NULL) {
        len = strlen(columns[PAYLOAD]) / 2;
        scratch->len = 0;
        if (buf_reserve(scratch, len) != 0)
            return -ENOMEM;
        if (hex_decode(columns[PAYLOAD], scratch->data, len) != 0)
            return -EPROTO;
        row.payload = (struct view){scratch->data, len};
    }
    visit(arg, &row);
    return 0;
}
