/* zaehlwerk check: is this configuration sound, and do broker and database answer? */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "check_mqtt.h"
#include "commands.h"
#include "conf.h"
#include "keys.h"
#include "log.h"
#include "store.h"

struct check {
    struct mqtt_conf mqtt_conf;
    struct store_conf store_conf;
    char *key;
    char *authentication_key;
    char *keys_file;
    bool shared;
};

/* clang-format off */
static const struct conf_option options[] = {
    CONF_MQTT_OPTIONS(struct check, mqtt_conf),
    STORE_OPTIONS(struct check, store_conf),
    CONF_SECRET_OPTION("SMARTMETER_KEY", struct check, key, "", "key of every meter that is not in the keys file"),
    CONF_SECRET_OPTION("SMARTMETER_AUTHENTICATION_KEY", struct check, authentication_key, "", "their authentication key, for meters that send a tag"),
    CONF_TEXT_OPTION("SMARTMETER_KEYS_FILE", struct check, keys_file, "", "CSV: system_title,key,authentication_key,name"),
    CONF_SWITCH_OPTION("INGEST_SHARED", struct check, shared, "0", "1: shared subscriptions are needed"),
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

/* One line of what the broker can; a finding when it cannot and this is needed. */
static int
report_ability(const char *what, enum broker_answer answer, const char *why, const char *needed)
{
    static const char *const answers[] = {
        [BROKER_NOT_TESTED] = "not tested", [BROKER_YES] = "yes", [BROKER_NO] = "no"};
    bool failed = answer == BROKER_NO && needed != NULL;

    printf("%s: %s (%s)%s%s\n", what, answers[answer], why, failed ? ": FAILED, needed by " : "",
           failed ? needed : "");
    return failed ? EX_UNAVAILABLE : EX_OK;
}

static int check_broker(const struct check *c)
{
    struct broker_report r;
    char detail[512];
    int status, sessions, shared;

    broker_probe(&c->mqtt_conf, &r);
    snprintf(detail, sizeof detail, "%.200s:%lld%s%s", c->mqtt_conf.host,
             (long long)c->mqtt_conf.port, r.connected ? "" : ", ", r.connected ? "" : r.reason);
    status = report("broker", r.connected ? EX_OK : EX_UNAVAILABLE, detail);
    if (!r.connected)
        return status;
    sessions = report_ability("sessions", r.sessions, r.sessions_why, "mqtt-ingest");
    shared = report_ability("shared subscriptions", r.shared, r.shared_why,
                            c->shared ? "INGEST_SHARED=1" : NULL);
    return sessions != EX_OK ? sessions : shared;
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
        "and the database reachable; what the broker can (on throw-away topics below\n"
        "zaehlwerk/check/). Writes nothing to the database and leaves nothing at the broker. Exit\n"
        "status 0; 69 when one does not answer or cannot what is needed; 78 when a setting is "
        "wrong.\n\n");
    conf_help(stdout, options);
    return EX_OK;
}

int command_check(int argc, char **argv)
{
    struct check c = {0};
    int keys, broker, database;

    if (argc > 1)
        return strcmp(argv[1], "--help") == 0 ? help() : EX_USAGE;
    log_open("zaehlwerk check", LOG_LEVEL_WARN, false);
    if (conf_read(options, &c) != 0 || mqtt_check(&c.mqtt_conf) != 0) {
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
