#include "ingest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "clock.h"
#include "log.h"
#include "payload.h"
#include "utf8.h"

enum { STEP_MS = 250, RETRY_MS = 20, DRAIN_MS = 2000, PAYLOAD_MAX = 256 * 1024 };

const struct metric_def ingest_metrics[] = {
    [INGEST_PAYLOADS] = {"zaehlwerk_payloads_total", METRIC_COUNTER, NULL, "MQTT messages taken."},
    [INGEST_TELEGRAMS] = {"zaehlwerk_telegrams_total", METRIC_COUNTER, NULL,
                          "Complete telegrams handed to the decryptors."},
    [INGEST_REJECTS] = {"zaehlwerk_rejects_total", METRIC_COUNTER, "reason",
                        "Payloads and telegrams that cannot become a reading."},
    [INGEST_INCOMPLETE] = {"zaehlwerk_incomplete_topics", METRIC_GAUGE, NULL,
                           "Topics with a telegram whose rest has not come yet."},
    [INGEST_WAITING] = {"zaehlwerk_waiting_telegrams", METRIC_GAUGE, NULL,
                        "Telegrams that no decryptor has taken yet."},
    {NULL, METRIC_GAUGE, NULL, NULL},
};

/* A packed record that waits for a decryptor. */
struct outgoing {
    struct outgoing *next;
    size_t len;
    uint8_t octets[];
};

/* All that the publisher may write to: the values topic, its {placeholders} as wildcards, and
 * below. */
static void topic_as_filter(const char *topic, char *filter, size_t size)
{
    size_t n = 0;

    while (*topic != '\0' && n + 1 < size) {
        size_t level = strcspn(topic, "/");

        if (memchr(topic, '{', level) != NULL)
            filter[n++] = '+';
        else
            for (size_t i = 0; i < level && n + 1 < size; i++)
                filter[n++] = topic[i];
        topic += level;
        if (*topic == '/' && n + 1 < size)
            filter[n++] = *topic++;
    }
    filter[n] = '\0';
    if (n + strlen("/#") < size)
        memcpy(filter + n, "/#", sizeof "/#");
}

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
    char values[1024];
    int rc = filters == NULL ? -ENOMEM : 0;

    topic_as_filter(i->values_topic, values, sizeof values);
    if (rc == 0 && filters[0] == NULL)
        rc = conf_wrong("SMARTMETER_RAWDATA_MQTT_TOPIC", "empty",
                        "a topic such as sensors/smartmeter");
    for (char **f = filters; rc == 0 && *f != NULL; f++) {
        if (f - filters == MQTT_FILTERS_MAX) {
            rc = conf_wrong("SMARTMETER_RAWDATA_MQTT_TOPIC", "more than 64 filters",
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
    free(filters);
    return rc;
}

/* Paho's thread */

static void on_mqtt_message(void *arg, const char *topic, const void *payload, size_t len)
{
    struct ingest *i = arg;

    if (!inbox_add(i->inbox, topic, payload, len, clock_utc_ms()))
        log_error("lost", LOG_S("topic", topic), LOG_S("reason", "stopping or out of memory"));
}

static void on_mqtt_state(void *arg, bool connected, const char *reason)
{
    struct ingest *i = arg;

    svc_state(&i->svc, "broker", connected, reason);
}

/* The loop */

/* Hand over what waits, oldest first, as far as the decryptors take it. */
static bool send_waiting(struct ingest *i)
{
    while (i->first != NULL) {
        struct outgoing *o = i->first;

        if (link_put(i->telegrams, o->octets, o->len) != 0)
            return false;
        i->first = o->next;
        if (i->first == NULL)
            i->last = &i->first;
        svc_count(&i->svc, INGEST_WAITING, NULL, -1);
        free(o);
    }
    return link_flush(i->telegrams) == 0;
}

static void enqueue(struct ingest *i)
{
    struct outgoing *o;

    i->packed.len = 0;
    o = record_pack(&i->record, &i->packed) == 0 ? malloc(sizeof *o + i->packed.len) : NULL;
    if (o == NULL) {
        log_error("lost", LOG_S("topic", i->record.topic), LOG_S("reason", "out of memory"));
        return;
    }
    *o = (struct outgoing){.len = i->packed.len};
    memcpy(o->octets, i->packed.data, i->packed.len);
    *i->last = o;
    i->last = &o->next;
    svc_count(&i->svc, INGEST_WAITING, NULL, 1);
}

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

/* One outcome of reassembly becomes one telegram record. */
static void on_outcome(void *arg, const struct topic_outcome *o)
{
    struct ingest *i = arg;
    struct record *r = &i->record;

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
    enqueue(i);
}

/* A payload that is not even octets of a meter is rejected as a whole. */
static void reject_payload(struct ingest *i, const struct payload *p, const char *detail)
{
    const struct telegram_octets whole = {.verdict = VERDICT_NOT_A_FRAME,
                                          .detail = detail,
                                          .octets = p->octets,
                                          .octets_len = p->len};
    const struct topic_outcome outcome = {
        .topic = p->topic, .seq = i->seq, .arrival_ms = p->arrival_ms, .telegram = &whole};

    on_outcome(i, &outcome);
}

static void take_payload(struct ingest *i, const struct payload *p)
{
    enum payload_form form;
    const char *detail;
    int rc;

    i->seq++;
    i->octets.len = 0;
    svc_count(&i->svc, INGEST_PAYLOADS, NULL, 1);
    if (p->len > PAYLOAD_MAX) {
        reject_payload(i, p, "larger than 256 KiB");
        return;
    }
    rc = payload_octets(p->octets, p->len, &i->octets, &form, &detail);
    if (rc == -EPROTO)
        reject_payload(i, p, detail);
    else if (rc != 0 || topics_feed(i->topics, p->topic, i->seq, p->arrival_ms, i->octets.data,
                                    i->octets.len) != 0)
        reject_payload(i, p, "out of memory");
}

/* While decryptors take records, turn payloads into records; what they do not take waits here. */
static void on_inbox(void *arg)
{
    struct ingest *i = arg;
    struct payload *p;

    for (int turn = 0; turn < 256 && i->first == NULL && (p = inbox_take(i->inbox)) != NULL;
         turn++) {
        take_payload(i, p);
        payload_free(p);
        if (!send_waiting(i))
            break;
    }
    (void)link_flush(i->telegrams);
}

static void on_retry(void *arg)
{
    struct ingest *i = arg;

    if (send_waiting(i))
        on_inbox(i);
}

static void on_step(void *arg)
{
    struct ingest *i = arg;

    mqtt_step(i->mqtt, clock_monotonic_ms());
    topics_expire(i->topics, clock_utc_ms());
    svc_gauge(&i->svc, INGEST_INCOMPLETE, NULL, (int64_t)topics_pending(i->topics));
}

int ingest_open(struct ingest *i)
{
    const struct mqtt_handler handler = {on_mqtt_message, on_mqtt_state, i};

    i->last = &i->first;
    i->record.type = RECORD_TELEGRAM;
    if (getrandom(i->record.origin, ORIGIN_OCTETS, 0) != ORIGIN_OCTETS)
        return -EIO;
    snprintf(i->record.streams, sizeof i->record.streams, "%s", i->streams);
    i->filters = conf_list(i->raw_topics);
    i->inbox = inbox_new((size_t)i->window);
    i->topics = topics_new(i->reassembly_ms, on_outcome, i);
    if (i->filters == NULL || i->inbox == NULL || i->topics == NULL)
        return -ENOMEM;
    i->mqtt =
        mqtt_new(&i->mqtt_conf, i->client_id, true, (const char *const *)i->filters, &handler);
    if (i->mqtt == NULL)
        return -ENOMEM;
    if (svc_on_readable(&i->svc, inbox_fd(i->inbox), on_inbox, i) != 0 ||
        svc_every(&i->svc, STEP_MS, on_step, i) != 0 ||
        svc_every(&i->svc, RETRY_MS, on_retry, i) != 0)
        return -ENOMEM;
    return link_bind(&i->svc, LINK_STREAM, "TELEGRAMS_BIND", i->bind, &i->telegrams);
}

/* What has arrived goes out while somebody takes it. */
static void drain(struct ingest *i)
{
    int64_t until = clock_monotonic_ms() + DRAIN_MS;
    size_t lost = 0;

    while (clock_monotonic_ms() < until) {
        struct payload *p;

        if (!send_waiting(i)) {
            nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
            continue;
        }
        p = inbox_take(i->inbox);
        if (p == NULL)
            return;
        take_payload(i, p);
        payload_free(p);
    }
    for (; i->first != NULL; lost++) {
        struct outgoing *next = i->first->next;

        free(i->first);
        i->first = next;
    }
    log_warn("lost", LOG_I("telegrams", lost), LOG_S("reason", "no decryptor took them"));
}

void ingest_close(struct ingest *i)
{
    if (i->inbox != NULL && inbox_is_full(i->inbox))
        inbox_close(i->inbox); /* paho's thread may wait for room: it must end first */
    mqtt_free(i->mqtt, 1000);
    if (i->telegrams != NULL)
        drain(i);
    link_free(i->telegrams);
    topics_free(i->topics);
    inbox_free(i->inbox);
    buf_free(&i->octets);
    buf_free(&i->packed);
    free(i->filters);
    svc_close(&i->svc, i);
}
