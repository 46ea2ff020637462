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
