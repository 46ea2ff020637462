#include "debouncer.h"

#include <errno.h>
#include <string.h>

#include "log.h"

enum { RETRY_MS = 50 };
#define DEBOUNCED_STREAM "debounced"

const struct metric_def debouncer_metrics[] = {
    [DEBOUNCER_READINGS] = {"zaehlwerk_readings_total", METRIC_COUNTER, NULL, "Readings taken."},
    [DEBOUNCER_FORWARDED] = {"zaehlwerk_debounced_total", METRIC_COUNTER, NULL,
                             "Readings handed to the db-writers as perhaps earliest."},
    [DEBOUNCER_PASSED_OVER] = {"zaehlwerk_passed_over_total", METRIC_COUNTER, NULL,
                               "Readings with an earlier one in their window."},
    [DEBOUNCER_DROPPED] = {"zaehlwerk_dropped_total", METRIC_COUNTER, NULL,
                           "Readings dropped because no db-writer takes them."},
    [DEBOUNCER_UNREADABLE] = {"zaehlwerk_unreadable_total", METRIC_COUNTER, NULL,
                              "Messages that are no record of this version."},
    [DEBOUNCER_METERS] = {"zaehlwerk_debounced_meters", METRIC_GAUGE, NULL,
                          "Meters with a window in memory."},
    {NULL, METRIC_GAUGE, NULL, NULL},
};

/* To the db-writers, which acknowledge it once it is committed. Returns 0 or -EAGAIN. */
static int forward(struct debouncer *d)
{
    int rc;

    d->record.type = RECORD_DEBOUNCED;
    d->record.window = windows_start(d->windows, record_time(&d->record));
    d->packed.len = 0;
    rc = record_pack(&d->record, &d->packed);
    if (rc == 0)
        rc = link_put(d->store, d->packed.data, d->packed.len);
    svc_count(&d->svc, rc == 0 ? DEBOUNCER_FORWARDED : DEBOUNCER_DROPPED, NULL, 1);
    return rc;
}

/* Returns 0, or -EAGAIN when nobody takes what would have to be forwarded. */
static int take_reading(struct debouncer *d)
{
    struct record *r = &d->record;

    svc_count(&d->svc, DEBOUNCER_READINGS, NULL, 1);
    if (windows_take(d->windows, r))
        return forward(d);
    svc_count(&d->svc, DEBOUNCER_PASSED_OVER, NULL, 1);
    return acks_add(&d->acks, r, DEBOUNCED_STREAM, false);
}

static bool
on_reading(void *arg, const uint8_t *topic, size_t topic_len, const uint8_t *octets, size_t len)
{
    struct debouncer *d = arg;
    bool more = true;
    size_t at = 0;

    (void)topic;
    (void)topic_len;
    while (at < len) {
        int rc = record_unpack(octets, len, &at, &d->record, &d->memory);

        if (rc == 0 && d->record.type == RECORD_READING) {
            more &= take_reading(d) == 0;
            continue;
        }
        svc_count(&d->svc, DEBOUNCER_UNREADABLE, NULL, 1);
        log_unreadable("debounce", rc);
    }
    return more;
}

/* What the db-writers have committed may be built upon; a reject has left no row. */
static bool
on_ack(void *arg, const uint8_t *topic, size_t topic_len, const uint8_t *octets, size_t len)
{
    struct debouncer *d = arg;
    size_t at = 0;

    (void)topic;
    (void)topic_len;
    if (record_unpack(octets, len, &at, &d->record, &d->memory) == 0 &&
        d->record.type == RECORD_ACK && d->record.reject == 0 &&
        strcmp(d->record.stream, DEBOUNCED_STREAM) == 0)
        for (size_t i = 0; i < d->record.range_count; i++)
            windows_committed(d->windows, d->record.origin, &d->record.ranges[i]);
    return true;
}

/* While nobody takes what is forwarded, read nothing: it waits with the decryptors. */
static void on_drained(void *arg)
{
    struct debouncer *d = arg;

    acks_publish(&d->acks, d->acks_link);
    if (link_flush(d->store) == 0)
        link_resume(d->input);
    else
        link_pause(d->input);
}

static void on_retry(void *arg)
{
    struct debouncer *d = arg;

    on_drained(d);
    svc_gauge(&d->svc, DEBOUNCER_METERS, NULL, (int64_t)windows_count(d->windows));
}

int debouncer_open(struct debouncer *d)
{
    const struct link_consumer consumer = {on_reading, on_drained, d}, acks = {on_ack, NULL, d};
    int rc;

    d->windows = windows_new(d->seconds);
    if (d->windows == NULL)
        return -ENOMEM;
    rc = link_bind(&d->svc, LINK_STREAM, "STORE_BIND", d->store_bind, &d->store);
    if (rc == 0)
        rc = link_bind(&d->svc, LINK_TOPICS, "ACKS_BIND", d->acks_bind, &d->acks_link);
    if (rc == 0)
        rc = link_connect(&d->svc, LINK_STREAM, "DEBOUNCE_CONNECT", d->debounce_connect, &consumer,
                          &d->input);
    if (rc == 0)
        rc = link_connect(&d->svc, LINK_TOPICS, "ACKS_CONNECT", d->acks_connect, &acks,
                          &d->committed);
    if (rc == 0)
        rc = link_subscribe(d->committed, NULL, 0);
    if (rc == 0)
        rc = svc_every(&d->svc, RETRY_MS, on_retry, d);
    return rc;
}

void debouncer_close(struct debouncer *d)
{
    link_free(d->input);
    link_free(d->committed);
    if (d->store != NULL)
        (void)link_flush(d->store);
    link_free(d->store);
    link_free(d->acks_link);
    windows_free(d->windows);
    acks_free(&d->acks);
    record_memory_free(&d->memory);
    buf_free(&d->packed);
    svc_close(&d->svc, d);
}
