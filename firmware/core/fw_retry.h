/* fw_retry: when to try again to join the Wi-Fi. */
#ifndef FW_RETRY_H
#define FW_RETRY_H

#include <stdbool.h>
#include <stdint.h>

enum fw_retry_what {
    FW_RETRY_WAIT,
    FW_RETRY_CONNECT,
    FW_RETRY_AFRESH, /* stop the driver and start it, which connects */
};

/**
 * After a failure the next attempt comes after 1 s, doubling to 60 s, for ever. The driver is
 * started afresh with each 20th, and when an attempt had no outcome at all for a minute.
 */
struct fw_retry {
    uint32_t wait_s, back_off_s;
    uint32_t attempts;
    bool answered; /* the attempt under way has failed: the driver is alive */
};

/** The first attempt is under way. */
void fw_retry_init(struct fw_retry *r);

/** It has failed, or what was joined is lost. */
void fw_retry_failed(struct fw_retry *r);

/** A second has passed without a network: what to do now. */
enum fw_retry_what fw_retry_second(struct fw_retry *r);

#endif
