/* sim_out: where telegrams go, lines or MQTT messages, and the proof that they arrived. */
#ifndef SIM_OUT_H
#define SIM_OUT_H

#include <stdbool.h>
#include <stdint.h>

#include "frame.h"
#include "sim_args.h"

/**
 * To standard output, or to the broker with QoS 1.
 *
 * mqtt.h keeps nothing over a lost connection and does not tell what was acknowledged. So a fence
 * is published now and then: a numbered message to a topic of this process alone, to which it
 * subscribes itself. A broker handles the messages of one client in order (MQTT 5, 4.6), so when
 * the fence comes back, all before it has arrived. When the connection falls, everything since the
 * last fence is sent again: telegrams are functions of their position, and the system takes a
 * telegram as often as it comes.
 */
struct sim_out;

/**
 * `first` is the position of the first telegram; args are kept by reference.
 * NULL out of memory or when the MQTT library refuses.
 */
struct sim_out *sim_out_new(const struct sim_args *args, int64_t first);
void sim_out_free(struct sim_out *o);

/**
 * Keep the connection going; call before each telegram and about every 100 ms. *position, that of
 * the next telegram, is set back when telegrams before it may be lost. The fence is sent at once
 * when `hurry`, else a few times a second.
 */
void sim_out_step(struct sim_out *o, int64_t now_ms, bool hurry, int64_t *position);

/**
 * Put one telegram on its way. Returns 0; -EAGAIN when it cannot be taken now: step, wait a
 * little and send the telegram at *position again (link frames that were taken are not repeated);
 * -EIO when standard output cannot be written to.
 */
int sim_out_send(struct sim_out *o, const struct sim_meter *meter, const struct frame_telegram *t)
    __attribute__((warn_unused_result));

/** Before a wait: push out what is buffered. Returns 0 or -EIO. */
int sim_out_flush(struct sim_out *o) __attribute__((warn_unused_result));

/** True while the broker takes telegrams; always when printing. */
bool sim_out_ready(const struct sim_out *o);

/** All telegrams before this position have arrived. */
int64_t sim_out_arrived(const struct sim_out *o);

#endif
