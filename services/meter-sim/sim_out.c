#include "sim_out.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "hex.h"
#include "log.h"

enum {
    WINDOW = 4096,         /* telegrams on their way at most, and so sent again at most */
    FENCE_MS = 250,        /* between two */
    FENCE_LATE_MS = 10000, /* then another is sent and somebody is told */
    DISCONNECT_MS = 2000,
    TOPIC_MAX = 1024, /* 200 characters, each placeholder at most 64 */
    TEXT_MAX = 2 * FRAME_TELEGRAM_MAX + 32,
};

struct sim_out {
    const struct sim_args *args;
    struct mqtt *mqtt; /* NULL: print */
    char client[48];
    char fence_topic[80];
    const char *filters[2];

    atomic_bool ready; /* connected and subscribed */
    atomic_bool lost;  /* the connection fell since the last step */
    atomic_bool told;  /* that it is down */
    atomic_uint_least64_t returned;

    uint64_t fence; /* number of the last one sent */
    bool fence_out;
    int64_t fence_position, fence_ms;
    int64_t arrived, next; /* positions */
    size_t part;           /* messages of the next telegram that were taken already */
};

static void
on_message(void *arg, const char *topic, const void *payload, size_t len, int64_t arrival_ms)
{
    struct sim_out *o = arg;
    char text[24] = "";

    (void)arrival_ms;
    if (strcmp(topic, o->fence_topic) != 0 || len >= sizeof text)
        return;
    memcpy(text, payload, len);
    o->returned = strtoull(text, NULL, 10);
}

static void on_state(void *arg, bool connected, const char *reason)
{
    struct sim_out *o = arg;

    if (connected) {
        o->told = false;
        log_info("up", LOG_S("what", "mqtt"), LOG_S("host", o->args->mqtt.host));
    } else {
        o->lost = true;
        if (!atomic_exchange(&o->told, true))
            log_warn("down", LOG_S("what", "mqtt"), LOG_S("host", o->args->mqtt.host),
                     LOG_S("detail", reason));
    }
    o->ready = connected;
}

/* A name of its own for each process: a second one must not throw the first off the broker. */
static bool open_mqtt(struct sim_out *o)
{
    const struct mqtt_handler handler = {.message = on_message, .state = on_state, .arg = o};
    uint8_t random[8];
    char digits[2 * sizeof random + 1];

    if (getrandom(random, sizeof random, 0) != sizeof random)
        return false;
    hex_encode(random, sizeof random, digits);
    snprintf(o->client, sizeof o->client, "meter-sim-%s", digits);
    snprintf(o->fence_topic, sizeof o->fence_topic, "zaehlwerk/meter-sim/%s", digits);
    o->filters[0] = o->fence_topic;
    o->mqtt = mqtt_new(&o->args->mqtt, o->client, false, o->filters, &handler);
    return o->mqtt != NULL;
}

struct sim_out *sim_out_new(const struct sim_args *args, int64_t first)
{
    struct sim_out *o = calloc(1, sizeof *o);

    if (o == NULL)
        return NULL;
    o->args = args;
    o->arrived = o->next = first;
    if (!args->print && !open_mqtt(o)) {
        free(o);
        return NULL;
    }
    return o;
}

void sim_out_free(struct sim_out *o)
{
    if (o == NULL)
        return;
    mqtt_free(o->mqtt, DISCONNECT_MS);
    free(o);
}

static void send_fence(struct sim_out *o, int64_t now_ms, int64_t position)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%" PRIu64, o->fence + 1);

    if (mqtt_publish(o->mqtt, o->fence_topic, text, (size_t)len, 1, false) != 0)
        return;
    o->fence++;
    o->fence_out = true;
    o->fence_position = position;
    o->fence_ms = now_ms;
}

void sim_out_step(struct sim_out *o, int64_t now_ms, bool hurry, int64_t *position)
{
    if (o->mqtt == NULL) {
        o->next = *position;
        return;
    }
    if (atomic_exchange(&o->lost, false)) {
        *position = o->arrived;
        o->part = 0;
        o->fence_out = false;
    }
    mqtt_step(o->mqtt, now_ms);
    o->next = *position;
    if (o->fence_out && o->returned == o->fence) {
        o->arrived = o->fence_position;
        o->fence_out = false;
    }
    if (o->fence_out && now_ms - o->fence_ms > FENCE_LATE_MS) {
        log_warn("late", LOG_S("what", "fence"), LOG_S("topic", o->fence_topic));
        o->fence_out = false;
    }
    if (o->ready && !o->fence_out && o->arrived < *position &&
        (hurry || now_ms - o->fence_ms >= FENCE_MS || *position - o->arrived >= WINDOW / 2))
        send_fence(o, now_ms, *position);
}

/* The template with {meter} and {name} filled in. */
static void make_topic(const char *template, const struct sim_meter *m, char topic[TOPIC_MAX])
{
    char title[2 * SYSTEM_TITLE_OCTETS + 1];
    size_t at = 0;

    hex_encode(m->title, SYSTEM_TITLE_OCTETS, title);
    for (const char *p = template; *p != '\0' && at < TOPIC_MAX - NAME_CHARS - 1;) {
        const char *word = strncmp(p, "{meter}", 7) == 0  ? title
                           : strncmp(p, "{name}", 6) == 0 ? m->name
                                                          : NULL;

        if (word == NULL) {
            topic[at++] = *p++;
            continue;
        }
        memcpy(topic + at, word, strlen(word));
        at += strlen(word);
        p = strchr(p, '}') + 1;
    }
    topic[at] = '\0';
}

static int deliver(struct sim_out *o, const char *topic, const void *payload, size_t len)
{
    if (o->mqtt != NULL)
        return o->ready && o->next - o->arrived < WINDOW &&
                       mqtt_publish(o->mqtt, topic, payload, len, 1, false) == 0
                   ? 0
                   : -EAGAIN;
    return fwrite(payload, 1, len, stdout) == len && putchar('\n') != EOF ? 0 : -EIO;
}

/* Octets in the payload's form. */
static int send_octets(struct sim_out *o, const char *topic, const uint8_t *octets, size_t len)
{
    static const char open[] = "{\"SSerialReceived\":\"";
    char text[TEXT_MAX];
    size_t at = 0;

    if (o->args->payload == SIM_PAYLOAD_RAW)
        return deliver(o, topic, octets, len);
    if (o->args->payload == SIM_PAYLOAD_JSON) {
        memcpy(text, open, sizeof open - 1);
        at = sizeof open - 1;
    }
    hex_encode(octets, len, text + at);
    at += 2 * len;
    if (o->args->payload == SIM_PAYLOAD_JSON) {
        text[at++] = '"';
        text[at++] = '}';
    }
    return deliver(o, topic, text, at);
}

int sim_out_send(struct sim_out *o, const struct sim_meter *meter, const struct frame_telegram *t)
{
    char topic[TOPIC_MAX];
    size_t at = 0;
    int rc = 0;

    if (o->mqtt != NULL)
        make_topic(o->args->topic, meter, topic);
    if (o->args->payload != SIM_PAYLOAD_FRAMES)
        return send_octets(o, topic, t->octets, t->len);
    for (size_t f = 0; f < t->count && rc == 0; f++) {
        if (f >= o->part)
            rc = send_octets(o, topic, t->octets + at, t->lens[f]);
        if (f >= o->part && rc == 0)
            o->part++;
        at += t->lens[f];
    }
    if (rc == 0)
        o->part = 0;
    return rc;
}

int sim_out_flush(struct sim_out *o)
{
    if (o->mqtt != NULL)
        return 0;
    if (fflush(stdout) != 0)
        return -EIO;
    o->arrived = o->next;
    return 0;
}

bool sim_out_ready(const struct sim_out *o)
{
    return o->mqtt == NULL || o->ready;
}

int64_t sim_out_arrived(const struct sim_out *o)
{
    return o->arrived;
}
