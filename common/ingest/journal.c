/* journal: entries come in, are acknowledged, and are read again. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "journal_file.h"
#include "log.h"

enum { SPARE_PAGES = 4096, TRIM_ENTRIES = 2000 };

/* Bind numbers to a statement from its first parameter on. */
static sqlite3_stmt *with(struct journal *j, enum statement s, size_t n, const int64_t *values)
{
    sqlite3_stmt *q = j->statements[s];

    for (size_t i = 0; i < n; i++)
        sqlite3_bind_int64(q, (int)i + 1, values[i]);
    return q;
}

#define WITH(j, s, ...)                                                                            \
    with((j), (s), sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t),                       \
         (const int64_t[]){__VA_ARGS__})

/* Run a statement that returns no rows. */
static int step(struct journal *j, sqlite3_stmt *q, char why[JOURNAL_WHY_CHARS])
{
    int rc = sqlite3_step(q) == SQLITE_DONE ? 0 : journal_fail(j, why);

    sqlite3_reset(q);
    return rc;
}

unsigned journal_stream(const struct journal *j, const char *name)
{
    for (unsigned bit = 0; bit < JOURNAL_STREAMS; bit++)
        if (j->names[bit] != NULL && strcmp(j->names[bit], name) == 0)
            return 1U << bit;
    return 0;
}

unsigned journal_streams(const struct journal *j)
{
    unsigned all = 0;

    for (unsigned bit = 0; bit < JOURNAL_STREAMS; bit++)
        all |= j->names[bit] == NULL ? 0 : 1U << bit;
    return all;
}

uint64_t journal_next(struct journal *j)
{
    uint64_t next;

    pthread_mutex_lock(&j->lock);
    next = j->next;
    pthread_mutex_unlock(&j->lock);
    return next;
}

/* Appending. */

static int add_telegram(struct journal *j, const struct journal_telegram *t, char *why)
{
    sqlite3_stmt *q = WITH(j, ADD_TELEGRAM, (int64_t)t->seq, t->index, t->owed);

    if (t->record != NULL)
        sqlite3_bind_blob64(q, 4, t->record, t->len, SQLITE_STATIC);
    else
        sqlite3_bind_null(q, 4);
    return step(j, q, why);
}

/* The topic's entries before `open` (0: all) wait for nothing any more. */
static int settle(struct journal *j, const char *topic, uint64_t open, char *why)
{
    static const enum statement steps[] = {DROP_OPEN, SETTLE};
    int rc = 0;

    for (size_t i = 0; i < 2 && rc == 0; i++) {
        sqlite3_stmt *q = WITH(j, steps[i], 0, open == 0 ? INT64_MAX : (int64_t)open);

        sqlite3_bind_text(q, 1, topic, -1, SQLITE_STATIC);
        rc = step(j, q, why);
        if (rc == 0)
            j->open_entries -= sqlite3_changes(j->db);
    }
    return rc;
}

static int append(struct journal *j,
                  const struct journal_entry *e,
                  const struct journal_telegram *telegrams,
                  size_t n,
                  uint64_t open,
                  char *why)
{
    bool kept_open = open != 0 && !e->alone;
    sqlite3_stmt *q = WITH(j, ADD_ENTRY, (int64_t)e->seq, 0, e->arrival_ms, 0, kept_open, e->clock);
    int rc = 0;

    sqlite3_bind_text(q, 2, e->topic, -1, SQLITE_STATIC);
    if (e->len > 0)
        sqlite3_bind_blob64(q, 4, e->payload, e->len, SQLITE_STATIC);
    else
        sqlite3_bind_zeroblob(q, 4, 0);
    if (n > 0 || kept_open)
        rc = step(j, q, why);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = add_telegram(j, &telegrams[i], why);
    if (rc == 0 && j->open_entries > 0 && !e->alone)
        rc = settle(j, e->topic, open, why);
    j->open_entries += kept_open;
    return rc;
}

/* Begin, or end by success: commit, or roll back. */
static int finish(struct journal *j, int rc, char *why)
{
    char ignored[JOURNAL_WHY_CHARS];

    if (rc == 0)
        rc = journal_run(j, "COMMIT", why);
    if (rc != 0 && !sqlite3_get_autocommit(j->db))
        (void)journal_run(j, "ROLLBACK", ignored);
    return rc == 0 ? 0 : -EIO;
}

int journal_append(struct journal *j,
                   const struct journal_entry *entry,
                   const struct journal_telegram *telegrams,
                   size_t n,
                   uint64_t open,
                   char why[JOURNAL_WHY_CHARS])
{
    int64_t open_before;
    int rc;

    pthread_mutex_lock(&j->lock);
    open_before = j->open_entries;
    rc = j->broken ? -EIO : journal_run(j, "BEGIN", why);
    if (j->broken)
        snprintf(why, JOURNAL_WHY_CHARS, "the disk cannot be synced");
    if (rc == 0)
        rc = append(j, entry, telegrams, n, open, why);
    rc = finish(j, rc, why);
    if (rc == 0) {
        j->next = entry->seq + 1;
        j->appended++;
        j->telegrams += (int64_t)n;
    } else {
        j->open_entries = open_before;
    }
    pthread_mutex_unlock(&j->lock);
    return rc;
}

int journal_decide(struct journal *j, const struct journal_telegram *t)
{
    char why[JOURNAL_WHY_CHARS];
    sqlite3_stmt *q;
    char *topic = NULL;
    int64_t open_before;
    int rc;

    pthread_mutex_lock(&j->lock);
    open_before = j->open_entries;
    rc = journal_run(j, "BEGIN", why);
    if (rc == 0)
        rc = add_telegram(j, t, why);
    q = WITH(j, TOPIC, (int64_t)t->seq);
    if (rc == 0 && sqlite3_step(q) == SQLITE_ROW)
        topic = strdup((const char *)sqlite3_column_text(q, 0));
    sqlite3_reset(q);
    if (rc == 0 && topic != NULL)
        rc = settle(j, topic, 0, why);
    free(topic);
    rc = finish(j, rc, why);
    if (rc == 0)
        j->telegrams++;
    else
        j->open_entries = open_before;
    pthread_mutex_unlock(&j->lock);
    if (rc != 0)
        log_error("journal", LOG_S("reason", why));
    return rc;
}

/* Acknowledging. */

/* Drop what is owed to nobody in these entries. */
static int drop(struct journal *j, int64_t first, int64_t last, char *why)
{
    int rc = step(j, WITH(j, DROP_TELEGRAMS, first, last), why);

    if (rc != 0 || sqlite3_changes(j->db) == 0)
        return rc;
    return step(j, WITH(j, DROP_ENTRIES, first, last), why);
}

static int ack(struct journal *j, const struct journal_ack *a, int64_t *settled, char *why)
{
    int64_t first = (int64_t)a->first, last = (int64_t)a->last;
    int rc = step(j, WITH(j, ACK_LAST, first, last, a->index, a->stream), why), n;

    n = rc == 0 ? sqlite3_changes(j->db) : 0;
    *settled += n;
    if (rc == 0)
        rc = step(j, WITH(j, ACK, first, last, a->index, a->stream), why);
    if (last >= j->kept_from)
        last = j->kept_from - 1;
    return rc != 0 || n == 0 || last < first ? rc : drop(j, first, last, why);
}

/* End a transaction that makes room, which needs room, too. */
static int finish_drop(struct journal *j, int rc, char *why)
{
    bool full = rc != 0 && sqlite3_errcode(j->db) == SQLITE_FULL;

    rc = finish(j, rc, why);
    full |= rc != 0 && sqlite3_errcode(j->db) == SQLITE_FULL;
    if (full)
        (void)!ftruncate(j->reserve, 0);
    if (rc != 0)
        log_error("journal", LOG_S("reason", why));
    return rc;
}

int64_t journal_ack(struct journal *j, const struct journal_ack *acks, size_t n)
{
    char why[JOURNAL_WHY_CHARS];
    int64_t settled = 0;
    int rc;

    pthread_mutex_lock(&j->lock);
    rc = journal_run(j, "BEGIN", why);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = ack(j, &acks[i], &settled, why);
    rc = finish_drop(j, rc, why);
    j->telegrams -= rc == 0 ? settled : 0;
    pthread_mutex_unlock(&j->lock);
    return rc == 0 ? settled : rc;
}

/* Keeping what is settled. */

/* The first number of a statement's only row; 0 when there is none, -EIO when it cannot be read. */
static int64_t number(sqlite3_stmt *q)
{
    int code = sqlite3_step(q);
    int64_t n = code == SQLITE_ROW ? sqlite3_column_int64(q, 0) : code == SQLITE_DONE ? 0 : -EIO;

    sqlite3_reset(q);
    return n;
}

/* Settled telegrams of the first entries that are kept and came before, of which there are some. */
static int trim(struct journal *j, int64_t before_ms)
{
    char why[JOURNAL_WHY_CHARS];
    int64_t last = number(WITH(j, AGED, j->kept_from, TRIM_ENTRIES, before_ms));
    int rc;

    if (last < 0)
        return -EIO;
    rc = journal_run(j, "BEGIN", why);
    if (rc == 0)
        rc = drop(j, j->kept_from, last, why);
    rc = finish_drop(j, rc, why);
    if (rc == 0)
        j->kept_from = last + 1;
    return rc;
}

int journal_trim(struct journal *j, int64_t before_ms)
{
    int64_t oldest;
    int rc = 0;

    pthread_mutex_lock(&j->lock);
    if (j->kept_from == JOURNAL_KEEPS_NOTHING && before_ms < INT64_MAX)
        j->kept_from = (int64_t)j->next;
    oldest = number(WITH(j, KEPT, j->kept_from));
    if (oldest < 0)
        rc = -EIO;
    else if (oldest != 0 && oldest < before_ms)
        rc = trim(j, before_ms);
    else if (oldest == 0 && before_ms == INT64_MAX)
        j->kept_from = JOURNAL_KEEPS_NOTHING;
    pthread_mutex_unlock(&j->lock);
    return rc;
}

int64_t journal_refill(struct journal *j, int64_t since_ms)
{
    char why[JOURNAL_WHY_CHARS];
    int64_t n = 0, owed;
    bool before;
    int rc;

    pthread_mutex_lock(&j->lock);
    rc = journal_run(j, "BEGIN", why);
    if (rc == 0)
        rc = step(j, WITH(j, REFILLED, since_ms), why);
    before = rc == 0 && sqlite3_changes(j->db) == 0;
    if (rc == 0 && !before) {
        rc = step(j, WITH(j, REFILL, since_ms, journal_streams(j)), why);
        n = rc == 0 ? sqlite3_changes(j->db) : 0;
    }
    rc = finish(j, rc, why);
    owed = number(j->statements[OWED]);
    if (owed >= 0)
        j->telegrams = owed;
    pthread_mutex_unlock(&j->lock);
    if (rc != 0)
        log_error("journal", LOG_S("reason", why));
    return rc != 0 ? rc : before ? -EALREADY : n;
}

/* Reading. */

/* A row that cannot be read is not one that is not there. */
static bool ended_well(struct journal *j, int code)
{
    char why[JOURNAL_WHY_CHARS];

    if (code == SQLITE_DONE)
        return true;
    (void)journal_fail(j, why);
    log_error("journal", LOG_S("reason", why));
    return false;
}

/* How many rows were visited; *whole: all that there are. */
static size_t
visit_owed(struct journal *j, sqlite3_stmt *q, journal_visit_owed *visit, void *arg, bool *whole)
{
    size_t n = 0;
    int code;

    for (; (code = sqlite3_step(q)) == SQLITE_ROW; n++) {
        const struct journal_owed owed = {
            .telegram = {.seq = (uint64_t)sqlite3_column_int64(q, 0),
                         .index = (uint32_t)sqlite3_column_int64(q, 1),
                         .owed = (unsigned)sqlite3_column_int64(q, 2),
                         .record = sqlite3_column_blob(q, 3),
                         .len = (size_t)sqlite3_column_bytes(q, 3)},
            .entry = {.seq = (uint64_t)sqlite3_column_int64(q, 0),
                      .topic = (const char *)sqlite3_column_text(q, 4),
                      .arrival_ms = sqlite3_column_int64(q, 5),
                      .payload = sqlite3_column_blob(q, 6),
                      .len = (size_t)sqlite3_column_bytes(q, 6),
                      .clock = sqlite3_column_int(q, 7) != 0},
        };

        visit(arg, &owed);
    }
    *whole = ended_well(j, code);
    sqlite3_reset(q);
    return n;
}

size_t journal_owed_after(struct journal *j,
                          uint64_t seq,
                          uint32_t index,
                          uint64_t before,
                          size_t max,
                          journal_visit_owed *visit,
                          void *arg)
{
    bool whole;
    size_t n;

    pthread_mutex_lock(&j->lock);
    n = visit_owed(j, WITH(j, OWED_AFTER, (int64_t)seq, index, (int64_t)before, (int64_t)max),
                   visit, arg, &whole);
    pthread_mutex_unlock(&j->lock);
    return n;
}

bool journal_find(
    struct journal *j, uint64_t seq, uint32_t index, journal_visit_owed *visit, void *arg)
{
    bool found, whole;

    pthread_mutex_lock(&j->lock);
    found = visit_owed(j, WITH(j, FIND, (int64_t)seq, index), visit, arg, &whole) > 0;
    pthread_mutex_unlock(&j->lock);
    return found || !whole;
}

int journal_open_entries(struct journal *j, journal_visit_entry *visit, void *arg)
{
    sqlite3_stmt *q;
    bool whole;
    int code;

    pthread_mutex_lock(&j->lock);
    q = j->statements[OPEN];
    while ((code = sqlite3_step(q)) == SQLITE_ROW) {
        const struct journal_entry e = {
            .seq = (uint64_t)sqlite3_column_int64(q, 0),
            .topic = (const char *)sqlite3_column_text(q, 1),
            .arrival_ms = sqlite3_column_int64(q, 2),
            .payload = sqlite3_column_blob(q, 3),
            .len = (size_t)sqlite3_column_bytes(q, 3),
            .decided = (uint32_t)sqlite3_column_int64(q, 4),
            .clock = sqlite3_column_int(q, 5) != 0,
        };

        visit(arg, &e);
    }
    whole = ended_well(j, code);
    sqlite3_reset(q);
    pthread_mutex_unlock(&j->lock);
    return whole ? 0 : -EIO;
}

int journal_measure(struct journal *j, struct journal_level *level)
{
    char why[JOURNAL_WHY_CHARS] = "";
    struct statvfs disk;
    struct stat file;
    sqlite3_stmt *q;
    int64_t spare = 0;
    int rc = 0;

    *level = (struct journal_level){.space = INT64_MAX};
    pthread_mutex_lock(&j->lock);
    level->kept_ms = number(WITH(j, KEPT, j->kept_from));
    q = j->statements[LEVEL];
    if (sqlite3_step(q) == SQLITE_ROW) {
        spare = sqlite3_column_int64(q, 1);
        level->telegrams = j->telegrams;
        level->bytes = (sqlite3_column_int64(q, 0) - spare) * JOURNAL_PAGE;
        level->oldest_ms = sqlite3_column_int64(q, 2);
        sqlite3_reset(q);
        if (spare > SPARE_PAGES) /* give the file system back what a long outage took */
            (void)journal_run(j, "PRAGMA incremental_vacuum(1024)", why);
    } else {
        rc = journal_fail(j, why);
    }
    if (level->kept_ms < 0)
        rc = -EIO;
    if (statvfs(sqlite3_db_filename(j->db, "main"), &disk) == 0) {
        level->space = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;
        if (level->space > 4 * JOURNAL_RESERVE && fstat(j->reserve, &file) == 0 &&
            file.st_size < JOURNAL_RESERVE)
            journal_reserve(j);
        level->space += spare * JOURNAL_PAGE;
    }
    sqlite3_reset(q);
    pthread_mutex_unlock(&j->lock);
    return rc;
}
