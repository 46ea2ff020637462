/*
 * example-consumer: switches a load on while the home exports power. A consumer of one's own begins
 * as a copy of this file (proto/README.md, "Add your own consumer").
 */
#include <string.h>

#include "clock.h"
#include "consumer.h"

/* The time alone may switch off; the command is run from here, never from on_reading. */
static void on_step(void *arg)
{
    struct consumer *c = arg;
    int64_t now = clock_monotonic_ms();

    load_set(&c->load, surplus_step(&c->surplus, now));
    load_step(&c->load, now);
    svc_state(&c->svc, "meter", c->surplus.heard, c->surplus.heard ? "" : "no live reading");
}

static bool
on_reading(void *arg, const uint8_t *topic, size_t topic_len, const uint8_t *octets, size_t len)
{
    struct consumer *c = arg;
    int64_t utc = clock_utc_ms(), now = clock_monotonic_ms();

    (void)topic;
    (void)topic_len;
    svc_count(&c->svc, 0, surplus_take(&c->surplus, octets, len, utc, now), 1);
    return true;
}

int main(int argc, char **argv)
{
    struct consumer self = {0};
    const struct link_consumer readings = {on_reading, NULL, &self};
    int rc = svc_start(&self.svc, &consumer_info, &self, argc, argv);

    if (rc == 0)
        rc = surplus_open(&self.surplus);
    if (rc == 0)
        rc = link_connect(&self.svc, LINK_TOPICS, "READINGS_CONNECT", self.connect, &readings,
                          &self.readings);
    if (rc == 0)
        rc = link_subscribe(self.readings, self.surplus.topic, strlen(self.surplus.topic));
    if (rc == 0)
        rc = svc_every(&self.svc, 500, on_step, &self);
    if (rc == 0)
        rc = svc_run(&self.svc);
    consumer_close(&self);
    return svc_exit(&consumer_info, rc);
}
