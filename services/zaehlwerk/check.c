/* zaehlwerk check: is this configuration sound, and do broker and database answer? */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "clock.h"
#include "commands.h"
#include "conf.h"
#include "keys.h"
#include "log.h"
#include "mqtt.h"
#include "store.h"

enum { PATIENCE_MS = 6000 };

struct check {
    struct mqtt_conf mqtt_conf;
    struct store_conf store_conf;
    char *key;
    char *authentication_key;
    char *keys_file;
    char mqtt_reason[128]; /* the last word of paho's thread */
};

/* clang-format off */
static const struct conf_option options[] = {
    CONF_MQTT_OPTIONS(struct check, mqtt_conf),
    STORE_OPTIONS(struct check, store_conf),
    CONF_SECRET_OPTION("SMARTMETER_KEY", struct check, key, "", "key of every meter that is not in the keys file"),
    CONF_SECRET_OPTION("SMARTMETER_AUTHENTICATION_KEY", struct check, authentication_key, "", "their authentication key, for meters that send a tag"),
    CONF_TEXT_OPTION("SMARTMETER_KEYS_FILE", struct check, keys_file, "", "CSV: system_title,key,authentication_key,name"),
    CONF_END,
};
/* clang-format on */

static int report(const char *what, int status, const char *detail)
{
    printf("%-9s %s%s%s\n", what, status == EX_OK ? "ok" : "FAILED", *detail != '\0' ? ": " : "",
           detail);
    return status;
}

static int check_keys(const struct check *c)
{
    struct keys *keys = NULL;
    int rc = keys_open(c->key, c->authentication_key, c->keys_file, &keys);
    char detail[80] = "see the line above";

    if (rc == 0 && *c->keys_file != '\0')
        snprintf(detail, sizeof detail, "%zu meters in the keys file", keys_count(keys));
    else if (rc == 0)
        snprintf(detail, sizeof detail, "one key for every meter");
    keys_free(keys);
    return report("key", rc == 0 ? EX_OK : EX_CONFIG, detail);
}

static void on_state(void *arg, bool connected, const char *reason)
{
    struct check *c = arg;

    if (!connected)
        snprintf(c->mqtt_reason, sizeof c->mqtt_reason, "%s", reason);
}

static int check_broker(struct check *c)
{
    const struct mqtt_handler handler = {NULL, on_state, c};
    int64_t until = clock_monotonic_ms() + PATIENCE_MS;
    char client[48], detail[512];
    struct mqtt *m;
    bool connected;

    snprintf(client, sizeof client, "zaehlwerk-check-%lld", (long long)clock_utc_ms());
    m = mqtt_new(&c->mqtt_conf, client, false, NULL, &handler);
    if (m == NULL)
        return report("broker", EX_UNAVAILABLE, "out of memory");
    do {
        mqtt_step(m, clock_monotonic_ms());
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
        connected = mqtt_connected(m);
    } while (!connected && clock_monotonic_ms() < until);
    mqtt_free(m, 1000);
    snprintf(detail, sizeof detail, "%.200s:%lld%s%s", c->mqtt_conf.host,
             (long long)c->mqtt_conf.port, connected ? "" : ", ",
             connected                   ? ""
             : c->mqtt_reason[0] != '\0' ? c->mqtt_reason
                                         : "no answer");
    return report("broker", connected ? EX_OK : EX_UNAVAILABLE, detail);
}

static int check_database(const struct check *c)
{
    char why[STORE_WHY_CHARS] = "";
    struct store *s;
    int rc;

    if (store_check(&c->store_conf) != 0)
        return report("database", EX_CONFIG, "see the line above");
    s = store_new(&c->store_conf);
    if (s == NULL)
        return report("database", EX_UNAVAILABLE, "out of memory");
    rc = store_probe(s, why);
    report("database",
           rc == 0         ? EX_OK
           : rc == -EINVAL ? EX_CONFIG
                           : EX_UNAVAILABLE,
           rc == 0 ? s->ops->name : why);
    store_free(s);
    return rc == 0 ? EX_OK : rc == -EINVAL ? EX_CONFIG : EX_UNAVAILABLE;
}

static int help(void)
{
    printf(
        "usage: zaehlwerk check\n\n"
        "Says whether the settings in the environment are sound: the key well-formed, the broker\n"
        "and the database reachable. Writes nothing to either. Exit status 0, 69 when one does "
        "not\n"
        "answer, 78 when a setting is wrong.\n\n");
    conf_help(stdout, options);
    return EX_OK;
}

int command_check(int argc, char **argv)
{
    struct check c = {.mqtt_reason = ""};
    int keys, broker, database;

    if (argc > 1)
        return strcmp(argv[1], "--help") == 0 ? help() : EX_USAGE;
    log_open("zaehlwerk check", LOG_LEVEL_WARN, false);
    if (conf_read(options, &c) != 0) {
        conf_free(options, &c);
        return EX_CONFIG;
    }
    keys = check_keys(&c);
    broker = check_broker(&c);
    database = check_database(&c);
    conf_free(options, &c);
    if (keys == EX_CONFIG || database == EX_CONFIG)
        return EX_CONFIG;
    return broker != EX_OK ? broker : database;
}
