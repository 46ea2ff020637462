#include "inbox.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct inbox {
    pthread_mutex_t lock;
    struct fresh *first, **last;
    size_t count, window, octets;
    int fd;
};

struct fresh *fresh_new(uint64_t seq, uint32_t index, const void *record, size_t len)
{
    struct fresh *f = malloc(sizeof *f + len);

    if (f == NULL)
        return NULL;
    *f = (struct fresh){.seq = seq, .index = index, .len = len};
    memcpy(f->record, record, len);
    return f;
}

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
    b->window = window;
    b->last = &b->first;
    return b;
}

void inbox_free(struct inbox *b)
{
    struct fresh *f;

    if (b == NULL)
        return;
    while ((f = inbox_take(b)) != NULL)
        free(f);
    close(b->fd);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

bool inbox_add(struct inbox *b, struct fresh *f)
{
    bool room;

    pthread_mutex_lock(&b->lock);
    room = b->count < b->window && b->octets + f->len <= INBOX_OCTETS;
    if (room) {
        *b->last = f;
        b->last = &f->next;
        b->count++;
        b->octets += f->len;
        eventfd_write(b->fd, 1);
    }
    pthread_mutex_unlock(&b->lock);
    if (!room)
        free(f);
    return room;
}

struct fresh *inbox_take(struct inbox *b)
{
    struct fresh *f;
    eventfd_t ignored;

    pthread_mutex_lock(&b->lock);
    f = b->first;
    if (f != NULL) {
        b->first = f->next;
        b->count--;
        b->octets -= f->len;
        if (b->first == NULL)
            b->last = &b->first;
    }
    if (b->first == NULL)
        (void)eventfd_read(b->fd, &ignored);
    pthread_mutex_unlock(&b->lock);
    return f;
}

int inbox_fd(const struct inbox *b)
{
    return b->fd;
}
