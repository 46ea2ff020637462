/* health: the other services, asked how they are (STATUS_URLS), by a thread of its own. */
#ifndef HEALTH_H
#define HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "verdict.h"

enum { HEALTH_SERVICES = 32, HEALTH_DETAILS = 8, HEALTH_NAME_CHARS = 40, HEALTH_TEXT_CHARS = 120 };

#define HEALTH_DEFAULT                                                                             \
    "mqtt-ingest=http://127.0.0.1:9101/readyz,decryptor=http://127.0.0.1:9102/readyz,"             \
    "db-writer=http://127.0.0.1:9103/readyz,debouncer=http://127.0.0.1:9104/readyz,"               \
    "publisher=http://127.0.0.1:9105/readyz"

enum health_state { HEALTH_UNKNOWN, HEALTH_UP, HEALTH_WAITING, HEALTH_DOWN };

/** "unknown" "up" "waiting" "down" */
const char *health_name(enum health_state s);

/** One service, as it was last seen. */
struct health_service {
    char name[HEALTH_NAME_CHARS + 1];
    enum health_state state;
    char why[HEALTH_TEXT_CHARS + 1];                     /* "" when it is up */
    char details[HEALTH_DETAILS][HEALTH_TEXT_CHARS + 1]; /* lines of its /readyz */
    size_t detail_count;
};

/** All of them, and what their /metrics count. */
struct health_report {
    struct health_service services[HEALTH_SERVICES];
    size_t count;
    int64_t mqtt_messages;          /* -1: nobody says */
    int64_t rejects[VERDICT_COUNT]; /* since they started */
};

/** The form of STATUS_URLS, "name=http://host:port/readyz,...": 0, or -EINVAL and logged. */
int health_check(const char *urls);

/* Parts of it, for tests. */

/** One "name=url" into a name and a view of the url; false when it is none. */
bool health_read_entry(const char *entry, char name[HEALTH_NAME_CHARS + 1], const char **url);

/** What an answer of /readyz says: status 0 is none, with `why`. */
void health_judge(struct health_service *s, long status, const char *text, const char *why);

/** Add what a /metrics text counts to the report. */
void health_count(struct health_report *r, const char *text);

struct health;

/**
 * Ask all of them again and again; `told` hears each round's outcome, from the thread. Returns 0,
 * -EINVAL as health_check, or -ENOMEM.
 */
int health_open(const char *urls,
                void (*told)(void *arg, const struct health_report *report),
                void *arg,
                struct health **out) __attribute__((warn_unused_result));
void health_close(struct health *h);

#endif
