/* obis: which OBIS code is which field, and how meters that send no scaler scale it. */
#ifndef OBIS_H
#define OBIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reading.h"

#define OBIS_OCTETS 6

/** What a code stands for besides a field. */
enum obis_role { OBIS_FIELD, OBIS_CLOCK, OBIS_NUMBER, OBIS_OTHER };

/** True for 6 octets that are a code: group F is 255 (current value) in all these meters. */
bool obis_is_code(const uint8_t *octets, size_t len);

/** The role of a code, and its field when that is OBIS_FIELD. Source: IEC 62056-6-1. */
enum obis_role obis_role(const uint8_t code[OBIS_OCTETS], enum field *field);

/** DLMS unit numbers (Blue Book 4.3.2, table 4): 30 Wh, 32 varh, 27 W, 29 var, 35 V, 33 A, 255
 * none. */
bool obis_unit_fits(enum field field, int64_t unit);

/** What a code stands for, in English, as far as it is known here; "" otherwise. */
const char *obis_name(const uint8_t code[OBIS_OCTETS]);

/** "Wh", "V" ... of a DLMS unit number; "" for none or one that is not known here. */
const char *obis_unit_name(int64_t unit);

/**
 * The power of ten of a value that came without a scaler: a convention of the list that begins with
 * this version string (Kamstrup_V0001: 10 Wh and 0.01 A; KFM_001: 0.1 V and mA), else 0.
 */
int8_t obis_default_scaler(const uint8_t *list_version, size_t len, enum field field);

#endif
