/* payload: the forms in which senders put a meter's octets into an MQTT message. */
#ifndef PAYLOAD_H
#define PAYLOAD_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"

/** Recognised by content alone. */
enum payload_form { PAYLOAD_HEX, PAYLOAD_RAW, PAYLOAD_JSON };

/**
 * Turn a payload into the octets it stands for, appended to out.
 *
 * hex text   digits in either case, with white space anywhere; half an octet at the end is dropped
 *            (the frame check will miss it)
 * JSON       one or more objects with one hex string under "SSerialReceived" (Tasmota's serial
 *            bridge), "data", "payload" or "raw"
 * raw        anything else, as it is
 *
 * Returns 0 and the form; -EPROTO for JSON that cannot be read or has no such string, with *detail
 * (a static phrase) saying which; -ENOMEM.
 */
int payload_octets(const uint8_t *payload,
                   size_t len,
                   struct buf *out,
                   enum payload_form *form,
                   const char **detail) __attribute__((warn_unused_result));

#endif
