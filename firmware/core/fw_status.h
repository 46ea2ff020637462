/* fw_status: what the device tells of itself. */
#ifndef FW_STATUS_H
#define FW_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FW_STATUS_CHARS    512 /* room for the status with all numbers at their longest */
#define FW_DISCOVERY_CHARS 768 /* room for one discovery message, likewise */

struct fw_status {
    const char *version;
    const char *line;  /* fw_line_mode.name */
    const char *reset; /* why it started: "power", "watchdog" ... */
    uint32_t uptime_s;
    int32_t rssi_dbm;
    uint32_t wifi_reconnects, mqtt_reconnects;
    uint32_t frames_good, frames_bad, noise;
    uint32_t parity_errors, framing_errors, overruns;
    uint32_t telegrams; /* whole ones, since the start */
    uint32_t ring, ring_octets, dropped;
    uint32_t heap, heap_least; /* free octets: now, and the least since the start */
};

/** Write it as one JSON object with the members' names. Returns its length, or 0: no room. */
size_t fw_status_json(const struct fw_status *s, char *out, size_t room);

/** How many diagnostics Home Assistant is told of: index 0 to FW_DIAGNOSTICS - 1. */
#define FW_DIAGNOSTICS 9

/**
 * The discovery message of one diagnostic (MQTT integration, single-component form), retained at
 * homeassistant/sensor/NAME/KEY/config. name: the device's; status_topic: where fw_status_json
 * goes, and status_topic/online, "online" or "offline" by the last will. Returns the length of the
 * payload, or 0 when topic or payload have no room.
 */
size_t fw_discovery(unsigned index,
                    const char *name,
                    const char *status_topic,
                    const char *version,
                    char *topic,
                    size_t topic_room,
                    char *payload,
                    size_t room);

#endif
