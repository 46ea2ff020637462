/* stores: an SQLite store in a scratch folder, and a look into its file. */
#ifndef STORES_H
#define STORES_H

#include "tools.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>

#include "capture.h"
#include "scratch.h"
#include "store.h"

static struct capture capture;
static char url[160], table[64];
static char schema[] = "smartmeter", none[] = "";
static struct store_conf conf = {.url = url,
                                 .user = none,
                                 .password = none,
                                 .host = none,
                                 .port = 5432,
                                 .name = none,
                                 .schema = schema,
                                 .table = table};

static inline int open_scratch(void **state)
{
    int rc = scratch_open(state);

    snprintf(url, sizeof url, "sqlite:%s/z.sqlite", scratch);
    snprintf(table, sizeof table, "history");
    return rc;
}

/* Connected, with what it logs captured. */
static inline struct store *open_store(int rc)
{
    struct store *s = store_new(&conf);
    char why[STORE_WHY_CHARS] = "";
    int got;

    assert_non_null(s);
    capture_begin(&capture);
    got = store_connect(s, why);
    capture_end(&capture);
    if (got != rc)
        fail_msg("%d, not %d: %s %s", got, rc, why, capture.text);
    return s;
}

/* All rows of a query: columns joined by blanks, "-" for NULL, rows by semicolons. */
static inline const char *query(const char *sql)
{
    static char text[4096];
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    size_t n = 0;

    text[0] = '\0';
    assert_int_equal(sqlite3_open(url + strlen("sqlite:"), &db), SQLITE_OK);
    if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    while (sqlite3_step(q) == SQLITE_ROW)
        for (int i = 0; i < sqlite3_column_count(q); i++) {
            const char *column = (const char *)sqlite3_column_text(q, i);

            n += (size_t)snprintf(text + n, sizeof text - n, "%s%c", column == NULL ? "-" : column,
                                  i + 1 < sqlite3_column_count(q) ? ' ' : ';');
        }
    sqlite3_finalize(q);
    sqlite3_close(db);
    return text;
}

static inline void check(const char *sql, const char *want)
{
    const char *have = query(sql);

    if (strcmp(have, want) != 0)
        fail_msg("%s:\n%s, not\n%s", sql, have, want);
}

#define Q(f, m, s) [FIELD_##f] = {.present = true, .mantissa = (m), .scaler = (s)}
#define METER      "5341475E40F89D93"

static inline struct record three_phases(int64_t time, int64_t counter)
{
    return (struct record){
        .type = RECORD_READING,
        .arrival_ms = time * 1000 + 748,
        .topic = "sensors/smartmeter",
        .reading = {.meter = METER,
                    .counter = counter,
                    .has_time = true,
                    .time = time,
                    .number = "178290335021",
                    .values = {Q(WIN, 6842204, 0), Q(WOUT, 6430217, 0), Q(PIN, 0, 0),
                               Q(POUT, 2088, 0), Q(U1, 2338, -1), Q(U2, 2341, -1), Q(U3, 2348, -1),
                               Q(I1, 33, -2), Q(I2, 46, -2), Q(I3, 141, -2), Q(PF, 943, -3)}}};
}

static inline struct store_counts
write_rows(struct store *s, const struct record *rows, size_t n, int rc)
{
    const struct record *list[16];
    struct store_counts counts;
    char why[STORE_WHY_CHARS] = "";
    int got;

    for (size_t i = 0; i < n; i++)
        list[i] = &rows[i];
    got = store_write(s, list, n, &counts, why);
    if (got != rc || (rc != 0 && why[0] == '\0'))
        fail_msg("%d, not %d: %s", got, rc, why);
    return counts;
}

#endif
