/* debouncer: picks the earliest reading of each window. */
#include "debouncer.h"

/* clang-format off */
static const struct conf_option options[] = {
    CONF_NUMBER_OPTION("DEBOUNCE_SECONDS", struct debouncer, seconds, "300", 1, 86400, "length of a window, aligned to UTC"),
    CONF_CONNECT_OPTION("DEBOUNCE_CONNECT", struct debouncer, debounce_connect, "tcp://decryptor:5561", "the decryptors"),
    CONF_BIND_OPTION("STORE_BIND", struct debouncer, store_bind, "tcp://*:5570", "where db-writers connect"),
    CONF_BIND_OPTION("ACKS_BIND", struct debouncer, acks_bind, "tcp://*:5571", "where ingests connect for acknowledgements"),
    CONF_CONNECT_OPTION("ACKS_CONNECT", struct debouncer, acks_connect, "tcp://db-writer:5580", "the db-writers, which tell what is committed"),
    SVC_OPTIONS(struct debouncer, svc.conf, "9104"),
    CONF_END,
};
/* clang-format on */

static const struct svc_info info = {
    .name = "debouncer",
    .purpose = "picks the earliest reading of each window",
    .options = options,
    .metrics = debouncer_metrics,
};

int main(int argc, char **argv)
{
    struct debouncer self = {0};
    int rc = svc_start(&self.svc, &info, &self, argc, argv);

    if (rc == 0)
        rc = debouncer_open(&self);
    if (rc == 0)
        rc = svc_run(&self.svc);
    debouncer_close(&self);
    return svc_exit(&info, rc);
}
