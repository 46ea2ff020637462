/* intake: a payload is in the journal, with what was decided at it, before the broker hears of it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "ingest.h"
#include "log.h"
#include "payload.h"
#include "utf8.h"

enum { PAYLOAD_MAX = 256 * 1024, PATIENCE_MS = 10000 };

static void log_reject(const struct record *r)
{
    char what[TOPIC_CHARS + 40];
    int64_t held;

    snprintf(what, sizeof what, "%s %s", verdict_name(r->verdict), r->topic);
    if (log_allowed(what, &held))
        log_warn("reject", LOG_S("reason", verdict_name(r->verdict)), LOG_S("detail", r->detail),
                 LOG_S("topic", r->topic), LOG_I("octets", r->octets.len), LOG_I("seq", r->seq),
                 LOG_I("suppressed", held));
}

/* Room for one more decided telegram. */
static int grow(struct intake *in)
{
    size_t room = in->room == 0 ? 16 : in->room * 2;
    struct journal_telegram *decided;
    struct fresh **fresh;

    if (in->count < in->room)
        return 0;
    decided = reallocarray(in->decided, room, sizeof *decided);
    if (decided != NULL)
        in->decided = decided;
    fresh = reallocarray(in->fresh, room, sizeof(void *));
    if (fresh != NULL)
        in->fresh = fresh;
    if (decided == NULL || fresh == NULL)
        return -ENOMEM;
    in->room = room;
    return 0;
}

/* Keep the record of one decided telegram until the journal has it. */
static void collect(struct ingest *i)
{
    struct intake *in = &i->intake;
    struct fresh *f = NULL;

    in->packed.len = 0;
    if (grow(in) == 0 && record_pack(&in->record, &in->packed) == 0)
        f = fresh_new(in->record.seq, in->record.index, in->packed.data, in->packed.len);
    if (f == NULL) {
        in->failed = true;
        return;
    }
    in->decided[in->count] = (struct journal_telegram){
        .seq = f->seq,
        .index = f->index,
        .owed = journal_streams(i->journal),
        .record = in->spread ? f->record : NULL,
        .len = in->spread ? f->len : 0,
    };
    in->fresh[in->count++] = f;
}

/* One outcome of reassembly becomes one telegram record. */
static void on_outcome(void *arg, const struct topic_outcome *o)
{
    struct ingest *i = arg;
    struct record *r = &i->intake.record;

    r->seq = o->seq;
    r->index = o->index;
    r->arrival_ms = o->arrival_ms;
    utf8_copy(r->topic, sizeof r->topic, o->topic);
    r->verdict = o->telegram->verdict;
    snprintf(r->detail, sizeof r->detail, "%s", o->telegram->detail);
    r->apdu = (struct view){o->telegram->apdu, o->telegram->apdu_len};
    r->octets = (struct view){o->telegram->octets, o->telegram->octets_len};
    if (r->verdict == VERDICT_OK) {
        svc_count(&i->svc, INGEST_TELEGRAMS, NULL, 1);
    } else {
        svc_count(&i->svc, INGEST_REJECTS, verdict_name(r->verdict), 1);
        log_reject(r);
    }
    collect(i);
}

/* Hand the journalled telegrams to the loop. */
static void release(struct ingest *i)
{
    struct intake *in = &i->intake;

    for (size_t k = 0; k < in->count; k++)
        if (!inbox_add(i->inbox, in->fresh[k]))
            svc_count(&i->svc, INGEST_UNTAKEN, NULL, 1);
    in->count = 0;
}

static void discard(struct intake *in)
{
    for (size_t k = 0; k < in->count; k++)
        free(in->fresh[k]);
    in->count = 0;
}

/*
 * Without the journal there is no acknowledging: the process ends, and the broker sends the payload
 * to its successor.
 */
static void give_up(const char *why)
{
    log_error("journal", LOG_S("reason", why), LOG_S("then", "ending without acknowledging"));
    _exit(EX_SOFTWARE);
}

static void append(struct ingest *i, const struct journal_entry *entry)
{
    int64_t began = clock_monotonic_ms(), until = began + PATIENCE_MS;
    uint64_t open = topics_since(i->intake.topics, entry->topic);
    char why[JOURNAL_WHY_CHARS] = "out of memory";

    if (i->intake.failed)
        give_up(why);
    while (journal_append(i->journal, entry, i->intake.decided, i->intake.count, open, why) != 0) {
        svc_state(&i->svc, "journal", false, why);
        if (clock_monotonic_ms() >= until)
            give_up(why);
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    }
    svc_observe(&i->svc, INGEST_APPEND, NULL, clock_monotonic_ms() - began);
    svc_state(&i->svc, "journal", true, "");
}

/*
 * A replay is one reject: whole link frames, or what came of them. Nothing that is under way on its
 * topic completes it, nor it that.
 */
static int feed(struct ingest *i, const struct journal_entry *e)
{
    struct intake *in = &i->intake;
    struct topics *topics = e->alone ? in->alone : in->topics;
    int rc = topics_feed(topics, e->topic, e->seq, e->arrival_ms, in->octets.data, in->octets.len);

    if (rc == 0 && e->alone)
        topics_expire(topics, INT64_MAX);
    return rc;
}

/* Telegrams of a replay name the reject, and count as sent before: they are never live values. */
static void begin(struct ingest *i, const struct journal_entry *e)
{
    struct intake *in = &i->intake;
    struct record *r = &in->record;

    in->failed = false;
    in->spread = e->alone || topics_since(in->topics, e->topic) != 0;
    memset(r->replays, 0, sizeof r->replays);
    r->attempt = e->alone;
    if (e->alone)
        record_digest(e->payload, e->len, r->replays);
}

/* A payload that is not even octets of a meter is rejected as a whole. */
static void reject_payload(struct ingest *i, const struct journal_entry *e, const char *detail)
{
    const struct telegram_octets whole = {.verdict = VERDICT_NOT_A_FRAME,
                                          .detail = detail,
                                          .octets = e->payload,
                                          .octets_len = e->len};
    const struct topic_outcome outcome = {
        .topic = e->topic, .seq = e->seq, .arrival_ms = e->arrival_ms, .telegram = &whole};

    on_outcome(i, &outcome);
}

int intake_octets(const struct ingest *i,
                  const struct journal_entry *e,
                  struct buf *octets,
                  const char **wrong)
{
    enum payload_form form;

    octets->len = 0;
    if (i->source.octets)
        return buf_add(octets, e->payload, e->len);
    if (e->len > PAYLOAD_MAX) {
        *wrong = "larger than 256 KiB";
        return -EPROTO;
    }
    return payload_octets(e->payload, e->len, octets, &form, wrong);
}

void intake_message(
    void *arg, const char *topic, const void *payload, size_t len, int64_t arrival_ms)
{
    struct ingest *i = arg;
    struct intake *in = &i->intake;
    struct journal_entry e = {.topic = topic,
                              .arrival_ms = arrival_ms < 0 ? clock_utc_ms() : arrival_ms,
                              .clock = clock_synchronised(),
                              .payload = payload,
                              .len = len,
                              .alone = arrival_ms >= 0};
    const char *wrong = "";
    int rc;

    pthread_mutex_lock(&in->lock);
    e.seq = journal_next(i->journal);
    begin(i, &e);
    in->record.clock = e.clock;
    svc_count(&i->svc, INGEST_PAYLOADS, NULL, 1);
    rc = intake_octets(i, &e, &in->octets, &wrong);
    if (rc == -EPROTO)
        reject_payload(i, &e, wrong);
    else if (rc != 0 || feed(i, &e) != 0)
        in->failed = true;
    append(i, &e);
    release(i);
    pthread_mutex_unlock(&in->lock);
}

/*
 * What time decides is added to the entry that was there last. It can wait while the disk is full
 * and while the source's thread has the lock, since the loop must go on and make room; and it has
 * to while the source cannot be heard: the rest of a telegram may wait there.
 */
void intake_expire(struct ingest *i)
{
    struct intake *in = &i->intake;

    if (i->full || pthread_mutex_trylock(&in->lock) != 0)
        return;
    if (!i->source.hears(i->source.arg)) {
        topics_resume(in->topics, clock_utc_ms());
        pthread_mutex_unlock(&in->lock);
        return;
    }
    in->spread = true;
    in->failed = false;
    in->record.attempt = 0;
    memset(in->record.replays, 0, sizeof in->record.replays);
    topics_expire(in->topics, clock_utc_ms());
    for (size_t k = 0; k < in->count && !in->failed; k++)
        in->failed = journal_decide(i->journal, &in->decided[k]) != 0;
    if (in->failed)
        give_up("a telegram that time decided could not be written");
    release(i);
    svc_gauge(&i->svc, INGEST_INCOMPLETE, NULL, (int64_t)topics_pending(in->topics));
    pthread_mutex_unlock(&in->lock);
}

/* Octets that a process before this one took without deciding them. */
static void restore(void *arg, const struct journal_entry *e)
{
    struct ingest *i = arg;
    struct intake *in = &i->intake;
    const char *ignored;
    int rc = intake_octets(i, e, &in->octets, &ignored);

    if (rc == 0)
        rc = topics_restore(in->topics, e->topic, e->seq, e->decided, e->arrival_ms,
                            in->octets.data, in->octets.len);
    in->failed |= rc == -ENOMEM;
}

int intake_open(struct ingest *i)
{
    struct intake *in = &i->intake;
    int rc;

    pthread_mutex_init(&in->lock, NULL);
    in->record.type = RECORD_TELEGRAM;
    memcpy(in->record.origin, i->origin, ORIGIN_OCTETS);
    snprintf(in->record.streams, sizeof in->record.streams, "%s", i->streams_joined);
    in->topics = topics_new(i->reassembly_ms, on_outcome, i);
    in->alone = topics_new(i->reassembly_ms, on_outcome, i);
    if (in->topics == NULL || in->alone == NULL)
        return -ENOMEM;
    topics_resume(in->topics, clock_utc_ms());
    rc = journal_open_entries(i->journal, restore, i);
    return in->failed ? -ENOMEM : rc;
}

void intake_close(struct ingest *i)
{
    struct intake *in = &i->intake;

    discard(in);
    topics_free(in->topics);
    topics_free(in->alone);
    buf_free(&in->octets);
    buf_free(&in->packed);
    free(in->decided);
    free(in->fresh);
}
