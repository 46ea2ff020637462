/* meters: what the publisher remembers of each meter. */
#ifndef METERS_H
#define METERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fields.h"
#include "gate.h"
#include "totals.h"

/** What must be said of a meter, bits: said again until the broker has taken it. */
enum meters_owed {
    METERS_STATUS = 1,
    METERS_DISCOVERY = 2,
    METERS_TOTALS = 4,
};

/** A gate for each field, and behind them one for the JSON line. */
enum { METERS_JSON = FIELDS_COUNT, METERS_GATES };

/** names_of (names.h) gives its id. */
struct meter {
    char *topic; /* its values topic; NULL: not known */
    char name[NAME_CHARS + 1], number[NUMBER_CHARS + 1];
    uint32_t fields; /* bits by enum fields_place: what it has sent */
    unsigned owed;
    bool online;
    int64_t seen_ms;  /* its last live reading, monotonic */
    int64_t saved_ms; /* when its totals were last said */
    int64_t rejects;
    struct totals totals;
    struct gate gates[METERS_GATES];
};

struct meters;

/** NULL out of memory. */
struct meters *meters_new(void);
void meters_free(struct meters *m);

/** The meter of an id, new when it is not known. NULL out of memory. */
struct meter *meters_add(struct meters *m, const char *id);

size_t meters_count(const struct meters *m);

/** The meter of an id, or NULL. */
struct meter *meters_find(const struct meters *m, const char *id);

/**
 * A live reading: the meter is online, on this topic. What that changes is owed. Returns 0 or
 * -ENOMEM.
 */
int meters_seen(struct meters *m,
                struct meter *meter,
                const struct record *r,
                const char *topic,
                int64_t now_ms) __attribute__((warn_unused_result));

/**
 * The meter that a reject belongs to: by its id or, where that could not be read, by the raw topic
 * that only this meter's readings come on. NULL: nobody knows, or it was never online.
 */
struct meter *meters_of_reject(const struct meters *m, const struct record *r);

/** Those not seen for offline_ms are offline. */
void meters_expire(struct meters *m, int64_t now_ms, int64_t offline_ms);

void meters_each(const struct meters *m, void (*visit)(void *meter, void *arg), void *arg);

#endif
