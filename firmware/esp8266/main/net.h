/* net: the Wi-Fi, which comes back by itself. */
#ifndef NET_H
#define NET_H

#include <stdbool.h>
#include <stdint.h>

#include "board.h"
#include "fw_settings.h"

struct net;

/** Start the network stack; once. */
void net_begin(void);

/** The device's own name, such as Zaehlwerk-A1B2C3, by its address. */
void net_own_name(char name[33]);

/**
 * Join the network and stay in it (fw_retry.h). Not joined once within three minutes of the start,
 * `lost` is called from the timers' task, and again every three minutes until it returns true.
 */
struct net *
net_join(const struct fw_settings *s, struct board *board, bool (*lost)(void *arg), void *arg);

/** Open the set-up network, beside the other one if that is wanted. False: it is not open. */
bool net_open_setup(const char *name, bool beside);

/** Close it again and go on with the other one. */
void net_close_setup(void);

bool net_up(const struct net *n);

/** How often it came back, and the signal in dBm. */
uint32_t net_reconnects(const struct net *n);
int32_t net_rssi(void);

#endif
