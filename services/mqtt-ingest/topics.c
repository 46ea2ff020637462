#include "topics.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

struct topic {
    struct topic *next; /* of those to drop */
    struct assembler *assembler;
    const struct topics *all;
    uint64_t seq;
    uint32_t index;
    int64_t arrival_ms;
    char name[];
};

struct topics {
    void *tree;
    size_t count;
    int64_t reassembly_ms;
    topic_emit *emit;
    void *arg;
};

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct topic *)a)->name, ((const struct topic *)b)->name);
}

struct topics *topics_new(int64_t reassembly_ms, topic_emit *emit, void *arg)
{
    struct topics *t = calloc(1, sizeof *t);

    if (t != NULL)
        *t = (struct topics){.reassembly_ms = reassembly_ms, .emit = emit, .arg = arg};
    return t;
}

static void topic_free(void *arg)
{
    struct topic *topic = arg;

    assembler_free(topic->assembler);
    free(topic);
}

void topics_free(struct topics *t)
{
    if (t == NULL)
        return;
    tdestroy(t->tree, topic_free);
    free(t);
}

size_t topics_pending(const struct topics *t)
{
    return t->count;
}

static struct topic *topic_new(const struct topics *t, const char *name)
{
    size_t size = strlen(name) + 1;
    struct topic *topic = calloc(1, sizeof *topic + size);

    if (topic == NULL)
        return NULL;
    topic->all = t;
    memcpy(topic->name, name, size);
    topic->assembler = assembler_new();
    if (topic->assembler == NULL) {
        free(topic);
        return NULL;
    }
    return topic;
}

/* The topic's state, made when there is none; NULL out of memory. */
static struct topic *find(struct topics *t, const char *name)
{
    struct topic *fresh = topic_new(t, name);
    struct topic **found;

    if (fresh == NULL)
        return NULL;
    found = tsearch(fresh, &t->tree, compare);
    if (found == NULL || *found != fresh)
        topic_free(fresh);
    else
        t->count++;
    return found == NULL ? NULL : *found;
}

static void drop(struct topics *t, struct topic *topic)
{
    tdelete(topic, &t->tree, compare);
    topic_free(topic);
    t->count--;
}

static void on_telegram(void *arg, const struct telegram_octets *telegram)
{
    struct topic *topic = arg;
    const struct topic_outcome outcome = {
        .topic = topic->name,
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
        drop(t, topic);
    return rc;
}

struct sweep {
    int64_t before_ms;
    struct topic *quiet; /* those with nothing left */
};

static void sweep_topic(const void *node, VISIT visit, void *arg)
{
    struct topic *topic = *(struct topic *const *)node;
    struct sweep *sweep = arg;

    if (visit != postorder && visit != leaf)
        return;
    assembler_expire(topic->assembler, sweep->before_ms, on_telegram, topic);
    if (assembler_pending(topic->assembler) == 0) {
        topic->next = sweep->quiet;
        sweep->quiet = topic;
    }
}

void topics_expire(struct topics *t, int64_t now_ms)
{
    struct sweep sweep = {.before_ms = now_ms - t->reassembly_ms};

    twalk_r(t->tree, sweep_topic, &sweep);
    while (sweep.quiet != NULL) {
        struct topic *next = sweep.quiet->next;

        drop(t, sweep.quiet);
        sweep.quiet = next;
    }
}
