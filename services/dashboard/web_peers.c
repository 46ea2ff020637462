#include "web_peers.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "clock.h"

enum { REQUEST_MS = 10000 }; /* a request must have come by then */

struct web_peer {
    struct web_peer *prev, *next;
    int fd;
    int64_t since_ms; /* the request under way began, or the last one ended */
    bool busy;        /* it is being answered */
    struct listener *listener;
};

struct web_peers {
    pthread_mutex_t lock;
    struct web_peer *first;
    struct pollfd *polled; /* of listeners */
    struct listener **polled_listeners;
    size_t clients;
};

struct web_peers *web_peers_new(size_t clients)
{
    struct web_peers *peers = calloc(1, sizeof *peers);

    if (peers == NULL)
        return NULL;
    pthread_mutex_init(&peers->lock, NULL);
    peers->clients = clients;
    peers->polled = calloc(clients, sizeof *peers->polled);
    peers->polled_listeners = calloc(clients, sizeof(struct listener *));
    if (peers->polled != NULL && peers->polled_listeners != NULL)
        return peers;
    web_peers_free(peers);
    return NULL;
}

void web_peers_free(struct web_peers *peers)
{
    if (peers == NULL)
        return;
    pthread_mutex_destroy(&peers->lock);
    free(peers->polled);
    free(peers->polled_listeners);
    free(peers);
}

struct web_peer *web_peers_join(struct web_peers *peers, int fd)
{
    struct web_peer *p = calloc(1, sizeof *p);

    if (p == NULL)
        return NULL;
    p->fd = fd;
    p->since_ms = clock_monotonic_ms();
    pthread_mutex_lock(&peers->lock);
    p->next = peers->first;
    if (peers->first != NULL)
        peers->first->prev = p;
    peers->first = p;
    pthread_mutex_unlock(&peers->lock);
    return p;
}

void web_peers_leave(struct web_peers *peers, struct web_peer *p)
{
    pthread_mutex_lock(&peers->lock);
    if (p->prev != NULL)
        p->prev->next = p->next;
    else
        peers->first = p->next;
    if (p->next != NULL)
        p->next->prev = p->prev;
    pthread_mutex_unlock(&peers->lock);
    free(p);
}

void web_peers_busy(struct web_peers *peers, struct web_peer *p, bool busy)
{
    if (p == NULL)
        return;
    pthread_mutex_lock(&peers->lock);
    p->busy = busy;
    p->since_ms = clock_monotonic_ms();
    pthread_mutex_unlock(&peers->lock);
}

void web_peers_listens(struct web_peers *peers, struct web_peer *p, struct listener *l)
{
    if (p == NULL)
        return;
    pthread_mutex_lock(&peers->lock);
    p->listener = l;
    pthread_mutex_unlock(&peers->lock);
}

/* Under the lock no connection is closed, so that its number is still its own. */
void web_peers_tick(struct web_peers *peers, struct events *events, int64_t now_ms)
{
    size_t n = 0;

    pthread_mutex_lock(&peers->lock);
    for (struct web_peer *p = peers->first; p != NULL; p = p->next)
        if (!p->busy && now_ms - p->since_ms > REQUEST_MS) {
            shutdown(p->fd, SHUT_RDWR);
        } else if (p->listener != NULL && n < peers->clients) {
            peers->polled[n] = (struct pollfd){.fd = p->fd, .events = POLLRDHUP};
            peers->polled_listeners[n++] = p->listener;
        }
    if (n > 0 && poll(peers->polled, n, 0) > 0)
        for (size_t i = 0; i < n; i++)
            if (peers->polled[i].revents != 0)
                events_drop(events, peers->polled_listeners[i]);
    pthread_mutex_unlock(&peers->lock);
}
