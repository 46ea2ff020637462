/* alive: whom --healthcheck asks, and which answers are health. */
#include "capture.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include "alive.h"
#include "log.h"

enum { TIMEOUT_MS = 200 };

/* A neighbour that takes one connection and says its pieces; it ends when the asker has gone. */
struct neighbour {
    int fd;
    in_port_t port;
    const char *pieces[3];
    char question[64];
    pthread_t thread;
};

static void *answer(void *arg)
{
    struct neighbour *n = arg;
    int fd = accept(n->fd, NULL, NULL);

    if (fd < 0)
        return NULL;
    if (read(fd, n->question, sizeof n->question - 1) > 0)
        for (const char *const *p = n->pieces; *p != NULL; p++)
            (void)send(fd, *p, strlen(*p), MSG_NOSIGNAL);
    if (n->pieces[0] == NULL) { /* silent */
        char octet;

        (void)recv(fd, &octet, 1, 0);
    }
    close(fd);
    return NULL;
}

/* Listens on every address, v4 and v6 where there is v6. */
static void neighbour_open(struct neighbour *n)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    socklen_t len = sizeof v6;
    int rc = -1;

    n->fd = socket(AF_INET6, SOCK_STREAM, 0);
    if (n->fd >= 0)
        rc = bind(n->fd, (const struct sockaddr *)&v6, sizeof v6);
    if (rc != 0) {
        close(n->fd);
        n->fd = socket(AF_INET, SOCK_STREAM, 0);
        rc = bind(n->fd, (const struct sockaddr *)&v4, sizeof v4);
    }
    assert_int_equal(rc, 0);
    assert_int_equal(listen(n->fd, 1), 0);
    assert_int_equal(getsockname(n->fd, (struct sockaddr *)&v6, &len), 0);
    n->port = ntohs(v6.sin6_port); /* in the same place for both families */
    assert_int_equal(pthread_create(&n->thread, NULL, answer, n), 0);
}

static void neighbour_close(struct neighbour *n)
{
    pthread_join(n->thread, NULL);
    close(n->fd);
}

/* What it returned; the log in *told. */
static int asked(const char *listen, struct capture *told)
{
    int rc;

    capture_begin(told);
    rc = alive_ask(listen, TIMEOUT_MS);
    capture_end(told);
    return rc;
}

static void test_answers(void **state)
{
    static const struct row {
        const char *pieces[3];
        int rc;
        const char *told;
    } rows[] = {
        {{"HTTP/1.1 200 OK\r\n\r\nalive\n"}, 0, NULL},
        {{"HTTP/1.0 200 OK\r\n\r\n"}, 0, NULL},
        {{"HTTP/1.1 2", "00 OK\r\n\r\n"}, 0, NULL},
        {{"HTTP/1.1 503 no\r\n\r\n"}, -EPROTO, "another answer than 200"},
        {{"HTTP/1.1 2"}, -EPROTO, "another answer than 200"},
        {{"SSH-2.0-x 200 is not it"}, -EPROTO, "another answer than 200"},
        {{NULL}, -ETIMEDOUT, "timed out"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct neighbour n = {.pieces = {rows[i].pieces[0], rows[i].pieces[1]}};
        struct capture told = {0};
        char listen[32];
        int rc;

        neighbour_open(&n);
        snprintf(listen, sizeof listen, "127.0.0.1:%d", n.port);
        rc = asked(listen, &told);
        neighbour_close(&n);
        assert_int_equal(rc, rows[i].rc);
        assert_int_equal(strncmp(n.question, "GET /healthz HTTP/1", 19), 0);
        if (rc == 0)
            assert_string_equal(told.text, "");
        else
            assert_non_null(strstr(told.text, rows[i].told));
    }
}

static void test_any_address_is_loopback(void **state)
{
    static const char *const hosts[] = {"0.0.0.0", "*", "localhost"};

    (void)state;
    for (size_t i = 0; i < COUNT(hosts); i++) {
        struct neighbour n = {.pieces = {"HTTP/1.1 200 OK\r\n\r\n"}};
        struct capture told = {0};
        char listen[32];
        int rc;

        neighbour_open(&n);
        snprintf(listen, sizeof listen, "%s:%d", hosts[i], n.port);
        rc = asked(listen, &told);
        if (rc != 0)
            shutdown(n.fd, SHUT_RDWR); /* nobody came */
        neighbour_close(&n);
        assert_int_equal(rc, 0);
    }
}

static void test_any_v6_address_is_loopback(void **state)
{
    struct neighbour n = {.pieces = {"HTTP/1.1 200 OK\r\n\r\n"}};
    struct sockaddr_storage at;
    socklen_t len = sizeof at;
    struct capture told = {0};
    char listen[32];
    int rc;

    (void)state;
    neighbour_open(&n);
    assert_int_equal(getsockname(n.fd, (struct sockaddr *)&at, &len), 0);
    snprintf(listen, sizeof listen, "[::]:%d", n.port);
    rc = asked(listen, &told);
    if (rc != 0)
        shutdown(n.fd, SHUT_RDWR);
    neighbour_close(&n);
    if (at.ss_family != AF_INET6)
        skip();
    assert_int_equal(rc, 0);
}

static void test_nobody_listens(void **state)
{
    struct neighbour n = {0};
    struct capture told = {0};
    char listen[32];

    (void)state;
    neighbour_open(&n);
    shutdown(n.fd, SHUT_RDWR);
    neighbour_close(&n);
    snprintf(listen, sizeof listen, "127.0.0.1:%d", n.port);
    assert_int_equal(asked(listen, &told), -ECONNREFUSED);
    assert_non_null(strstr(told.text, "event=unhealthy"));
    assert_non_null(strstr(told.text, listen));
}

static void test_nobody_can_be_asked(void **state)
{
    static const char *const forms[] = {"off", "127.0.0.1:0", "9101", ""};

    (void)state;
    for (size_t i = 0; i < COUNT(forms); i++) {
        struct capture told = {0};

        assert_int_equal(asked(forms[i], &told), -EINVAL);
        assert_non_null(strstr(told.text, "variable=HTTP_LISTEN"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_any_address_is_loopback),
        cmocka_unit_test(test_any_v6_address_is_loopback),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_nobody_can_be_asked),
    };

    log_open("test", LOG_LEVEL_INFO, false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
