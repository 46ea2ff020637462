/* trial: a new firmware has to prove itself, or the one before comes back. */
#ifndef TRIAL_H
#define TRIAL_H

#include <stdbool.h>

/**
 * At the start: a firmware on trial is started again every ten minutes; after four starts without
 * reaching the broker it is left for the other slot, which restarts the device.
 */
void trial_begin(void);

/** The broker was reached: this firmware stays. */
void trial_passed(void);

/**
 * Fetch a firmware by HTTPS into the other slot, which may take minutes. The server must have a
 * certificate of this CA. True: the next start is the new firmware's, on trial. False: nothing has
 * changed.
 */
bool trial_fetch(const char *url, const char *ca);

#endif
