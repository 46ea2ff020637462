/* The settings of mqtt-ingest, also for `zaehlwerk retire`. */
#include "mqtt_ingest.h"

/* clang-format off */
const struct conf_option mqtt_ingest_options[] = {
    CONF_MQTT_OPTIONS(struct mqtt_ingest, mqtt_conf),
    CONF_TEXT_OPTION("MQTT_CLIENT_ID", struct mqtt_ingest, client_id, "zaehlwerk-ingest", "names the session at the broker; slot 1 and above add -SLOT"),
    CONF_TEXT_OPTION("SMARTMETER_RAWDATA_MQTT_TOPIC", struct mqtt_ingest, raw_topics, "sensors/smartmeter", "topic filters of the meters' payloads, separated by commas"),
    CONF_TEXT_OPTION("SMARTMETER_VALUES_MQTT_TOPIC", struct mqtt_ingest, values_topic, "sensors/smartmeter/values", "where the publisher writes; must not match the filters"),
    CONF_TEXT_OPTION("JOURNAL_PATH", struct mqtt_ingest, slots.folder, "/var/lib/zaehlwerk/ingest", "folder of what is not acknowledged yet: slot-0/journal ..."),
    CONF_NUMBER_OPTION("INGEST_SLOTS", struct mqtt_ingest, slots.count, "1", 1, SLOTS_MAX, "how many ingests share the topic filters"),
    CONF_TEXT_OPTION("INGEST_SLOT", struct mqtt_ingest, slots.fixed, "", "this one's slot: a number, or a name ending in -NUMBER; empty: the lowest free one"),
    CONF_SWITCH_OPTION("INGEST_SHARED", struct mqtt_ingest, slots.shared, "0", "1: all ingests take every filter, as a shared subscription"),
    INGEST_OPTIONS(struct mqtt_ingest, ingest, "tcp://*:5550"),
    SVC_OPTIONS(struct mqtt_ingest, ingest.svc.conf, "9101"),
    CONF_END,
};
/* clang-format on */

const struct svc_info mqtt_ingest_info = {
    .name = "mqtt-ingest",
    .purpose = "takes meters' payloads from the broker, hands whole telegrams to the decryptors",
    .options = mqtt_ingest_options,
    .metrics = mqtt_ingest_metrics,
    .needs = {"broker"},
    .check = mqtt_ingest_check,
};
