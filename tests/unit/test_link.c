/* Streams: batches that are whole, bounded memory, and nobody who waits. */
#include "loops.h"

#include <errno.h>
#include <stdio.h>

#include "capture.h"
#include "link.h"
#include "scratch.h"

static struct capture capture;
static struct link *bound, *connected;
static zsock_t *raw;
static char endpoint[128];

static int open_all(void **state)
{
    int rc = scratch_open(state) != 0 || loop_open(state) != 0;

    snprintf(endpoint, sizeof endpoint, "ipc://%s/link", scratch);
    bound = connected = NULL;
    return rc;
}

static int close_all(void **state)
{
    zsock_destroy(&raw);
    link_free(connected);
    link_free(bound);
    return loop_close(state) | scratch_close(state);
}

static void put(int n, int rc)
{
    char record[16];

    snprintf(record, sizeof record, "%07d;", n);
    assert_int_equal(link_put(bound, record, 8), rc);
}

/* The next message must be the n records from `first` on. */
static void check_batch(int first, int n)
{
    zframe_t *frame = zframe_recv(raw);
    char record[16];

    assert_non_null(frame);
    assert_int_equal(zframe_size(frame), 8 * n);
    for (int i = 0; i < n; i++) {
        snprintf(record, sizeof record, "%07d;", first + i);
        assert_memory_equal(zframe_data(frame) + 8 * i, record, 8);
    }
    zframe_destroy(&frame);
}

static bool can_send(void *arg)
{
    (void)arg;
    return link_flush(bound) == 0;
}

/* Binds a stream with a raw consumer on it that has taken record 0. */
static void open_stream(void)
{
    assert_int_equal(link_bind(&svc, LINK_STREAM, "T_BIND", endpoint, &bound), 0);
    raw = raw_new(ZMQ_PULL, 2000);
    assert_int_equal(zsock_connect(raw, "%s", endpoint), 0);
    put(0, 0);
    assert_true(loop_run(5000, can_send, NULL));
    check_batch(0, 1);
}

static void batches_are_of_64_records(void **state)
{
    zframe_t *frame;

    (void)state;
    open_stream();
    for (int n = 0; n < 2 * LINK_BATCH + 2; n++)
        put(n, 0);
    check_batch(0, LINK_BATCH);
    check_batch(LINK_BATCH, LINK_BATCH);
    zsock_set_rcvtimeo(raw, 50);
    frame = zframe_recv(raw);
    assert_null(frame); /* not full, not flushed */
    assert_int_equal(link_flush(bound), 0);
    check_batch(2 * LINK_BATCH, 2);
    assert_int_equal(link_flush(bound), 0); /* nothing to send is fine */
    assert_int_equal(link_discard(bound), 0);
}

static void without_a_consumer_one_batch_is_held(void **state)
{
    (void)state;
    assert_int_equal(link_bind(&svc, LINK_STREAM, "T_BIND", endpoint, &bound), 0);
    for (int n = 0; n < LINK_BATCH; n++)
        put(n, 0);
    put(LINK_BATCH, -EAGAIN);
    put(LINK_BATCH, -EAGAIN);
    assert_int_equal(link_flush(bound), -EAGAIN);
    assert_int_equal(link_discard(bound), LINK_BATCH);
    assert_int_equal(link_discard(bound), 0);
    put(1000, 0);
    assert_int_equal(link_flush(bound), -EAGAIN);
    put(1001, 0); /* kept, and added to */
    raw = raw_new(ZMQ_PULL, 2000);
    assert_int_equal(zsock_connect(raw, "%s", endpoint), 0);
    assert_true(loop_run(5000, can_send, NULL));
    check_batch(1000, 2);
}

/* A consumer that reads nothing: some batches go its way, then -EAGAIN; what went is in order. */
static void a_hung_consumer_costs_little(void **state)
{
    enum { RECORD = 4096, ROUNDS = 50 };
    static char record[RECORD];
    int taken = 0, discarded, expected = 0;

    (void)state;
    assert_int_equal(link_bind(&svc, LINK_STREAM, "T_BIND", endpoint, &bound), 0);
    raw = raw_new(ZMQ_PULL, 200);
    zsock_set_rcvhwm(raw, 1);
    zsock_set_rcvbuf(raw, 65536);
    assert_int_equal(zsock_connect(raw, "%s", endpoint), 0);
    for (int round = 0; round < ROUNDS; round++) {
        int rc;

        do {
            memcpy(record, &taken, sizeof taken);
            rc = link_put(bound, record, sizeof record);
            taken += rc == 0;
        } while (rc == 0 && taken < 10000);
        assert_int_equal(rc, -EAGAIN);
        loop_run(5, NULL, NULL);
    }
    discarded = (int)link_discard(bound);
    assert_int_equal(discarded, LINK_BATCH);
    assert_in_range(taken / LINK_BATCH, 2, 10); /* 4 there, a few on the way and at the peer */
    for (zframe_t *frame; (frame = zframe_recv(raw)) != NULL; zframe_destroy(&frame)) {
        assert_int_equal(zframe_size(frame), LINK_BATCH * RECORD);
        for (int i = 0; i < LINK_BATCH; i++, expected++)
            assert_memory_equal(zframe_data(frame) + i * RECORD, &expected, sizeof expected);
    }
    assert_int_equal(expected, taken - discarded);
}

/* --- consumers ------------------------------------------------------------------------- */

static struct {
    char text[4096]; /* "topic:body;" in order */
    int drained, messages;
    int stop_at; /* the message that ends the turn */
    bool pause;
} got;

static bool
take(void *arg, const uint8_t *topic, size_t topic_len, const uint8_t *octets, size_t len)
{
    size_t at = strlen(got.text);

    assert_ptr_equal(arg, &got);
    snprintf(got.text + at, sizeof got.text - at, "%.*s:%.*s;", (int)topic_len, (const char *)topic,
             (int)len, (const char *)octets);
    return ++got.messages != got.stop_at;
}

static void drained(void *arg)
{
    (void)arg;
    got.drained++;
    if (got.pause)
        link_pause(connected);
}

static const struct link_consumer consumer = {take, drained, &got};

static bool has_text(void *arg)
{
    return strcmp(got.text, arg) == 0;
}

static void check_text(const char *text)
{
    if (!loop_run(5000, has_text, (char *)(uintptr_t)text))
        fail_msg("%s, not %s", got.text, text);
}

static void open_consumer(enum link_pattern pattern, int raw_type)
{
    memset(&got, 0, sizeof got);
    raw = raw_new(raw_type, 2000);
    assert_int_equal(zsock_bind(raw, "%s", endpoint), 0);
    assert_int_equal(link_connect(&svc, pattern, "T_CONNECT", endpoint, &consumer, &connected), 0);
}

static bool has_peer(void *arg)
{
    (void)arg;
    return link_peers(connected) == 1;
}

static void messages_reach_the_consumer_in_order(void **state)
{
    (void)state;
    open_consumer(LINK_STREAM, ZMQ_PUSH);
    assert_int_equal(zstr_send(raw, "a"), 0);
    assert_int_equal(zstr_send(raw, ""), 0);
    assert_int_equal(zstr_sendx(raw, "b", "a part of later", NULL), 0);
    assert_int_equal(zstr_send(raw, "c"), 0);
    check_text(":a;:;:b;:c;");
    assert_true(got.drained > 0);
    assert_true(loop_run(2000, has_peer, NULL));
}

static void a_consumer_may_end_its_turn(void **state)
{
    (void)state;
    open_consumer(LINK_STREAM, ZMQ_PUSH);
    got.stop_at = 2;
    got.pause = true;
    for (int i = 0; i < 4; i++)
        assert_int_equal(zstr_sendf(raw, "%d", i), 0);
    loop_run(300, NULL, NULL);
    assert_true(got.messages > 0 && got.messages <= 2);
    got.pause = false;
    link_resume(connected);
    check_text(":0;:1;:2;:3;");
}

static void a_paused_consumer_gets_nothing(void **state)
{
    (void)state;
    open_consumer(LINK_STREAM, ZMQ_PUSH);
    link_pause(connected);
    link_pause(connected);
    assert_int_equal(zstr_send(raw, "a"), 0);
    loop_run(200, NULL, NULL);
    assert_string_equal(got.text, "");
    assert_int_equal(got.drained, 0);
    link_resume(connected);
    link_resume(connected);
    check_text(":a;");
    link_pause(connected);
    assert_int_equal(zstr_send(raw, "b"), 0);
    loop_run(100, NULL, NULL);
    assert_string_equal(got.text, ":a;");
}

static bool subscribed(void *arg)
{
    zstr_sendx(raw, arg, "s", NULL);
    return got.messages > 0;
}

static void topics_are_prefixes(void **state)
{
    (void)state;
    open_consumer(LINK_TOPICS, ZMQ_PUB);
    assert_int_equal(link_subscribe(connected, "reading.", 8), 0);
    assert_int_equal(link_subscribe(connected, "\xFF\x00\x01", 3), 0);
    assert_true(loop_run(5000, subscribed, (char[]){"reading."}));
    loop_run(100, NULL, NULL); /* what subscribed() sent too often */
    got.text[0] = '\0';
    zstr_sendx(raw, "reading.A", "1", NULL);
    zstr_sendx(raw, "readings", "2", NULL);
    zstr_sendx(raw, "reading.B", "3", "a part of later", NULL);
    zmq_send(zsock_resolve(raw), "\xFF\x00\x02", 3, ZMQ_SNDMORE);
    zmq_send(zsock_resolve(raw), "4", 1, 0);
    zmq_send(zsock_resolve(raw), "\xFF\x00\x01", 3, ZMQ_SNDMORE);
    zmq_send(zsock_resolve(raw), "5", 1, 0);
    zstr_sendx(raw, "reading.C", "6", NULL);
    check_text("reading.A:1;reading.B:3;\xFF:5;reading.C:6;");
}

/* A message without its second part must not take the next one's. */
static void a_topic_alone_does_no_harm(void **state)
{
    (void)state;
    open_consumer(LINK_TOPICS, ZMQ_PUB);
    assert_int_equal(link_subscribe(connected, "", 0), 0);
    assert_true(loop_run(5000, subscribed, (char[]){"x"}));
    loop_run(100, NULL, NULL);
    got.text[0] = '\0';
    zstr_send(raw, "alone");
    zstr_sendx(raw, "reading.A", "1", NULL);
    zstr_sendx(raw, "reading.B", "2", NULL);
    check_text("alone:;reading.A:1;reading.B:2;");
}

static void malformed_endpoints_are_refused(void **state)
{
    static const char *const no_names[] = {"tcp://",
                                           "tcp://host",
                                           "tcp://host:",
                                           "tcp://:5550",
                                           "tcp://host:http",
                                           "tcp://host:5550x",
                                           "tcp://host:123456789",
                                           "host:5550",
                                           "nothing",
                                           "http://host:80",
                                           "ipc://",
                                           "",
                                           " , ",
                                           "tcp://localhost:1,nonsense"};
    static const char *const no_places[] = {"tcp://",
                                            "tcp://*",
                                            "nothing",
                                            "",
                                            " ,",
                                            "udp://*:1",
                                            "tcp://192.0.2.1:5550",
                                            "ipc:///nowhere/at/all"};

    (void)state;
    for (size_t i = 0; i < COUNT(no_names) + COUNT(no_places); i++) {
        bool bind = i >= COUNT(no_names);
        const char *e = bind ? no_places[i - COUNT(no_names)] : no_names[i];
        struct link *refused = NULL;
        int rc;

        capture_begin(&capture);
        rc = bind ? link_bind(&svc, LINK_STREAM, "T_LINK", e, &refused)
                  : link_connect(&svc, LINK_STREAM, "T_LINK", e, &consumer, &refused);
        capture_end(&capture);
        if (rc != -EINVAL || strstr(capture.text, "variable=T_LINK ") == NULL)
            fail_msg("%s \"%s\": %d %s", bind ? "bind" : "connect", e, rc, capture.text);
        link_free(refused);
    }
    link_free(NULL);
}

static void an_endpoint_in_use_is_refused(void **state)
{
    int port, rc;

    (void)state;
    raw = raw_new(ZMQ_PUSH, 100);
    port = zsock_bind(raw, "tcp://127.0.0.1:*");
    assert_true(port > 0);
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%d", port);
    capture_begin(&capture);
    rc = link_bind(&svc, LINK_STREAM, "T_BIND", endpoint, &bound);
    capture_end(&capture);
    assert_int_equal(rc, -EINVAL);
    assert_non_null(strstr(capture.text, "variable=T_BIND "));
    assert_non_null(strstr(capture.text, endpoint));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_all, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(batches_are_of_64_records),
        TEST(without_a_consumer_one_batch_is_held),
        TEST(a_hung_consumer_costs_little),
        TEST(messages_reach_the_consumer_in_order),
        TEST(a_consumer_may_end_its_turn),
        TEST(a_paused_consumer_gets_nothing),
        TEST(topics_are_prefixes),
        TEST(a_topic_alone_does_no_harm),
        TEST(malformed_endpoints_are_refused),
        TEST(an_endpoint_in_use_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
