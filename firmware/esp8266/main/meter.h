/* meter: listens to the meter and puts its telegrams into the ring. */
#ifndef METER_H
#define METER_H

#include "board.h"
#include "fw_settings.h"
#include "fw_status.h"
#include "unsent.h"

struct meter;

/** Start the task that listens; the arguments stay the caller's, for good. */
struct meter *meter_begin(const struct fw_settings *s, struct unsent *unsent, struct board *board);

/** Fill in what the line and the joiner count. */
void meter_status(const struct meter *m, struct fw_status *s);

#endif
