#include "mqtt_ingest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "live.h"

const struct metric_def mqtt_ingest_metrics[] = {
    INGEST_METRICS,
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

int mqtt_ingest_check(void *self)
{
    const struct mqtt_ingest *i = self;
    char **filters = conf_list(i->raw_topics);
    char topic[1024], values[1028];
    int rc = filters == NULL ? -ENOMEM : mqtt_check(&i->mqtt_conf);

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
    if (rc == 0)
        rc = ingest_check(&i->ingest);
    free(filters);
    return rc;
}

static void on_mqtt_state(void *arg, bool connected, const char *reason)
{
    struct ingest *i = arg;

    svc_state(&i->svc, "broker", connected, reason);
}

static bool hears(void *arg)
{
    const struct mqtt_ingest *i = arg;

    return mqtt_subscribed(i->mqtt);
}

static void hold(void *arg, bool hold)
{
    struct mqtt_ingest *i = arg;

    if (i->mqtt != NULL)
        mqtt_hold(i->mqtt, hold);
}

static void step(void *arg, int64_t now_ms)
{
    struct mqtt_ingest *i = arg;

    mqtt_step(i->mqtt, now_ms);
    if (i->retire.wanted)
        retire_step(i, now_ms);
    else
        replicas_step(i, now_ms);
}

static int open_ingest(struct mqtt_ingest *i)
{
    const struct ingest_source source = {
        .hears = hears,
        .hold = hold,
        .step = step,
        .held = "JOURNAL_MAX_BYTES or the disk nearly full: waiting with the broker",
        .arg = i,
    };
    char *journal = slot_path(&i->slot, "journal");
    int rc = journal == NULL ? -ENOMEM : ingest_open(&i->ingest, journal, &source);

    free(journal);
    return rc;
}

int mqtt_ingest_open(struct mqtt_ingest *i)
{
    const struct mqtt_handler handler = {
        .message = intake_message, .state = on_mqtt_state, .arg = &i->ingest};
    int rc;

    i->filters = conf_list(i->raw_topics);
    if (i->filters == NULL)
        return -ENOMEM;
    rc = replicas_open(i);
    if (rc == 0)
        rc = open_ingest(i);
    if (rc != 0)
        return rc;
    i->mqtt = mqtt_new(&i->mqtt_conf, i->session, true, (const char *const *)i->own, &handler);
    if (i->mqtt == NULL)
        return -ENOMEM;
    mqtt_hold(i->mqtt, i->ingest.full);
    return 0;
}

void mqtt_ingest_close(struct mqtt_ingest *i)
{
    mqtt_free(i->mqtt, 1000);
    ingest_close(&i->ingest);
    replicas_close(i); /* a successor may open the journal from here on */
    free(i->filters);
    svc_close(&i->ingest.svc, i);
}
