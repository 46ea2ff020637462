/* The settings of mqtt-ingest, also for `zaehlwerk retire`. */
#include "ingest.h"

/* clang-format off */
const struct conf_option ingest_options[] = {
    CONF_MQTT_OPTIONS(struct ingest, mqtt_conf),
    CONF_TEXT_OPTION("MQTT_CLIENT_ID", struct ingest, client_id, "zaehlwerk-ingest", "names the session at the broker; slot 1 and above add -SLOT"),
    CONF_TEXT_OPTION("SMARTMETER_RAWDATA_MQTT_TOPIC", struct ingest, raw_topics, "sensors/smartmeter", "topic filters of the meters' payloads, separated by commas"),
    CONF_TEXT_OPTION("SMARTMETER_VALUES_MQTT_TOPIC", struct ingest, values_topic, "sensors/smartmeter/values", "where the publisher writes; must not match the filters"),
    CONF_TEXT_OPTION("DURABLE_STREAMS", struct ingest, streams_text, "history,debounced", "streams that must acknowledge each telegram"),
    CONF_NUMBER_OPTION("REASSEMBLY_MS", struct ingest, reassembly_ms, "3000", 100, 60000, "how long the rest of a telegram may take"),
    CONF_TEXT_OPTION("JOURNAL_PATH", struct ingest, slots.folder, "/var/lib/zaehlwerk/ingest", "folder of what is not acknowledged yet: slot-0/journal ..."),
    CONF_NUMBER_OPTION("JOURNAL_SYNC_MS", struct ingest, journal_sync_ms, "50", 0, 60000, "what a power cut may cost; 0: nothing, each message is synced"),
    CONF_NUMBER_OPTION("JOURNAL_MAX_BYTES", struct ingest, journal_max_bytes, "1073741824", 1048576, 1099511627776, "at 90 % of it the broker has to wait"),
    CONF_NUMBER_OPTION("INGEST_SLOTS", struct ingest, slots.count, "1", 1, SLOTS_MAX, "how many ingests share the topic filters"),
    CONF_TEXT_OPTION("INGEST_SLOT", struct ingest, slots.fixed, "", "this one's slot: a number, or a name ending in -NUMBER; empty: the lowest free one"),
    CONF_SWITCH_OPTION("INGEST_SHARED", struct ingest, slots.shared, "0", "1: all ingests take every filter, as a shared subscription"),
    CONF_NUMBER_OPTION("INGEST_WINDOW", struct ingest, window_max, "8192", 64, 1000000, "telegrams on their way, remembered in memory"),
    CONF_CONNECT_OPTION("ACKS_CONNECT", struct ingest, acks_connect, "tcp://db-writer:5580,tcp://debouncer:5571", "db-writers and debouncers"),
    CONF_BIND_OPTION("TELEGRAMS_BIND", struct ingest, bind, "tcp://*:5550", "where decryptors connect"),
    SVC_OPTIONS(struct ingest, svc.conf, "9101"),
    CONF_END,
};
/* clang-format on */

const struct svc_info ingest_info = {
    .name = "mqtt-ingest",
    .purpose = "takes meters' payloads from the broker, hands whole telegrams to the decryptors",
    .options = ingest_options,
    .metrics = ingest_metrics,
    .needs = {"broker"},
    .check = ingest_check,
};
