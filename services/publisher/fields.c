#include "fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "instant.h"

static const char *const names[FIELDS_COUNT] = {
    [FIELDS_POWER] = "power",
    [FIELDS_POWER_IMPORT] = "power_import",
    [FIELDS_POWER_EXPORT] = "power_export",
    [FIELDS_ENERGY_IMPORT] = "energy_import_kwh",
    [FIELDS_ENERGY_EXPORT] = "energy_export_kwh",
    [FIELDS_IMPORT_TODAY] = "energy_import_today_kwh",
    [FIELDS_EXPORT_TODAY] = "energy_export_today_kwh",
    [FIELDS_IMPORT_MONTH] = "energy_import_month_kwh",
    [FIELDS_EXPORT_MONTH] = "energy_export_month_kwh",
    [FIELDS_L1_VOLTAGE] = "l1_voltage",
    [FIELDS_L2_VOLTAGE] = "l2_voltage",
    [FIELDS_L3_VOLTAGE] = "l3_voltage",
    [FIELDS_L1_CURRENT] = "l1_current",
    [FIELDS_L2_CURRENT] = "l2_current",
    [FIELDS_L3_CURRENT] = "l3_current",
    [FIELDS_POWER_FACTOR] = "power_factor",
    [FIELDS_TIME] = "time",
    [FIELDS_LAST_SEEN] = "last_seen",
    [FIELDS_REJECTS] = "rejects",
};

/* Those that are a quantity as the meter sends it. */
static const struct {
    enum fields_place place;
    enum field field;
} plain[] = {
    {FIELDS_POWER_IMPORT, FIELD_PIN}, {FIELDS_POWER_EXPORT, FIELD_POUT},
    {FIELDS_L1_VOLTAGE, FIELD_U1},    {FIELDS_L2_VOLTAGE, FIELD_U2},
    {FIELDS_L3_VOLTAGE, FIELD_U3},    {FIELDS_L1_CURRENT, FIELD_I1},
    {FIELDS_L2_CURRENT, FIELD_I2},    {FIELDS_L3_CURRENT, FIELD_I3},
    {FIELDS_POWER_FACTOR, FIELD_PF},
};

const char *fields_name(enum fields_place place)
{
    return names[place];
}

void fields_of_reading(const struct record *r, struct fields *out)
{
    const struct reading *reading = &r->reading;
    struct quantity power;

    memset(out, 0, sizeof *out);
    if (reading_power(reading, &power))
        quantity_format(&power, out->text[FIELDS_POWER]);
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (reading->values[plain[i].field].present)
            quantity_format(&reading->values[plain[i].field], out->text[plain[i].place]);
    if (reading->has_time)
        instant_print(reading->time, out->text[FIELDS_TIME]);
    instant_print(r->arrival_ms / 1000, out->text[FIELDS_LAST_SEEN]);
}

void fields_kwh(int64_t wh, char text[QUANTITY_CHARS])
{
    snprintf(text, QUANTITY_CHARS, "%s%lld.%03lld", wh < 0 ? "-" : "", llabs(wh / 1000),
             llabs(wh % 1000));
}
