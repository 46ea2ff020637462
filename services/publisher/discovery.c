#include "discovery.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "hex.h"

enum { ENERGY_EXPIRE_SECONDS = 10800 }; /* some meters send their counters once an hour */

/* How an entity's age is told. */
enum kind {
    MEASURED, /* unavailable soon after its last message */
    COUNTED,  /* stays true for longer */
    ALWAYS,   /* of use just when the meter is silent */
};

/* As Home Assistant documents the classes of a sensor and their units; NULL: not given. Totals that
 * begin anew each day or month are total_increasing, too: a fall is a new cycle. */
static const struct entity {
    const char *name, *device_class, *state_class, *unit;
    int precision; /* -1: none */
    enum kind kind;
    bool diagnostic, hidden;
} entities[FIELDS_COUNT] = {
    [FIELDS_POWER] = {"Power", "power", "measurement", "W", 0, MEASURED, false, false},
    [FIELDS_POWER_IMPORT] = {"Power import", "power", "measurement", "W", 0, MEASURED, false,
                             false},
    [FIELDS_POWER_EXPORT] = {"Power export", "power", "measurement", "W", 0, MEASURED, false,
                             false},
    [FIELDS_ENERGY_IMPORT] = {"Energy import", "energy", "total_increasing", "kWh", 3, COUNTED,
                              false, false},
    [FIELDS_ENERGY_EXPORT] = {"Energy export", "energy", "total_increasing", "kWh", 3, COUNTED,
                              false, false},
    [FIELDS_IMPORT_TODAY] = {"Energy import today", "energy", "total_increasing", "kWh", 3, COUNTED,
                             false, false},
    [FIELDS_EXPORT_TODAY] = {"Energy export today", "energy", "total_increasing", "kWh", 3, COUNTED,
                             false, false},
    [FIELDS_IMPORT_MONTH] = {"Energy import this month", "energy", "total_increasing", "kWh", 3,
                             COUNTED, false, false},
    [FIELDS_EXPORT_MONTH] = {"Energy export this month", "energy", "total_increasing", "kWh", 3,
                             COUNTED, false, false},
    [FIELDS_L1_VOLTAGE] = {"L1 voltage", "voltage", "measurement", "V", 1, MEASURED, false, false},
    [FIELDS_L2_VOLTAGE] = {"L2 voltage", "voltage", "measurement", "V", 1, MEASURED, false, false},
    [FIELDS_L3_VOLTAGE] = {"L3 voltage", "voltage", "measurement", "V", 1, MEASURED, false, false},
    [FIELDS_L1_CURRENT] = {"L1 current", "current", "measurement", "A", 2, MEASURED, false, false},
    [FIELDS_L2_CURRENT] = {"L2 current", "current", "measurement", "A", 2, MEASURED, false, false},
    [FIELDS_L3_CURRENT] = {"L3 current", "current", "measurement", "A", 2, MEASURED, false, false},
    [FIELDS_POWER_FACTOR] = {"Power factor", "power_factor", "measurement", NULL, 3, MEASURED,
                             false, false},
    [FIELDS_TIME] = {"Meter time", "timestamp", NULL, NULL, -1, MEASURED, true, true},
    [FIELDS_LAST_SEEN] = {"Last seen", "timestamp", NULL, NULL, -1, ALWAYS, true, false},
    [FIELDS_REJECTS] = {"Rejects", NULL, "total_increasing", NULL, -1, ALWAYS, true, false},
};

/* The first three octets of a system title: the maker's letters (DLMS flag id). */
static const struct {
    const char letters[4], *name;
} makers[] = {
    {"EMH", "EMH metering"}, {"ISK", "Iskraemeco"}, {"KAM", "Kamstrup"},
    {"KFM", "Kaifa"},        {"LGZ", "Landis+Gyr"}, {"SAG", "Sagemcom"},
};

/* "SAG" of 534147..., or "" where the title does not begin with three capitals. */
static void flag_of(const char *meter, char flag[4])
{
    uint8_t octets[METER_ID_CHARS / 2];

    memset(flag, 0, 4);
    if (hex_decode(meter, octets, sizeof octets) != 0)
        return;
    for (int i = 0; i < 3; i++)
        if (octets[i] < 'A' || octets[i] > 'Z')
            return;
    memcpy(flag, octets, 3);
}

static const char *maker_of(const char *flag)
{
    for (size_t i = 0; i < sizeof makers / sizeof makers[0]; i++)
        if (strcmp(flag, makers[i].letters) == 0)
            return makers[i].name;
    return flag;
}

static void set(json_t *object, const char *key, const char *text)
{
    if (text != NULL && *text != '\0')
        json_object_set_new(object, key, json_string(text));
}

/* In lower case, what is neither letter nor digit as one _: fit for topics and entity ids. */
static void slug(const char *text, char *out, size_t size)
{
    size_t n = 0;

    for (; *text != '\0' && n + 1 < size; text++)
        if (isalnum((unsigned char)*text))
            out[n++] = (char)tolower((unsigned char)*text);
        else if (n == 0 || out[n - 1] != '_')
            out[n++] = '_';
    out[n] = '\0';
}

void discovery_topic(const char *prefix, const char *meter, char *topic, size_t size)
{
    char id[METER_ID_CHARS + 1];

    slug(meter, id, sizeof id);
    snprintf(topic, size, "%s/device/zaehlwerk_%s/config", prefix, id);
}

static json_t *device(const struct discovery *d, const char *id)
{
    json_t *device = json_pack("{s:[o]}", "identifiers", json_sprintf("zaehlwerk_%s", id));
    char flag[4];

    flag_of(d->meter, flag);
    if (*d->name != '\0')
        set(device, "name", d->name);
    else
        json_object_set_new(
            device, "name",
            json_sprintf("Smart meter %s", *d->number != '\0' ? d->number : d->meter));
    set(device, "manufacturer", maker_of(flag));
    set(device, "serial_number", d->number);
    return device;
}

static json_t *availability(const struct discovery *d)
{
    json_t *list = json_pack("[{s:o}]", "topic", json_sprintf("%s/status", d->topic));

    if (*d->publisher_topic != '\0')
        json_array_append_new(list, json_pack("{s:s}", "topic", d->publisher_topic));
    return list;
}

static json_t *component(const struct discovery *d, enum fields_place place, const char *id)
{
    const struct entity *e = &entities[place];
    const char *field = fields_name(place);
    json_t *c = json_pack("{s:s, s:s, s:o}", "platform", "sensor", "name", e->name, "unique_id",
                          json_sprintf("zaehlwerk_%s_%s", id, field));
    char object[NAME_CHARS + 1];

    slug(*d->name != '\0' ? d->name : d->meter, object, sizeof object);
    json_object_set_new(c, "default_entity_id",
                        json_sprintf(*d->name != '\0' ? "sensor.%s_%s" : "sensor.smart_meter_%s_%s",
                                     object, field));
    json_object_set_new(c, "state_topic", json_sprintf("%s/%s", d->topic, field));
    set(c, "device_class", e->device_class);
    set(c, "state_class", e->state_class);
    set(c, "unit_of_measurement", e->unit);
    if (e->precision >= 0)
        json_object_set_new(c, "suggested_display_precision", json_integer(e->precision));
    if (e->diagnostic)
        set(c, "entity_category", "diagnostic");
    if (e->hidden)
        json_object_set_new(c, "enabled_by_default", json_false());
    if (e->kind == ALWAYS)
        json_object_set_new(c, "availability", json_array());
    else
        json_object_set_new(
            c, "expire_after",
            json_integer(e->kind == COUNTED && d->expire_seconds < ENERGY_EXPIRE_SECONDS
                             ? ENERGY_EXPIRE_SECONDS
                             : d->expire_seconds));
    return c;
}

char *discovery_payload(const struct discovery *d)
{
    char id[METER_ID_CHARS + 1], *text;
    json_t *components = json_object(), *root;

    slug(d->meter, id, sizeof id);
    for (int place = 0; place < FIELDS_COUNT; place++)
        if ((d->fields >> place & 1) != 0)
            json_object_set_new(components, fields_name((enum fields_place)place),
                                component(d, (enum fields_place)place, id));
    root = json_pack("{s:o, s:{s:s, s:s}, s:o, s:s, s:i, s:o}", "device", device(d, id), "origin",
                     "name", "Zählwerk", "sw_version", ZW_VERSION, "availability", availability(d),
                     "availability_mode", "all", "qos", d->qos, "components", components);
    text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    return text;
}
