/* STREAM_KEY: who holds it is let in, nobody else gets or sends anything, and the log says why. */
#include "loops.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "capture.h"
#include "link.h"
#include "link_key.h"
#include "scratch.h"
#include "vitals.h"

static struct capture capture;
static struct link *bound, *connected;
static zsock_t *raw;
static char key[LINK_KEY_CHARS + 1], other[LINK_KEY_CHARS + 1], endpoint[128];
static const char *bind_name = "T_BIND", *connect_name = "T_CONNECT"; /* settings */
static unsigned got;

static int open_all(void **state)
{
    int rc = scratch_open(state) != 0 || loop_open(state) != 0;

    svc.vitals = metrics_new(vitals_metrics);
    snprintf(endpoint, sizeof endpoint, "ipc://%s/link", scratch);
    got = 0;
    return rc != 0 || link_key_make(key) != 0 || link_key_make(other) != 0;
}

static int close_all(void **state)
{
    zsock_destroy(&raw);
    link_free(connected);
    link_free(bound);
    connected = bound = NULL;
    link_key_close(&svc.door);
    metrics_free(svc.vitals);
    return loop_close(state) | scratch_close(state);
}

static bool
take(void *arg, const uint8_t *topic, size_t topic_len, const uint8_t *octets, size_t len)
{
    (void)arg;
    (void)topic;
    (void)topic_len;
    got += len == 8 && memcmp(octets, "a record", 8) == 0;
    return true;
}

static const struct link_consumer consumer = {take, NULL, NULL};

static void produce(enum link_pattern pattern, char *with)
{
    svc.conf.stream_key = with;
    assert_int_equal(link_bind(&svc, pattern, bind_name, endpoint, &bound), 0);
}

static void consume(enum link_pattern pattern, char *with)
{
    svc.conf.stream_key = with;
    assert_int_equal(link_connect(&svc, pattern, connect_name, endpoint, &consumer, &connected), 0);
    if (pattern == LINK_TOPICS)
        assert_int_equal(link_subscribe(connected, "t", 1), 0);
}

static bool comes_through(void *arg)
{
    (void)arg;
    if (link_put(bound, "a record", 8) == 0)
        (void)link_flush(bound);
    return got > 0;
}

static bool is_published(void *arg)
{
    (void)arg;
    link_publish(bound, "t", 1, "a record", 8);
    return got > 0;
}

static void the_same_key_at_both_ends(void **state)
{
    (void)state;
    produce(LINK_STREAM, key);
    consume(LINK_STREAM, key);
    assert_true(loop_run(10000, comes_through, NULL));
    assert_int_equal(link_peers(connected), 1);
}

static void topics_too(void **state)
{
    (void)state;
    produce(LINK_TOPICS, key);
    consume(LINK_TOPICS, key);
    assert_true(loop_run(10000, is_published, NULL));
}

static void over_tcp(void **state)
{
    int rc = -EINVAL;

    (void)state;
    svc.conf.stream_key = key;
    capture_begin(&capture);
    for (int i = 0; i < 20 && rc != 0; i++) { /* others take ports, too */
        link_free(bound);
        snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%d", 15000 + (getpid() + i) % 16000);
        rc = link_bind(&svc, LINK_STREAM, bind_name, endpoint, &bound);
    }
    capture_end(&capture);
    assert_int_equal(rc, 0);
    consume(LINK_STREAM, key);
    assert_true(loop_run(10000, comes_through, NULL));
}

/* Every other pairing: nothing arrives, and these words stand in the log. */
static const struct pairing {
    char *producer, *consumer;
    const char *bound_reason, *connected_reason;
} pairings[] = {
    {key, NULL, "no-key", "key"},
    {NULL, key, "key", "no-key"},
    {key, other, "other-key", "other-key"},
};

static bool both_refused(void *arg)
{
    const struct pairing *p = arg;

    /* a reason that both ends give is counted by both */
    return strcmp(p->bound_reason, p->connected_reason) == 0
               ? metrics_get(svc.vitals, VITALS_REFUSED, p->bound_reason) >= 6
               : metrics_get(svc.vitals, VITALS_REFUSED, p->bound_reason) > 0 &&
                     metrics_get(svc.vitals, VITALS_REFUSED, p->connected_reason) > 0;
}

/* A line about this setting, with what to do, and with who it was as far as he waited for that. */
static void check_line(const char *setting, const char *reason)
{
    char text[80];
    const char *line;

    snprintf(text, sizeof text, "setting=%s peer=", setting);
    line = strstr(capture.text, text);
    snprintf(text, sizeof text, " reason=%s advice=\"", reason);
    if (line == NULL || strstr(line, text) == NULL || strstr(line, text) > strchr(line, '\n'))
        fail_msg("no line of %s with%s in %s", setting, text, capture.text);
    assert_null(strstr(capture.text, key));
    assert_null(strstr(capture.text, other));
}

static void check_refused(enum link_pattern pattern, const struct pairing *p)
{
    bool refused;

    produce(pattern, p->producer);
    if (pattern == LINK_STREAM) {
        assert_int_equal(link_put(bound, "a record", 8), 0);
        assert_int_equal(link_flush(bound), -EAGAIN);
    }
    capture_begin(&capture);
    consume(pattern, p->consumer);
    refused = loop_run(10000, both_refused, (void *)(uintptr_t)p);
    capture_end(&capture);
    assert_true(refused);
    if (pattern == LINK_STREAM)
        assert_int_equal(link_flush(bound), -EAGAIN); /* nobody was there to take it */
    assert_int_equal(link_peers(connected), 0);
    assert_int_equal(got, 0);
    check_line(bind_name, p->bound_reason);
    check_line(connect_name, p->connected_reason);
}

static void refuse(void **state, enum link_pattern pattern)
{
    for (size_t i = 0; i < COUNT(pairings); i++) {
        char names[2][24]; /* of their own: a trouble is logged once a minute */

        snprintf(names[0], sizeof names[0], "T_BIND_%d_%zu", pattern, i);
        snprintf(names[1], sizeof names[1], "T_CONNECT_%d_%zu", pattern, i);
        bind_name = names[0];
        connect_name = names[1];
        check_refused(pattern, &pairings[i]);
        assert_int_equal(close_all(state), 0);
        assert_int_equal(open_all(state), 0);
    }
    bind_name = "T_BIND";
    connect_name = "T_CONNECT";
}

static void any_other_pairing_is_refused(void **state)
{
    refuse(state, LINK_STREAM);
}

static void for_topics_too(void **state)
{
    refuse(state, LINK_TOPICS);
}

static bool other_key(void *arg)
{
    (void)arg;
    return metrics_get(svc.vitals, VITALS_REFUSED, "other-key") > 0;
}

/* The public key alone opens no door: the secret one must fit it. */
static void a_stranger_who_knows_the_public_key(void **state)
{
    char public[LINK_KEY_CHARS + 1], own_public[LINK_KEY_CHARS + 1];

    (void)state;
    assert_int_equal(zmq_curve_public(public, key), 0);
    assert_int_equal(zmq_curve_public(own_public, other), 0);
    produce(LINK_STREAM, key);
    raw = raw_new(ZMQ_PULL, 300);
    zsock_set_curve_publickey(raw, own_public);
    zsock_set_curve_secretkey(raw, other);
    zsock_set_curve_serverkey(raw, public);
    capture_begin(&capture);
    assert_int_equal(zsock_connect(raw, "%s", endpoint), 0);
    loop_run(5000, other_key, NULL);
    capture_end(&capture);
    assert_true(other_key(NULL));
    assert_int_equal(link_put(bound, "a record", 8), 0);
    assert_int_equal(link_flush(bound), -EAGAIN);
}

static bool is_up(void *arg)
{
    (void)arg;
    return link_peers(connected) == 1;
}

/* libzmq gives up when one end has a key and the other none; a producer that is put right is found.
 */
static void what_was_refused_is_tried_again(void **state)
{
    (void)state;
    capture_begin(&capture);
    produce(LINK_STREAM, NULL);
    consume(LINK_STREAM, key);
    loop_run(10000, both_refused, &(struct pairing){NULL, NULL, "key", "no-key"});
    link_free(bound);
    bound = NULL;
    capture_end(&capture);
    assert_int_equal(link_peers(connected), 0);
    produce(LINK_STREAM, key);
    assert_true(loop_run(10000, is_up, NULL));
    assert_true(loop_run(5000, comes_through, NULL));
}

static bool has_ended(void *arg)
{
    (void)arg;
    return metrics_get(svc.vitals, VITALS_REFUSED, "ended") > 0;
}

static int knock(const char *words)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(at.sun_path, sizeof at.sun_path, "%.100s", endpoint + strlen("ipc://"));
    assert_int_equal(connect(fd, (const struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(write(fd, words, strlen(words)), strlen(words));
    return fd;
}

/* A browser, a probe, a port scan: no line, and the stream goes on. */
static void what_is_no_peer_does_no_harm(void **state)
{
    int browser, probe;
    bool ended;

    (void)state;
    produce(LINK_STREAM, key);
    browser = knock("GET / HTTP/1.1\r\nHost: here\r\n\r\n");
    probe = knock("");
    capture_begin(&capture);
    loop_run(200, NULL, NULL);
    close(probe);
    ended = loop_run(5000, has_ended, NULL);
    capture_end(&capture);
    assert_true(ended);
    assert_string_equal(capture.text, "");
    consume(LINK_STREAM, key);
    assert_true(loop_run(10000, comes_through, NULL));
    close(browser);
}

static void the_form_of_a_key(void **state)
{
    static const char *const wrong[] = {
        "short",
        "0123456789012345678901234567890123456789x",
        "012345678901234567890123456789012345678",
        "012345678901234567890123456789012345678\"",
        "012345678901234567890123456789012345678\xC3",
        "########################################" /* more than 32 bits a group */};

    (void)state;
    assert_int_equal(link_key_check(""), 0);
    assert_int_equal(link_key_check(key), 0);
    assert_int_equal(link_key_check(other), 0);
    assert_string_not_equal(key, other);
    for (size_t i = 0; i < COUNT(wrong); i++) {
        int rc;

        capture_begin(&capture);
        rc = link_key_check(wrong[i]);
        capture_end(&capture);
        assert_int_equal(rc, -EINVAL);
        assert_non_null(strstr(capture.text, "variable=STREAM_KEY "));
        assert_null(strstr(capture.text, wrong[i]));
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_all, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_same_key_at_both_ends),
        TEST(topics_too),
        TEST(over_tcp),
        TEST(any_other_pairing_is_refused),
        TEST(for_topics_too),
        TEST(a_stranger_who_knows_the_public_key),
        TEST(what_was_refused_is_tried_again),
        TEST(what_is_no_peer_does_no_harm),
        TEST(the_form_of_a_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
