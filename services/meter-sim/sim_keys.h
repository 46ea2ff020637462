/* sim_keys: the keys of a simulated fleet as the decryptor wants them. */
#ifndef SIM_KEYS_H
#define SIM_KEYS_H

#include "sim.h"

/**
 * Write SMARTMETER_KEYS_FILE for the first `meters` meters, mode 0600:
 *   system_title,key,authentication_key,name
 * The file is written beside its place and renamed, so a reader sees the old or the new one.
 *
 * Returns 0, or a negative errno with what was there before untouched.
 */
int sim_keys_write(const struct sim *s, uint32_t meters, const char *path)
    __attribute__((warn_unused_result));

#endif
