/* mqtt-ingest: takes meters' payloads from the broker and hands whole telegrams to the decryptors.
 */
#include "ingest.h"

/* clang-format off */
static const struct conf_option options[] = {
    CONF_MQTT_OPTIONS(struct ingest, mqtt_conf),
    CONF_TEXT_OPTION("MQTT_CLIENT_ID", struct ingest, client_id, "zaehlwerk-ingest", "names the session at the broker; one for each ingest"),
    CONF_TEXT_OPTION("SMARTMETER_RAWDATA_MQTT_TOPIC", struct ingest, raw_topics, "sensors/smartmeter", "topic filters of the meters' payloads, separated by commas"),
    CONF_TEXT_OPTION("SMARTMETER_VALUES_MQTT_TOPIC", struct ingest, values_topic, "sensors/smartmeter/values", "where the publisher writes; must not match the filters"),
    CONF_TEXT_OPTION("DURABLE_STREAMS", struct ingest, streams, "history,debounced", "streams that must acknowledge each telegram"),
    CONF_NUMBER_OPTION("REASSEMBLY_MS", struct ingest, reassembly_ms, "3000", 100, 60000, "how long the rest of a telegram may take"),
    CONF_NUMBER_OPTION("INGEST_WINDOW", struct ingest, window, "8192", 1, 1000000, "payloads held while no decryptor takes them"),
    CONF_BIND_OPTION("TELEGRAMS_BIND", struct ingest, bind, "tcp://*:5550", "where decryptors connect"),
    SVC_OPTIONS(struct ingest, svc.conf, "9101"),
    CONF_END,
};
/* clang-format on */

static const struct svc_info info = {
    .name = "mqtt-ingest",
    .purpose = "takes meters' payloads from the broker, hands whole telegrams to the decryptors",
    .options = options,
    .metrics = ingest_metrics,
    .needs = {"broker"},
    .check = ingest_check,
};

int main(int argc, char **argv)
{
    struct ingest self = {0};
    int rc = svc_start(&self.svc, &info, &self, argc, argv);

    if (rc == 0)
        rc = ingest_open(&self);
    if (rc == 0)
        rc = svc_run(&self.svc);
    ingest_close(&self);
    return svc_exit(&info, rc);
}
