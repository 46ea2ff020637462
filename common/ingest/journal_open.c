/* journal_open: the journal's file is made, recovered, and brought to today's streams. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal_file.h"
#include "log.h"

enum { FORMAT = 2 };

static const char schema[] =
    "CREATE TABLE entries (seq INTEGER PRIMARY KEY, topic TEXT NOT NULL, arrival INTEGER NOT NULL, "
    "payload BLOB NOT NULL, open INTEGER NOT NULL, clock INTEGER NOT NULL);"
    "CREATE INDEX entries_open ON entries (topic) WHERE open = 1;"
    "CREATE TABLE telegrams (seq INTEGER NOT NULL, idx INTEGER NOT NULL, owed INTEGER NOT NULL, "
    "record BLOB, PRIMARY KEY (seq, idx)) WITHOUT ROWID;"
    "CREATE TABLE streams (bit INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);";

/* Format 2: what is owed to nobody may stay. */
static const char keeps[] = "CREATE INDEX telegrams_owed ON telegrams (seq, idx) WHERE owed != 0;"
                            "CREATE TABLE refills (since INTEGER PRIMARY KEY);"
                            "PRAGMA user_version = 2; COMMIT";

#define OWED_COLUMNS "t.seq, t.idx, t.owed, t.record, e.topic, e.arrival, e.payload, e.clock"

static const char *const texts[STATEMENTS] = {
    [ADD_ENTRY] = "INSERT INTO entries (seq, topic, arrival, payload, open, clock) VALUES (?1, ?2, "
                  "?3, ?4, ?5, "
                  "?6)",
    [ADD_TELEGRAM] = "INSERT INTO telegrams (seq, idx, owed, record) VALUES (?1, ?2, ?3, ?4)",
    [DROP_OPEN] = "DELETE FROM entries WHERE open = 1 AND topic = ?1 AND seq < ?2 AND NOT EXISTS "
                  "(SELECT 1 FROM telegrams t WHERE t.seq = entries.seq)",
    [SETTLE] = "UPDATE entries SET open = 0 WHERE open = 1 AND topic = ?1 AND seq < ?2",
    [ACK_LAST] = "UPDATE telegrams SET owed = 0 WHERE seq BETWEEN ?1 AND ?2 AND idx = ?3 AND owed "
                 "!= 0 AND owed & ~?4 = 0",
    [ACK] = "UPDATE telegrams SET owed = owed & ~?4 WHERE seq BETWEEN ?1 AND ?2 AND idx = ?3 AND "
            "owed & ?4",
    [DROP_TELEGRAMS] = "DELETE FROM telegrams WHERE seq BETWEEN ?1 AND ?2 AND owed = 0",
    [DROP_ENTRIES] = "DELETE FROM entries WHERE seq BETWEEN ?1 AND ?2 AND open = 0 AND NOT EXISTS "
                     "(SELECT 1 FROM telegrams t WHERE t.seq = entries.seq)",
    [KEPT] = "SELECT arrival FROM entries WHERE seq >= ?1 ORDER BY seq LIMIT 1",
    [AGED] =
        "WITH next AS (SELECT seq, arrival FROM entries WHERE seq >= ?1 ORDER BY seq LIMIT ?2) "
        "SELECT coalesce((SELECT min(seq) - 1 FROM next WHERE arrival >= ?3), (SELECT max(seq) "
        "FROM next))",
    [REFILLED] = "INSERT OR IGNORE INTO refills VALUES (?1)",
    [REFILL] = "UPDATE telegrams SET owed = ?2 WHERE owed != ?2 AND (SELECT arrival FROM entries e "
               "WHERE e.seq = telegrams.seq) >= ?1",
    [OWED] = "SELECT count(*) FROM telegrams WHERE owed != 0",
    [OWED_AFTER] =
        "SELECT " OWED_COLUMNS " FROM telegrams t INDEXED BY telegrams_owed JOIN entries "
        "e ON e.seq = t.seq WHERE t.owed != 0 AND (t.seq, t.idx) > (?1, ?2) AND t.seq < "
        "?3 ORDER BY t.seq, t.idx LIMIT ?4",
    [FIND] =
        "SELECT " OWED_COLUMNS " FROM telegrams t JOIN entries e ON e.seq = t.seq WHERE t.seq = "
        "?1 AND t.idx = ?2 AND t.owed != 0",
    [OPEN] =
        "SELECT seq, topic, arrival, payload, (SELECT coalesce(max(idx) + 1, 0) FROM "
        "telegrams t WHERE t.seq = entries.seq), clock FROM entries INDEXED BY entries_open WHERE "
        "open = 1 ORDER BY seq",
    [TOPIC] = "SELECT topic FROM entries WHERE seq = ?1",
    [LEVEL] = "SELECT (SELECT page_count FROM pragma_page_count()), (SELECT freelist_count FROM "
              "pragma_freelist_count()), (SELECT coalesce(min(arrival), 0) FROM (SELECT arrival "
              "FROM entries WHERE open = 1 UNION ALL SELECT arrival FROM entries WHERE seq = "
              "(SELECT min(seq) FROM telegrams WHERE owed != 0)))",
};

int journal_fail(struct journal *j, char why[JOURNAL_WHY_CHARS])
{
    int code = sqlite3_errcode(j->db);

    snprintf(why, JOURNAL_WHY_CHARS, "%s", sqlite3_errmsg(j->db));
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
        return -EBUSY;
    return code == SQLITE_FULL || code == SQLITE_IOERR ? -ENOSPC : -EIO;
}

int journal_run(struct journal *j, const char *sql, char why[JOURNAL_WHY_CHARS])
{
    return sqlite3_exec(j->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : journal_fail(j, why);
}

void journal_reserve(struct journal *j)
{
    (void)posix_fallocate(j->reserve, 0, JOURNAL_RESERVE);
}

static int
read_number(struct journal *j, const char *sql, int64_t *value, char why[JOURNAL_WHY_CHARS])
{
    sqlite3_stmt *q = NULL;
    int rc = 0;

    if (sqlite3_prepare_v2(j->db, sql, -1, &q, NULL) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW)
        *value = sqlite3_column_int64(q, 0);
    else
        rc = journal_fail(j, why);
    sqlite3_finalize(q);
    return rc;
}

/* A new file gets its tables, one of an older format what it lacks. */
static int bring_up(struct journal *j, char why[JOURNAL_WHY_CHARS])
{
    int64_t format = 0;
    int rc = read_number(j, "PRAGMA user_version", &format, why);

    if (rc != 0)
        return rc;
    if (format > FORMAT) {
        snprintf(why, JOURNAL_WHY_CHARS,
                 "its format is %lld and this program knows up to %d: run the newer program",
                 (long long)format, FORMAT);
        return -ENOTSUP;
    }
    if (format < FORMAT)
        rc = journal_run(j, "BEGIN", why);
    if (rc == 0 && format < 1)
        rc = journal_run(j, schema, why);
    if (rc == 0 && format < 2)
        rc = journal_run(j, keeps, why);
    return rc;
}

static int prepare(struct journal *j, char why[JOURNAL_WHY_CHARS])
{
    for (int i = 0; i < STATEMENTS; i++)
        if (sqlite3_prepare_v3(j->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &j->statements[i],
                               NULL) != SQLITE_OK)
            return journal_fail(j, why);
    return 0;
}

static bool is_named(const char *const *names, const char *name)
{
    while (*names != NULL && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

/* The bits that today's streams have had before. */
static int read_streams(struct journal *j, const char *const *streams, char why[JOURNAL_WHY_CHARS])
{
    sqlite3_stmt *q = NULL;
    int rc = sqlite3_prepare_v2(j->db, "SELECT bit, name FROM streams", -1, &q, NULL);

    while (rc == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW) {
        int bit = sqlite3_column_int(q, 0);
        const char *name = (const char *)sqlite3_column_text(q, 1);

        if (bit < 0 || bit >= JOURNAL_STREAMS || !is_named(streams, name))
            continue;
        j->names[bit] = strdup(name);
        if (j->names[bit] == NULL) { /* to go on without it would forget what it is owed */
            sqlite3_finalize(q);
            return -ENOMEM;
        }
    }
    rc = sqlite3_finalize(q);
    return rc == SQLITE_OK ? 0 : journal_fail(j, why);
}

/* A bit for each of today's streams that has none yet. */
static int add_streams(struct journal *j, const char *const *streams, char why[JOURNAL_WHY_CHARS])
{
    int rc = 0;

    for (; *streams != NULL && rc == 0; streams++) {
        char *sql;
        int bit = 0;

        if (journal_stream(j, *streams) != 0)
            continue;
        while (bit < JOURNAL_STREAMS && j->names[bit] != NULL)
            bit++;
        if (bit == JOURNAL_STREAMS) {
            snprintf(why, JOURNAL_WHY_CHARS, "more than %d streams", JOURNAL_STREAMS);
            return -E2BIG;
        }
        j->names[bit] = strdup(*streams);
        sql = sqlite3_mprintf("INSERT INTO streams VALUES (%d, %Q)", bit, *streams);
        rc = j->names[bit] == NULL || sql == NULL ? -ENOMEM : journal_run(j, sql, why);
        sqlite3_free(sql);
    }
    return rc;
}

/* Streams that are not asked for any more need not acknowledge what is here from before. */
static int take_streams(struct journal *j, const char *const *streams, char why[JOURNAL_WHY_CHARS])
{
    char sql[512];
    unsigned known;
    int rc = read_streams(j, streams, why);

    known = journal_streams(j);
    snprintf(
        sql, sizeof sql,
        "BEGIN; DELETE FROM streams WHERE NOT (%u >> bit & 1); UPDATE telegrams SET owed = owed & "
        "%u WHERE owed != 0 AND owed & ~%u",
        known, known, known);
    if (rc == 0)
        rc = journal_run(j, sql, why);
    if (rc == 0)
        rc = add_streams(j, streams, why);
    return rc == 0 ? journal_run(j, "COMMIT", why) : rc;
}

/*
 * SQLite reads its write-ahead log up to the last whole commit and says nothing about the rest:
 * frames of the same log (https://sqlite.org/fileformat2.html#walformat: salts in the header at
 * octet 16 and in each frame at octet 8) behind the last one that counts.
 */
static void tell_cut(const char *wal, int64_t frames)
{
    enum { HEADER = 32, FRAME = 24 + JOURNAL_PAGE };
    uint8_t header[HEADER], frame[16];
    int fd = open(wal, O_RDONLY | O_CLOEXEC);
    off_t at = HEADER + frames * (off_t)FRAME;
    int64_t octets = 0;

    if (fd < 0)
        return;
    if (pread(fd, header, sizeof header, 0) == sizeof header)
        for (; pread(fd, frame, sizeof frame, at) == sizeof frame &&
               memcmp(frame + 8, header + 16, 8) == 0;
             at += FRAME)
            octets += FRAME;
    close(fd);
    if (octets > 0)
        log_warn("cut", LOG_S("journal", wal), LOG_I("octets", octets),
                 LOG_S("reason", "written in part only, and never acknowledged"));
}

/* Whole commits of the log go into the file; what is behind them is cut. */
static int recover(struct journal *j, const char *wal, char why[JOURNAL_WHY_CHARS])
{
    int frames = 0, moved = 0;

    if (sqlite3_wal_checkpoint_v2(j->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &frames, &moved) !=
            SQLITE_OK &&
        sqlite3_errcode(j->db) != SQLITE_FULL)
        return journal_fail(j, why);
    tell_cut(wal, frames < 0 ? 0 : frames);
    return 0;
}

/* The write-ahead log is synced by a thread of its own, so that an append costs no disk wait. */
static void *sync_main(void *arg)
{
    struct journal *j = arg;
    bool failed;

    pthread_mutex_lock(&j->lock);
    while (!j->stop) {
        struct timespec until;

        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += (j->sync_ms % 1000) * 1000000;
        until.tv_sec += j->sync_ms / 1000 + until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&j->wake, &j->lock, &until);
        if (j->appended == 0)
            continue;
        j->appended = 0;
        pthread_mutex_unlock(&j->lock);
        failed = fdatasync(j->wal) != 0;
        pthread_mutex_lock(&j->lock);
        j->broken |= failed;
    }
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

static int start_sync(struct journal *j, const char *wal, char why[JOURNAL_WHY_CHARS])
{
    j->wal = open(wal, O_RDWR | O_CLOEXEC);
    if (j->wal < 0 || pthread_create(&j->thread, NULL, sync_main, j) != 0) {
        snprintf(why, JOURNAL_WHY_CHARS, "%.100s: %s", wal, strerror(errno));
        return -EIO;
    }
    j->has_thread = true;
    return 0;
}

static int open_file(struct journal *j,
                     const char *path,
                     const char *const *streams,
                     char why[JOURNAL_WHY_CHARS])
{
    char wal[4096];
    int64_t last = 0;
    int rc;

    snprintf(wal, sizeof wal, "%s-reserve", path);
    j->reserve = open(wal, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (j->reserve >= 0)
        (void)!ftruncate(j->reserve, 0); /* opening on a full disk needs room, too */
    snprintf(wal, sizeof wal, "%s-wal", path);
    if (sqlite3_open_v2(path, &j->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX,
                        NULL) != SQLITE_OK)
        return journal_fail(j, why);
    rc = journal_run(
        j,
        "PRAGMA locking_mode = EXCLUSIVE; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA "
        "journal_mode = WAL; PRAGMA journal_size_limit = 8388608; PRAGMA temp_store = MEMORY",
        why);
    if (rc == 0)
        rc = journal_run(
            j, j->sync_ms == 0 ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL", why);
    if (rc == 0)
        rc = bring_up(j, why);
    if (rc == 0)
        rc = recover(j, wal, why);
    if (rc == 0)
        rc = take_streams(j, streams, why);
    if (rc == 0)
        rc = prepare(j, why);
    if (rc == 0)
        rc = read_number(j, "SELECT count(*) FROM telegrams WHERE owed != 0", &j->telegrams, why);
    if (rc == 0)
        rc = read_number(j, "SELECT coalesce(max(seq), 0) FROM entries", &last, why);
    j->next = (uint64_t)last + 1;
    if (rc == 0)
        rc = read_number(j, "SELECT count(*) FROM entries WHERE open = 1", &j->open_entries, why);
    journal_reserve(j);
    return rc == 0 && j->sync_ms > 0 ? start_sync(j, wal, why) : rc;
}

int journal_open(const char *path,
                 int64_t sync_ms,
                 const char *const *streams,
                 struct journal **out,
                 char why[JOURNAL_WHY_CHARS])
{
    struct journal *j = calloc(1, sizeof *j);
    pthread_condattr_t monotonic;
    int rc;

    if (j == NULL)
        return -ENOMEM;
    pthread_mutex_init(&j->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&j->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    j->sync_ms = sync_ms;
    j->wal = j->reserve = -1;
    rc = open_file(j, path, streams, why);
    if (rc != 0) {
        journal_close(j);
        return rc;
    }
    *out = j;
    return 0;
}

void journal_close(struct journal *j)
{
    if (j == NULL)
        return;
    pthread_mutex_lock(&j->lock);
    j->stop = true;
    pthread_cond_signal(&j->wake);
    pthread_mutex_unlock(&j->lock);
    if (j->has_thread)
        pthread_join(j->thread, NULL);
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(j->statements[i]);
    sqlite3_close(j->db);
    if (j->wal >= 0)
        close(j->wal);
    if (j->reserve >= 0)
        close(j->reserve);
    for (int bit = 0; bit < JOURNAL_STREAMS; bit++)
        free(j->names[bit]);
    pthread_cond_destroy(&j->wake);
    pthread_mutex_destroy(&j->lock);
    free(j);
}

int64_t journal_peek(const char *path)
{
    static const char sql[] =
        "SELECT count(*) FROM (SELECT seq FROM entries WHERE open = 1 UNION SELECT seq FROM "
        "telegrams WHERE owed != 0 LIMIT 100000)";
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;
    int64_t n = -EIO;
    int rc = SQLITE_CANTOPEN;

    if (access(path, F_OK) != 0 && errno == ENOENT)
        return 0;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
        (rc = sqlite3_prepare_v2(db, sql, -1, &q, NULL)) == SQLITE_OK &&
        sqlite3_step(q) == SQLITE_ROW)
        n = sqlite3_column_int64(q, 0);
    else if (rc == SQLITE_ERROR) /* no such table: its maker was killed before the first commit */
        n = 0;
    sqlite3_finalize(q);
    sqlite3_close(db);
    return n;
}
