/* load: what is switched, by a command of the user's that runs beside the loop. */
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "conf.h"

/** Settings, then the command's state. Zeroed but for its settings: off, and not yet told so. */
struct load {
    char *command;
    int64_t repeat_seconds;

    bool on;            /* what it should be */
    bool due;           /* that has changed since the command was last run */
    bool told_off;      /* the command was last run with "off", and succeeded */
    bool child_on;      /* what the running one was told */
    pid_t child;        /* 0: none runs */
    int64_t started_ms; /* the last one; 0: none was */
};

/* clang-format off */
#define LOAD_OPTIONS(s, m)                                                                                                       \
    CONF_TEXT_OPTION("SWITCH_COMMAND", s, m.command, NULL, "path of the program that is run with the one word on or off"),        \
    CONF_NUMBER_OPTION("SWITCH_REPEAT_SECONDS", s, m.repeat_seconds, "30", 1, 86400, "it is run again after so long, and killed if it still runs")
/* clang-format on */

/** 0, or -EINVAL when SWITCH_COMMAND is no executable file, logged. */
int load_check(const struct load *l) __attribute__((warn_unused_result));

/** Say what the load should be. A change is told by the next load_step. */
void load_set(struct load *l, bool on);

/**
 * Run `COMMAND on` or `COMMAND off` when that is due: at first, at a change, and every
 * repeat_seconds, so that a switch which missed one follows, and one with a timer of its own falls
 * off when we are gone. One runs at a time; a failure is logged. Never blocks. To be called every
 * second or so, with clock_monotonic_ms().
 */
void load_step(struct load *l, int64_t now_ms);

/** Off, unless it surely is, and wait up to 6 seconds for that. Takes a zeroed struct. */
void load_close(struct load *l);

#endif
