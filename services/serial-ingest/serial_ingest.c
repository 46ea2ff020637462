#include "serial_ingest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SERIAL_OCTETS = INGEST_OWN, SERIAL_CONNECTS };

static const struct metric_def metrics[] = {
    INGEST_METRICS,
    [SERIAL_OCTETS] = {"zaehlwerk_serial_bytes_total", METRIC_COUNTER, NULL,
                       "Octets read from the device."},
    [SERIAL_CONNECTS] = {"zaehlwerk_serial_connects_total", METRIC_COUNTER, NULL,
                         "Times the device was opened."},
    {NULL, METRIC_GAUGE, NULL, NULL},
};

/* clang-format off */
static const struct conf_option options[] = {
    CONF_TEXT_OPTION("SERIAL_DEVICE", struct serial_ingest, serial_conf.device, NULL, "the M-Bus adapter, best by its name in /dev/serial/by-id"),
    CONF_CHOICE_OPTION("SERIAL_BAUD", struct serial_ingest, serial_conf.baud, "2400", SERIAL_BAUDS, "its rate"),
    CONF_CHOICE_OPTION("SERIAL_PARITY", struct serial_ingest, serial_conf.parity, "even", SERIAL_PARITIES, "its parity; 8 data bits, 1 stop bit"),
    CONF_TEXT_OPTION("SERIAL_TOPIC", struct serial_ingest, topic, "sensors/smartmeter/serial", "the topic that readings and rejects name as their origin"),
    CONF_TEXT_OPTION("JOURNAL_PATH", struct serial_ingest, folder, "/var/lib/zaehlwerk/serial", "folder of what is not acknowledged yet"),
    INGEST_OPTIONS(struct serial_ingest, ingest, "tcp://*:5551"),
    SVC_OPTIONS(struct serial_ingest, ingest.svc.conf, "9108"),
    CONF_END,
};
/* clang-format on */

static int check(void *self)
{
    const struct serial_ingest *i = self;

    if (strpbrk(i->topic, "+#") != NULL || i->topic[0] == '\0' || strlen(i->topic) >= TOPIC_CHARS)
        return conf_wrong("SERIAL_TOPIC", i->topic, "a topic without + and #");
    return ingest_check(&i->ingest);
}

const struct svc_info serial_ingest_info = {
    .name = "serial-ingest",
    .purpose = "takes a meter's telegrams from a serial device, hands them to the decryptors",
    .options = options,
    .metrics = metrics,
    .needs = {"device"},
    .check = check,
};

/* From the line's thread: what came between two silences is one payload. */
static void on_octets(void *arg, const uint8_t *octets, size_t len)
{
    struct serial_ingest *i = arg;

    svc_count(&i->ingest.svc, SERIAL_OCTETS, NULL, (int64_t)len);
    intake_message(&i->ingest, i->topic, octets, len, -1);
}

static void on_state(void *arg, bool up, const char *why)
{
    struct serial_ingest *i = arg;

    svc_count(&i->ingest.svc, SERIAL_CONNECTS, NULL, up);
    svc_state(&i->ingest.svc, "device", up, why);
}

/* What a line has sent has come: while it is away nothing waits there. */
static bool hears(void *arg)
{
    (void)arg;
    return true;
}

static void hold(void *arg, bool hold)
{
    struct serial_ingest *i = arg;

    if (i->serial != NULL)
        serial_hold(i->serial, hold);
}

/* The line has a thread of its own. */
static void step(void *arg, int64_t now_ms)
{
    (void)arg;
    (void)now_ms;
}

static int open_ingest(struct serial_ingest *i)
{
    const struct ingest_source source = {
        .hears = hears,
        .hold = hold,
        .step = step,
        .octets = true,
        .held = "JOURNAL_MAX_BYTES or the disk nearly full: what the meter sends now is lost",
        .arg = i,
    };
    char *journal = NULL;
    int rc;

    if (mkdir(i->folder, 0750) != 0 && errno != EEXIST)
        return conf_wrong("JOURNAL_PATH", i->folder, "a folder that can be made or written to");
    if (asprintf(&journal, "%s/journal", i->folder) < 0)
        return -ENOMEM;
    rc = ingest_open(&i->ingest, journal, &source);
    free(journal);
    return rc;
}

int serial_ingest_open(struct serial_ingest *i)
{
    const struct serial_handler handler = {on_octets, on_state, i};
    int rc = open_ingest(i);

    if (rc != 0)
        return rc;
    i->serial = serial_new(&i->serial_conf, &handler);
    if (i->serial == NULL)
        return -ENOMEM;
    serial_hold(i->serial, i->ingest.full);
    return 0;
}

void serial_ingest_close(struct serial_ingest *i)
{
    serial_free(i->serial);
    ingest_close(&i->ingest);
    svc_close(&i->ingest.svc, i);
}
