/* trial: a new firmware has to prove itself, or the one before comes back. */
#ifndef TRIAL_H
#define TRIAL_H

/**
 * At the start: a firmware on trial that has started four times without reaching the broker is left
 * for the other slot, which restarts the device.
 */
void trial_begin(void);

/** The broker was reached: this firmware stays. */
void trial_passed(void);

/**
 * Fetch a firmware by HTTPS into the other slot and restart into it, on trial. The server must have
 * a certificate of this CA. Returns when it failed; nothing has changed then.
 */
void trial_fetch(const char *url, const char *ca);

#endif
