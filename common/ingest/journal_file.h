/* journal_file: what journal.c and journal_open.c share. */
#ifndef JOURNAL_FILE_H
#define JOURNAL_FILE_H

#include <pthread.h>
#include <sqlite3.h>

#include "journal.h"

#define JOURNAL_PAGE    4096
#define JOURNAL_RESERVE (4 * 1024 * 1024)

#define JOURNAL_KEEPS_NOTHING INT64_MAX /* as kept_from */

/** Places of prepared statements. */
enum statement {
    ADD_ENTRY,
    ADD_TELEGRAM,
    DROP_OPEN,
    SETTLE,
    ACK_LAST,
    ACK,
    DROP_TELEGRAMS,
    DROP_ENTRIES,
    KEPT,
    AGED,
    REFILLED,
    REFILL,
    OWED,
    OWED_AFTER,
    FIND,
    OPEN,
    TOPIC,
    LEVEL,
    STATEMENTS
};

/** All members but wal, sync_ms, stop, has_thread and thread change under the lock. */
struct journal {
    pthread_mutex_t lock;
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    char *names[JOURNAL_STREAMS]; /* of streams, by bit; NULL: not of today */
    uint64_t next;
    int64_t kept_from;    /* entries before leave as soon as they are owed to nobody */
    int64_t telegrams;    /* owed */
    int64_t open_entries; /* with open = 1 */
    int64_t appended;     /* since the last sync */
    int wal;              /* descriptor of the write-ahead log, for syncing */
    int reserve;          /* a file whose octets make room for trimming on a full disk */
    bool broken;          /* a sync has failed: nobody knows what is on disk */
    int64_t sync_ms;
    bool stop;
    bool has_thread;
    pthread_t thread;
    pthread_cond_t wake;
};

/** What SQLite says of the last call: -EBUSY; -ENOSPC when the disk fails or is full; -EIO. */
int journal_fail(struct journal *j, char why[JOURNAL_WHY_CHARS]);

/** Run statements that return no rows: 0, -EBUSY or -EIO. */
int journal_run(struct journal *j, const char *sql, char why[JOURNAL_WHY_CHARS]);

/** Take room for trimming on a full disk, if there is; without it the journal works, too. */
void journal_reserve(struct journal *j);

#endif
