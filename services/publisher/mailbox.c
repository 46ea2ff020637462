#include "mailbox.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { OCTETS_MAX = 64 * 1024 * 1024 };

struct mailbox {
    pthread_mutex_t lock;
    struct letter *first, **last;
    size_t octets;
};

struct mailbox *mailbox_new(void)
{
    struct mailbox *b = calloc(1, sizeof *b);

    if (b == NULL)
        return NULL;
    pthread_mutex_init(&b->lock, NULL);
    b->last = &b->first;
    return b;
}

void mailbox_free(struct mailbox *b)
{
    struct letter *l;

    if (b == NULL)
        return;
    while ((l = mailbox_take(b)) != NULL)
        free(l);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

static size_t size_of(const struct letter *l)
{
    return sizeof *l + l->len + 1 + strlen(l->topic) + 1;
}

static struct letter *letter_new(const char *topic, const void *payload, size_t len)
{
    size_t topic_size = strlen(topic) + 1;
    struct letter *l = len > OCTETS_MAX ? NULL : malloc(sizeof *l + len + 1 + topic_size);

    if (l == NULL)
        return NULL;
    *l = (struct letter){.topic = l->payload + len + 1, .len = len};
    if (len > 0)
        memcpy(l->payload, payload, len);
    l->payload[len] = '\0';
    memcpy(l->payload + len + 1, topic, topic_size);
    return l;
}

bool mailbox_put(struct mailbox *b, const char *topic, const void *payload, size_t len)
{
    struct letter *l = letter_new(topic, payload, len);
    bool room;

    if (l == NULL)
        return false;
    pthread_mutex_lock(&b->lock);
    room = b->octets + size_of(l) <= OCTETS_MAX;
    if (room) {
        *b->last = l;
        b->last = &l->next;
        b->octets += size_of(l);
    }
    pthread_mutex_unlock(&b->lock);
    if (!room)
        free(l);
    return room;
}

struct letter *mailbox_take(struct mailbox *b)
{
    struct letter *l;

    pthread_mutex_lock(&b->lock);
    l = b->first;
    if (l != NULL) {
        b->first = l->next;
        b->octets -= size_of(l);
        if (b->first == NULL)
            b->last = &b->first;
    }
    pthread_mutex_unlock(&b->lock);
    return l;
}
