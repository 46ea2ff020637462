/* sim_run: telegram after telegram at its time, until all have been sent. */
#ifndef SIM_RUN_H
#define SIM_RUN_H

#include <signal.h>

#include "sim_args.h"

/**
 * Send the fleet's telegrams from args->start on. Late ones are sent as soon as they can be; none
 * is left out. Ends after args->rounds telegrams of each meter, or soon after *stop is set (by a
 * signal).
 *
 * *telegrams  how many have arrived (filled in any case).
 * Returns 0 when everything sent has arrived; -ETIMEDOUT when the broker does not confirm that;
 * -EIO when standard output or libgcrypt fails; -ENOMEM.
 */
int sim_run(struct sim *s,
            const struct sim_args *args,
            const volatile sig_atomic_t *stop,
            int64_t *telegrams) __attribute__((warn_unused_result));

#endif
