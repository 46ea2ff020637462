/* journal: what was acknowledged to the broker and is still owed to the streams, on disk; and what
 * was settled of late, for a database that is restored from a backup. */
#ifndef JOURNAL_H
#define JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * One SQLite file (WAL, exclusive). An entry is one MQTT payload; a telegram is one outcome that
 * was decided at an entry's arrival, owed to a set of streams. It is settled when it is owed to
 * none. An entry leaves when its telegrams are settled, none of its octets waits for the rest of a
 * telegram, and journal_trim says so.
 *
 * All calls are thread-safe.
 */
struct journal;

#define JOURNAL_STREAMS   16 /* a bit each */
#define JOURNAL_WHY_CHARS 160

/** One outcome of an entry. */
struct journal_telegram {
    uint64_t seq;   /* its entry */
    uint32_t index; /* within the entry */
    unsigned owed;  /* bit i: stream i */
    const uint8_t
        *record; /* what to send, when the entry's payload alone does not tell; else NULL */
    size_t len;
};

/** One payload, as read back; the views live until the callback returns. */
struct journal_entry {
    uint64_t seq;
    uint32_t decided; /* journal_open_entries: the index of what would be decided next */
    const char *topic;
    int64_t arrival_ms;
    bool clock; /* the kernel knew that its time was right then */
    const uint8_t *payload;
    size_t len;
    bool alone; /* appending: a replay, which no other payload of its topic completes */
};

/**
 * Open or make the journal file.
 *
 * sync_ms   0: every append is on disk before it returns (power-safe); else it is within so many
 *           ms.
 * streams   those of today, NULL-terminated: telegrams of before owe none but these.
 * A tail that was not written whole (a kill, a power cut) is cut off, and logged.
 * Returns 0; -EBUSY when another process has it; -ENOTSUP when a newer program made it; -E2BIG for
 * too many streams; -ENOSPC when the disk fails or is full; -EIO for anything else that is wrong
 * with the file; and *why for each.
 */
int journal_open(const char *path,
                 int64_t sync_ms,
                 const char *const *streams,
                 struct journal **out,
                 char why[JOURNAL_WHY_CHARS]) __attribute__((warn_unused_result));
void journal_close(struct journal *j);

/** The bit of a stream, 0 for one that is not of today; and all bits. */
unsigned journal_stream(const struct journal *j, const char *name);
unsigned journal_streams(const struct journal *j);

/** The number that the next append will use. */
uint64_t journal_next(struct journal *j);

/**
 * Append one payload and what was decided at its arrival, in one commit.
 *
 * open   the entry with the oldest octets of this topic that wait for the rest of their telegram;
 *        0: there are none. Entries from there on stay until a later append or journal_decide
 *        settles them. An entry that is not open and decides nothing is not kept.
 * Returns 0, or -EIO with *why and nothing changed: call again.
 */
int journal_append(struct journal *j,
                   const struct journal_entry *entry,
                   const struct journal_telegram *telegrams,
                   size_t n,
                   uint64_t open,
                   char why[JOURNAL_WHY_CHARS]) __attribute__((warn_unused_result));

/** Add a telegram that time decided, with its record; the topic of its entry has no open octets
 * then. */
int journal_decide(struct journal *j, const struct journal_telegram *t)
    __attribute__((warn_unused_result));

/** A batch of acknowledgements; commit makes them last. */
struct journal_ack {
    uint64_t first, last;
    uint32_t index;
    unsigned stream; /* bit */
};

/**
 * Take acknowledgements, in one transaction. Returns the number of telegrams that they settled, or
 * -EIO.
 */
int64_t journal_ack(struct journal *j, const struct journal_ack *acks, size_t n);

/**
 * Settled telegrams that arrived before leave, oldest first, 2000 entries in a call at most; later
 * ones stay. INT64_MAX: once nothing is kept any more, journal_ack drops what it settles. Returns
 * 0, or -EIO: later.
 */
int journal_trim(struct journal *j, int64_t before_ms);

/**
 * Owe every stream again what has arrived since and is still here; once for each since_ms, also
 * over restarts. Returns how many telegrams are owed by it, -EALREADY when it was done before, or
 * -EIO.
 */
int64_t journal_refill(struct journal *j, int64_t since_ms);

/** What there is to send of one telegram. Views live until the callback returns. */
struct journal_owed {
    struct journal_telegram telegram;
    struct journal_entry entry;
};

typedef void journal_visit_owed(void *arg, const struct journal_owed *owed);

/** Visit the telegrams after (seq, index) of entries before `before`, in order, at most max. */
size_t journal_owed_after(struct journal *j,
                          uint64_t seq,
                          uint32_t index,
                          uint64_t before,
                          size_t max,
                          journal_visit_owed *visit,
                          void *arg);

/** Visit one telegram; false when it is there no more. (One that cannot be read is: logged.) */
bool journal_find(
    struct journal *j, uint64_t seq, uint32_t index, journal_visit_owed *visit, void *arg);

typedef void journal_visit_entry(void *arg, const struct journal_entry *entry);

/** Visit the entries whose octets wait for the rest of their telegram, in order. 0, or -EIO,
 * logged.
 */
int journal_open_entries(struct journal *j, journal_visit_entry *visit, void *arg);

/** How much there is: telegrams owed, octets in use, the oldest arrival of what is owed or open and
 * of what is kept (0: none), and how many octets more can be written. */
struct journal_level {
    int64_t telegrams, bytes, oldest_ms, kept_ms, space;
};

/** 0; a negative errno when the file cannot be read: then what it holds is not known. */
int journal_measure(struct journal *j, struct journal_level *level);

/**
 * How many entries with something owed or open the journal in a file holds that nobody has open
 * (the caller sees to that), counted up to 100000, without changing it; 0 when there is no file,
 * -EIO when it cannot be read.
 */
int64_t journal_peek(const char *path);

#endif
