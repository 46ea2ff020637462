/* zaehlwerk tail: one line for each reading, live from the decryptors. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "commands.h"
#include "link.h"
#include "record.h"
#include "svc.h"

struct tail {
    struct svc svc;
    char *readings_connect;
    struct link *readings;
    struct record_memory memory;
    struct record record;
};

/* clang-format off */
static const struct conf_option options[] = {
    CONF_CONNECT_OPTION("READINGS_CONNECT", struct tail, readings_connect, "tcp://localhost:5562", "the decryptors"),
    CONF_CHOICE_OPTION("LOG_LEVEL", struct tail, svc.conf.log_level, "warn", "debug|info|warn|error", "least level that is logged"),
    CONF_CHOICE_OPTION("LOG_FORMAT", struct tail, svc.conf.log_format, "text", "text|json", "form of a log line"),
    CONF_END,
};
/* clang-format on */

static const struct metric_def no_metrics[] = {{NULL, METRIC_GAUGE, NULL, NULL}};

static const struct svc_info info = {
    .name = "zaehlwerk tail",
    .purpose = "prints one line for each reading, live",
    .options = options,
    .metrics = no_metrics,
};

static void print(const struct record *r)
{
    time_t t = (time_t)record_time(r);
    char text[QUANTITY_CHARS];
    struct tm tm;

    gmtime_r(&t, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    printf("%s %s", text, r->reading.meter);
    if (r->reading.name[0] != '\0')
        printf(" %s", r->reading.name);
    for (int f = 0; f < FIELD_COUNT; f++) {
        if (!r->reading.values[f].present)
            continue;
        quantity_format(&r->reading.values[f], text);
        printf("  %s %s", field_name((enum field)f), text);
        if (f != FIELD_PF)
            printf(" %s", field_unit((enum field)f));
    }
    putchar('\n');
}

static bool
on_reading(void *arg, const uint8_t *topic, size_t topic_len, const uint8_t *octets, size_t len)
{
    struct tail *t = arg;
    size_t at = 0;

    (void)topic;
    (void)topic_len;
    if (record_unpack(octets, len, &at, &t->record, &t->memory) == 0 &&
        t->record.type == RECORD_READING)
        print(&t->record);
    return true;
}

/* The reader of the output may be gone: then so are we. */
static void on_drained(void *arg)
{
    struct tail *t = arg;

    if (fflush(stdout) != 0 || ferror(stdout))
        svc_end(&t->svc, 0);
}

static int open_tail(struct tail *t)
{
    const struct link_consumer consumer = {on_reading, on_drained, t};
    int rc = link_connect(&t->svc, LINK_TOPICS, "READINGS_CONNECT", t->readings_connect, &consumer,
                          &t->readings);

    return rc == 0 ? link_subscribe(t->readings, "reading.", strlen("reading.")) : rc;
}

int command_tail(int argc, char **argv)
{
    struct tail self = {0};
    int rc = svc_start(&self.svc, &info, &self, argc, argv);

    if (rc == 0)
        rc = open_tail(&self);
    if (rc == 0)
        rc = svc_run(&self.svc);
    link_free(self.readings);
    record_memory_free(&self.memory);
    svc_close(&self.svc, &self);
    return svc_exit(&info, rc);
}
