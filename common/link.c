#include "link.h"

#include <arpa/inet.h>
#include <czmq.h>
#include <errno.h>
#include <netdb.h>
#include <string.h>

#include "buf.h"
#include "clock.h"
#include "link_key.h"
#include "link_watch.h"
#include "log.h"
#include "vitals.h"

enum {
    HIGH_WATER = 4, /* messages a PUSH/PULL end may hold */
    PUB_HIGH_WATER = 1000,
    KERNEL_BUFFER = 64 * 1024,
    KEEPALIVE_SECONDS = 3,
    KEEPALIVE_TRIES = 3,
    RECONNECT_MAX_MS = 2000,
    TURN = 100,          /* messages read before others have their turn */
    ADDRESSES_MAX = 256, /* of one name */
    ENDPOINT_CHARS = 80,
    TICK_MS = 1000,
};

/* One address that a consumer is connected to. */
struct peer {
    char endpoint[ENDPOINT_CHARS];
    bool named; /* the last good answer for one of the names holds it */
    bool up;
    bool given_up;    /* libzmq does not connect to it again by itself */
    int64_t since_ms; /* of `up` */
};

/* One tcp:// name and the last answer for it. */
struct name {
    char host[256], port[8];
    char (*addresses)[ENDPOINT_CHARS];
    int count;
};

struct link {
    struct svc *svc;
    const char *variable; /* of a consumer's setting */
    zsock_t *sock;
    bool topics;
    bool reading;
    struct link_consumer consumer;
    struct buf batch;
    size_t batched;
    struct peer *peers;
    size_t peer_count;
    struct name *names;
    size_t name_count;
    zactor_t *resolver;
    struct link_watch *watch;
    int timer;
};

static int resolve_dns(const char *host, const char *port, char (*endpoints)[80], int max);

link_resolve *link_resolver = resolve_dns;
int64_t link_resolve_ms = 5000, link_unreachable_ms = 30000;

/* Names to addresses */

static int resolve_dns(const char *host, const char *port, char (*endpoints)[80], int max)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char text[INET6_ADDRSTRLEN];
    int n = 0;

    if (getaddrinfo(host, port, &hints, &list) != 0)
        return -ENOENT;
    for (const struct addrinfo *a = list; a != NULL && n < max; a = a->ai_next) {
        if (getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST) != 0)
            continue;
        snprintf(endpoints[n++], ENDPOINT_CHARS,
                 a->ai_family == AF_INET6 ? "tcp://[%s]:%s" : "tcp://%s:%s", text, port);
    }
    freeaddrinfo(list);
    return n;
}

/* One turn: resolve every name and send what was answered to the loop, a message a name. */
static void resolve_all(zsock_t *pipe, const struct link *l, char (*answer)[ENDPOINT_CHARS])
{
    for (size_t i = 0; i < l->name_count; i++) {
        int n = link_resolver(l->names[i].host, l->names[i].port, answer, ADDRESSES_MAX);
        zmsg_t *message;

        if (n <= 0)
            continue;
        message = zmsg_new();
        zmsg_addmem(message, &i, sizeof i);
        zmsg_addmem(message, answer, (size_t)n * ENDPOINT_CHARS);
        zmsg_send(&message, pipe);
    }
}

/* The resolver's thread: getaddrinfo may block for seconds, the loop must not. */
static void resolver_main(zsock_t *pipe, void *arg)
{
    const struct link *l = arg;
    char(*answer)[ENDPOINT_CHARS] = calloc(ADDRESSES_MAX, ENDPOINT_CHARS);
    zpoller_t *poller = zpoller_new(pipe, NULL);
    bool run = answer != NULL && poller != NULL;

    zsock_signal(pipe, 0);
    while (run) {
        resolve_all(pipe, l, answer);
        run = zpoller_wait(poller, (int)link_resolve_ms) == NULL && !zpoller_terminated(poller);
    }
    zpoller_destroy(&poller);
    free(answer);
}

static bool is_named(const struct link *l, const char *endpoint)
{
    for (size_t i = 0; i < l->name_count; i++)
        for (int j = 0; j < l->names[i].count; j++)
            if (strcmp(l->names[i].addresses[j], endpoint) == 0)
                return true;
    return false;
}

/* Other endpoints are addresses themselves, and stay. */
static bool is_tcp(const char *endpoint)
{
    return strncmp(endpoint, "tcp://", strlen("tcp://")) == 0;
}

static struct peer *find_peer(const struct link *l, const char *endpoint)
{
    for (size_t i = 0; i < l->peer_count; i++)
        if (strcmp(l->peers[i].endpoint, endpoint) == 0)
            return &l->peers[i];
    return NULL;
}

/* On an IPv6 socket the monitor names an IPv4 peer otherwise (::ffff:) after it reconnected. */
static int dial(const struct link *l, const char *endpoint)
{
    zsock_set_ipv6(l->sock, strchr(endpoint, '[') != NULL);
    return zmq_connect(zsock_resolve(l->sock), endpoint) == 0 ? 0 : -errno;
}

static int add_peer(struct link *l, const char *endpoint)
{
    struct peer *peers;
    int rc;

    if (find_peer(l, endpoint) != NULL)
        return 0;
    peers = realloc(l->peers, (l->peer_count + 1) * sizeof *peers);
    if (peers == NULL)
        return -ENOMEM;
    l->peers = peers;
    rc = dial(l, endpoint);
    if (rc != 0)
        return rc;
    l->peers[l->peer_count] = (struct peer){.named = true, .since_ms = clock_monotonic_ms()};
    snprintf(l->peers[l->peer_count].endpoint, ENDPOINT_CHARS, "%s", endpoint);
    l->peer_count++;
    return 0;
}

/* An answer for one name has come: connect what is new, mark what is gone. */
static int on_answer(zloop_t *loop, zsock_t *pipe, void *arg)
{
    struct link *l = arg;
    zmsg_t *message = zmsg_recv(pipe);
    zframe_t *index, *list;
    struct name *name;

    (void)loop;
    if (message == NULL) /* interrupted: it comes again */
        return 0;
    index = zmsg_first(message);
    list = zmsg_next(message);
    if (list != NULL && zframe_size(index) == sizeof(size_t)) {
        name = &l->names[*(const size_t *)(const void *)zframe_data(index)];
        free(name->addresses);
        name->addresses = malloc(zframe_size(list));
        name->count = 0;
        if (name->addresses != NULL) {
            memcpy(name->addresses, zframe_data(list), zframe_size(list));
            name->count = (int)(zframe_size(list) / ENDPOINT_CHARS);
        }
        for (int i = 0; i < name->count; i++)
            if (add_peer(l, name->addresses[i]) != 0)
                log_error("connect", LOG_S("endpoint", name->addresses[i]));
        for (size_t i = 0; i < l->peer_count; i++)
            l->peers[i].named = !is_tcp(l->peers[i].endpoint) || is_named(l, l->peers[i].endpoint);
    }
    zmsg_destroy(&message);
    return 0;
}

/* What was refused (one end has a key, the other none) may have been put right since. */
static void redial(const struct link *l, struct peer *p)
{
    if (!p->given_up)
        return;
    p->given_up = false;
    zmq_disconnect(zsock_resolve(l->sock), p->endpoint);
    if (dial(l, p->endpoint) != 0)
        log_error("connect", LOG_S("endpoint", p->endpoint));
}

/* Drop peers that DNS no longer names and that have been unreachable for long; try the others. */
static int on_tick(zloop_t *loop, int id, void *arg)
{
    struct link *l = arg;
    int64_t now = clock_monotonic_ms();

    (void)loop;
    (void)id;
    vitals_peers(l->svc, l->variable, link_peers(l));
    for (size_t i = 0; i < l->peer_count;) {
        struct peer *p = &l->peers[i];

        if (p->named || p->up || now - p->since_ms < link_unreachable_ms) {
            redial(l, p);
            i++;
            continue;
        }
        log_info("gone", LOG_S("endpoint", p->endpoint));
        zmq_disconnect(zsock_resolve(l->sock), p->endpoint);
        *p = l->peers[--l->peer_count];
    }
    return 0;
}

static void on_event(void *arg, enum link_event event, const char *endpoint)
{
    struct peer *p = find_peer(arg, endpoint);
    bool up = event == LINK_UP;

    if (p == NULL)
        return;
    if (event == LINK_GIVEN_UP) {
        p->given_up = true;
    } else if (p->up != up) {
        p->up = up;
        p->since_ms = clock_monotonic_ms();
        log_debug(up ? "connected" : "disconnected", LOG_S("endpoint", endpoint));
    }
}

size_t link_peers(const struct link *l)
{
    size_t n = 0;

    for (size_t i = 0; i < l->peer_count; i++)
        n += l->peers[i].up;
    return n;
}

/* Opening */

/*
 * How a lost host is found: TCP keep-alive, on both ends. ZeroMQ's own heartbeats cannot be had: a
 * receiver whose queue is full reads none, and when it reads again after their time-out
 * libzmq 4.3.4 aborts the process, whichever end sent them ("Assertion failed: _input_stopped",
 * "!_io_error"; zeromq/libzmq#3937). A hung receiver holds no more than its high-water mark; acks
 * bring that back.
 */
static void look_after(zsock_t *sock)
{
    zsock_set_tcp_keepalive(sock, 1);
    zsock_set_tcp_keepalive_idle(sock, KEEPALIVE_SECONDS);
    zsock_set_tcp_keepalive_intvl(sock, KEEPALIVE_SECONDS);
    zsock_set_tcp_keepalive_cnt(sock, KEEPALIVE_TRIES);
}

/* With a STREAM_KEY, the key; the process's door opens with its first producer. */
static int lock_up(const struct link *l, bool server)
{
    const char *key = l->svc->conf.stream_key;
    int rc = 0;

    if (server && l->svc->door == NULL)
        rc = link_key_open(key, &l->svc->door);
    return rc == 0 ? link_key_apply(zsock_resolve(l->sock), key, server) : rc;
}

/* The key, and eyes on what becomes of connections. event: a consumer's, or NULL. */
static int guard(struct link *l,
                 const char *variable,
                 void (*event)(void *arg, enum link_event event, const char *endpoint))
{
    const char *key = l->svc->conf.stream_key;
    bool keyed = key != NULL && *key != '\0';
    int rc = keyed ? lock_up(l, event == NULL) : 0;

    return rc == 0 ? link_watch_open(l->svc, zsock_resolve(l->sock), variable, keyed, event, l,
                                     &l->watch)
                   : rc;
}

static struct link *link_new(struct svc *svc, int type)
{
    struct link *l = calloc(1, sizeof *l);
    bool topics = type == ZMQ_PUB || type == ZMQ_SUB;

    if (l == NULL)
        return NULL;
    l->svc = svc;
    l->topics = topics;
    l->timer = -1;
    l->sock = zsock_new(type);
    if (l->sock == NULL) {
        free(l);
        return NULL;
    }
    zsock_set_ipv6(l->sock, 1);
    zsock_set_sndhwm(l->sock, topics ? PUB_HIGH_WATER : HIGH_WATER);
    zsock_set_rcvhwm(l->sock, topics ? PUB_HIGH_WATER : HIGH_WATER);
    if (!topics) {
        zsock_set_sndbuf(l->sock, KERNEL_BUFFER);
        zsock_set_rcvbuf(l->sock, KERNEL_BUFFER);
    }
    look_after(l->sock);
    zsock_set_reconnect_ivl_max(l->sock, RECONNECT_MAX_MS);
    return l;
}

int link_bind(struct svc *svc,
              enum link_pattern pattern,
              const char *variable,
              const char *endpoints,
              struct link **out)
{
    struct link *l = link_new(svc, pattern == LINK_TOPICS ? ZMQ_PUB : ZMQ_PUSH);
    char **list = conf_list(endpoints);
    int rc = l == NULL || list == NULL ? -ENOMEM : link_check(true, variable, endpoints);

    *out = l;
    if (rc == 0)
        rc = guard(l, variable, NULL);
    for (char **e = list; rc == 0 && *e != NULL; e++) {
        char wrong[160];

        if (zmq_bind(zsock_resolve(l->sock), *e) == 0)
            continue;
        snprintf(wrong, sizeof wrong, "%s: %s", *e, zmq_strerror(errno));
        rc = conf_wrong(variable, wrong, "a free endpoint such as tcp://*:5550 or ipc:///run/x");
    }
    free(list);
    return rc;
}

/* "tcp://host:port" into its parts. */
static bool read_name(const char *endpoint, struct name *name)
{
    const char *host = endpoint + strlen("tcp://");
    const char *colon = strrchr(host, ':');
    size_t len = colon == NULL ? 0 : (size_t)(colon - host);

    if (len == 0 || len >= sizeof name->host || strlen(colon + 1) >= sizeof name->port ||
        colon[1] == '\0' || strspn(colon + 1, "0123456789") != strlen(colon + 1))
        return false;
    if (strtol(colon + 1, NULL, 10) > 65535 || (len == 1 && *host == '*'))
        return false;
    if (host[0] == '[' && host[len - 1] == ']') {
        host++;
        len -= 2;
    }
    memcpy(name->host, host, len);
    name->host[len] = '\0';
    snprintf(name->port, sizeof name->port, "%s", colon + 1);
    return true;
}

static bool is_endpoint(const char *endpoint, bool bind)
{
    struct name ignored;

    if (is_tcp(endpoint))
        return bind ? strchr(endpoint + strlen("tcp://"), ':') != NULL
                    : read_name(endpoint, &ignored);
    return strncmp(endpoint, "ipc://", 6) == 0 || strncmp(endpoint, "inproc://", 9) == 0;
}

int link_check(bool bind, const char *variable, const char *endpoints)
{
    const char *right = bind ? "tcp://*:5550 or ipc:///path" : "tcp://host:port or ipc:///path";
    char **list = conf_list(endpoints);
    int rc = list == NULL ? -ENOMEM : 0;

    if (rc == 0 && list[0] == NULL)
        rc = conf_wrong(variable, "no endpoint", right);
    for (char **e = list; rc == 0 && *e != NULL; e++)
        if (!is_endpoint(*e, bind))
            rc = conf_wrong(variable, *e, right);
    free(list);
    return rc;
}

/* One that link_check has passed. */
static int add_endpoint(struct link *l, const char *variable, const char *endpoint)
{
    if (is_tcp(endpoint)) {
        l->name_count += read_name(endpoint, &l->names[l->name_count]);
        return 0;
    }
    if (add_peer(l, endpoint) != 0)
        return conf_wrong(variable, endpoint, "an endpoint that can be connected to");
    return 0;
}

static int on_message(zloop_t *loop, zsock_t *sock, void *arg);

void link_pause(struct link *l)
{
    if (l->reading)
        zloop_reader_end(l->svc->loop, l->sock);
    l->reading = false;
}

void link_resume(struct link *l)
{
    if (!l->reading)
        l->reading = zloop_reader(l->svc->loop, l->sock, on_message, l) == 0;
}

/* The thread that follows DNS, and the readers in the loop. */
static int follow(struct link *l)
{
    zloop_t *loop = l->svc->loop;

    l->timer = zloop_timer(loop, TICK_MS, 0, on_tick, l);
    if (l->name_count > 0) {
        l->resolver = zactor_new(resolver_main, l);
        if (l->resolver == NULL || zloop_reader(loop, zactor_sock(l->resolver), on_answer, l) != 0)
            return -ENOMEM;
    }
    link_resume(l);
    return l->reading && l->timer >= 0 ? 0 : -ENOMEM;
}

int link_connect(struct svc *svc,
                 enum link_pattern pattern,
                 const char *variable,
                 const char *endpoints,
                 const struct link_consumer *consumer,
                 struct link **out)
{
    struct link *l = link_new(svc, pattern == LINK_TOPICS ? ZMQ_SUB : ZMQ_PULL);
    char **list = conf_list(endpoints);
    size_t n = 0;
    int rc;

    *out = l;
    if (l == NULL || list == NULL) {
        free(list);
        return -ENOMEM;
    }
    while (list[n] != NULL)
        n++;
    l->consumer = *consumer;
    l->variable = variable;
    l->names = calloc(n + 1, sizeof *l->names);
    rc = l->names == NULL ? -ENOMEM : link_check(false, variable, endpoints);
    if (rc == 0)
        rc = guard(l, variable, on_event);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = add_endpoint(l, variable, list[i]);
    free(list);
    return rc == 0 ? follow(l) : rc;
}

int link_subscribe(struct link *l, const void *prefix, size_t len)
{
    return zmq_setsockopt(zsock_resolve(l->sock), ZMQ_SUBSCRIBE, prefix, len) == 0 ? 0 : -errno;
}

void link_free(struct link *l)
{
    if (l == NULL)
        return;
    if (l->svc->loop != NULL) {
        link_pause(l);
        if (l->timer >= 0)
            zloop_timer_end(l->svc->loop, l->timer);
        if (l->resolver != NULL)
            zloop_reader_end(l->svc->loop, zactor_sock(l->resolver));
    }
    zactor_destroy(&l->resolver);
    link_watch_free(l->watch);
    zsock_destroy(&l->sock);
    for (size_t i = 0; i < l->name_count; i++)
        free(l->names[i].addresses);
    free(l->names);
    free(l->peers);
    buf_free(&l->batch);
    free(l);
}

/* Messages */

/* Receive one message, of two parts when it has a topic. Returns false when there is none. */
static bool receive(const struct link *l, zmq_msg_t *topic, zmq_msg_t *body)
{
    void *sock = zsock_resolve(l->sock);

    if (l->topics && zmq_msg_recv(topic, sock, ZMQ_DONTWAIT) < 0)
        return false;
    if (l->topics && !zmq_msg_more(topic)) /* a topic alone: the next part is another message's */
        return true;
    if (zmq_msg_recv(body, sock, ZMQ_DONTWAIT) < 0)
        return false;
    while (zmq_msg_more(body)) { /* parts that this version does not know */
        zmq_msg_t more;

        zmq_msg_init(&more);
        if (zmq_msg_recv(&more, sock, ZMQ_DONTWAIT) < 0 || !zmq_msg_more(&more)) {
            zmq_msg_close(&more);
            break;
        }
        zmq_msg_close(&more);
    }
    return true;
}

static int on_message(zloop_t *loop, zsock_t *sock, void *arg)
{
    struct link *l = arg;
    bool more = true;

    (void)loop;
    (void)sock;
    for (int i = 0; i < TURN && more; i++) {
        zmq_msg_t topic, body;

        zmq_msg_init(&topic);
        zmq_msg_init(&body);
        more = receive(l, &topic, &body);
        if (more)
            more = l->consumer.message(l->consumer.arg, zmq_msg_data(&topic), zmq_msg_size(&topic),
                                       zmq_msg_data(&body), zmq_msg_size(&body));
        zmq_msg_close(&topic);
        zmq_msg_close(&body);
    }
    if (l->consumer.drained != NULL)
        l->consumer.drained(l->consumer.arg);
    return 0;
}

int link_flush(struct link *l)
{
    if (l->batched == 0)
        return 0;
    if (zmq_send(zsock_resolve(l->sock), l->batch.data, l->batch.len, ZMQ_DONTWAIT) < 0)
        return -EAGAIN;
    link_discard(l);
    return 0;
}

size_t link_discard(struct link *l)
{
    size_t n = l->batched;

    l->batched = 0;
    l->batch.len = 0;
    return n;
}

int link_put(struct link *l, const void *record, size_t len)
{
    if (l->batched >= LINK_BATCH && link_flush(l) != 0)
        return -EAGAIN;
    if (buf_add(&l->batch, record, len) != 0)
        return -ENOMEM;
    l->batched++;
    if (l->batched >= LINK_BATCH)
        (void)link_flush(l);
    return 0;
}

void link_publish(
    struct link *l, const void *topic, size_t topic_len, const void *octets, size_t len)
{
    void *sock = zsock_resolve(l->sock);

    if (zmq_send(sock, topic, topic_len, ZMQ_DONTWAIT | ZMQ_SNDMORE) >= 0)
        zmq_send(sock, octets, len, ZMQ_DONTWAIT);
}
