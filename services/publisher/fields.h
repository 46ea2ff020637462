/* fields: a reading as texts, one for each topic below the values topic. */
#ifndef FIELDS_H
#define FIELDS_H

#include "record.h"

/** What has a topic of its own. */
enum fields_place {
    FIELDS_POWER, /* import less export: positive is drawn from the grid, W */
    FIELDS_POWER_IMPORT,
    FIELDS_POWER_EXPORT,
    FIELDS_ENERGY_IMPORT, /* kWh, as all energies */
    FIELDS_ENERGY_EXPORT,
    FIELDS_IMPORT_TODAY,
    FIELDS_EXPORT_TODAY,
    FIELDS_IMPORT_MONTH,
    FIELDS_EXPORT_MONTH,
    FIELDS_L1_VOLTAGE,
    FIELDS_L2_VOLTAGE,
    FIELDS_L3_VOLTAGE,
    FIELDS_L1_CURRENT,
    FIELDS_L2_CURRENT,
    FIELDS_L3_CURRENT,
    FIELDS_POWER_FACTOR,
    FIELDS_TIME,      /* the meter's, RFC 3339 UTC */
    FIELDS_LAST_SEEN, /* the arrival, the same */
    FIELDS_REJECTS,
    FIELDS_COUNT
};

/** The texts of one reading; "" is not published. */
struct fields {
    char text[FIELDS_COUNT][QUANTITY_CHARS];
};

/** "power", "energy_import_kwh" ... : the last level of the topic. */
const char *fields_name(enum fields_place place);

/**
 * Fill in what the reading itself says; energies, their totals and rejects become "". What the
 * meter does not send is "", and power where it sends neither import nor export.
 */
void fields_of_reading(const struct record *r, struct fields *out);

/** Watt-hours as kWh with three decimals: "10069.016". */
void fields_kwh(int64_t wh, char text[QUANTITY_CHARS]);

#endif
