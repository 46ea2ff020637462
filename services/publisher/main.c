/* publisher: puts live values on MQTT in the original application's form. */
#include "publisher.h"

/* clang-format off */
static const struct conf_option options[] = {
    CONF_MQTT_OPTIONS(struct publisher, mqtt_conf),
    CONF_TEXT_OPTION("MQTT_PUBLISHER_CLIENT_ID", struct publisher, client_id, "zaehlwerk-publisher", "names the publisher at the broker"),
    CONF_TEXT_OPTION("SMARTMETER_VALUES_MQTT_TOPIC", struct publisher, topic, "sensors/smartmeter/values", "where values go; {meter} and {name} tell meters apart"),
    CONF_CONNECT_OPTION("READINGS_CONNECT", struct publisher, readings_connect, "tcp://decryptor:5562", "the decryptors"),
    CONF_NUMBER_OPTION("LIVE_SKEW_SECONDS", struct publisher, skew_seconds, "10800", 0, 1000000000, "how far a meter's clock may be from the arrival of a live value; 0: any"),
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
