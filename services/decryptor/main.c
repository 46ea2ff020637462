/* decryptor: turns telegrams into readings, or into rejects that say why. */
#include "decryptor.h"

/* clang-format off */
static const struct conf_option options[] = {
    CONF_SECRET_OPTION("SMARTMETER_KEY", struct decryptor, key, "", "key of every meter that is not in the keys file, 32 hex digits"),
    CONF_SECRET_OPTION("SMARTMETER_AUTHENTICATION_KEY", struct decryptor, authentication_key, "", "their authentication key, for meters that send a tag"),
    CONF_TEXT_OPTION("SMARTMETER_KEYS_FILE", struct decryptor, keys_file, "", "CSV: system_title,key,authentication_key,name; read again when it changes"),
    CONF_CONNECT_OPTION("TELEGRAMS_CONNECT", struct decryptor, telegrams_connect, "tcp://mqtt-ingest:5550", "the ingests"),
    CONF_BIND_OPTION("STORE_BIND", struct decryptor, store_bind, "tcp://*:5560", "where db-writers connect"),
    CONF_BIND_OPTION("DEBOUNCE_BIND", struct decryptor, debounce_bind, "tcp://*:5561", "where debouncers connect"),
    CONF_BIND_OPTION("READINGS_BIND", struct decryptor, readings_bind, "tcp://*:5562", "where live consumers connect"),
    SVC_OPTIONS(struct decryptor, svc.conf, "9102"),
    CONF_END,
};
/* clang-format on */

static const struct svc_info info = {
    .name = "decryptor",
    .purpose = "turns telegrams into readings, or into rejects that say why",
    .options = options,
    .metrics = decryptor_metrics,
    .check = decryptor_check,
};

int main(int argc, char **argv)
{
    struct decryptor self = {0};
    int rc = svc_start(&self.svc, &info, &self, argc, argv);

    if (rc == 0)
        rc = decryptor_open(&self);
    if (rc == 0)
        rc = svc_run(&self.svc);
    decryptor_close(&self);
    return svc_exit(&info, rc);
}
