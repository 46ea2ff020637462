#include "decryptor.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

enum { REFRESH_MS = 1000 };

const struct metric_def decryptor_metrics[] = {
    [DECRYPTOR_TELEGRAMS] = {"zaehlwerk_telegrams_total", METRIC_COUNTER, NULL,
                             "Telegram records taken, verdicts of mqtt-ingest among them."},
    [DECRYPTOR_READINGS] = {"zaehlwerk_readings_total", METRIC_COUNTER, NULL, "Readings decoded."},
    [DECRYPTOR_REJECTS] = {"zaehlwerk_rejects_total", METRIC_COUNTER, "reason",
                           "Telegrams that cannot become a reading."},
    [DECRYPTOR_SUSPECT] = {"zaehlwerk_suspect_total", METRIC_COUNTER, "reason",
                           "Readings stored and kept out of live values and totals."},
    [DECRYPTOR_DROPPED] = {"zaehlwerk_dropped_total", METRIC_COUNTER, "stream",
                           "Records dropped because no consumer of the stream takes them."},
    [DECRYPTOR_UNREADABLE] = {"zaehlwerk_unreadable_total", METRIC_COUNTER, NULL,
                              "Messages that are no record of this version."},
    [DECRYPTOR_KEYS] = {"zaehlwerk_keys", METRIC_GAUGE, NULL, "Meters in the keys file."},
    [DECRYPTOR_CLOCK] = {"zaehlwerk_clock_offset_seconds", METRIC_DURATIONS, NULL,
                         "How far a meter's clock is from the arrival, whichever way."},
    {NULL, METRIC_GAUGE, NULL, NULL},
};

int decryptor_check(void *self)
{
    const struct decryptor *d = self;
    struct keys *keys = NULL;
    int rc = keys_open(d->key, d->authentication_key, d->keys_file, &keys);

    keys_free(keys);
    return rc;
}

void decryptor_convert(struct gcm *gcm,
                       struct keys *keys,
                       const struct record *in,
                       struct record *out)
{
    const char *detail = in->detail;

    *out = *in;
    out->reading = (struct reading){.counter = -1};
    if (in->verdict == VERDICT_OK)
        out->verdict =
            decode_apdu(gcm, in->apdu.at, in->apdu.len, keys_lookup, keys, &out->reading, &detail);
    out->type = out->verdict == VERDICT_OK ? RECORD_READING : RECORD_REJECT;
    if (detail != in->detail)
        snprintf(out->detail, sizeof out->detail, "%s", detail);
}

/* A stream that takes nothing costs its records, never time: their missing acks bring them back. */
static void put(struct decryptor *d, struct link *link, const char *stream)
{
    int rc = link_put(link, d->packed.data, d->packed.len);

    if (rc == -EAGAIN) {
        svc_count(&d->svc, DECRYPTOR_DROPPED, stream, (int64_t)link_discard(link));
        rc = link_put(link, d->packed.data, d->packed.len);
    }
    if (rc != 0)
        svc_count(&d->svc, DECRYPTOR_DROPPED, stream, 1);
}

static void log_reject(const struct record *r)
{
    char what[TOPIC_CHARS + 64];
    int64_t held;

    snprintf(what, sizeof what, "%s %s %s", verdict_name(r->verdict), r->reading.meter, r->topic);
    if (log_allowed(what, &held))
        log_warn("reject", LOG_S("reason", verdict_name(r->verdict)),
                 LOG_S("advice", verdict_advice(r->verdict)), LOG_S("detail", r->detail),
                 LOG_S("meter", r->reading.meter), LOG_S("topic", r->topic),
                 LOG_I("octets", r->octets.len), LOG_I("seq", r->seq), LOG_I("suppressed", held));
}

static void log_suspect(const struct record *r)
{
    char what[METER_ID_CHARS + SUSPECT_CHARS + 16];
    int64_t held;

    snprintf(what, sizeof what, "suspect %s %s", r->reading.suspect, r->reading.meter);
    if (log_allowed(what, &held))
        log_warn("suspect", LOG_S("reason", r->reading.suspect), LOG_S("meter", r->reading.meter),
                 LOG_I("counter", r->reading.counter), LOG_S("topic", r->topic),
                 LOG_I("suppressed", held));
}

static void publish(struct decryptor *d, const char *kind)
{
    char topic[sizeof "reading." + METER_ID_CHARS];
    int len = snprintf(topic, sizeof topic, "%s.%s", kind, d->out.reading.meter);

    link_publish(d->readings, topic, (size_t)len, d->packed.data, d->packed.len);
}

/* Live consumers learn that there was one, and why; its octets are db-writer's alone. */
static void publish_reject(struct decryptor *d)
{
    d->out.octets = (struct view){NULL, 0};
    d->packed.len = 0;
    if (record_pack(&d->out, &d->packed) == 0)
        publish(d, "reject");
}

/* What decoded may still be impossible, or odd beside the meter's readings before. */
static void doubt(struct decryptor *d)
{
    struct record *r = &d->out;
    const char *impossible = plausible_reject(r, d->in.clock != 0);
    const char *suspect;

    if (impossible != NULL) {
        r->type = RECORD_REJECT;
        r->verdict = VERDICT_IMPLAUSIBLE;
        snprintf(r->detail, sizeof r->detail, "%s", impossible);
        return;
    }
    suspect = plausible_suspect(d->plausible, r);
    if (*suspect == '\0')
        return;
    snprintf(r->reading.suspect, sizeof r->reading.suspect, "%s", suspect);
    svc_count(&d->svc, DECRYPTOR_SUSPECT, suspect, 1);
    log_suspect(r);
}

/* A telegram that kills its decryptor, for the chaos test: never in a release. */
static void chaos(const struct record *in)
{
#ifdef ZW_CHAOS_HOOK
    const char *meter = getenv("ZW_CHAOS_CRASH"); /* the octets of a system title */

    if (meter != NULL && memmem(in->apdu.at, in->apdu.len, meter, strlen(meter)) != NULL)
        raise(SIGABRT);
#else
    (void)in;
#endif
}

/* Of first deliveries: what was delayed says nothing of the clock. */
static void observe_clock(struct decryptor *d)
{
    const struct record *r = &d->out;

    if (r->reading.has_time && r->attempt == 0 && !record_is_replay(r))
        svc_observe(&d->svc, DECRYPTOR_CLOCK, NULL,
                    imaxabs(r->reading.time * 1000 - r->arrival_ms));
}

static void take_telegram(struct decryptor *d)
{
    chaos(&d->in);
    decryptor_convert(d->gcm, d->keys, &d->in, &d->out);
    if (d->out.type == RECORD_READING)
        doubt(d);
    svc_count(&d->svc, DECRYPTOR_TELEGRAMS, NULL, 1);
    d->packed.len = 0;
    if (record_pack(&d->out, &d->packed) != 0) {
        log_error("lost", LOG_S("reason", "out of memory"));
        return;
    }
    put(d, d->store, "store");
    if (d->out.type == RECORD_READING) {
        put(d, d->debounce, "debounce");
        publish(d, "reading");
        svc_count(&d->svc, DECRYPTOR_READINGS, NULL, 1);
        observe_clock(d);
        log_debug("reading", LOG_S("meter", d->out.reading.meter),
                  LOG_I("counter", d->out.reading.counter), LOG_I("seq", d->out.seq));
    } else {
        svc_count(&d->svc, DECRYPTOR_REJECTS, verdict_name(d->out.verdict), 1);
        if (d->in.verdict == VERDICT_OK) /* the others were logged by mqtt-ingest */
            log_reject(&d->out);
        publish_reject(d);
    }
}

static bool
on_telegrams(void *arg, const uint8_t *topic, size_t topic_len, const uint8_t *octets, size_t len)
{
    struct decryptor *d = arg;
    size_t at = 0;

    (void)topic;
    (void)topic_len;
    while (at < len) {
        int rc = record_unpack(octets, len, &at, &d->in, &d->memory);

        if (rc == 0 && d->in.type == RECORD_TELEGRAM) {
            take_telegram(d);
            continue;
        }
        svc_count(&d->svc, DECRYPTOR_UNREADABLE, NULL, 1);
        log_unreadable("telegrams", rc);
    }
    return true;
}

static void on_drained(void *arg)
{
    struct decryptor *d = arg;

    (void)link_flush(d->store);
    (void)link_flush(d->debounce);
}

static void on_refresh(void *arg)
{
    struct decryptor *d = arg;

    keys_refresh(d->keys);
    svc_gauge(&d->svc, DECRYPTOR_KEYS, NULL, (int64_t)keys_count(d->keys));
    on_drained(d); /* what found no consumer a moment ago */
}

int decryptor_open(struct decryptor *d)
{
    const struct link_consumer consumer = {on_telegrams, on_drained, d};
    int rc = keys_open(d->key, d->authentication_key, d->keys_file, &d->keys);

    if (rc != 0)
        return rc;
    for (int v = VERDICT_OK + 1; v < VERDICT_COUNT; v++) /* a first one is seen to rise */
        svc_count(&d->svc, DECRYPTOR_REJECTS, verdict_name((enum verdict)v), 0);
    d->gcm = gcm_new();
    d->plausible = plausible_new();
    if (d->gcm == NULL || d->plausible == NULL)
        return -ENOMEM;
    rc = link_bind(&d->svc, LINK_STREAM, "STORE_BIND", d->store_bind, &d->store);
    if (rc == 0)
        rc = link_bind(&d->svc, LINK_STREAM, "DEBOUNCE_BIND", d->debounce_bind, &d->debounce);
    if (rc == 0)
        rc = link_bind(&d->svc, LINK_TOPICS, "READINGS_BIND", d->readings_bind, &d->readings);
    if (rc == 0)
        rc = svc_every(&d->svc, REFRESH_MS, on_refresh, d);
    if (rc == 0)
        rc = link_connect(&d->svc, LINK_STREAM, "TELEGRAMS_CONNECT", d->telegrams_connect,
                          &consumer, &d->telegrams);
    return rc;
}

void decryptor_close(struct decryptor *d)
{
    link_free(d->telegrams);
    if (d->store != NULL && d->debounce != NULL)
        on_drained(d);
    link_free(d->store);
    link_free(d->debounce);
    link_free(d->readings);
    keys_free(d->keys);
    gcm_free(d->gcm);
    plausible_free(d->plausible);
    record_memory_free(&d->memory);
    buf_free(&d->packed);
    svc_close(&d->svc, d);
}
