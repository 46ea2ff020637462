/* conf: settings from the environment, declared in one table per program. */
#ifndef CONF_H
#define CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum conf_kind {
    CONF_TEXT,    /* char *: never NULL after conf_read */
    CONF_NUMBER,  /* int64_t between min and max */
    CONF_SWITCH,  /* bool: 0 or 1 */
    CONF_CHOICE,  /* char *: one of the words in `choices` */
    CONF_SECRET,  /* char *: as CONF_TEXT, never printed */
    CONF_BIND,    /* char *: a list of ZeroMQ endpoints that a producer binds */
    CONF_CONNECT, /* char *: ... that a consumer connects to */
};

/** One setting. The table ends with a NULL name. */
struct conf_option {
    const char *name; /* the environment variable; NAME_FILE names a file that holds the value */
    enum conf_kind kind;
    size_t offset;        /* into the configuration struct */
    const char *fallback; /* default; NULL: the variable must be set */
    const char *help;
    int64_t min, max;
    const char *choices; /* "text|json" */
};

/* clang-format off */
#define CONF_TEXT_OPTION(n, s, m, d, h)        {.name = (n), .kind = CONF_TEXT, .offset = offsetof(s, m), .fallback = (d), .help = (h)}
#define CONF_BIND_OPTION(n, s, m, d, h)        {.name = (n), .kind = CONF_BIND, .offset = offsetof(s, m), .fallback = (d), .help = (h)}
#define CONF_CONNECT_OPTION(n, s, m, d, h)     {.name = (n), .kind = CONF_CONNECT, .offset = offsetof(s, m), .fallback = (d), .help = (h)}
#define CONF_SECRET_OPTION(n, s, m, d, h)      {.name = (n), .kind = CONF_SECRET, .offset = offsetof(s, m), .fallback = (d), .help = (h)}
#define CONF_NUMBER_OPTION(n, s, m, d, lo, hi, h) {.name = (n), .kind = CONF_NUMBER, .offset = offsetof(s, m), .fallback = (d), .help = (h), .min = (lo), .max = (hi)}
#define CONF_SWITCH_OPTION(n, s, m, d, h)      {.name = (n), .kind = CONF_SWITCH, .offset = offsetof(s, m), .fallback = (d), .help = (h)}
#define CONF_CHOICE_OPTION(n, s, m, d, c, h)   {.name = (n), .kind = CONF_CHOICE, .offset = offsetof(s, m), .fallback = (d), .help = (h), .choices = (c)}
#define CONF_END                               {.name = NULL}

/** Settings that several programs have: s is their struct, m its member. */
#define CONF_MQTT_OPTIONS(s, m)                                                                                         \
    CONF_TEXT_OPTION("MQTT_HOST", s, m.host, "localhost", "the broker"),                                                \
    CONF_NUMBER_OPTION("MQTT_PORT", s, m.port, "1883", 1, 65535, "its port"),                                           \
    CONF_TEXT_OPTION("MQTT_USER", s, m.user, "", "user name, if the broker wants one"),                                 \
    CONF_SECRET_OPTION("MQTT_PASSWORD", s, m.password, "", "password, if the broker wants one"),                        \
    CONF_CHOICE_OPTION("MQTT_PROTOCOL", s, m.protocol, "5", "5|3.1.1", "MQTT version; 3.1.1 for old brokers"),          \
    CONF_SWITCH_OPTION("MQTT_TLS", s, m.tls, "0", "1: TLS to the broker (its port is often 8883)"),                     \
    CONF_TEXT_OPTION("MQTT_CA_FILE", s, m.ca_file, "", "certificates to trust (PEM); empty: the system's"), \
    CONF_TEXT_OPTION("MQTT_CERT_FILE", s, m.cert_file, "", "our own certificate (PEM), if the broker wants one"),        \
    CONF_TEXT_OPTION("MQTT_CERT_KEY_FILE", s, m.cert_key_file, "", "its private key (PEM, no passphrase)")
/* clang-format on */

/**
 * Fill `self` from the environment. An empty variable counts as unset.
 *
 * Returns 0. On a wrong or missing value logs one line that names the variable, what is wrong and
 * what would be right, and returns -EINVAL; conf_free may follow in any case.
 */
int conf_read(const struct conf_option *options, void *self) __attribute__((warn_unused_result));

void conf_free(const struct conf_option *options, void *self);

/** Log that a setting is wrong in the same words as conf_read; returns -EINVAL. */
int conf_wrong(const char *variable, const char *wrong, const char *right);

/** Print the table as --help text: name, default, meaning. */
void conf_help(FILE *out, const struct conf_option *options);

/**
 * Cut "a, b,c" into a NULL-terminated array of trimmed strings, empty ones dropped; one free()
 * releases it all. NULL out of memory.
 */
char **conf_list(const char *text);

/** True for lower-case letters, digits and _, beginning with a letter: a name SQL needs no quotes
 * for. */
bool conf_is_identifier(const char *text);

#endif
