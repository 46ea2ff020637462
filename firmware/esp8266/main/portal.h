/* portal: the set-up page in the device's own network, and the name server that leads to it. */
#ifndef PORTAL_H
#define PORTAL_H

#include "fw_settings.h"

/**
 * Open the network `name` and answer there, for good: what is saved restarts the device. s: what
 * the page begins with. beside: go on trying to join the other network meanwhile.
 */
void portal_begin(const struct fw_settings *s, const char *name, bool beside);

#endif
