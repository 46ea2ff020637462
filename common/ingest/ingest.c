#include "ingest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "clock.h"
#include "instant.h"
#include "live.h"
#include "log.h"

enum {
    STEP_MS = 250,
    RESEND_MS = 20,
    MEASURE_MS = 1000,
    TRIM_AGAIN_MS = 60000,
    FULL_PERCENT = 90,
    ROOM_PERCENT = 70
};
#define HOUR_MS    INT64_C(3600000)
#define FULL_SPACE INT64_C(4194304) /* left on the file system: about one log of SQLite's */
#define ROOM_SPACE INT64_C(5242880)

/* Forget the oldest telegram that waits for a decryptor. */
static void drop_waiting(struct ingest *i)
{
    struct fresh *f = i->waiting;

    i->waiting = f->next;
    if (i->waiting == NULL)
        i->waiting_end = &i->waiting;
    i->waiting_count--;
    i->waiting_octets -= f->len;
    free(f);
}

void ingest_note_sent(struct ingest *i, uint64_t seq)
{
    uint64_t *upto = seq < i->first_new ? &i->sent_old : &i->sent_new;

    if (seq > *upto)
        *upto = seq;
}

/*
 * Every telegram is sent once at its arrival, whatever the backlog. While the decryptors take
 * nothing the newest wait here, at most a window of them; older ones come from the journal.
 */
static void send_fresh(struct ingest *i)
{
    while (i->waiting != NULL) {
        struct fresh *f = i->waiting;
        const struct window_telegram t = {
            .seq = f->seq, .index = f->index, .owed = journal_streams(i->journal)};

        if (link_put(i->telegrams, f->record, f->len) != 0)
            break;
        (void)window_sent(i->window, &t, clock_monotonic_ms());
        ingest_note_sent(i, f->seq);
        drop_waiting(i);
    }
    (void)link_flush(i->telegrams);
}

static void on_inbox(void *arg)
{
    struct ingest *i = arg;
    struct fresh *f;

    while ((f = inbox_take(i->inbox)) != NULL) {
        while (i->waiting != NULL && (i->waiting_count == (size_t)i->window_max ||
                                      i->waiting_octets + f->len > INBOX_OCTETS)) {
            drop_waiting(i);
            svc_count(&i->svc, INGEST_UNTAKEN, NULL, 1);
        }
        f->next = NULL;
        *i->waiting_end = f;
        i->waiting_end = &f->next;
        i->waiting_count++;
        i->waiting_octets += f->len;
    }
    send_fresh(i);
}

/* Note what an ack says of the entries from `from` to `to`; others were never sent. */
static void take_ack(
    struct ingest *i, const struct ack_range *range, unsigned stream, uint64_t from, uint64_t to)
{
    const struct journal_ack ack = {
        .first = range->first > from ? range->first : from,
        .last = range->last < to ? range->last : to,
        .index = range->index,
        .stream = stream,
    };

    if (ack.first > ack.last)
        return;
    window_ack(i->window, ack.first, ack.last, ack.index, stream, clock_monotonic_ms());
    (void)!buf_add(&i->ack_list, &ack, sizeof ack); /* out of memory: they come again */
}

static bool
on_ack(void *arg, const uint8_t *topic, size_t topic_len, const uint8_t *octets, size_t len)
{
    struct ingest *i = arg;
    struct resend *r = &i->resend;
    unsigned stream;
    size_t at = 0;

    (void)topic;
    (void)topic_len;
    if (record_unpack(octets, len, &at, &r->record, &r->memory) != 0 ||
        r->record.type != RECORD_ACK || memcmp(r->record.origin, i->origin, ORIGIN_OCTETS) != 0)
        return true; /* not for this journal: subscriptions match prefixes only */
    stream = journal_stream(i->journal, r->record.stream);
    for (size_t k = 0; k < r->record.range_count && stream != 0; k++) {
        take_ack(i, &r->record.ranges[k], stream, 1, i->sent_old);
        take_ack(i, &r->record.ranges[k], stream, i->first_new, i->sent_new);
    }
    return true;
}

static void on_acks_drained(void *arg)
{
    struct ingest *i = arg;
    size_t n = i->ack_list.len / sizeof(struct journal_ack);
    int64_t left =
        n == 0 ? 0
               : journal_ack(i->journal, (const struct journal_ack *)(void *)i->ack_list.data, n);

    i->ack_list.len = 0;
    if (left > 0)
        svc_count(&i->svc, INGEST_ACKED, NULL, left);
}

static void on_acked(void *arg, int stream, int64_t ms)
{
    struct ingest *i = arg;

    svc_observe(&i->svc, INGEST_ACK_TIME, i->streams[stream], ms);
}

static void on_resend(void *arg)
{
    send_fresh(arg);
    resend_step(arg);
}

/* Full at 90 %: the source has to wait, if it can; on at 70 %. */
static void measure(struct ingest *i)
{
    struct journal_level level;
    bool full;

    if (journal_measure(i->journal, &level) != 0) {
        if (!i->unreadable)
            svc_state(&i->svc, "journal file", false, "it cannot be read");
        i->unreadable = true;
        return;
    }
    if (i->unreadable)
        svc_state(&i->svc, "journal file", true, "");
    i->unreadable = false;
    i->oldest_ms = level.oldest_ms;
    svc_gauge(&i->svc, INGEST_OWED, NULL, level.telegrams);
    svc_gauge(&i->svc, INGEST_BYTES, NULL, level.bytes);
    svc_gauge(&i->svc, INGEST_OLDEST, NULL,
              level.oldest_ms == 0 ? 0 : (clock_utc_ms() - level.oldest_ms) / 1000);
    svc_gauge(&i->svc, INGEST_KEPT, NULL,
              level.kept_ms == 0 ? 0 : (clock_utc_ms() - level.kept_ms) / 1000);
    i->crowded = level.bytes >= i->journal_max_bytes / 2 || level.bytes >= level.space;
    svc_gauge(&i->svc, INGEST_LIMIT, NULL, i->journal_max_bytes);
    svc_gauge(&i->svc, INGEST_SPACE, NULL, level.space);
    svc_gauge(&i->svc, INGEST_ON_THE_WAY, NULL, (int64_t)window_count(i->window));
    full = level.bytes >= i->journal_max_bytes / 100 * (i->full ? ROOM_PERCENT : FULL_PERCENT) ||
           level.space < (i->full ? ROOM_SPACE : FULL_SPACE);
    svc_gauge(&i->svc, INGEST_FULL, NULL, full);
    if (full != i->full) {
        i->full = full;
        svc_state(&i->svc, "journal room", !full, full ? i->source.held : "");
        i->source.hold(i->source.arg, full);
    }
}

/*
 * What is kept takes half of the room at most. While the database is away, the hours do not run. A
 * disk that fails is not asked all the time; at once only when it was full and the reserve is free.
 */
static void trim(struct ingest *i, int64_t now)
{
    bool keep = i->journal_keep_hours > 0 && !i->crowded;
    int64_t from_ms = clock_utc_ms();

    if (now < i->trim_ms)
        return;
    if (i->oldest_ms != 0 && i->oldest_ms < from_ms)
        from_ms = i->oldest_ms;
    if (journal_trim(i->journal, keep ? from_ms - i->journal_keep_hours * HOUR_MS : INT64_MAX) ==
        0) {
        i->trim_pause_ms = 0;
    } else {
        i->trim_ms = now + i->trim_pause_ms;
        i->trim_pause_ms = TRIM_AGAIN_MS;
    }
}

static void on_step(void *arg)
{
    struct ingest *i = arg;
    int64_t now = clock_monotonic_ms();

    intake_expire(i);
    trim(i, now);
    if (i->crowded || now - i->measured_ms >= MEASURE_MS) {
        i->measured_ms = now;
        measure(i);
    }
    i->source.step(i->source.arg, now);
}

static int open_journal(struct ingest *i, const char *path)
{
    char why[JOURNAL_WHY_CHARS] = "", wrong[400];
    int rc =
        journal_open(path, i->journal_sync_ms, (const char *const *)i->streams, &i->journal, why);

    if (rc == 0) {
        i->first_new = i->resend.aged = i->resend.aging = journal_next(i->journal);
    } else if (rc == -E2BIG) {
        rc = conf_wrong("DURABLE_STREAMS", i->streams_text, "at most 16 streams");
    } else if (rc == -ENOSPC) { /* no setting is wrong, and it may be well at the next start */
        log_error("journal", LOG_S("file", path), LOG_S("reason", why));
        rc = -EIO;
    } else if (rc != -ENOMEM) {
        snprintf(wrong, sizeof wrong, "%.200s: %s", path, why);
        rc = conf_wrong("JOURNAL_PATH", wrong, "a folder that ingests alone write to");
    }
    return rc;
}

int ingest_check(const struct ingest *i)
{
    int64_t since;

    return i->refill_since[0] == '\0' || instant_parse(i->refill_since, &since)
               ? 0
               : conf_wrong("JOURNAL_REFILL_SINCE", i->refill_since,
                            "a time in UTC, as 2026-11-24T03:00:00Z");
}

/* A database was restored: what it may lack is owed again. What comes now is not to wait for that.
 */
static void refill(struct ingest *i)
{
    int64_t since, n;

    if (!instant_parse(i->refill_since, &since))
        return;
    n = journal_refill(i->journal, since * 1000);
    if (n == -EALREADY)
        log_warn(
            "refill", LOG_S("since", i->refill_since),
            LOG_S("reason", "was done before: for another restore give a time a second earlier"));
    else if (n < 0)
        log_error("refill", LOG_S("since", i->refill_since),
                  LOG_S("reason", "could not be written; the next start tries again"));
    else
        log_info("refill", LOG_S("since", i->refill_since), LOG_I("telegrams", n));
}

static int open_streams(struct ingest *i)
{
    i->streams = conf_list(i->streams_text);
    if (i->streams == NULL)
        return -ENOMEM;
    if (i->streams[0] == NULL)
        return conf_wrong("DURABLE_STREAMS", "empty", "history,debounced");
    for (char **s = i->streams; *s != NULL; s++) {
        size_t n = strlen(i->streams_joined), room = sizeof i->streams_joined - n;

        if ((size_t)snprintf(i->streams_joined + n, room, "%s%s", n == 0 ? "" : ",", *s) >= room)
            return conf_wrong("DURABLE_STREAMS", i->streams_text, "at most 127 characters");
    }
    return 0;
}

static int open_links(struct ingest *i)
{
    const struct link_consumer acks = {on_ack, on_acks_drained, i};
    int rc = link_bind(&i->svc, LINK_STREAM, "TELEGRAMS_BIND", i->bind, &i->telegrams);

    if (rc == 0)
        rc = link_connect(&i->svc, LINK_TOPICS, "ACKS_CONNECT", i->acks_connect, &acks, &i->acks);
    if (rc == 0)
        rc = link_subscribe(i->acks, i->origin, ORIGIN_OCTETS);
    return rc;
}

static int open_loop(struct ingest *i)
{
    if (svc_on_readable(&i->svc, inbox_fd(i->inbox), on_inbox, i) != 0 ||
        svc_every(&i->svc, STEP_MS, on_step, i) != 0 ||
        svc_every(&i->svc, RESEND_MS, on_resend, i) != 0)
        return -ENOMEM;
    return 0;
}

int ingest_open(struct ingest *i, const char *journal, const struct ingest_source *source)
{
    int rc;

    i->source = *source;
    if (getrandom(i->origin, ORIGIN_OCTETS, 0) != ORIGIN_OCTETS)
        return -EIO;
    i->waiting_end = &i->waiting;
    i->inbox = inbox_new((size_t)i->window_max);
    i->window = window_new((size_t)i->window_max);
    if (i->inbox == NULL || i->window == NULL)
        return -ENOMEM;
    window_listen(i->window, on_acked, i);
    rc = open_streams(i);
    if (rc == 0)
        rc = open_journal(i, journal);
    if (rc == 0) {
        refill(i);
        rc = intake_open(i);
    }
    if (rc == 0)
        rc = resend_open(i);
    if (rc == 0)
        rc = open_links(i);
    if (rc != 0)
        return rc;
    svc_state(&i->svc, "journal", true, "");
    measure(i);
    return open_loop(i);
}

void ingest_close(struct ingest *i)
{
    if (i->telegrams != NULL && i->window != NULL)
        on_inbox(i);
    while (i->waiting != NULL)
        drop_waiting(i);
    link_free(i->telegrams);
    link_free(i->acks);
    intake_close(i);
    resend_close(i);
    journal_close(i->journal);
    inbox_free(i->inbox);
    window_free(i->window);
    buf_free(&i->ack_list);
    free(i->streams);
}
