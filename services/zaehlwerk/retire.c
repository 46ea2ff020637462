/* zaehlwerk retire: an mqtt-ingest that closes its slot for good. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "commands.h"
#include "mqtt_ingest.h"

static const char usage_text[] =
    "usage: zaehlwerk retire SLOT [--seconds N] [--quiet N]\n"
    "\n"
    "Takes the place of the stopped mqtt-ingest that had the slot: receives what the broker still\n"
    "queues for its session until nothing has come for --quiet seconds (10), ends its "
    "subscriptions,\n"
    "hands everything to the decryptors that connect, and when all of it is acknowledged ends the\n"
    "session and removes the slot's folder. Exit status 0; 69 when the slot is in use; 75 when it\n"
    "was not done within --seconds (300): nothing is lost then, run it again; 78 for a wrong "
    "setting.\n"
    "\n"
    "Its settings are those of the mqtt-ingest; run it where decryptors find that one.\n\n";

static int usage(const char *complaint)
{
    fprintf(stderr, "zaehlwerk retire: %s\n%s", complaint, usage_text);
    return EX_USAGE;
}

static bool number(const char *text, long least, long most, int64_t *out)
{
    char *end;
    long n = strtol(text, &end, 10);

    *out = n;
    return end != text && *end == '\0' && n >= least && n <= most;
}

static int run(const struct retire *how)
{
    static char name[] = "zaehlwerk retire";
    char *argv[] = {name, NULL};
    struct svc_info info = mqtt_ingest_info;
    struct mqtt_ingest self = {.retire = *how};
    int rc;

    info.name = name;
    rc = svc_start(&self.ingest.svc, &info, &self, 1, argv);
    if (rc == 0)
        rc = mqtt_ingest_open(&self);
    if (rc == 0) {
        rc = svc_run(&self.ingest.svc);
        rc = retire_finish(&self, rc);
    }
    mqtt_ingest_close(&self);
    return svc_exit(&info, rc == -EINTR ? -EAGAIN : rc);
}

int command_retire(int argc, char **argv)
{
    static const struct option options[] = {
        {"seconds", required_argument, NULL, 's'},
        {"quiet", required_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct retire how = {.wanted = true};
    int64_t slot, seconds = 300, quiet = 10;
    int c;

    while ((c = getopt_long(argc, argv, "s:q:h", options, NULL)) != -1) {
        if (c == 'h') {
            fputs(usage_text, stdout);
            conf_help(stdout, mqtt_ingest_options);
            return EX_OK;
        }
        if (c == 's' && !number(optarg, 1, 1000000, &seconds))
            return usage("--seconds takes a number from 1 on");
        if (c == 'q' && !number(optarg, 1, 1000000, &quiet))
            return usage("--quiet takes a number from 1 on");
        if (c == '?')
            return EX_USAGE;
    }
    if (argc - optind != 1 || !number(argv[optind], 0, SLOTS_MAX - 1, &slot))
        return usage("the number of one slot is needed");
    how.slot = (int)slot;
    how.quiet_ms = quiet * 1000;
    how.limit_ms = seconds * 1000;
    return run(&how);
}
