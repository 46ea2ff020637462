/* store: the settings in flash (NVS). */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fw_settings.h"

/** Open the flash; erase it when the SDK says that this is what it needs. */
void store_begin(void);

/** Read over the defaults in s; false when there are none that can be read. */
bool store_read(struct fw_settings *s);

/** The CA certificate, NUL-terminated, on the heap; NULL when there is none. */
char *store_read_ca(void);

/**
 * Keep both; ca NULL: the one there is stays. False when flash refuses. Whenever it is cut off,
 * both are what they were before or both are new.
 */
bool store_write(const struct fw_settings *s, const char *ca);

/** One small number that survives a restart; 0 when it was never written. */
uint8_t store_number(const char *key);
bool store_set_number(const char *key, uint8_t number);

/** Forget everything, numbers too, also what was written over; the device has to restart then. */
void store_erase(void);

#endif
