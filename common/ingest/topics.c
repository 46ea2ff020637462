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
    int64_t reassembly_ms, resumed_ms;
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

static int
feed(struct topics *t, struct topic *topic, const uint8_t *octets, size_t len, assembler_emit *emit)
{
    const struct arrival arrival = {topic->arrival_ms, topic->seq};
    int rc = assembler_feed(topic->assembler, octets, len, arrival, emit, topic);

    if (assembler_pending(topic->assembler) == 0)
        names_remove(t->pending, names_of(topic));
    return rc;
}

/* The topic's state, about to take the payload `seq`. */
static struct topic *take(struct topics *t, const char *name, uint64_t seq, int64_t arrival_ms)
{
    struct topic *topic = find(t, name);

    if (topic != NULL) {
        topic->seq = seq;
        topic->index = 0;
        topic->arrival_ms = arrival_ms;
    }
    return topic;
}

void topics_resume(struct topics *t, int64_t now_ms)
{
    t->resumed_ms = now_ms;
}

static void expire(const struct topics *t, struct topic *topic, int64_t now_ms)
{
    int64_t before_ms = now_ms - t->reassembly_ms;

    if (t->resumed_ms < before_ms)
        assembler_expire(topic->assembler, before_ms, on_telegram, topic);
}

int topics_feed(struct topics *t,
                const char *name,
                uint64_t seq,
                int64_t arrival_ms,
                const uint8_t *octets,
                size_t len)
{
    struct topic *topic = take(t, name, seq, arrival_ms);

    if (topic == NULL)
        return -ENOMEM;
    expire(t, topic, arrival_ms);
    return feed(t, topic, octets, len, on_telegram);
}

static void ignore(void *arg, const struct telegram_octets *telegram)
{
    (void)arg;
    (void)telegram;
}

int topics_restore(struct topics *t,
                   const char *name,
                   uint64_t seq,
                   uint32_t index,
                   int64_t arrival_ms,
                   const uint8_t *octets,
                   size_t len)
{
    struct topic *topic = take(t, name, seq, arrival_ms);

    if (topic == NULL)
        return -ENOMEM;
    topic->index = index;
    return feed(t, topic, octets, len, ignore);
}

uint64_t topics_since(struct topics *t, const char *name)
{
    const struct topic *topic = names_find(t->pending, name);

    return topic == NULL ? 0 : assembler_since(topic->assembler).seq;
}

struct sweep {
    const struct topics *all;
    int64_t now_ms;
    struct topic *quiet; /* those with nothing left */
};

static void sweep_topic(void *value, void *arg)
{
    struct topic *topic = value;
    struct sweep *sweep = arg;

    expire(sweep->all, topic, sweep->now_ms);
    if (assembler_pending(topic->assembler) == 0) {
        topic->next = sweep->quiet;
        sweep->quiet = topic;
    }
}

void topics_expire(struct topics *t, int64_t now_ms)
{
    struct sweep sweep = {.all = t, .now_ms = now_ms};

    names_each(t->pending, sweep_topic, &sweep);
    while (sweep.quiet != NULL) {
        struct topic *next = sweep.quiet->next;

        names_remove(t->pending, names_of(sweep.quiet));
        sweep.quiet = next;
    }
}
