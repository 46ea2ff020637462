/* resend: what is not acknowledged comes again from the journal, oldest first. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "ingest.h"
#include "log.h"
#include "utf8.h"

enum { TURN = 256, RESCAN_MS = 1000 };

static bool wanted(const struct resend *r, uint64_t seq, uint32_t index)
{
    return r->wanted.seq == seq && r->wanted.index == index;
}

/* Give the record in work this delivery's identity and pack it. */
static void pack(struct ingest *i)
{
    struct resend *r = &i->resend;

    r->record.type = RECORD_TELEGRAM;
    memcpy(r->record.origin, i->origin, ORIGIN_OCTETS);
    snprintf(r->record.streams, sizeof r->record.streams, "%s", i->streams_joined);
    r->record.seq = r->wanted.seq;
    r->record.index = r->wanted.index;
    r->record.attempt = r->wanted.attempt;
    if (r->wanted.failures >= WINDOW_POISON) {
        r->record.verdict = VERDICT_POISON;
        r->record.apdu = (struct view){NULL, 0};
        snprintf(r->record.detail, sizeof r->record.detail, "never acknowledged in %u attempts",
                 (unsigned)r->wanted.attempt);
    }
    r->packed.len = 0;
    r->built = record_pack(&r->record, &r->packed) == 0;
}

/* The same outcome as at the payload's arrival, out of the payload alone. */
static void on_outcome(void *arg, const struct topic_outcome *o)
{
    struct ingest *i = arg;
    struct record *r = &i->resend.record;

    if (!wanted(&i->resend, o->seq, o->index) || i->resend.built)
        return;
    r->verdict = o->telegram->verdict;
    snprintf(r->detail, sizeof r->detail, "%s", o->telegram->detail);
    r->apdu = (struct view){o->telegram->apdu, o->telegram->apdu_len};
    r->octets = (struct view){o->telegram->octets, o->telegram->octets_len};
    pack(i);
}

/* Returns 0, though perhaps nothing was built, or -ENOMEM. */
static int rebuild(struct ingest *i, const struct journal_entry *e)
{
    struct resend *r = &i->resend;
    const char *wrong = NULL;
    int rc = intake_octets(i, e, &r->octets, &wrong);
    const struct telegram_octets whole = {.verdict = VERDICT_NOT_A_FRAME,
                                          .detail = wrong,
                                          .octets = e->payload,
                                          .octets_len = e->len};
    const struct topic_outcome outcome = {.seq = e->seq, .telegram = &whole};

    r->record = (struct record){.arrival_ms = e->arrival_ms, .clock = e->clock};
    utf8_copy(r->record.topic, sizeof r->record.topic, e->topic);
    if (rc == -EPROTO) {
        on_outcome(i, &outcome);
        return 0;
    }
    if (rc == 0)
        rc = topics_feed(r->topics, e->topic, e->seq, e->arrival_ms, r->octets.data, r->octets.len);
    if (rc == 0)
        topics_expire(r->topics, INT64_MAX); /* what was completed later is not asked for here */
    return rc;
}

/* What this program reads otherwise than the one that took it: kept whole, as a reject. */
static void give_up(struct ingest *i, const struct journal_entry *e)
{
    struct record *r = &i->resend.record;

    log_error("reject", LOG_S("reason", verdict_name(VERDICT_NOT_A_FRAME)),
              LOG_S("topic", e->topic), LOG_S("detail", "the journal's entry cannot be read again"),
              LOG_I("seq", e->seq));
    *r = (struct record){.arrival_ms = e->arrival_ms,
                         .verdict = VERDICT_NOT_A_FRAME,
                         .detail = "the journal's entry cannot be read again",
                         .octets = {e->payload, e->len}};
    utf8_copy(r->topic, sizeof r->topic, e->topic);
    pack(i);
}

/* Build the record of one owed telegram into r->packed; without memory, later. */
static void build(void *arg, const struct journal_owed *owed)
{
    struct ingest *i = arg;
    struct resend *r = &i->resend;
    size_t at = 0;
    int rc;

    r->built = false;
    if (owed->telegram.record == NULL) {
        rc = rebuild(i, &owed->entry);
    } else {
        rc = record_unpack(owed->telegram.record, owed->telegram.len, &at, &r->record, &r->memory);
        if (rc == 0)
            pack(i);
    }
    if (!r->built && rc != -ENOMEM)
        give_up(i, &owed->entry);
}

/* One that failed often goes in a message of its own, lest it take others along. */
static bool put(struct ingest *i)
{
    struct resend *r = &i->resend;
    bool alone = r->wanted.failures >= WINDOW_ALONE_AFTER;

    if (!r->built)
        return false;
    if (alone && link_flush(i->telegrams) != 0)
        return false;
    if (link_put(i->telegrams, r->packed.data, r->packed.len) != 0)
        return false;
    if (alone)
        (void)link_flush(i->telegrams);
    return true;
}

/* Due ones first: they are older than anything that is not in the window. */
static void send_due(struct ingest *i)
{
    struct resend *r = &i->resend;
    struct window_telegram due[TURN];
    size_t n = window_due(i->window, clock_monotonic_ms(), due, TURN);

    for (size_t k = 0; k < n; k++) {
        r->wanted = due[k];
        r->built = false;
        if (!journal_find(i->journal, due[k].seq, due[k].index, build, i)) {
            window_forget(i->window, due[k].seq, due[k].index);
            continue;
        }
        if (r->refused || !put(i)) {
            r->refused = true;
            window_unsent(i->window, &due[k]);
            continue;
        }
        svc_count(&i->svc, INGEST_REDELIVERED, NULL, 1);
        if (due[k].failures == WINDOW_POISON) {
            svc_count(&i->svc, INGEST_POISON, NULL, 1);
            log_error("poison", LOG_I("seq", due[k].seq), LOG_I("index", due[k].index),
                      LOG_S("topic", r->record.topic));
        }
    }
}

/* Waiting for its first sending; the list is in order of seq, but for what time decided. */
static bool is_waiting(const struct ingest *i, uint64_t seq, uint32_t index)
{
    const struct fresh *f = i->waiting;

    return f != NULL && (seq > f->seq || (seq == f->seq && index >= f->index));
}

/* A telegram of the journal that the window does not know: sent once at arrival, or never. */
static void send_owed(void *arg, const struct journal_owed *owed)
{
    struct ingest *i = arg;
    struct resend *r = &i->resend;

    if (r->refused)
        return;
    r->seq = owed->telegram.seq;
    r->index = owed->telegram.index;
    if (window_has(i->window, r->seq, r->index) || is_waiting(i, r->seq, r->index))
        return;
    r->wanted = (struct window_telegram){
        .seq = r->seq, .index = r->index, .attempt = 1, .owed = owed->telegram.owed};
    build(i, owed);
    if (!put(i)) {
        r->refused = true;
        r->seq = owed->telegram.seq - 1; /* again from here */
        r->index = UINT32_MAX;
        return;
    }
    (void)window_sent(i->window, &r->wanted, clock_monotonic_ms());
    ingest_note_sent(i, r->seq);
    svc_count(&i->svc, INGEST_REDELIVERED, NULL, 1);
}

/* Entries that are older than the time-out by a clock that nobody sets: those of before are. */
static uint64_t aged(struct ingest *i, int64_t now_ms)
{
    struct resend *r = &i->resend;

    if (now_ms - r->aging_ms >= window_timeout(i->window, journal_streams(i->journal))) {
        r->aged = r->aging;
        r->aging = journal_next(i->journal);
        r->aging_ms = now_ms;
    }
    return r->aged;
}

void resend_step(struct ingest *i)
{
    struct resend *r = &i->resend;
    int64_t now = clock_monotonic_ms();
    size_t room;

    r->refused = link_flush(i->telegrams) != 0;
    send_due(i);
    room = window_room(i->window);
    if (room > 0 && !r->refused) {
        size_t max = room < TURN ? room : TURN;

        if (journal_owed_after(i->journal, r->seq, r->index, aged(i, now), max, send_owed, i) <
                max &&
            now - i->rescan_ms >= RESCAN_MS) {
            i->rescan_ms = now;
            r->seq = 0;
            r->index = 0;
        }
    }
    (void)link_flush(i->telegrams);
}

int resend_open(struct ingest *i)
{
    i->resend.topics = topics_new(i->reassembly_ms, on_outcome, i);
    return i->resend.topics == NULL ? -ENOMEM : 0;
}

void resend_close(struct ingest *i)
{
    topics_free(i->resend.topics);
    buf_free(&i->resend.octets);
    buf_free(&i->resend.packed);
    record_memory_free(&i->resend.memory);
}
