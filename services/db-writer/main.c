/* db-writer: commits readings, debounced readings and rejects, then acknowledges them. */
#include "writer.h"

/* clang-format off */
static const struct conf_option options[] = {
    STORE_OPTIONS(struct writer, store_conf),
    CONF_NUMBER_OPTION("REJECTS_KEEP_DAYS", struct writer, retention.keep_days, "90", 0, 36500, "days that rejects are kept; 0: for ever"),
    CONF_NUMBER_OPTION("REJECTS_MAX_BYTES", struct writer, retention.max_bytes, "1073741824", 0, INT64_MAX, "octets of rejects that are kept, the newest; 0: no bound"),
    CONF_NUMBER_OPTION("HISTORY_KEEP_DAYS", struct writer, keep.days[KEEP_HISTORY], "0", 0, 36500, "days that readings are kept; 0: for ever; quarter hours always are"),
    CONF_NUMBER_OPTION("DEBOUNCED_KEEP_DAYS", struct writer, keep.days[KEEP_DEBOUNCED], "0", 0, 36500, "days that debounced readings are kept; 0: for ever"),
    CONF_NUMBER_OPTION("FLEET_METERS", struct writer, store_conf.fleet_meters, "100", 1, 10000000, "about how many meters that send every 5 seconds (one a minute is a twelfth); chooses TimescaleDB's chunks"),
    CONF_CONNECT_OPTION("STORE_CONNECT", struct writer, store_connect, "tcp://decryptor:5560,tcp://debouncer:5570", "decryptors and debouncers"),
    CONF_BIND_OPTION("ACKS_BIND", struct writer, acks_bind, "tcp://*:5580", "where ingests connect for acknowledgements"),
    SVC_OPTIONS(struct writer, svc.conf, "9103"),
    CONF_END,
};
/* clang-format on */

static const struct svc_info info = {
    .name = "db-writer",
    .purpose = "commits readings, debounced readings and rejects, then acknowledges them",
    .options = options,
    .metrics = writer_metrics,
    .needs = {"database"},
    .check = writer_check,
};

int main(int argc, char **argv)
{
    struct writer self = {0};
    int rc = svc_start(&self.svc, &info, &self, argc, argv);

    if (rc == 0)
        rc = writer_open(&self);
    if (rc == 0)
        rc = svc_run(&self.svc);
    writer_close(&self);
    return svc_exit(&info, rc);
}
