#include "topics.h"

#include <errno.h>
#include <stdlib.h>

#include "names.h"

struct topic {
    struct topic *next; /* of those to drop */
    struct assembler *assembler;
    const struct topics *all;
    uint64_t seq;
    uint32_t index;
    int64_t arrival_ms;
};

struct topics {
    struct names *pending; /* of struct topic */
    int64_t reassembly_ms;
    topic_emit *emit;
    void *arg;
};

static void topic_fini(void *value)
{
    assembler_free(((struct topic *)value)->assembler);
}

struct topics *topics_new(int64_t reassembly_ms, topic_emit *emit, void *arg)
{
    struct topics *t = calloc(1, sizeof *t);

    if (t == NULL)
        return NULL;
    *t = (struct topics){.reassembly_ms = reassembly_ms, .emit = emit, .arg = arg};
    t->pending = names_new(sizeof(struct topic), topic_fini);
    if (t->pending == NULL) {
        free(t);
        return NULL;
    }
    return t;
}

void topics_free(struct topics *t)
{
    if (t == NULL)
        return;
    names_free(t->pending);
    free(t);
}

size_t topics_pending(const struct topics *t)
{
    return names_count(t->pending);
}

/* The topic's state, made when there is none; NULL out of memory. */
static struct topic *find(struct topics *t, const char *name)
{
    struct topic *topic = names_add(t->pending, name);

    if (topic == NULL || topic->assembler != NULL)
        return topic;
    topic->all = t;
    topic->assembler = assembler_new();
    if (topic->assembler == NULL) {
        names_remove(t->pending, name);
        return NULL;
    }
    return topic;
}

static void on_telegram(void *arg, const struct telegram_octets *telegram)
{
    struct topic *topic = arg;
    const struct topic_outcome outcome = {
        .topic = names_of(topic),
        .seq = topic->seq,
        .index = topic->index++,
        .arrival_ms = topic->arrival_ms,
        .telegram = telegram,
    };

    topic->all->emit(topic->all->arg, &outcome);
}

int topics_feed(struct topics *t,
                const char *name,
                uint64_t seq,
                int64_t arrival_ms,
                const uint8_t *octets,
                size_t len)
{
    struct topic *topic = find(t, name);
    int rc;

    if (topic == NULL)
        return -ENOMEM;
    topic->seq = seq;
    topic->index = 0;
    topic->arrival_ms = arrival_ms;
    assembler_expire(topic->assembler, arrival_ms - t->reassembly_ms, on_telegram, topic);
    rc = assembler_feed(topic->assembler, octets, len, arrival_ms, on_telegram, topic);
    if (assembler_pending(topic->assembler) == 0)
        names_remove(t->pending, name);
    return rc;
}

struct sweep {
    int64_t before_ms;
    struct topic *quiet; /* those with nothing left */
};

static void sweep_topic(void *value, void *arg)
{
    struct topic *topic = value;
    struct sweep *sweep = arg;

    assembler_expire(topic->assembler, sweep->before_ms, on_telegram, topic);
    if (assembler_pending(topic->assembler) == 0) {
        topic->next = sweep->quiet;
        sweep->quiet = topic;
    }
}

void topics_expire(struct topics *t, int64_t now_ms)
{
    struct sweep sweep = {.before_ms = now_ms - t->reassembly_ms};

    names_each(t->pending, sweep_topic, &sweep);
    while (sweep.quiet != NULL) {
        struct topic *next = sweep.quiet->next;

        names_remove(t->pending, names_of(sweep.quiet));
        sweep.quiet = next;
    }
}
