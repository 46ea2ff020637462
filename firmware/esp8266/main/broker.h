/* broker: sends telegrams, status and discovery over MQTT. */
#ifndef BROKER_H
#define BROKER_H

#include "board.h"
#include "fw_settings.h"
#include "meter.h"
#include "net.h"
#include "unsent.h"

/** What it works with; all of it stays the caller's, for good. */
struct broker_parts {
    const struct fw_settings *settings;
    const char *ca; /* or NULL */
    struct unsent *unsent;
    const struct meter *meter;
    const struct net *net;
    struct board *board;
};

/**
 * Start the client (QoS 1, session kept under the device's name, last will at STATUS/online) and
 * the task that feeds it. A telegram stays in the ring until the broker has acknowledged it. A
 * message "start" at STATUS/update fetches settings->update_url.
 */
void broker_begin(const struct broker_parts *parts);

#endif
