/* meter-sim: a simulated fleet of meters. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "log.h"
#include "sim_args.h"
#include "sim_keys.h"
#include "sim_run.h"

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

/* The first signal ends the work, a second one the process. */
static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
}

static int report(int rc, int64_t telegrams, uint32_t meters)
{
    if (rc == 0) {
        log_info("stop", LOG_I("telegrams", telegrams), LOG_I("meters", meters));
        return EX_OK;
    }
    log_error("stop",
              LOG_S("reason", rc == -ETIMEDOUT ? "the broker has not acknowledged everything"
                                               : strerror(-rc)),
              LOG_I("telegrams", telegrams), LOG_I("meters", meters));
    return rc == -ETIMEDOUT ? EX_UNAVAILABLE : rc == -EIO ? EX_IOERR : EX_OSERR;
}

static int run(const struct sim_args *args)
{
    struct sim *s = sim_new(&args->fleet);
    int64_t telegrams = 0;
    int rc = s == NULL ? -ENOMEM : 0;

    if (rc == 0 && args->keys != NULL) {
        rc = sim_keys_write(s, args->fleet.meters, args->keys);
        if (rc != 0) {
            log_error("keys", LOG_S("file", args->keys), LOG_S("reason", strerror(-rc)));
            sim_free(s);
            return EX_CANTCREAT;
        }
    }
    if (rc == 0)
        rc = sim_run(s, args, &stop, &telegrams);
    sim_free(s);
    return report(rc, telegrams, args->fleet.meters);
}

int main(int argc, char **argv)
{
    struct sim_args args;
    int status;

    log_open("meter-sim", LOG_LEVEL_INFO, false);
    catch_signals();
    status = sim_args_read(&args, argc, argv);
    if (status < 0)
        status = run(&args);
    sim_args_free(&args);
    return status;
}
