/* dashboard: the page for the people who live with the meter. */
#include "dashboard.h"

/* clang-format off */
static const struct conf_option options[] = {
    CONF_TEXT_OPTION("DASHBOARD_LISTEN", struct dashboard, listen, "127.0.0.1:8080", "address:port of the page; one that others reach needs a password or a proxy"),
    CONF_SWITCH_OPTION("DASHBOARD_LOCAL", struct dashboard, local, "0", "1: only this machine reaches that address, as a container's port that is published on 127.0.0.1"),
    CONF_SECRET_OPTION("DASHBOARD_PASSWORD", struct dashboard, password, "", "what to sign in with"),
    CONF_TEXT_OPTION("DASHBOARD_TRUSTED_HEADER", struct dashboard, trusted_header, "", "header by which a proxy in front says who signed in; nobody else may reach the port"),
    CONF_NUMBER_OPTION("DASHBOARD_CLIENTS", struct dashboard, clients, "200", 1, 100000, "browsers that may watch at a time"),
    CONF_TEXT_OPTION("STATUS_URLS", struct dashboard, status_urls, HEALTH_DEFAULT, "name=url of each service's /readyz; off: none"),
    CONF_TEXT_OPTION("PRICE_IMPORT", struct dashboard, price_import, "", "what a kWh from the grid costs"),
    CONF_TEXT_OPTION("PRICE_EXPORT", struct dashboard, price_export, "", "what a kWh to the grid earns"),
    CONF_TEXT_OPTION("PRICE_CURRENCY", struct dashboard, currency, "EUR", "the currency of both"),
    CONF_TEXT_OPTION("TIMEZONE", struct dashboard, timezone, "Europe/Vienna", "where days and months begin"),
    CONF_CONNECT_OPTION("READINGS_CONNECT", struct dashboard, readings_connect, "tcp://decryptor:5562", "the decryptors"),
    CONF_NUMBER_OPTION("LIVE_SKEW_SECONDS", struct dashboard, skew_seconds, "10800", 0, 1000000000, "how far a meter's clock may be from the arrival of a live value; 0: any"),
    STORE_OPTIONS(struct dashboard, store),
    SVC_OPTIONS(struct dashboard, svc.conf, "9106"),
    CONF_END,
};
/* clang-format on */

static const struct svc_info info = {
    .name = "dashboard",
    .purpose = "shows people what their meters measure, and what is wrong",
    .options = options,
    .metrics = dashboard_metrics,
    .needs = {NULL},
    .check = dashboard_check,
};

int main(int argc, char **argv)
{
    static struct dashboard
        self; /* static: a worker that hangs at the end still has its settings */
    int rc = svc_start(&self.svc, &info, &self, argc, argv);

    if (rc == 0)
        rc = dashboard_open(&self);
    if (rc == 0)
        rc = svc_run(&self.svc);
    dashboard_close(&self);
    return svc_exit(&info, rc);
}
