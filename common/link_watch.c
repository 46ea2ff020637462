#include "link_watch.h"

#include <arpa/inet.h>
#include <czmq.h>
#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "log.h"
#include "vitals.h"

enum {
    TURN = 100,   /* events before others have their turn */
    CALLERS = 64, /* accepted connections whose address is remembered */
    CALLER_CHARS = 72,
    ENDED_OFTEN = 3, /* ended by the producer so often in a row: no accident */
};

/* Who connected to a binding socket. */
struct caller {
    int fd;
    char name[CALLER_CHARS];
};

struct link_watch {
    struct svc *svc;
    void *socket;
    zsock_t *events;
    const char *variable;
    bool keyed;
    void (*event)(void *arg, enum link_event event, const char *endpoint);
    void *arg;
    unsigned ended; /* connections that the other end has ended before they stood, in a row */
    const struct refusal *refusal;  /* of the connection whose end comes next */
    struct caller callers[CALLERS]; /* by their descriptor's last digits */
};

/* Why; without advice it is no matter of keys, and happens: a port scan, a probe, a restart. */
static const struct refusal {
    const char *reason, *advice;
} has_no_key = {"no-key", "the other end has no STREAM_KEY: give it the one of this installation"},
  has_a_key = {"key", "the other end has a STREAM_KEY, this service has none: give both the same"},
  has_another = {"other-key", "the STREAM_KEY of the other end is another one: give both the same "
                              "and start them again"},
  no_peer = {"protocol", NULL}, ended = {"ended", NULL};

static const struct refusal *judge_protocol(const struct link_watch *w, uint32_t code)
{
    if (code == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH)
        return w->keyed ? &has_no_key : &has_a_key;
    return code == ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC ? &has_another : &no_peer;
}

/* A producer with another key cannot say so: it ends the connection, each time. */
static const struct refusal *judge_end(struct link_watch *w)
{
    return w->keyed && w->event != NULL && ++w->ended >= ENDED_OFTEN ? &has_another : &ended;
}

static void tell(const struct link_watch *w, const struct refusal *why, const char *peer)
{
    char what[256];
    int64_t held;

    metrics_add(w->svc->vitals, VITALS_REFUSED, why->reason, 1);
    if (why->advice == NULL) {
        log_debug("stream-refused", LOG_S("setting", w->variable), LOG_S("peer", peer),
                  LOG_S("reason", why->reason));
        return;
    }
    /* a peer that tries again comes from another port */
    snprintf(what, sizeof what, "%s %s %.*s", w->variable, why->reason,
             w->event != NULL ? (int)strlen(peer) : (int)strcspn(peer, " "), peer);
    if (log_allowed(what, &held))
        log_warn("stream-refused", LOG_S("setting", w->variable), LOG_S("peer", peer),
                 LOG_S("reason", why->reason), LOG_S("advice", why->advice),
                 LOG_I("suppressed", held));
}

/* Whether a descriptor is still one of this endpoint's connections: another may have its number. */
static bool is_of(int fd, const char *endpoint)
{
    union {
        struct sockaddr any;
        struct sockaddr_un path;
        struct sockaddr_storage room;
    } at = {.room = {.ss_family = AF_UNSPEC}};
    socklen_t len = sizeof at.room;
    char port[8];
    const char *colon = strrchr(endpoint, ':');

    if (getsockname(fd, &at.any, &len) != 0)
        return false;
    if (at.any.sa_family == AF_UNIX)
        return strncmp(endpoint, "ipc://", 6) == 0 &&
               strncmp(endpoint + 6, at.path.sun_path, sizeof at.path.sun_path) == 0;
    return getnameinfo(&at.any, len, NULL, 0, port, sizeof port, NI_NUMERICSERV) == 0 &&
           colon != NULL && strcmp(colon + 1, port) == 0;
}

/* "192.0.2.1 port 41234", or "process 1234" of this machine; "unknown" when it is gone. */
static void name_caller(struct caller *c, int fd, const char *endpoint)
{
    struct sockaddr_storage at = {.ss_family = AF_UNSPEC};
    struct ucred who;
    socklen_t at_len = sizeof at, who_len = sizeof who;
    char host[INET6_ADDRSTRLEN], port[8];

    c->fd = fd;
    snprintf(c->name, sizeof c->name, "unknown");
    if (!is_of(fd, endpoint) || getpeername(fd, (struct sockaddr *)&at, &at_len) != 0)
        return;
    if (at.ss_family == AF_UNIX && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &who_len) == 0)
        snprintf(c->name, sizeof c->name, "process %ld", (long)who.pid);
    else if (getnameinfo((struct sockaddr *)&at, at_len, host, sizeof host, port, sizeof port,
                         NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        snprintf(c->name, sizeof c->name, "%s port %s",
                 strncmp(host, "::ffff:", 7) == 0 ? host + 7 : host, port);
}

/* The end of a connection; a refusal came right before it. */
static void on_end(struct link_watch *w, int fd, const char *endpoint)
{
    const struct caller *c = &w->callers[(unsigned)fd % CALLERS];

    if (w->refusal != NULL && w->event != NULL)
        tell(w, w->refusal, endpoint);
    else if (w->refusal != NULL)
        tell(w, w->refusal, c->fd == fd ? c->name : "unknown");
    w->refusal = NULL;
    if (w->event != NULL)
        w->event(w->arg, LINK_DOWN, endpoint);
}

static void take(struct link_watch *w, unsigned event, uint32_t value, const char *endpoint)
{
    switch (event) {
    case ZMQ_EVENT_ACCEPTED:
        name_caller(&w->callers[value % CALLERS], (int)value, endpoint);
        break;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        w->ended = 0;
        if (w->event != NULL)
            w->event(w->arg, LINK_UP, endpoint);
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        w->refusal = judge_protocol(w, value);
        if (w->event != NULL)
            w->event(w->arg, LINK_GIVEN_UP, endpoint);
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        w->refusal = &has_another;
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        w->refusal = judge_end(w);
        break;
    case ZMQ_EVENT_DISCONNECTED:
        on_end(w, (int)value, endpoint);
        break;
    default:
        break;
    }
}

/* Two parts: 16 bits of event and 32 of value, in the machine's own order; the endpoint. */
static int on_event(zloop_t *loop, zsock_t *events, void *arg)
{
    struct link_watch *w = arg;
    void *socket = zsock_resolve(events);
    uint8_t head[6];
    char endpoint[256];

    (void)loop;
    for (int i = 0; i < TURN && zmq_recv(socket, head, sizeof head, ZMQ_DONTWAIT) == sizeof head;
         i++) {
        int len = zmq_recv(socket, endpoint, sizeof endpoint - 1, ZMQ_DONTWAIT);
        uint16_t event;
        uint32_t value;

        if (len < 0)
            break;
        endpoint[len < (int)sizeof endpoint ? len : (int)sizeof endpoint - 1] = '\0';
        memcpy(&event, head, sizeof event);
        memcpy(&value, head + sizeof event, sizeof value);
        take(w, event, value, endpoint);
    }
    return 0;
}

int link_watch_open(struct svc *svc,
                    void *socket,
                    const char *variable,
                    bool keyed,
                    void (*event)(void *arg, enum link_event event, const char *endpoint),
                    void *arg,
                    struct link_watch **out)
{
    static const int wanted = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED |
                              ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                              ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
    struct link_watch *w = calloc(1, sizeof *w);
    char at[64];

    *out = w;
    if (w == NULL)
        return -ENOMEM;
    *w = (struct link_watch){.svc = svc,
                             .socket = socket,
                             .variable = variable,
                             .keyed = keyed,
                             .event = event,
                             .arg = arg};
    w->events = zsock_new(ZMQ_PAIR);
    if (w->events == NULL)
        return -ENOMEM;
    zsock_set_rcvhwm(w->events, 0); /* libzmq's own thread must never wait for this loop */
    snprintf(at, sizeof at, "inproc://link-watch-%p", (void *)w);
    if (zmq_socket_monitor(socket, at, wanted) != 0 ||
        zmq_connect(zsock_resolve(w->events), at) != 0)
        return -errno;
    return zloop_reader(svc->loop, w->events, on_event, w) == 0 ? 0 : -ENOMEM;
}

void link_watch_free(struct link_watch *w)
{
    if (w == NULL)
        return;
    if (w->svc->loop != NULL && w->events != NULL)
        zloop_reader_end(w->svc->loop, w->events);
    zmq_socket_monitor(w->socket, NULL, 0);
    zsock_destroy(&w->events);
    free(w);
}
