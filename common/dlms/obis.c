#include "obis.h"

#include <string.h>

enum { UNIT_W = 27, UNIT_VAR = 29, UNIT_WH = 30, UNIT_VARH = 32, UNIT_A = 33, UNIT_V = 35 };
enum { UNIT_NONE = 255 };

/* Groups C, D, E of 1-b:C.D.E.255, the unit it must have. */
static const struct {
    uint8_t c, d, e, unit;
} fields[FIELD_COUNT] = {
    [FIELD_WIN] = {1, 8, 0, UNIT_WH},    [FIELD_WOUT] = {2, 8, 0, UNIT_WH},
    [FIELD_PIN] = {1, 7, 0, UNIT_W},     [FIELD_POUT] = {2, 7, 0, UNIT_W},
    [FIELD_U1] = {32, 7, 0, UNIT_V},     [FIELD_U2] = {52, 7, 0, UNIT_V},
    [FIELD_U3] = {72, 7, 0, UNIT_V},     [FIELD_I1] = {31, 7, 0, UNIT_A},
    [FIELD_I2] = {51, 7, 0, UNIT_A},     [FIELD_I3] = {71, 7, 0, UNIT_A},
    [FIELD_PF] = {13, 7, 0, UNIT_NONE},  [FIELD_RIN] = {3, 8, 0, UNIT_VARH},
    [FIELD_ROUT] = {4, 8, 0, UNIT_VARH}, [FIELD_QIN] = {3, 7, 0, UNIT_VAR},
    [FIELD_QOUT] = {4, 7, 0, UNIT_VAR},
};

/* Lists that send bare values: scalers of energy, power, voltage, current, factor. */
static const struct {
    const char *prefix;
    int8_t energy, power, voltage, current, factor;
} conventions[] = {
    {"Kamstrup_V", 1, 0, 0, -2, -2},
    {"KFM_", 0, 0, -1, -3, -3},
};

bool obis_is_code(const uint8_t *octets, size_t len)
{
    return len == OBIS_OCTETS && octets[5] == 0xFF;
}

enum obis_role obis_role(const uint8_t code[OBIS_OCTETS], enum field *field)
{
    static const uint8_t clock[] = {1, 0, 0}, number[] = {96, 1, 0}, giai[] = {0, 0, 5};

    if (memcmp(code + 2, clock, 3) == 0 && code[0] == 0)
        return OBIS_CLOCK;
    if (memcmp(code + 2, number, 3) == 0 && code[0] == 0)
        return OBIS_NUMBER;
    if (memcmp(code + 2, giai, 3) == 0 && code[0] == 1) /* Kamstrup: 1-1:0.0.5 */
        return OBIS_NUMBER;
    for (int f = 0; f < FIELD_COUNT && code[0] == 1 && code[1] <= 1; f++) {
        if (code[2] == fields[f].c && code[3] == fields[f].d && code[4] == fields[f].e) {
            *field = (enum field)f;
            return OBIS_FIELD;
        }
    }
    return OBIS_OTHER;
}

bool obis_unit_fits(enum field field, int64_t unit)
{
    return fields[field].unit == unit;
}

/* Groups C, D, E and what they stand for: electricity (A = 1) and abstract objects (A = 0). */
struct named {
    uint8_t cde[3];
    const char *name;
};

static const struct named electricity[] = {
    {{1, 8, 0}, "active energy import"},
    {{1, 8, 1}, "active energy import, tariff 1"},
    {{1, 8, 2}, "active energy import, tariff 2"},
    {{2, 8, 0}, "active energy export"},
    {{2, 8, 1}, "active energy export, tariff 1"},
    {{2, 8, 2}, "active energy export, tariff 2"},
    {{3, 8, 0}, "reactive energy import"},
    {{4, 8, 0}, "reactive energy export"},
    {{1, 7, 0}, "active power import"},
    {{2, 7, 0}, "active power export"},
    {{3, 7, 0}, "reactive power import"},
    {{4, 7, 0}, "reactive power export"},
    {{16, 7, 0}, "active power, signed"},
    {{13, 7, 0}, "power factor"},
    {{14, 7, 0}, "frequency"},
    {{32, 7, 0}, "voltage L1"},
    {{52, 7, 0}, "voltage L2"},
    {{72, 7, 0}, "voltage L3"},
    {{31, 7, 0}, "current L1"},
    {{51, 7, 0}, "current L2"},
    {{71, 7, 0}, "current L3"},
    {{21, 7, 0}, "active power import L1"},
    {{41, 7, 0}, "active power import L2"},
    {{61, 7, 0}, "active power import L3"},
    {{22, 7, 0}, "active power export L1"},
    {{42, 7, 0}, "active power export L2"},
    {{62, 7, 0}, "active power export L3"},
    {{0, 2, 129}, "version of the list"},
    {{0, 0, 5}, "number of the meter"},
};

static const struct named abstract[] = {
    {{1, 0, 0}, "clock"},
    {{96, 1, 0}, "number of the meter"},
    {{96, 1, 1}, "device id"},
    {{96, 1, 7}, "type of the meter"},
    {{96, 14, 0}, "tariff"},
    {{96, 13, 0}, "message"},
    {{42, 0, 0}, "logical device name"},
    {{25, 9, 0}, "push setup"},
};

static const char *find_name(const struct named *names, size_t count, const uint8_t *cde)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(names[i].cde, cde, sizeof names[i].cde) == 0)
            return names[i].name;
    return "";
}

const char *obis_name(const uint8_t code[OBIS_OCTETS])
{
    if (code[0] == 1)
        return find_name(electricity, sizeof electricity / sizeof electricity[0], code + 2);
    if (code[0] == 0)
        return find_name(abstract, sizeof abstract / sizeof abstract[0], code + 2);
    return "";
}

const char *obis_unit_name(int64_t unit)
{
    static const char *const names[] = {
        [8] = "degrees", [27] = "W",           [28] = "VA",    [UNIT_VAR] = "var", [UNIT_WH] = "Wh",
        [31] = "VAh",    [UNIT_VARH] = "varh", [UNIT_A] = "A", [UNIT_V] = "V",     [44] = "Hz",
    };

    return unit >= 0 && unit < (int64_t)(sizeof names / sizeof names[0]) && names[unit] != NULL
               ? names[unit]
               : "";
}

int8_t obis_default_scaler(const uint8_t *list_version, size_t len, enum field field)
{
    for (size_t i = 0; i < sizeof conventions / sizeof conventions[0]; i++) {
        size_t prefix = strlen(conventions[i].prefix);

        if (len < prefix || memcmp(list_version, conventions[i].prefix, prefix) != 0)
            continue;
        switch (fields[field].unit) {
        case UNIT_WH:
        case UNIT_VARH:
            return conventions[i].energy;
        case UNIT_V:
            return conventions[i].voltage;
        case UNIT_A:
            return conventions[i].current;
        case UNIT_NONE:
            return conventions[i].factor;
        default:
            return conventions[i].power;
        }
    }
    return 0;
}
