/* ingest: payloads in, into the journal, and telegram records out until they are acknowledged. */
#ifndef INGEST_H
#define INGEST_H

#include <pthread.h>

#include "buf.h"
#include "inbox.h"
#include "journal.h"
#include "link.h"
#include "record.h"
#include "svc.h"
#include "topics.h"
#include "window.h"

/** Places of ingest_metrics. */
enum ingest_metric {
    INGEST_PAYLOADS,
    INGEST_TELEGRAMS,
    INGEST_REJECTS,
    INGEST_REDELIVERED,
    INGEST_ACKED,
    INGEST_UNTAKEN,
    INGEST_POISON,
    INGEST_INCOMPLETE,
    INGEST_OWED,
    INGEST_BYTES,
    INGEST_OLDEST,
    INGEST_KEPT,
    INGEST_ON_THE_WAY,
    INGEST_FULL,
    INGEST_LIMIT,
    INGEST_SPACE,
    INGEST_APPEND,
    INGEST_ACK_TIME,
    INGEST_OWN, /* where the service's own begin */
};

/* clang-format off */
/** The first metrics and the first settings of every ingest; m is the member of s. */
#define INGEST_METRICS                                                                                                     \
    [INGEST_PAYLOADS] = {"zaehlwerk_payloads_total", METRIC_COUNTER, NULL, "Payloads taken."},                             \
    [INGEST_TELEGRAMS] = {"zaehlwerk_telegrams_total", METRIC_COUNTER, NULL, "Complete telegrams."},                       \
    [INGEST_REJECTS] = {"zaehlwerk_rejects_total", METRIC_COUNTER, "reason", "Payloads and telegrams that cannot become a reading."}, \
    [INGEST_REDELIVERED] = {"zaehlwerk_redelivered_total", METRIC_COUNTER, NULL, "Telegrams sent again from the journal."}, \
    [INGEST_ACKED] = {"zaehlwerk_acked_total", METRIC_COUNTER, NULL, "Telegrams acknowledged by every stream."}, \
    [INGEST_UNTAKEN] = {"zaehlwerk_untaken_total", METRIC_COUNTER, NULL, "Telegrams that no decryptor took at their arrival."}, \
    [INGEST_POISON] = {"zaehlwerk_poison_total", METRIC_COUNTER, NULL, "Telegrams given up after ten deliveries."},        \
    [INGEST_INCOMPLETE] = {"zaehlwerk_incomplete_topics", METRIC_GAUGE, NULL, "Topics with a telegram whose rest has not come yet."}, \
    [INGEST_OWED] = {"zaehlwerk_journal_telegrams", METRIC_GAUGE, NULL, "Telegrams owed to a stream."},                      \
    [INGEST_BYTES] = {"zaehlwerk_journal_bytes", METRIC_GAUGE, NULL, "Octets in use of the journal."},                     \
    [INGEST_OLDEST] = {"zaehlwerk_journal_oldest_age_seconds", METRIC_GAUGE, NULL, "Age of the oldest payload that is owed or not whole yet."}, \
    [INGEST_KEPT] = {"zaehlwerk_journal_kept_age_seconds", METRIC_GAUGE, NULL, "How far back JOURNAL_REFILL_SINCE can reach: age of the oldest payload kept."}, \
    [INGEST_ON_THE_WAY] = {"zaehlwerk_telegrams_in_flight", METRIC_GAUGE, NULL, "Telegrams sent and not acknowledged yet."},        \
    [INGEST_FULL] = {"zaehlwerk_journal_full", METRIC_GAUGE, NULL, "1 while nothing more is taken, for want of room in the journal."}, \
    [INGEST_LIMIT] = {"zaehlwerk_journal_limit_bytes", METRIC_GAUGE, NULL, "JOURNAL_MAX_BYTES."}, \
    [INGEST_SPACE] = {"zaehlwerk_journal_free_bytes", METRIC_GAUGE, NULL, "Octets that the journal's file system still takes."}, \
    [INGEST_APPEND] = {"zaehlwerk_journal_append_seconds", METRIC_DURATIONS, NULL, "Time until a payload was in the journal; its source waits for it."}, \
    [INGEST_ACK_TIME] = {"zaehlwerk_ack_seconds", METRIC_DURATIONS, "stream", "Time from a telegram's first sending to its ack, by stream."}

#define INGEST_OPTIONS(s, m, endpoint)                                                                                    \
    CONF_TEXT_OPTION("DURABLE_STREAMS", s, m.streams_text, "history,debounced", "streams that must acknowledge each telegram"), \
    CONF_NUMBER_OPTION("REASSEMBLY_MS", s, m.reassembly_ms, "3000", 100, 60000, "how long the rest of a telegram may take"), \
    CONF_NUMBER_OPTION("JOURNAL_SYNC_MS", s, m.journal_sync_ms, "50", 0, 60000, "what a power cut may cost; 0: nothing, each message is synced"), \
    CONF_NUMBER_OPTION("JOURNAL_MAX_BYTES", s, m.journal_max_bytes, "1073741824", 1048576, 1099511627776, "at 90 % of it nothing more is taken"), \
    CONF_NUMBER_OPTION("JOURNAL_KEEP_HOURS", s, m.journal_keep_hours, "48", 0, 8760, "how long the journal keeps what is stored, in half of its room at most, for a restored database"), \
    CONF_TEXT_OPTION("JOURNAL_REFILL_SINCE", s, m.refill_since, "", "store again what has arrived since, as 2026-11-24T03:00:00Z; once"), \
    CONF_NUMBER_OPTION("INGEST_WINDOW", s, m.window_max, "8192", 64, 1000000, "telegrams on their way, remembered in memory"), \
    CONF_CONNECT_OPTION("ACKS_CONNECT", s, m.acks_connect, "tcp://db-writer:5580,tcp://debouncer:5571", "db-writers and debouncers"), \
    CONF_BIND_OPTION("TELEGRAMS_BIND", s, m.bind, endpoint, "where decryptors connect")
/* clang-format on */

/** Where the payloads come from: the broker, or a line. All are called from the loop. */
struct ingest_source {
    bool (*hears)(void *arg); /* true: what was sent has come, so patience with the rest runs */
    void (*hold)(void *arg, bool hold); /* take nothing while true: the journal is full */
    void (*step)(void *arg, int64_t now_ms);
    bool octets;      /* payloads are the meter's octets themselves, whatever they look like */
    const char *held; /* what becomes of payloads meanwhile, for the log */
    void *arg;
};

/** What the source's thread works with, under the lock. */
struct intake {
    pthread_mutex_t lock;
    struct topics *topics;
    struct topics *alone; /* for a replay, one payload at a time */
    struct buf octets;    /* of the payload in work */
    struct buf packed;
    struct record record;
    struct journal_telegram *decided; /* of the payload in work */
    struct fresh **fresh;
    size_t count, room;
    bool spread; /* the payload alone does not tell what is decided now */
    bool failed; /* out of memory */
};

/** What the loop sends again with. */
struct resend {
    struct topics *topics; /* for one payload at a time */
    struct buf octets;
    struct buf packed;
    struct record record;
    struct record_memory memory;
    struct window_telegram wanted;
    bool built;
    bool refused; /* no decryptor takes anything now */
    uint64_t seq; /* how far the journal was read */
    uint32_t index;
    uint64_t aged, aging; /* entries before these are older than the time-out, and will be */
    int64_t aging_ms;
};

struct ingest {
    struct svc svc;
    char *streams_text;
    char *bind;
    char *acks_connect;
    int64_t journal_sync_ms;
    int64_t journal_max_bytes;
    int64_t journal_keep_hours;
    char *refill_since;
    int64_t reassembly_ms;
    int64_t window_max;

    struct ingest_source source;
    char **streams;
    char streams_joined[STREAMS_CHARS + 1]; /* with commas alone, as records have them */
    uint8_t origin[ORIGIN_OCTETS];
    struct link *telegrams, *acks;
    struct journal *journal;
    struct inbox *inbox;
    struct window *window;
    struct fresh *waiting, **waiting_end; /* for a decryptor, oldest first */
    size_t waiting_count, waiting_octets;
    struct intake intake;
    struct resend resend;
    struct buf ack_list; /* of struct journal_ack */
    /* What was sent under this origin, and so may be acknowledged: entries of before it up to
     * sent_old, and its own, from first_new to sent_new. */
    uint64_t first_new, sent_old, sent_new;
    int64_t measured_ms, trim_ms, trim_pause_ms, rescan_ms;
    int64_t oldest_ms; /* arrival of what is owed the longest; 0: nothing is */
    bool full;
    bool unreadable; /* the journal, as far as measured */
    bool crowded;    /* the journal has no room for what is settled */
};

/** The settings that conf cannot judge: 0, or -EINVAL and logged. */
int ingest_check(const struct ingest *i);

/**
 * Open the journal of this file, the streams and the loop; payloads may come from then on. Returns
 * 0; -EINVAL for a wrong setting, logged; another negative errno.
 */
int ingest_open(struct ingest *i, const char *journal, const struct ingest_source *source)
    __attribute__((warn_unused_result));

/**
 * Hand over what is in memory, then close all but svc; the rest stays in the journal. The source is
 * closed before. Takes a zeroed struct.
 */
void ingest_close(struct ingest *i);

/** A telegram of this entry was sent: its acks count from now on. */
void ingest_note_sent(struct ingest *i, uint64_t seq);

/* The parts of an ingest, each in a file of its own. */

/** intake.c: the source's side. */
int intake_open(struct ingest *i) __attribute__((warn_unused_result));
void intake_close(struct ingest *i);

/**
 * Take one payload, from a thread other than the loop's; it is in the journal when this returns.
 * arg: the ingest. arrival_ms: of a replay; -1: now.
 */
void intake_message(
    void *arg, const char *topic, const void *payload, size_t len, int64_t arrival_ms);
void intake_expire(struct ingest *i);

/** The octets that a payload stands for, put into octets: 0; -EPROTO and in *wrong why it stands
 * for none; -ENOMEM. */
int intake_octets(const struct ingest *i,
                  const struct journal_entry *e,
                  struct buf *octets,
                  const char **wrong) __attribute__((warn_unused_result));

/** resend.c: the journal's side of delivery. */
int resend_open(struct ingest *i) __attribute__((warn_unused_result));
void resend_close(struct ingest *i);

/** Send again what is due, then what the journal holds besides, as far as there is room. */
void resend_step(struct ingest *i);

#endif
