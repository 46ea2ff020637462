#include "ingest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "clock.h"
#include "live.h"
#include "log.h"

enum { STEP_MS = 250, RESEND_MS = 20, MEASURE_MS = 1000, FULL_PERCENT = 90, ROOM_PERCENT = 70 };
#define FULL_SPACE INT64_C(4194304) /* left on the file system: about one log of SQLite's */
#define ROOM_SPACE INT64_C(5242880)

const struct metric_def ingest_metrics[] = {
    [INGEST_PAYLOADS] = {"zaehlwerk_payloads_total", METRIC_COUNTER, NULL, "MQTT messages taken."},
    [INGEST_TELEGRAMS] = {"zaehlwerk_telegrams_total", METRIC_COUNTER, NULL, "Complete telegrams."},
    [INGEST_REJECTS] = {"zaehlwerk_rejects_total", METRIC_COUNTER, "reason",
                        "Payloads and telegrams that cannot become a reading."},
    [INGEST_REDELIVERED] = {"zaehlwerk_redelivered_total", METRIC_COUNTER, NULL,
                            "Telegrams sent again from the journal."},
    [INGEST_ACKED] = {"zaehlwerk_acked_total", METRIC_COUNTER, NULL,
                      "Telegrams that left the journal, acknowledged by every stream."},
    [INGEST_UNTAKEN] = {"zaehlwerk_untaken_total", METRIC_COUNTER, NULL,
                        "Telegrams that no decryptor took at their arrival."},
    [INGEST_POISON] = {"zaehlwerk_poison_total", METRIC_COUNTER, NULL,
                       "Telegrams given up after ten deliveries."},
    [INGEST_INCOMPLETE] = {"zaehlwerk_incomplete_topics", METRIC_GAUGE, NULL,
                           "Topics with a telegram whose rest has not come yet."},
    [INGEST_OWED] = {"zaehlwerk_journal_telegrams", METRIC_GAUGE, NULL,
                     "Telegrams in the journal."},
    [INGEST_BYTES] = {"zaehlwerk_journal_bytes", METRIC_GAUGE, NULL,
                      "Octets in use of the journal."},
    [INGEST_OLDEST] = {"zaehlwerk_journal_oldest_seconds", METRIC_GAUGE, NULL,
                       "Age of the oldest payload in the journal."},
    [INGEST_ON_THE_WAY] = {"zaehlwerk_on_the_way", METRIC_GAUGE, NULL,
                           "Telegrams sent and not acknowledged yet."},
    [INGEST_FULL] = {"zaehlwerk_journal_full", METRIC_GAUGE, NULL,
                     "1 while the broker has to wait for room in the journal."},
    [INGEST_ORPHANS] = {"zaehlwerk_orphan_slots", METRIC_GAUGE, NULL,
                        "Other slots that hold telegrams and are served by nobody."},
    [INGEST_UNSERVED] = {"zaehlwerk_unserved_slots", METRIC_GAUGE, NULL,
                         "Other slots that are served by nobody, holding telegrams or not."},
    {NULL, METRIC_GAUGE, NULL, NULL},
};

/* # is a whole last level, + a whole level (MQTT 5, 4.7.1). */
static bool is_filter(const char *f)
{
    for (; *f != '\0'; f += f[0] == '/') {
        size_t level = strcspn(f, "/");
        bool wild = memchr(f, '#', level) != NULL || memchr(f, '+', level) != NULL;

        if (wild && (level != 1 || (*f == '#' && f[1] != '\0')))
            return false;
        f += level;
    }
    return true;
}

int ingest_check(void *self)
{
    const struct ingest *i = self;
    char **filters = conf_list(i->raw_topics);
    char topic[1024], values[1028];
    int rc = filters == NULL ? -ENOMEM : 0;

    live_filter(i->values_topic, topic, sizeof topic);
    snprintf(values, sizeof values, "%s/#", topic); /* the publisher writes below it, too */
    if (rc == 0 && filters[0] == NULL)
        rc = conf_wrong("SMARTMETER_RAWDATA_MQTT_TOPIC", "empty",
                        "a topic such as sensors/smartmeter");
    for (char **f = filters; rc == 0 && *f != NULL; f++) {
        if (f - filters == MQTT_FILTERS_MAX * (i->slots.shared ? 1 : i->slots.count)) {
            rc = conf_wrong("SMARTMETER_RAWDATA_MQTT_TOPIC", "more than 64 filters for a slot",
                            "fewer, with + and #");
            break;
        }
        char wrong[1100];

        if (!is_filter(*f)) {
            rc = conf_wrong("SMARTMETER_RAWDATA_MQTT_TOPIC", *f,
                            "# as last level, + as whole level");
            break;
        }
        if (!mqtt_filter_matches(*f, values))
            continue;
        snprintf(wrong, sizeof wrong, "%.500s matches the values topic %.500s", *f,
                 i->values_topic);
        rc = conf_wrong(
            "SMARTMETER_RAWDATA_MQTT_TOPIC", wrong,
            "a filter that does not match SMARTMETER_VALUES_MQTT_TOPIC: the output would "
            "come back as input");
    }
    if (rc == 0)
        rc = slots_check(&i->slots, filters);
    free(filters);
    return rc;
}

static void on_mqtt_state(void *arg, bool connected, const char *reason)
{
    struct ingest *i = arg;

    svc_state(&i->svc, "broker", connected, reason);
}

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

static void on_resend(void *arg)
{
    send_fresh(arg);
    resend_step(arg);
}

/* Full at 90 %: the broker's session queues what comes; on at 70 %. */
static void measure(struct ingest *i)
{
    struct journal_level level;
    bool full;

    journal_measure(i->journal, &level);
    svc_gauge(&i->svc, INGEST_OWED, NULL, level.telegrams);
    svc_gauge(&i->svc, INGEST_BYTES, NULL, level.bytes);
    svc_gauge(&i->svc, INGEST_OLDEST, NULL,
              level.oldest_ms == 0 ? 0 : (clock_utc_ms() - level.oldest_ms) / 1000);
    svc_gauge(&i->svc, INGEST_ON_THE_WAY, NULL, (int64_t)window_count(i->window));
    full = level.bytes >= i->journal_max_bytes / 100 * (i->full ? ROOM_PERCENT : FULL_PERCENT) ||
           level.space < (i->full ? ROOM_SPACE : FULL_SPACE);
    svc_gauge(&i->svc, INGEST_FULL, NULL, full);
    if (full != i->full) {
        i->full = full;
        svc_state(&i->svc, "journal room", !full,
                  full ? "JOURNAL_MAX_BYTES or the disk nearly full: waiting with the broker" : "");
        mqtt_hold(i->mqtt, full);
    }
}

static void on_step(void *arg)
{
    struct ingest *i = arg;
    int64_t now = clock_monotonic_ms();

    mqtt_step(i->mqtt, now);
    intake_expire(i);
    if (now - i->measured_ms >= MEASURE_MS) {
        i->measured_ms = now;
        measure(i);
    }
    if (i->retire.wanted)
        retire_step(i, now);
    else
        replicas_step(i, now);
}

static int open_journal(struct ingest *i)
{
    char why[JOURNAL_WHY_CHARS] = "", wrong[400];
    char *path = slot_path(&i->slot, "journal");
    int rc = path == NULL ? -ENOMEM
                          : journal_open(path, i->journal_sync_ms, (const char *const *)i->streams,
                                         &i->journal, why);

    if (rc == 0) {
        i->first_new = i->resend.aged = i->resend.aging = journal_next(i->journal);
    } else if (rc == -E2BIG) {
        rc = conf_wrong("DURABLE_STREAMS", i->streams_text, "at most 16 streams");
    } else if (rc == -ENOSPC) { /* no setting is wrong, and it may be well at the next start */
        log_error("journal", LOG_S("file", path), LOG_S("reason", why));
        rc = -EIO;
    } else if (rc != -ENOMEM) {
        snprintf(wrong, sizeof wrong, "%.200s: %s", path, why);
        rc = conf_wrong("JOURNAL_PATH", wrong, "a folder that mqtt-ingests alone write to");
    }
    free(path);
    return rc;
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

int ingest_open(struct ingest *i)
{
    const struct mqtt_handler handler = {
        .message = intake_message, .state = on_mqtt_state, .arg = i};
    int rc;

    if (getrandom(i->origin, ORIGIN_OCTETS, 0) != ORIGIN_OCTETS)
        return -EIO;
    i->waiting_end = &i->waiting;
    i->filters = conf_list(i->raw_topics);
    i->inbox = inbox_new((size_t)i->window_max);
    i->window = window_new((size_t)i->window_max);
    if (i->filters == NULL || i->inbox == NULL || i->window == NULL)
        return -ENOMEM;
    rc = open_streams(i);
    if (rc == 0)
        rc = replicas_open(i);
    if (rc == 0)
        rc = open_journal(i);
    if (rc == 0)
        rc = intake_open(i);
    if (rc == 0)
        rc = resend_open(i);
    if (rc == 0)
        rc = open_links(i);
    if (rc != 0)
        return rc;
    svc_state(&i->svc, "journal", true, "");
    i->mqtt = mqtt_new(&i->mqtt_conf, i->session, true, (const char *const *)i->own, &handler);
    if (i->mqtt == NULL)
        return -ENOMEM;
    measure(i);
    return open_loop(i);
}

void ingest_close(struct ingest *i)
{
    mqtt_free(i->mqtt, 1000);
    if (i->telegrams != NULL && i->window != NULL)
        on_inbox(i);
    while (i->waiting != NULL)
        drop_waiting(i);
    link_free(i->telegrams);
    link_free(i->acks);
    intake_close(i);
    resend_close(i);
    journal_close(i->journal);
    replicas_close(i); /* a successor may open the journal from here on */
    inbox_free(i->inbox);
    window_free(i->window);
    buf_free(&i->ack_list);
    free(i->filters);
    free(i->streams);
    svc_close(&i->svc, i);
}
