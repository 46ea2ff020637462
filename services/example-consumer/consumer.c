#include "consumer.h"

/* clang-format off */
static const struct conf_option options[] = {
    CONF_CONNECT_OPTION("READINGS_CONNECT", struct consumer, connect, "tcp://decryptor:5562", "the decryptors"),
    SURPLUS_OPTIONS(struct consumer, surplus),
    LOAD_OPTIONS(struct consumer, load),
    SVC_OPTIONS(struct consumer, svc.conf, "9107"),
    CONF_END,
};
/* clang-format on */

static const struct metric_def metrics[] = {
    {"zaehlwerk_readings_total", METRIC_COUNTER, "verdict", "Readings received."},
    {NULL, METRIC_GAUGE, NULL, NULL},
};

static int check(void *self)
{
    const struct consumer *c = self;
    int rc = surplus_check(&c->surplus);

    return rc == 0 ? load_check(&c->load) : rc;
}

const struct svc_info consumer_info = {
    .name = "example-consumer",
    .purpose = "switches a load on while the home exports power",
    .options = options,
    .metrics = metrics,
    .needs = {"meter"},
    .check = check,
};

void consumer_close(struct consumer *c)
{
    load_close(&c->load);
    link_free(c->readings);
    surplus_close(&c->surplus);
    svc_close(&c->svc, c);
}
