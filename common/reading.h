/* reading: the decoded values of one telegram. */
#ifndef READING_H
#define READING_H

#include <stdbool.h>
#include <stdint.h>

/** What a meter measures; WIn to PF are the original application's, in its order. */
enum field {
    FIELD_WIN,  /* 1.8.0 active energy import, Wh */
    FIELD_WOUT, /* 2.8.0 active energy export, Wh */
    FIELD_PIN,  /* 1.7.0 active power import, W */
    FIELD_POUT, /* 2.7.0 active power export, W */
    FIELD_U1,   /* 32.7.0 52.7.0 72.7.0 voltages, V */
    FIELD_U2,
    FIELD_U3,
    FIELD_I1, /* 31.7.0 51.7.0 71.7.0 currents, A */
    FIELD_I2,
    FIELD_I3,
    FIELD_PF,   /* 13.7.0 power factor, 1 */
    FIELD_RIN,  /* 3.8.0 reactive energy import, varh */
    FIELD_ROUT, /* 4.8.0 reactive energy export, varh */
    FIELD_QIN,  /* 3.7.0 reactive power import, var */
    FIELD_QOUT, /* 4.7.0 reactive power export, var */
    FIELD_COUNT,
    FIELD_ORIGINAL = FIELD_RIN /* fields below this one are in the database and the values JSON */
};

/** mantissa * 10^scaler in the field's unit, as the meter sent it. */
struct quantity {
    bool present;
    int8_t scaler;
    int64_t mantissa;
};

#define METER_ID_CHARS 16
#define NUMBER_CHARS   32
#define NAME_CHARS     64
#define SUSPECT_CHARS  31

struct reading {
    char meter[METER_ID_CHARS + 1];  /* system title as 16 hex digits, or a hash: see decode.h */
    int64_t counter;                 /* invocation counter; -1 for an unencrypted telegram */
    bool has_time;                   /* the meter's clock is valid */
    int64_t time;                    /* the meter's clock, seconds since 1970 UTC */
    uint8_t clock_status;            /* as sent; FF when there is no clock */
    char number[NUMBER_CHARS + 1];   /* the number printed on the meter, or "" */
    char name[NAME_CHARS + 1];       /* from the keys file, or "" */
    char suspect[SUSPECT_CHARS + 1]; /* why it is kept out of live values and totals, or "" */
    struct quantity values[FIELD_COUNT];
};

/**
 * Read a meter's id: 16 hex digits, in capitals afterwards. False when text is none, with id
 * untouched.
 */
bool meter_id_read(const char *text, char id[METER_ID_CHARS + 1]);

/** "WIn", "U1" ... and "Wh", "V", "1" ... */
const char *field_name(enum field f);
const char *field_unit(enum field f);

/** The field of a name, or -1. */
int field_from_name(const char *name, unsigned len);

/**
 * The quantity as an integer in 10^exponent of its unit, rounded half away from zero:
 * milli-volts of 233.8 V are quantity_scaled(q, -3) = 233800. Saturates at the ends of int64_t.
 */
int64_t quantity_scaled(const struct quantity *q, int exponent);

/**
 * Import less export, in W to the milliwatt at most; a meter of one direction sends one of them.
 * False when it sends none, or no meter can mean it.
 */
bool reading_power(const struct reading *r, struct quantity *net);

#define QUANTITY_CHARS 48

/**
 * The quantity as the original application prints it: an integer where the scaler is 0 or more,
 * else the scaler's decimals with trailing zeros dropped down to one ("233.8", "0.33", "237.0").
 */
void quantity_format(const struct quantity *q, char text[QUANTITY_CHARS]);

#define VALUES_JSON_CHARS 1024

/**
 * The original application's JSON line without a line feed:
 *   {"WIn": {"value": 10069016, "unit": "Wh"}, ..., "timestamp": {"value": 1665581631, "unit":
 * "s"}} Fields that the meter does not send are left out; timestamp is `time`.
 */
void reading_values_json(const struct reading *r, int64_t time, char text[VALUES_JSON_CHARS]);

#endif
