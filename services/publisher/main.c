/* publisher: puts live values on MQTT in the original application's form. */
#include "publisher.h"

/* clang-format off */
static const struct conf_option options[] = {
    CONF_MQTT_OPTIONS(struct publisher, mqtt_conf),
    CONF_TEXT_OPTION("MQTT_PUBLISHER_CLIENT_ID", struct publisher, client_id, "zaehlwerk-publisher", "names the publisher at the broker"),
    CONF_TEXT_OPTION("SMARTMETER_VALUES_MQTT_TOPIC", struct publisher, topic, "sensors/smartmeter/values", "where values go; {meter} and {name} tell meters apart"),
    CONF_CHOICE_OPTION("PUBLISH_TOPICS", struct publisher, topics, "both", "both|json|fields", "the JSON line, topics below it for each field, or both"),
    CONF_CHOICE_OPTION("PUBLISH_WHEN", struct publisher, when, "every", "every|change", "with every reading, or when a value changes and every OFFLINE_SECONDS / 2"),
    CONF_NUMBER_OPTION("PUBLISH_MIN_SECONDS", struct publisher, min_seconds, "0", 0, 3600, "least time between two values on a topic"),
    CONF_NUMBER_OPTION("PUBLISH_QOS", struct publisher, qos, "0", 0, 2, "QoS of the values"),
    CONF_SWITCH_OPTION("PUBLISH_RETAIN", struct publisher, retain, "0", "1: the broker keeps each last value (over MQTT 5 for OFFLINE_SECONDS)"),
    CONF_NUMBER_OPTION("OFFLINE_SECONDS", struct publisher, offline_seconds, "60", 1, 86400, "a meter that is silent for so long is offline"),
    CONF_TEXT_OPTION("PUBLISHER_STATUS_TOPIC", struct publisher, publisher_topic, "zaehlwerk/publisher/status", "the publisher's own status, where the values topic has a placeholder"),
    CONF_TEXT_OPTION("TIMEZONE", struct publisher, timezone, "Europe/Vienna", "where the day and the month begin"),
    CONF_SWITCH_OPTION("HA_DISCOVERY", struct publisher, discovery, "1", "0: tell Home Assistant nothing"),
    CONF_TEXT_OPTION("HA_DISCOVERY_PREFIX", struct publisher, discovery_prefix, "homeassistant", "Home Assistant's discovery prefix"),
    CONF_CONNECT_OPTION("READINGS_CONNECT", struct publisher, readings_connect, "tcp://decryptor:5562", "the decryptors"),
    CONF_NUMBER_OPTION("LIVE_SKEW_SECONDS", struct publisher, skew_seconds, "10800", 0, 1000000000, "how far a meter's clock may be from the arrival of a live value; 0: any"),
    CONF_SWITCH_OPTION("METRICS_PER_METER", struct publisher, per_meter, "0", "1: /metrics has each meter's last arrival and power, too"),
    SVC_OPTIONS(struct publisher, svc.conf, "9105"),
    CONF_END,
};
/* clang-format on */

static const struct svc_info info = {
    .name = "publisher",
    .purpose = "puts live values on MQTT in the original application's form",
    .options = options,
    .metrics = publisher_metrics,
    .needs = {"broker"},
    .check = publisher_check,
};

int main(int argc, char **argv)
{
    struct publisher self = {0};
    int rc = svc_start(&self.svc, &info, &self, argc, argv);

    if (rc == 0)
        rc = publisher_open(&self);
    if (rc == 0)
        rc = svc_run(&self.svc);
    publisher_close(&self);
    return svc_exit(&info, rc);
}
