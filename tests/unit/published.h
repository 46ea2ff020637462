/* published: what a vector tells of its telegram, to hold a reading against. */
#ifndef PUBLISHED_H
#define PUBLISHED_H

#include "vectors.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "decode.h"
#include "reading.h"

/** Calls test with every vector. */
static inline void each_vector(void (*test)(const json_t *vector, const char *id))
{
    json_t *vectors = vectors_load();

    assert_int_equal(json_array_size(vectors), 32);
    for (size_t i = 0; i < json_array_size(vectors); i++) {
        const json_t *vector = json_array_get(vectors, i);

        test(vector, vector_text(vector, "id"));
    }
    json_decref(vectors);
}

/** True when the OBIS walk reads this layout; every other is one that it must call unknown. */
static inline bool is_readable(const char *id)
{
    static const char *const readable[] = {
        "netznoe-kaifa-ma309m-doc",
        "netznoe-sagemcom-t210d-olddoc",
        "netznoe-sagemcom-t210d-olddoc-mbus",
        "netznoe-sagemcom-t210d-2",
        "tirol-kaifa-ma110m-doc",
        "vorarlberg-kaifa-ma309m",
        "steiermark-landisgyr-e450-1",
        "denmark-kamstrup-omnipower",
        "norway-aidon-1phase-plain",
        "nordic-aidon-no-list-3",
        "nordic-kaifa-se-list",
        "nordic-kamstrup-no-list-1-single-phase-real-sample",
        "nordic-kamstrup-no-list-2-single-phase-real-sample",
    };

    for (size_t i = 0; i < COUNT(readable); i++)
        if (strcmp(readable[i], id) == 0)
            return true;
    return false;
}

/** True when it is a DSMR P1 telegram: text of another interface. */
static inline bool is_dsmr_p1(const char *id)
{
    return strcmp(id, "steiermark-sagemcom-t210dr-1") == 0 ||
           strcmp(id, "luxembourg-smarty-t210d") == 0;
}

/** What becomes of it with its key. */
static inline enum verdict verdict_of(const char *id)
{
    return is_readable(id)  ? VERDICT_OK
           : is_dsmr_p1(id) ? VERDICT_OTHER_INTERFACE
                            : VERDICT_UNKNOWN_LAYOUT;
}

/** "values": the same set of names, numerically exact. */
static inline void check_values(const char *id, const struct reading *r, const json_t *want)
{
    size_t present = 0;

    for (int f = 0; f < FIELD_COUNT; f++) {
        const json_t *number = json_object_get(want, field_name((enum field)f));
        char text[QUANTITY_CHARS];

        if (!r->values[f].present)
            continue;
        quantity_format(&r->values[f], text);
        present++;
        if (!json_is_number(number) || strtod(text, NULL) != json_number_value(number))
            fail_msg("%s: %s %s", id, field_name((enum field)f), text);
    }
    if (present != json_object_size(want))
        fail_msg("%s: %zu values of %zu", id, present, json_object_size(want));
}

/** "clock" is local time with its offset, or without one: then it is no point in time. */
static inline void check_clock(const char *id, const struct reading *r, const json_t *vector)
{
    const char *clock = vector_text(vector, "clock"), *status = vector_text(vector, "clock_status");
    struct tm tm = {0};
    int hours = 0, minutes = 0, fields;
    char sign = '+';
    int64_t utc;

    if (status != NULL && r->clock_status != strtoul(status, NULL, 16))
        fail_msg("%s: status %02X", id, r->clock_status);
    fields = clock == NULL
                 ? 0
                 : sscanf(clock, "%d-%d-%dT%d:%d:%d%c%d:%d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
                          &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &sign, &hours, &minutes);
    assert_true(fields == 0 || fields == 6 || fields == 9);
    if (r->has_time != (fields == 9))
        fail_msg("%s: time %d", id, r->has_time);
    if (!r->has_time)
        return;
    tm.tm_year -= 1900;
    tm.tm_mon--;
    utc = timegm(&tm) - (sign == '-' ? -60 : 60) * (60 * hours + minutes);
    if (r->time != utc)
        fail_msg("%s: %" PRId64 ", not %" PRId64, id, r->time, utc);
}

static inline void check_reading(const char *id, const struct reading *r, const json_t *vector)
{
    const char *number = vector_text(vector, "meter_number");

    check_values(id, r, json_object_get(vector, "values"));
    check_clock(id, r, vector);
    if (number != NULL)
        assert_string_equal(r->number, number);
}

/** Those of a vector that it publishes. */
static inline struct decode_keys keys_of(const json_t *vector)
{
    const char *key = vector_text(vector, "key");
    const char *authentication_key = vector_text(vector, "authentication_key");
    struct decode_keys keys = {.has_key = key != NULL,
                               .has_authentication_key = authentication_key != NULL};

    if (key != NULL)
        assert_int_equal(hex_decode(key, keys.key, KEY_OCTETS), 0);
    if (authentication_key != NULL)
        assert_int_equal(hex_decode(authentication_key, keys.authentication_key, KEY_OCTETS), 0);
    return keys;
}

/** A decode_lookup whose arg is the keys of every meter. */
static inline const struct decode_keys *lookup(void *arg, const uint8_t title[SYSTEM_TITLE_OCTETS])
{
    (void)title;
    return arg;
}

static inline void check_no_values(const char *id, const struct reading *r)
{
    for (int f = 0; f < FIELD_COUNT; f++)
        if (r->values[f].present)
            fail_msg("%s: a value for %s", id, field_name((enum field)f));
}

#endif
