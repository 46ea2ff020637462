#include "check_mqtt.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "clock.h"

enum {
    CONNECT_MS = 6000,
    MESSAGE_MS = 3000,
    ONE_AWAY_MS = 1000, /* for what goes to the member that is there */
    SETTLE_MS = 200,
    SESSION_SECONDS = 60, /* should we be killed, the broker forgets us by itself (MQTT 5) */
    SHARED_EACH = 8,      /* messages of each of the two tries */
    SHARED = 2 * SHARED_EACH,
    NUMBERS = 1 + SHARED,
};

enum who { PUBLISHER, AWAY, MEMBER_1, MEMBER_2, CLIENTS };

#define MEMBERS  (1U << MEMBER_1 | 1U << MEMBER_2)
#define SESSIONS (1U << AWAY | MEMBERS)

struct client {
    struct mqtt *m;
    enum who who;
    atomic_bool up;      /* subscribed */
    atomic_bool refused; /* connected, and the subscription is refused */
    const char *filters[2];
    struct probe *probe;
};

struct probe {
    const struct mqtt_conf *conf;
    uint32_t random;
    char session_topic[64], shared_topic[64], filters[CLIENTS][96];
    struct client clients[CLIENTS];
    atomic_uint got[NUMBERS]; /* bit: who has received this number */
    pthread_mutex_t lock;
    char reason[128]; /* the last word of paho's threads */
};

static void
on_message(void *arg, const char *topic, const void *payload, size_t len, int64_t arrival_ms)
{
    const struct client *c = arg;
    char text[8] = "";
    unsigned long number;

    (void)topic;
    (void)arrival_ms;
    memcpy(text, payload, len < sizeof text ? len : sizeof text - 1);
    number = strtoul(text, NULL, 10);
    if (number < NUMBERS)
        atomic_fetch_or(&c->probe->got[number], 1U << c->who);
}

static void on_state(void *arg, bool up, const char *reason)
{
    struct client *c = arg;

    if (!up) {
        pthread_mutex_lock(&c->probe->lock);
        snprintf(c->probe->reason, sizeof c->probe->reason, "%s", reason);
        pthread_mutex_unlock(&c->probe->lock);
    }
    c->refused = !up && mqtt_connected(c->m);
    c->up = up;
}

static void rest(int ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000L}, NULL);
}

static void step(struct probe *p)
{
    for (int i = 0; i < CLIENTS; i++)
        if (p->clients[i].m != NULL)
            mqtt_step(p->clients[i].m, clock_monotonic_ms());
    rest(10);
}

static void leave(struct probe *p, enum who who)
{
    mqtt_free(p->clients[who].m, 0);
    p->clients[who].m = NULL;
}

/* Begin to connect and subscribe. last: the session ends with this connection (MQTT 5). */
static void come(struct probe *p, enum who who, bool persistent, bool last)
{
    struct client *c = &p->clients[who];
    const struct mqtt_handler handler = {.message = on_message, .state = on_state, .arg = c};
    char id[24];

    c->up = c->refused = false;
    snprintf(id, sizeof id, "zw-check-%08" PRIx32 "-%d", p->random, who);
    c->m = mqtt_new(p->conf, id, persistent, c->filters, &handler);
    if (c->m != NULL && persistent)
        mqtt_expire(c->m, last ? 0 : SESSION_SECONDS);
}

/* Wait until these (bits) are subscribed; true when all are. */
static bool subscribed(struct probe *p, unsigned who)
{
    int64_t until = clock_monotonic_ms() + CONNECT_MS;
    unsigned up, refused;

    do {
        step(p);
        up = refused = 0;
        for (unsigned i = 0; i < CLIENTS; i++) {
            up |= p->clients[i].up ? 1U << i : 0;
            refused |= p->clients[i].refused ? 1U << i : 0;
        }
    } while (((up | refused) & who) != who && clock_monotonic_ms() < until);
    return (up & who) == who;
}

/* MQTT 3.1.1 ends a session by a connection with a clean start only. */
static void forget(struct probe *p)
{
    for (int i = AWAY; i < CLIENTS; i++) {
        leave(p, i);
        if (strcmp(p->conf->protocol, "5") != 0)
            come(p, i, false, true);
    }
    if (strcmp(p->conf->protocol, "5") != 0)
        (void)subscribed(p, SESSIONS);
    for (int i = 0; i < CLIENTS; i++)
        leave(p, i);
}

/* How many of these numbers have come to all, or else any, of those clients. */
static unsigned count(const struct probe *p, unsigned first, unsigned n, unsigned who, bool all)
{
    unsigned found = 0;

    for (unsigned i = first; i < first + n; i++) {
        unsigned got = p->got[i] & who;

        found += all ? got == who : got != 0;
    }
    return found;
}

static void await(struct probe *p, unsigned first, unsigned n, unsigned who, int ms)
{
    int64_t until = clock_monotonic_ms() + ms;

    while (count(p, first, n, who, false) < n && clock_monotonic_ms() < until)
        step(p);
}

/* Publish one by one, each when our own subscription shows that the broker is done with the last.
 */
static bool publish(struct probe *p, const char *topic, unsigned first, unsigned n)
{
    char text[8];

    for (unsigned i = first; i < first + n; i++) {
        snprintf(text, sizeof text, "%u", i);
        if (mqtt_publish(p->clients[PUBLISHER].m, topic, text, strlen(text), 1, false) != 0)
            return false;
        await(p, i, 1, 1U << PUBLISHER, MESSAGE_MS);
        if (count(p, i, 1, 1U << PUBLISHER, false) == 0)
            return false;
    }
    return true;
}

static void judge_sessions(struct probe *p, struct broker_report *r)
{
    r->sessions = count(p, 0, 1, 1U << AWAY, false) == 1 ? BROKER_YES : BROKER_NO;
    snprintf(r->sessions_why, sizeof r->sessions_why, "%s",
             r->sessions == BROKER_YES
                 ? "a message of QoS 1 waits for a client that is away"
                 : "a message of QoS 1 for a client that was away is lost: so is what comes while "
                   "mqtt-ingest restarts");
}

static void judge_shared(struct probe *p, struct broker_report *r, bool all_there)
{
    unsigned came = count(p, 1, SHARED, MEMBERS, false);

    r->shared = BROKER_NO;
    if (came < SHARED) {
        snprintf(r->shared_why, sizeof r->shared_why,
                 "%u of %d messages are lost when members are away", SHARED - came, SHARED);
    } else if (count(p, 1, SHARED, MEMBERS, true) > 0) {
        snprintf(r->shared_why, sizeof r->shared_why, "every member gets every message");
    } else {
        r->shared = BROKER_YES;
        snprintf(r->shared_why, sizeof r->shared_why,
                 "each message to one member, none lost while members are away; while one is away, "
                 "%s; not tested: a restart of the broker, after which mosquitto 2.0 has forgotten "
                 "them",
                 all_there ? "the others get everything" : "a part waits for it");
    }
}

/* One member is away, then both, then both are back; a client of its own is away meanwhile. */
static void try_all(struct probe *p, struct broker_report *r, unsigned members)
{
    bool all_there, echoed;

    leave(p, MEMBER_2);
    leave(p, AWAY);
    echoed = publish(p, p->session_topic, 0, 1);
    if (!echoed) {
        snprintf(r->sessions_why, sizeof r->sessions_why,
                 "what is published on %s does not come back: is it forbidden?", p->session_topic);
        snprintf(r->shared_why, sizeof r->shared_why, "%s", r->sessions_why);
        return;
    }
    echoed = publish(p, p->shared_topic, 1, SHARED_EACH);
    if (members != 0)
        await(p, 1, SHARED_EACH, 1U << MEMBER_1, ONE_AWAY_MS);
    all_there = count(p, 1, SHARED_EACH, 1U << MEMBER_1, false) == SHARED_EACH;
    rest(SETTLE_MS); /* acknowledgements are on their way */
    leave(p, MEMBER_1);
    echoed = publish(p, p->shared_topic, 1 + SHARED_EACH, SHARED_EACH) && echoed;
    for (int i = AWAY; i < CLIENTS; i++)
        if (i == AWAY || members != 0)
            come(p, i, true, true);
    (void)subscribed(p, 1U << AWAY | members);
    await(p, 0, 1, 1U << AWAY, MESSAGE_MS);
    if (members != 0)
        await(p, 1, SHARED, MEMBERS, MESSAGE_MS);
    rest(SETTLE_MS);
    judge_sessions(p, r);
    if (members != 0 && echoed)
        judge_shared(p, r, all_there);
    else if (members != 0)
        snprintf(r->shared_why, sizeof r->shared_why, "what is published on %s does not come back",
                 p->shared_topic);
}

/* Connect all three; a broker may refuse shared subscriptions. */
static void probe_all(struct probe *p, struct broker_report *r)
{
    char reason[sizeof p->reason];
    unsigned members = MEMBERS;

    for (int i = AWAY; i < CLIENTS; i++)
        come(p, i, true, false);
    if (!subscribed(p, SESSIONS)) {
        bool refused = p->clients[MEMBER_1].refused || p->clients[MEMBER_2].refused;

        pthread_mutex_lock(&p->lock);
        memcpy(reason, p->reason, sizeof reason);
        pthread_mutex_unlock(&p->lock);
        members = 0;
        leave(p, MEMBER_1);
        if (refused && strcasestr(reason, "not authorized") == NULL)
            r->shared = BROKER_NO;
        snprintf(r->shared_why, sizeof r->shared_why, "%s: %s", p->filters[MEMBER_1], reason);
    }
    if (p->clients[AWAY].up)
        try_all(p, r, members);
    else
        snprintf(r->sessions_why, sizeof r->sessions_why, "a second client cannot subscribe");
    forget(p);
}

static void prepare(struct probe *p)
{
    char base[48];

    if (getrandom(&p->random, sizeof p->random, 0) != sizeof p->random)
        p->random = (uint32_t)clock_utc_ms();
    snprintf(base, sizeof base, "zaehlwerk/check/%08" PRIx32, p->random);
    snprintf(p->session_topic, sizeof p->session_topic, "%s/session", base);
    snprintf(p->shared_topic, sizeof p->shared_topic, "%s/shared", base);
    snprintf(p->filters[PUBLISHER], sizeof p->filters[0], "%s/#", base);
    snprintf(p->filters[AWAY], sizeof p->filters[0], "%s", p->session_topic);
    for (int i = MEMBER_1; i <= MEMBER_2; i++)
        snprintf(p->filters[i], sizeof p->filters[0], "$share/zaehlwerk-check/%s", p->shared_topic);
    for (int i = 0; i < CLIENTS; i++)
        p->clients[i] = (struct client){.who = i, .probe = p, .filters = {p->filters[i], NULL}};
    pthread_mutex_init(&p->lock, NULL);
}

void broker_probe(const struct mqtt_conf *conf, struct broker_report *out)
{
    struct probe p = {.conf = conf};
    bool sound;

    *out = (struct broker_report){.reason = "no answer"};
    prepare(&p);
    come(&p, PUBLISHER, false, true);
    sound = subscribed(&p, 1U << PUBLISHER);
    out->connected = p.clients[PUBLISHER].m != NULL && mqtt_connected(p.clients[PUBLISHER].m);
    if (sound) {
        probe_all(&p, out);
    } else {
        leave(&p, PUBLISHER);
        if (p.reason[0] != '\0')
            snprintf(out->reason, sizeof out->reason, "%s", p.reason);
        snprintf(out->sessions_why, sizeof out->sessions_why, "%s: %s", p.filters[PUBLISHER],
                 out->reason);
        snprintf(out->shared_why, sizeof out->shared_why, "%s", out->sessions_why);
    }
    pthread_mutex_destroy(&p.lock);
}
