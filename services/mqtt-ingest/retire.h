/* retire: closing a slot for good: receive what the broker still has, drain, end the session. */
#ifndef RETIRE_H
#define RETIRE_H

#include <stdbool.h>
#include <stdint.h>

struct mqtt_ingest;

/** What is asked for, then how far it is. */
struct retire {
    bool wanted;
    int slot;
    int64_t quiet_ms; /* no message for so long: the broker has no more */
    int64_t limit_ms; /* all of it may take so long */

    bool unsubscribed;
    bool done;
    int64_t begun_ms, moved_ms, told_ms;
    int64_t payloads;
};

/** Go on, from the loop; ends it when nothing is left, or with -EAGAIN when the time is over. */
void retire_step(struct mqtt_ingest *i, int64_t now_ms);

/**
 * After the loop: end the session at the broker and remove the slot's folder. rc is the loop's
 * verdict. Returns 0; -EAGAIN when something is left, logged, and nothing is lost.
 */
int retire_finish(struct mqtt_ingest *i, int rc) __attribute__((warn_unused_result));

#endif
