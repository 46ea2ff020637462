/* Consumers and the addresses of their producers, as DNS comes and goes. */
#include "loops.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "capture.h"
#include "link.h"
#include "scratch.h"

enum { PRODUCERS = 3, UNREACHABLE_MS = 300, TICK_MS = 1000 };
enum { GONE_MS = UNREACHABLE_MS + TICK_MS + 400 }; /* by then an unreachable one is dropped */

static struct capture capture;
static struct link *l;
static link_resolve *real_resolver;

/* Producers on 127.0.0.1, .2 and .3, each on a free port. */
static struct producer {
    zsock_t *sock;
    char endpoint[80];
} producers[PRODUCERS];

/* What the name service says: a list, or a negative errno as count. It is asked by a thread. */
static struct {
    pthread_mutex_t lock;
    char endpoints[8][80];
    int count, asked;
    char host[64], port[8];
} dns = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int resolve(const char *host, const char *port, char (*endpoints)[80], int max)
{
    int count;

    pthread_mutex_lock(&dns.lock);
    assert_true(dns.count <= max);
    snprintf(dns.host, sizeof dns.host, "%s", host);
    snprintf(dns.port, sizeof dns.port, "%s", port);
    memcpy(endpoints, dns.endpoints, sizeof dns.endpoints);
    dns.asked++;
    count = dns.count;
    pthread_mutex_unlock(&dns.lock);
    return count;
}

/* From now on DNS names these producers: a digit each. */
static void name(const char *digits)
{
    pthread_mutex_lock(&dns.lock);
    dns.count = (int)strlen(digits);
    for (int i = 0; i < dns.count; i++)
        snprintf(dns.endpoints[i], sizeof dns.endpoints[i], "%s",
                 producers[digits[i] - '0'].endpoint);
    pthread_mutex_unlock(&dns.lock);
}

static void fail_dns(int count)
{
    pthread_mutex_lock(&dns.lock);
    dns.count = count;
    pthread_mutex_unlock(&dns.lock);
}

static char got[1024]; /* messages in order */
static size_t wanted;  /* their octets */

static bool
take(void *arg, const uint8_t *topic, size_t topic_len, const uint8_t *octets, size_t len)
{
    size_t at = strlen(got);

    (void)arg;
    (void)topic;
    (void)topic_len;
    snprintf(got + at, sizeof got - at, "%.*s", (int)len, (const char *)octets);
    return true;
}

static const struct link_consumer consumer = {take, NULL, NULL};

static void start(int i)
{
    struct producer *p = &producers[i];

    p->sock = raw_new(ZMQ_PUSH, 0);
    if (p->endpoint[0] == '\0') {
        int port = zsock_bind(p->sock, "tcp://127.0.0.%d:*", i + 1);

        assert_true(port > 0);
        snprintf(p->endpoint, sizeof p->endpoint, "tcp://127.0.0.%d:%d", i + 1, port);
        return;
    }
    for (int turn = 0; zsock_bind(p->sock, "%s", p->endpoint) < 0;
         turn++) { /* the old one closes */
        assert_true(turn < 100);
        zclock_sleep(20);
    }
}

static void stop(int i)
{
    zsock_destroy(&producers[i].sock);
}

struct letter {
    int from;
    const char *text;
};

static bool was_sent(void *arg)
{
    const struct letter *letter = arg;

    return zstr_send(producers[letter->from].sock, letter->text) == 0;
}

/* Once the consumer's connection has come. */
static void send_one(int i, const char *text)
{
    struct letter letter = {i, text};

    assert_true(loop_run(5000, was_sent, &letter));
}

static bool got_all(void *arg)
{
    (void)arg;
    return strlen(got) >= wanted;
}

/* These letters must come within the time, in any order, and no others. */
static void check_got(const char *letters)
{
    wanted = strlen(letters);
    loop_run(5000, got_all, NULL);
    loop_run(50, NULL, NULL);
    if (strlen(got) != wanted || strspn(got, letters) != wanted)
        fail_msg("\"%s\", not \"%s\"", got, letters);
    got[0] = '\0';
}

static bool has_peers(void *arg)
{
    return link_peers(l) == *(size_t *)arg;
}

static void wait_for_peers(size_t n)
{
    if (!loop_run(5000, has_peers, &n))
        fail_msg("%zu peers, not %zu", link_peers(l), n);
}

static bool was_asked_again(void *arg)
{
    bool yes;

    pthread_mutex_lock(&dns.lock);
    yes = dns.asked >= *(int *)arg;
    pthread_mutex_unlock(&dns.lock);
    return yes;
}

/* Until what DNS says now has been asked for and taken. */
static void wait_for_dns(void)
{
    int asked;

    pthread_mutex_lock(&dns.lock);
    asked = dns.asked + 2;
    pthread_mutex_unlock(&dns.lock);
    assert_true(loop_run(5000, was_asked_again, &asked));
    loop_run(20, NULL, NULL);
}

static void open_consumer(const char *endpoints)
{
    assert_int_equal(link_connect(&svc, LINK_STREAM, "T_CONNECT", endpoints, &consumer, &l), 0);
}

static const char *scratch_endpoint(void)
{
    static char endpoint[80];

    snprintf(endpoint, sizeof endpoint, "ipc://%s/link", scratch);
    return endpoint;
}

static int open_all(void **state)
{
    if (loop_open(state) != 0 || scratch_open(state) != 0)
        return 1;
    real_resolver = link_resolver;
    link_resolver = resolve;
    link_resolve_ms = 50;
    link_unreachable_ms = UNREACHABLE_MS;
    got[0] = '\0';
    dns.asked = 0;
    l = NULL;
    memset(producers, 0, sizeof producers);
    for (int i = 0; i < PRODUCERS; i++)
        start(i);
    return 0;
}

static int close_all(void **state)
{
    link_free(l);
    for (int i = 0; i < PRODUCERS; i++)
        stop(i);
    link_resolver = real_resolver;
    return loop_close(state) | scratch_close(state);
}

static void all_addresses_of_a_name_are_connected(void **state)
{
    (void)state;
    name("012");
    open_consumer("tcp://producer:5550");
    wait_for_peers(3);
    for (int i = 0; i < PRODUCERS; i++)
        send_one(i, (char[]){(char)('a' + i), '\0'});
    check_got("abc");
    assert_string_equal(dns.host, "producer");
    assert_string_equal(dns.port, "5550");
}

static void an_address_is_connected_once(void **state)
{
    (void)state;
    name("0010");
    open_consumer("tcp://one:5550, tcp://two:5550");
    wait_for_peers(2);
    wait_for_dns();
    assert_int_equal(link_peers(l), 2);
    send_one(0, "a");
    send_one(1, "b");
    check_got("ab");
}

static void a_new_address_is_picked_up(void **state)
{
    (void)state;
    name("0");
    open_consumer("tcp://producer:5550");
    wait_for_peers(1);
    name("01");
    wait_for_peers(2);
    send_one(1, "b");
    check_got("b");
}

static void a_producer_may_come_later(void **state)
{
    (void)state;
    fail_dns(-ENOENT);
    stop(0);
    open_consumer("tcp://producer:5550");
    wait_for_dns();
    name("0");
    wait_for_dns();
    assert_int_equal(link_peers(l), 0);
    start(0);
    wait_for_peers(1);
    send_one(0, "a");
    check_got("a");
}

/* Neither drops a connection that stands, nor one that is down: it may come back. */
static void bad_answers_change_nothing(void **state)
{
    (void)state;
    name("01");
    open_consumer("tcp://producer:5550");
    wait_for_peers(2);
    capture_begin(&capture);
    stop(1);
    fail_dns(-ENOENT);
    loop_run(GONE_MS, NULL, NULL);
    fail_dns(0);
    loop_run(GONE_MS, NULL, NULL);
    start(1);
    loop_run(5000, has_peers, &(size_t){2});
    capture_end(&capture);
    assert_null(strstr(capture.text, "event=gone"));
    assert_int_equal(link_peers(l), 2);
    send_one(0, "a");
    send_one(1, "b");
    check_got("ab");
}

/* A producer that drains has left DNS and still has something to say. */
static void what_is_gone_but_reachable_is_drained(void **state)
{
    (void)state;
    name("01");
    open_consumer("tcp://producer:5550");
    wait_for_peers(2);
    name("1");
    wait_for_dns();
    capture_begin(&capture);
    loop_run(GONE_MS, NULL, NULL);
    capture_end(&capture);
    assert_null(strstr(capture.text, "event=gone"));
    assert_int_equal(link_peers(l), 2);
    send_one(0, "a");
    send_one(1, "b");
    check_got("ab");
}

static void what_is_gone_and_unreachable_is_dropped(void **state)
{
    (void)state;
    name("01");
    open_consumer("tcp://producer:5550");
    wait_for_peers(2);
    name("1");
    wait_for_dns();
    stop(0);
    capture_begin(&capture);
    loop_run(GONE_MS, NULL, NULL);
    capture_end(&capture);
    assert_non_null(strstr(capture.text, "event=gone"));
    assert_non_null(strstr(capture.text, producers[0].endpoint));
    start(0);
    loop_run(2500, has_peers, &(size_t){2}); /* longer than the longest wait between attempts */
    assert_int_equal(link_peers(l), 1);
    assert_int_equal(zstr_send(producers[0].sock, "a"), -1);
    send_one(1, "b");
    check_got("b");
    name("01"); /* and may come back */
    wait_for_peers(2);
    send_one(0, "a");
    check_got("a");
}

static void a_number_needs_no_name_service(void **state)
{
    (void)state;
    link_resolver = real_resolver;
    open_consumer(producers[1].endpoint);
    wait_for_peers(1);
    send_one(1, "b");
    check_got("b");
}

/* A list may mix names with endpoints that have none: those are not DNS's to drop. */
static void what_has_no_name_stays(void **state)
{
    char endpoints[160];

    (void)state;
    name("0");
    snprintf(endpoints, sizeof endpoints, "%s,tcp://producer:5550", scratch_endpoint());
    open_consumer(endpoints);
    wait_for_peers(1);
    loop_run(GONE_MS, NULL, NULL);
    stop(1);
    snprintf(producers[1].endpoint, sizeof producers[1].endpoint, "%s", scratch_endpoint());
    start(1);
    wait_for_peers(2);
    send_one(1, "b");
    check_got("b");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_all, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_addresses_of_a_name_are_connected),
        TEST(an_address_is_connected_once),
        TEST(a_new_address_is_picked_up),
        TEST(a_producer_may_come_later),
        TEST(bad_answers_change_nothing),
        TEST(what_is_gone_but_reachable_is_drained),
        TEST(what_is_gone_and_unreachable_is_dropped),
        TEST(a_number_needs_no_name_service),
        TEST(what_has_no_name_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
