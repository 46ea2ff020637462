/* serial: a meter's line on a serial device that may be unplugged (termios). */
#ifndef SERIAL_H
#define SERIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERIAL_BAUDS    "300|600|1200|2400|4800|9600|19200|38400|57600|115200"
#define SERIAL_PARITIES "even|odd|none"

/** Which device, and how the meter talks; a part of the service's configuration. 8 data bits. */
struct serial_conf {
    char *device;
    char *baud;   /* one of SERIAL_BAUDS */
    char *parity; /* one of SERIAL_PARITIES */
};

/** The calls that are made from the line's thread. */
struct serial_handler {
    /** What came between two silences, or so much of it as the device keeps; gone when this
     * returns. */
    void (*octets)(void *arg, const uint8_t *octets, size_t len);

    /** The device is there (true), or why it is not. */
    void (*state)(void *arg, bool up, const char *why);
    void *arg;
};

struct serial;

/**
 * Listen to the device from a thread of its own, opening it again every second while it is away.
 * Octets stay with the kernel until the line is silent for 50 ms (the fragments of a telegram come
 * about 160 ms apart) or its buffer is half full: so what a killed process had not handed over is
 * still there for the next, unless the device was unplugged or closed meanwhile.
 * Octets with a parity or framing error do not come, so their frame will not be whole. NULL out of
 * memory or descriptors.
 */
struct serial *serial_new(const struct serial_conf *conf, const struct serial_handler *handler);

/** While held nothing is read: what the kernel cannot keep (4 KiB) is lost. */
void serial_hold(struct serial *s, bool hold);

/** End the thread, after what has come is handed over; NULL is fine. */
void serial_free(struct serial *s);

#endif
