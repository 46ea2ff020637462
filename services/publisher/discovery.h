/* discovery: how Home Assistant learns of a meter (MQTT discovery, device form). */
#ifndef DISCOVERY_H
#define DISCOVERY_H

#include <stddef.h>
#include <stdint.h>

#include "reading.h"

/** What is told of one meter. */
struct discovery {
    const char *meter;           /* 16 hex digits */
    const char *name, *number;   /* or "" */
    const char *topic;           /* its values topic: states come below it, status among them */
    const char *publisher_topic; /* the publisher's own status, or "" when it has none */
    uint32_t fields;             /* bits by enum fields_place: what the meter has sent */
    int qos;
    int64_t expire_seconds; /* a measured value is unavailable when it is older */
};

/** "homeassistant/device/zaehlwerk_5341475e40f89d93/config". Cut to size. */
void discovery_topic(const char *prefix, const char *meter, char *topic, size_t size);

/** The payload as JSON text, to be freed; NULL out of memory. */
char *discovery_payload(const struct discovery *d) __attribute__((warn_unused_result));

#endif
