/* portal: the set-up page in the device's own network, and the name server that leads to it. */
#ifndef PORTAL_H
#define PORTAL_H

#include "fw_settings.h"

struct portal;

/**
 * Open the network `name` and answer there: what is saved restarts the device. s: what the page
 * begins with. beside: go on trying to join the other network meanwhile. NULL: it failed, and
 * nothing is left of it.
 */
struct portal *portal_begin(const struct fw_settings *s, const char *name, bool beside);

/** Close both again; NULL is fine. */
void portal_end(struct portal *p);

#endif
