/* ingest: MQTT payloads in, into the journal, and telegram records out until they are acknowledged.
 */
#ifndef INGEST_H
#define INGEST_H

#include <pthread.h>

#include "buf.h"
#include "inbox.h"
#include "journal.h"
#include "link.h"
#include "mqtt.h"
#include "record.h"
#include "retire.h"
#include "slots.h"
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
    INGEST_ON_THE_WAY,
    INGEST_FULL,
    INGEST_ORPHANS,
    INGEST_UNSERVED,
};

extern const struct metric_def ingest_metrics[];
extern const struct conf_option ingest_options[];
extern const struct svc_info ingest_info;

/** What paho's thread works with, under the lock. */
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

struct neighbour {
    bool seen; /* in trouble at the last look */
    int64_t warned_ms;
};

/** What is known of the other slots. */
struct neighbours {
    int64_t next_ms;
    bool noted;      /* that the slot's filters are subscribed */
    char **leftover; /* filters of earlier settings that the session still has */
    struct neighbour list[SLOTS_MAX];
};

struct ingest {
    struct svc svc;
    struct mqtt_conf mqtt_conf;
    char *client_id;
    char *raw_topics;
    char *values_topic;
    char *streams_text;
    char *bind;
    char *acks_connect;
    struct slots_conf slots;
    int64_t journal_sync_ms;
    int64_t journal_max_bytes;
    int64_t reassembly_ms;
    int64_t window_max;

    struct retire retire;
    struct slot slot;
    char *session;  /* the client id of the slot */
    char **filters; /* all */
    char **own;     /* those of the slot */
    struct neighbours neighbours;
    char **streams;
    char streams_joined[STREAMS_CHARS + 1]; /* with commas alone, as records have them */
    uint8_t origin[ORIGIN_OCTETS];
    struct mqtt *mqtt;
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
    int64_t measured_ms, rescan_ms;
    bool full;
};

/** Refuse settings under which the service would read its own output, or its slots do not fit. */
int ingest_check(void *self);

int ingest_open(struct ingest *i) __attribute__((warn_unused_result));

/** Hand over what is in memory, then close; the rest stays in the journal. Takes a zeroed struct.
 */
void ingest_close(struct ingest *i);

/** A telegram of this entry was sent: its acks count from now on. */
void ingest_note_sent(struct ingest *i, uint64_t seq);

/* The parts of an ingest, each in a file of its own. */

/** intake.c: paho's side. */
int intake_open(struct ingest *i) __attribute__((warn_unused_result));
void intake_close(struct ingest *i);
void intake_message(
    void *arg, const char *topic, const void *payload, size_t len, int64_t arrival_ms);
void intake_expire(struct ingest *i);

/** The octets that a payload stands for, put into octets: 0; -EPROTO and in *wrong why it stands
 * for none; -ENOMEM. */
int intake_octets(const struct journal_entry *e, struct buf *octets, const char **wrong)
    __attribute__((warn_unused_result));

/** replicas.c: the slot of this ingest, and an eye on those of others. */
int replicas_open(struct ingest *i) __attribute__((warn_unused_result));
void replicas_close(struct ingest *i);
void replicas_step(struct ingest *i, int64_t now_ms);

/** resend.c: the journal's side of delivery. */
int resend_open(struct ingest *i) __attribute__((warn_unused_result));
void resend_close(struct ingest *i);

/** Send again what is due, then what the journal holds besides, as far as there is room. */
void resend_step(struct ingest *i);

#endif
