#include "events.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One event, shared by the queues it stands in. */
struct event {
    size_t uses, len;
    char text[];
};

struct listener {
    struct listener *prev, *next;
    void (*wake)(void *arg);
    void *arg;
    bool asleep, gone;
    struct event *now; /* being sent: told to its end whatever comes */
    size_t sent;       /* octets of it */
    struct event *queue[EVENTS_QUEUE];
    size_t first, count;
};

struct events {
    pthread_mutex_t lock;
    struct listener *list;
    size_t max, count, dropped;
    bool ended;
};

struct events *events_new(size_t max)
{
    struct events *e = calloc(1, sizeof *e);

    if (e == NULL)
        return NULL;
    pthread_mutex_init(&e->lock, NULL);
    e->max = max;
    return e;
}

void events_free(struct events *e)
{
    if (e == NULL)
        return;
    pthread_mutex_destroy(&e->lock);
    free(e);
}

static void release(struct event *event)
{
    if (event != NULL && --event->uses == 0)
        free(event);
}

static struct event *event_new(const char *name, const char *data)
{
    size_t room = strlen(data) + (name == NULL ? 0 : strlen(name)) + 32;
    struct event *event = malloc(sizeof *event + room);

    if (event == NULL)
        return NULL;
    event->uses = 1;
    if (name == NULL)
        event->len = (size_t)snprintf(event->text, room, ": %s\n\n", data);
    else
        event->len = (size_t)snprintf(event->text, room, "event: %s\ndata: %s\n\n", name, data);
    return event;
}

static void wake(struct listener *l)
{
    if (!l->asleep)
        return;
    l->asleep = false;
    l->wake(l->arg);
}

struct listener *events_join(struct events *e, void (*on_wake)(void *arg), void *arg)
{
    struct event *greeting = event_new(NULL, "hello");
    struct listener *l = NULL;

    pthread_mutex_lock(&e->lock);
    if (!e->ended && e->count < e->max)
        l = calloc(1, sizeof *l);
    if (l != NULL) {
        l->now = greeting; /* so that the browser knows at once that it is connected */
        greeting = NULL;
        l->wake = on_wake;
        l->arg = arg;
        l->next = e->list;
        if (e->list != NULL)
            e->list->prev = l;
        e->list = l;
        e->count++;
    }
    pthread_mutex_unlock(&e->lock);
    free(greeting);
    return l;
}

static struct event *pop(struct listener *l)
{
    struct event *event = l->queue[l->first];

    l->first = (l->first + 1) % EVENTS_QUEUE;
    l->count--;
    return event;
}

void events_leave(struct events *e, struct listener *l)
{
    pthread_mutex_lock(&e->lock);
    if (l->prev != NULL)
        l->prev->next = l->next;
    else
        e->list = l->next;
    if (l->next != NULL)
        l->next->prev = l->prev;
    e->count--;
    release(l->now);
    while (l->count > 0)
        release(pop(l));
    pthread_mutex_unlock(&e->lock);
    free(l);
}

void events_drop(struct events *e, struct listener *l)
{
    pthread_mutex_lock(&e->lock);
    l->gone = true;
    wake(l);
    pthread_mutex_unlock(&e->lock);
}

static size_t copy(struct listener *l, char *to, size_t max)
{
    size_t n = 0;

    while (n < max && (l->now != NULL || l->count > 0)) {
        size_t part;

        if (l->now == NULL) {
            l->now = pop(l);
            l->sent = 0;
        }
        part = l->now->len - l->sent < max - n ? l->now->len - l->sent : max - n;
        memcpy(to + n, l->now->text + l->sent, part);
        l->sent += part;
        n += part;
        if (l->sent == l->now->len) {
            release(l->now);
            l->now = NULL;
        }
    }
    return n;
}

ssize_t
events_take(struct events *e, struct listener *l, char *to, size_t max, void (*sleep)(void *arg))
{
    ssize_t n;

    pthread_mutex_lock(&e->lock);
    n = (ssize_t)copy(l, to, max);
    if (n == 0 && (e->ended || l->gone))
        n = -1;
    if (n == 0) {
        l->asleep = true;
        sleep(l->arg);
    }
    pthread_mutex_unlock(&e->lock);
    return n;
}

static void push(struct events *e, struct listener *l, struct event *event)
{
    if (l->count == EVENTS_QUEUE) {
        release(pop(l));
        e->dropped++;
    }
    l->queue[(l->first + l->count++) % EVENTS_QUEUE] = event;
    event->uses++;
    wake(l);
}

void events_publish(struct events *e, const char *name, const char *data)
{
    struct event *event = event_new(name, data);

    if (event == NULL)
        return; /* the next one tells the present state */
    pthread_mutex_lock(&e->lock);
    for (struct listener *l = e->list; l != NULL; l = l->next)
        push(e, l, event);
    release(event);
    pthread_mutex_unlock(&e->lock);
}

size_t events_count(struct events *e)
{
    size_t n;

    pthread_mutex_lock(&e->lock);
    n = e->count;
    pthread_mutex_unlock(&e->lock);
    return n;
}

size_t events_dropped(struct events *e)
{
    size_t n;

    pthread_mutex_lock(&e->lock);
    n = e->dropped;
    pthread_mutex_unlock(&e->lock);
    return n;
}

void events_end(struct events *e)
{
    pthread_mutex_lock(&e->lock);
    e->ended = true;
    for (struct listener *l = e->list; l != NULL; l = l->next)
        wake(l);
    pthread_mutex_unlock(&e->lock);
}
