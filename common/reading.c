#include "reading.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *unit;
} fields[FIELD_COUNT] = {
    [FIELD_WIN] = {"WIn", "Wh"},     [FIELD_WOUT] = {"WOut", "Wh"}, [FIELD_PIN] = {"PIn", "W"},
    [FIELD_POUT] = {"POut", "W"},    [FIELD_U1] = {"U1", "V"},      [FIELD_U2] = {"U2", "V"},
    [FIELD_U3] = {"U3", "V"},        [FIELD_I1] = {"I1", "A"},      [FIELD_I2] = {"I2", "A"},
    [FIELD_I3] = {"I3", "A"},        [FIELD_PF] = {"PF", "1"},      [FIELD_RIN] = {"RIn", "varh"},
    [FIELD_ROUT] = {"ROut", "varh"}, [FIELD_QIN] = {"QIn", "var"},  [FIELD_QOUT] = {"QOut", "var"},
};

bool meter_id_read(const char *text, char id[METER_ID_CHARS + 1])
{
    if (strlen(text) != METER_ID_CHARS || strspn(text, "0123456789ABCDEFabcdef") != METER_ID_CHARS)
        return false;
    for (int i = 0; i <= METER_ID_CHARS; i++)
        id[i] = (char)toupper((unsigned char)text[i]);
    return true;
}

const char *field_name(enum field f)
{
    return fields[f].name;
}

const char *field_unit(enum field f)
{
    return fields[f].unit;
}

int field_from_name(const char *name, unsigned len)
{
    for (int f = 0; f < FIELD_COUNT; f++)
        if (strlen(fields[f].name) == len && memcmp(fields[f].name, name, len) == 0)
            return f;
    return -1;
}

int64_t quantity_scaled(const struct quantity *q, int exponent)
{
    int64_t v = q->mantissa;
    int shift = q->scaler - exponent;

    for (; shift > 0 && v != 0; shift--)
        if (__builtin_mul_overflow(v, 10, &v))
            return q->mantissa < 0 ? INT64_MIN : INT64_MAX;
    if (shift < 0) {
        int64_t digit = 0;

        for (; shift < 0 && (v != 0 || digit != 0); shift++) {
            digit = v % 10;
            v /= 10;
        }
        v += digit >= 5 ? 1 : digit <= -5 ? -1 : 0;
    }
    return v;
}

bool reading_power(const struct reading *r, struct quantity *net)
{
    const struct quantity *in = &r->values[FIELD_PIN], *out = &r->values[FIELD_POUT];
    int8_t scaler = 0;

    if (!in->present && !out->present)
        return false;
    if (in->present)
        scaler = in->scaler;
    if (out->present && out->scaler < scaler)
        scaler = out->scaler;
    scaler = (int8_t)(scaler > 0 ? 0 : scaler < -3 ? -3 : scaler);
    *net = (struct quantity){.present = true, .scaler = scaler};
    if (in->present)
        net->mantissa = quantity_scaled(in, scaler);
    return !out->present ||
           !__builtin_sub_overflow(net->mantissa, quantity_scaled(out, scaler), &net->mantissa);
}

void quantity_format(const struct quantity *q, char text[QUANTITY_CHARS])
{
    char digits[24];
    int decimals = -q->scaler;
    int len, point;

    if (decimals <= 0) {
        snprintf(text, QUANTITY_CHARS, "%" PRId64, quantity_scaled(q, 0));
        return;
    }
    if (decimals > 18)
        decimals = 18;
    len = snprintf(digits, sizeof digits, "%0*" PRIu64, decimals + 1,
                   q->mantissa < 0 ? -(uint64_t)q->mantissa : (uint64_t)q->mantissa);
    point = len - decimals;
    while (len > point + 1 && digits[len - 1] == '0')
        len--;
    snprintf(text, QUANTITY_CHARS, "%s%.*s.%.*s", q->mantissa < 0 ? "-" : "", point, digits,
             len - point, digits + point);
}

void reading_values_json(const struct reading *r, int64_t time, char text[VALUES_JSON_CHARS])
{
    char value[QUANTITY_CHARS];
    size_t at = 1;

    text[0] = '{';
    for (int f = 0; f < FIELD_ORIGINAL; f++) {
        if (!r->values[f].present)
            continue;
        quantity_format(&r->values[f], value);
        at += (size_t)snprintf(text + at, VALUES_JSON_CHARS - at,
                               "\"%s\": {\"value\": %s, \"unit\": \"%s\"}, ", fields[f].name, value,
                               fields[f].unit);
    }
    snprintf(text + at, VALUES_JSON_CHARS - at,
             "\"timestamp\": {\"value\": %" PRId64 ", \"unit\": \"s\"}}", time);
}
