/* notification: a plain data-notification APDU to a reading. */
#ifndef NOTIFICATION_H
#define NOTIFICATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reading.h"
#include "verdict.h"

/** How far the octets made sense: what tells a wrong key from lost octets when there is no tag. */
enum notification_result {
    NOTIFICATION_OK,
    NOTIFICATION_NOISE,   /* not even its header: a wrong key */
    NOTIFICATION_BROKEN,  /* a sound header, then octets that do not decode */
    NOTIFICATION_UNKNOWN, /* decodes completely, but holds nothing that is known */
    NOTIFICATION_DSMR,    /* a DSMR P1 telegram: text of another interface */
};

/**
 * Read
 *   0F | long-invoke-id-and-priority(4) | date-time | A-XDR value
 * (Green Book 9.5; date-time is 00, 0C + 12 octets, or 09 0C + 12 octets) to its last octet. Values
 * are found by the OBIS code before them, wherever they stand; a structure {scaler, unit} behind a
 * value scales it; the bare first date-time is the clock and wins over the header's; the bare last
 * octet string of digits is the meter's number.
 *
 * Fills time, clock_status, number and values of out (all of them reset first); meter, counter and
 * name are the caller's. *detail is a static phrase.
 */
enum notification_result
notification_read(const uint8_t *octets, size_t len, struct reading *out, const char **detail);

/** True when the octets are one complete data-notification, known or not. */
bool notification_is_whole(const uint8_t *octets, size_t len);

#endif
