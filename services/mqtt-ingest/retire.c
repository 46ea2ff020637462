#include "retire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "mqtt_ingest.h"
#include "log.h"

enum { TELL_MS = 10000, ANSWER_MS = 2000, SESSION_MS = 10000 };

static int64_t entries_left(struct mqtt_ingest *i, int64_t *telegrams)
{
    struct journal_level level;

    int rc = journal_measure(i->ingest.journal, &level);

    *telegrams = level.telegrams;
    return rc == 0 ? level.oldest_ms : rc; /* 0: none; negative: nobody knows */
}

static int unsubscribe_list(struct mqtt_ingest *i, char **list)
{
    int rc = list == NULL ? -ENOMEM : 0;

    for (size_t n = 0; rc == 0 && list[n] != NULL;) {
        const char *some[MQTT_FILTERS_MAX + 1] = {NULL};
        size_t k = 0;

        while (k < MQTT_FILTERS_MAX && list[n] != NULL)
            some[k++] = list[n++];
        rc = mqtt_unsubscribe(i->mqtt, some, ANSWER_MS);
    }
    free(list);
    return rc;
}

/* Whatever the session may be subscribed to: what the slot remembers, and all of today's. */
static int unsubscribe_all(struct mqtt_ingest *i)
{
    struct slots_conf plain = {.count = 1}, shared = {.count = 1, .shared = true};
    int rc = unsubscribe_list(i, slot_read_note(&i->slots, i->slot.number, SLOT_MAYBE));

    if (rc == 0)
        rc = unsubscribe_list(i, slot_filters(&plain, 0, i->filters));
    if (rc == 0)
        rc = unsubscribe_list(i, slot_filters(&shared, 0, i->filters));
    return rc;
}

static void tell(struct mqtt_ingest *i, const char *what, int64_t telegrams)
{
    log_info("retire", LOG_I("slot", i->slot.number), LOG_S("now", what),
             LOG_I("received", i->retire.payloads), LOG_I("left", telegrams));
}

/*
 * Subscriptions end only when the queue has been quiet (MQTT lets a broker drop what it has queued
 * for an ended one), or, where messages keep coming, after half of the time. Then, quiet once more
 * and with an empty journal, nothing can be left.
 */
void retire_step(struct mqtt_ingest *i, int64_t now_ms)
{
    struct retire *r = &i->retire;
    int64_t payloads = metrics_get(i->ingest.svc.metrics, INGEST_PAYLOADS, NULL);
    int64_t telegrams, oldest = entries_left(i, &telegrams);
    bool quiet;

    if (r->begun_ms == 0)
        r->begun_ms = r->moved_ms = r->told_ms = now_ms;
    if (payloads != r->payloads || !mqtt_connected(i->mqtt) || i->ingest.full)
        r->moved_ms = now_ms;
    r->payloads = payloads;
    quiet = now_ms - r->moved_ms >= r->quiet_ms;
    if (now_ms - r->told_ms >= TELL_MS) {
        r->told_ms = now_ms;
        tell(i, r->unsubscribed ? "draining" : "receiving", telegrams);
    }
    if (!r->unsubscribed && (quiet || now_ms - r->begun_ms >= r->limit_ms / 2)) {
        r->unsubscribed = unsubscribe_all(i) == 0;
        r->moved_ms = clock_monotonic_ms();
        if (r->unsubscribed)
            tell(i, "unsubscribed", telegrams);
        return;
    }
    if (r->unsubscribed && quiet && oldest == 0) {
        r->done = true;
        svc_end(&i->ingest.svc, 0);
    } else if (now_ms - r->begun_ms >= r->limit_ms) {
        svc_end(&i->ingest.svc, -EAGAIN);
    }
}

/* A connection with a clean start ends the session, in MQTT 3.1.1 and 5 alike. */
static bool end_session(struct mqtt_ingest *i)
{
    const struct mqtt_handler nothing = {0};
    int64_t until = clock_monotonic_ms() + SESSION_MS;
    struct mqtt *m;
    bool ended = false;

    mqtt_free(i->mqtt, 1000);
    i->mqtt = NULL;
    m = mqtt_new(&i->mqtt_conf, i->session, false, NULL, &nothing);
    while (m != NULL && !ended && clock_monotonic_ms() < until) {
        mqtt_step(m, clock_monotonic_ms());
        if (svc_signalled(&i->ingest.svc, 20))
            break;
        ended = mqtt_connected(m);
    }
    mqtt_free(m, 1000);
    return ended;
}

static int unfinished(const struct mqtt_ingest *i, const char *why, int64_t telegrams)
{
    log_error("retire", LOG_I("slot", i->retire.slot), LOG_S("reason", why),
              LOG_I("left", telegrams), LOG_S("then", "nothing is lost: run it again"));
    return -EAGAIN;
}

int retire_finish(struct mqtt_ingest *i, int rc)
{
    int64_t telegrams;

    if (rc != 0 && rc != -EAGAIN)
        return rc;
    (void)entries_left(i, &telegrams);
    if (!i->retire.done)
        return unfinished(i,
                          rc == 0                    ? "ended by a signal"
                          : !mqtt_connected(i->mqtt) ? "the broker cannot be reached"
                          : telegrams > 0            ? "telegrams wait for acknowledgement"
                                                     : "messages keep coming",
                          telegrams);
    if (!end_session(i))
        return unfinished(i, "the session at the broker could not be ended", telegrams);
    if (entries_left(i, &telegrams) != 0)
        return unfinished(i, "a message came at the last moment", telegrams);
    journal_close(i->ingest.journal);
    i->ingest.journal = NULL;
    rc = slot_remove(&i->slot);
    if (rc != 0)
        return unfinished(i, strerror(-rc), 0);
    log_info("retired", LOG_I("slot", i->slot.number), LOG_S("session", i->session),
             LOG_I("received", i->retire.payloads));
    return 0;
}
