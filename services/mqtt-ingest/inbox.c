#include "inbox.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct inbox {
    pthread_mutex_t lock;
    pthread_cond_t room;
    struct payload *first, **last;
    size_t count, window;
    bool closed;
    int fd;
};

struct inbox *inbox_new(size_t window)
{
    struct inbox *b = calloc(1, sizeof *b);

    if (b == NULL)
        return NULL;
    b->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (b->fd < 0) {
        free(b);
        return NULL;
    }
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->room, NULL);
    b->window = window;
    b->last = &b->first;
    return b;
}

void inbox_free(struct inbox *b)
{
    struct payload *p;

    if (b == NULL)
        return;
    while ((p = inbox_take(b)) != NULL)
        payload_free(p);
    close(b->fd);
    pthread_mutex_destroy(&b->lock);
    pthread_cond_destroy(&b->room);
    free(b);
}

static struct payload *
payload_new(const char *topic, const void *octets, size_t len, int64_t arrival_ms)
{
    size_t topic_size = strlen(topic) + 1;
    struct payload *p = malloc(sizeof *p + topic_size + len);

    if (p == NULL)
        return NULL;
    *p = (struct payload){
        .arrival_ms = arrival_ms,
        .topic = (char *)(p + 1),
        .octets = (uint8_t *)(p + 1) + topic_size,
        .len = len,
    };
    memcpy(p->topic, topic, topic_size);
    if (len > 0)
        memcpy(p->octets, octets, len);
    return p;
}

void payload_free(struct payload *p)
{
    free(p);
}

bool inbox_add(
    struct inbox *b, const char *topic, const void *octets, size_t len, int64_t arrival_ms)
{
    struct payload *p = payload_new(topic, octets, len, arrival_ms);
    bool added = false;

    if (p == NULL)
        return false;
    pthread_mutex_lock(&b->lock);
    while (b->count >= b->window && !b->closed)
        pthread_cond_wait(&b->room, &b->lock);
    if (!b->closed) {
        *b->last = p;
        b->last = &p->next;
        b->count++;
        added = true;
        eventfd_write(b->fd, 1);
    }
    pthread_mutex_unlock(&b->lock);
    if (!added)
        payload_free(p);
    return added;
}

struct payload *inbox_take(struct inbox *b)
{
    struct payload *p;
    eventfd_t ignored;

    pthread_mutex_lock(&b->lock);
    p = b->first;
    if (p != NULL) {
        b->first = p->next;
        b->count--;
        if (b->first == NULL)
            b->last = &b->first;
        pthread_cond_signal(&b->room);
    }
    if (b->first == NULL)
        (void)eventfd_read(b->fd, &ignored);
    pthread_mutex_unlock(&b->lock);
    return p;
}

int inbox_fd(const struct inbox *b)
{
    return b->fd;
}

bool inbox_is_full(struct inbox *b)
{
    bool full;

    pthread_mutex_lock(&b->lock);
    full = b->count >= b->window;
    pthread_mutex_unlock(&b->lock);
    return full;
}

void inbox_close(struct inbox *b)
{
    pthread_mutex_lock(&b->lock);
    b->closed = true;
    pthread_cond_broadcast(&b->room);
    pthread_mutex_unlock(&b->lock);
}
