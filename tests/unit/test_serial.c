/* A meter's line on a pseudo-terminal: how it is set up, what is handed over when, and unplugging.
 */
#include "tools.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "scratch.h"
#include "serial.h"

/* A pseudo-terminal has no parity, and the C library refuses to set one there: so it is only noted.
 */
static struct termios asked;

int tcsetattr(int fd, int when, const struct termios *t)
{
    (void)fd;
    (void)when;
    asked = *t;
    return 0;
}

struct heard {
    pthread_mutex_t lock;
    uint8_t octets[4096];
    size_t len;
    unsigned payloads, ups;
    bool up;
    char why[64];
};

static void on_octets(void *arg, const uint8_t *octets, size_t len)
{
    struct heard *h = arg;

    pthread_mutex_lock(&h->lock);
    assert_true(len <= sizeof h->octets - h->len);
    memcpy(h->octets + h->len, octets, len);
    h->len += len;
    h->payloads++;
    pthread_mutex_unlock(&h->lock);
}

static void on_state(void *arg, bool up, const char *why)
{
    struct heard *h = arg;

    pthread_mutex_lock(&h->lock);
    h->up = up;
    h->ups += up;
    snprintf(h->why, sizeof h->why, "%s", why);
    pthread_mutex_unlock(&h->lock);
}

static const struct serial_handler handler = {.octets = on_octets, .state = on_state};

static void nap(int ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000L}, NULL);
}

static bool is(struct heard *h, bool up, size_t len)
{
    bool yes;

    pthread_mutex_lock(&h->lock);
    yes = h->up == up && h->len == len;
    pthread_mutex_unlock(&h->lock);
    return yes;
}

static void await(struct heard *h, bool up, size_t len)
{
    for (int i = 0; i < 3000; i++) {
        if (is(h, up, len))
            return;
        nap(10);
    }
    fail_msg("still up %d (%s), %zu octets", h->up, h->why, h->len);
}

/* A pseudo-terminal in raw mode; returns the master, and in path the slave's name. */
static int open_pty(char path[64])
{
    int master = posix_openpt(O_RDWR | O_NOCTTY), slave;

    assert_true(master >= 0);
    assert_int_equal(grantpt(master), 0);
    assert_int_equal(unlockpt(master), 0);
    assert_int_equal(ptsname_r(master, path, 64), 0);
    slave = open(path, O_RDWR | O_NOCTTY);
    assert_true(slave >= 0); /* left open: a pseudo-terminal without a slave reads as unplugged */
    return master;
}

static struct serial *begin(struct serial_conf *c, struct heard *h, char *device)
{
    struct serial_handler to = handler;
    struct serial *s;

    memset(h, 0, sizeof *h);
    pthread_mutex_init(&h->lock, NULL);
    c->device = device;
    to.arg = h;
    s = serial_new(c, &to);
    assert_non_null(s);
    return s;
}

static void the_line_is_set_up_as_asked(void **state)
{
    static const struct row {
        const char *baud, *parity;
        speed_t speed;
        tcflag_t flags;
    } rows[] = {
        {"2400", "even", B2400, CS8 | PARENB},
        {"2400", "none", B2400, CS8},
        {"9600", "odd", B9600, CS8 | PARENB | PARODD},
        {"300", "even", B300, CS8 | PARENB},
        {"115200", "none", B115200, CS8},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char path[64], baud[16], parity[16];
        struct serial_conf c = {.baud = baud, .parity = parity};
        struct heard h;
        struct serial *s;
        int master = open_pty(path);

        snprintf(baud, sizeof baud, "%s", rows[i].baud);
        snprintf(parity, sizeof parity, "%s", rows[i].parity);
        s = begin(&c, &h, path);
        await(&h, true, 0);
        serial_free(s);
        assert_int_equal(cfgetispeed(&asked), rows[i].speed);
        assert_int_equal(cfgetospeed(&asked), rows[i].speed);
        assert_int_equal(asked.c_cflag & (CSIZE | PARENB | PARODD | CSTOPB), rows[i].flags);
        assert_int_equal(asked.c_cflag & (CREAD | CLOCAL), CREAD | CLOCAL);
        assert_int_equal(asked.c_cflag & CRTSCTS, 0);
        assert_int_equal(asked.c_lflag & (ICANON | ECHO | ISIG), 0);
        assert_int_equal(asked.c_iflag & (IXON | IXOFF | ICRNL | ISTRIP | PARMRK), 0);
        assert_int_equal(asked.c_iflag & (INPCK | IGNPAR), INPCK | IGNPAR);
        close(master);
    }
}

static struct serial_conf plain(void)
{
    static char baud[] = "2400", parity[] = "none";

    return (struct serial_conf){.baud = baud, .parity = parity};
}

/* The kernel's own line discipline would eat some of these. */
static int raw_pty(char path[64])
{
    int master = open_pty(path);
    struct termios t;

    assert_int_equal(tcgetattr(master, &t), 0);
    cfmakeraw(&t);
    assert_int_equal(ioctl(master, TCSETS, &t), 0);
    return master;
}

/* A line that is there and listened to. */
struct line {
    struct serial_conf conf;
    char path[64];
    struct heard heard;
    int master;
    struct serial *serial;
};

static void line_open(struct line *l)
{
    l->conf = plain();
    l->master = raw_pty(l->path);
    l->serial = begin(&l->conf, &l->heard, l->path);
    await(&l->heard, true, 0);
}

static void line_close(struct line *l)
{
    serial_free(l->serial);
    close(l->master);
}

static void what_comes_between_silences_is_one_payload(void **state)
{
    struct line l;
    uint8_t all[256];

    (void)state;
    line_open(&l);
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof all; i += 32) {
        assert_int_equal(write(l.master, all + i, 32), 32);
        nap(5);
    }
    await(&l.heard, true, sizeof all);
    assert_memory_equal(l.heard.octets, all, sizeof all);
    assert_in_range(l.heard.payloads, 1, 3); /* one, but on a machine that is very busy */
    line_close(&l);
}

static void a_held_line_is_not_read(void **state)
{
    struct line l;

    (void)state;
    line_open(&l);
    serial_hold(l.serial, true);
    assert_int_equal(write(l.master, "a", 1), 1);
    nap(300);
    assert_int_equal(l.heard.len, 0);
    serial_hold(l.serial, false);
    await(&l.heard, true, 1);
    line_close(&l);
}

static void the_rest_is_handed_over_at_the_end(void **state)
{
    struct line l;

    (void)state;
    line_open(&l);
    assert_int_equal(write(l.master, "abc", 3), 3);
    line_close(&l);
    assert_int_equal(l.heard.len, 3);
}

static void unplugged_and_plugged_in_again(void **state)
{
    struct serial_conf c = plain();
    char path[64], name[128];
    struct heard h;
    struct serial *s;
    int master;

    (void)state;
    snprintf(name, sizeof name, "%s", scratch_path("meter"));
    s = begin(&c, &h, name);
    await(&h, false, 0);
    while (strcmp(h.why, "No such file or directory") != 0)
        nap(10);
    for (unsigned round = 1; round <= 2; round++) {
        master = raw_pty(path);
        assert_int_equal(symlink(path, name), 0);
        await(&h, true, round - 1);
        assert_int_equal(h.ups, round);
        assert_int_equal(write(master, "x", 1), 1);
        await(&h, true, round);
        close(master);
        assert_int_equal(unlink(name), 0);
        await(&h, false, round);
    }
    serial_free(s);
}

static void what_is_no_line(void **state)
{
    struct serial_conf c = plain();
    char name[] = "/dev/null";
    struct heard h;
    struct serial *s = begin(&c, &h, name);
    struct line l;

    (void)state;
    while (strcmp(h.why, "it is not a serial device") != 0)
        nap(10);
    serial_free(s);
    line_open(&l);
    s = begin(&c, &h, l.path);
    while (strcmp(h.why, "another process reads it") != 0)
        nap(10);
    serial_free(s);
    line_close(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_line_is_set_up_as_asked),
        cmocka_unit_test(what_comes_between_silences_is_one_payload),
        cmocka_unit_test(a_held_line_is_not_read),
        cmocka_unit_test(the_rest_is_handed_over_at_the_end),
        cmocka_unit_test_setup_teardown(unplugged_and_plugged_in_again, scratch_open,
                                        scratch_close),
        cmocka_unit_test(what_is_no_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
