#include "serial.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { SILENCE_MS = 50, RETRY_MS = 1000, KERNEL_OCTETS = 4096 };

struct serial {
    const struct serial_conf *conf;
    struct serial_handler handler;
    pthread_t thread;
    int stop; /* eventfd: readable when the thread shall end */
    atomic_bool held;
    uint8_t octets[KERNEL_OCTETS];
};

static speed_t speed_of(const char *baud)
{
    static const struct {
        const char *name;
        speed_t speed;
    } speeds[] = {
        {"300", B300},     {"600", B600},       {"1200", B1200},   {"2400", B2400},
        {"4800", B4800},   {"9600", B9600},     {"19200", B19200}, {"38400", B38400},
        {"57600", B57600}, {"115200", B115200},
    };

    for (size_t i = 0; i < sizeof speeds / sizeof speeds[0]; i++)
        if (strcmp(baud, speeds[i].name) == 0)
            return speeds[i].speed;
    return B2400;
}

/* Raw, 8 data bits, no flow control, modem lines ignored; octets with a parity or framing error are
 * dropped. */
static int set_line(int fd, const struct serial_conf *c)
{
    struct termios t;

    if (tcgetattr(fd, &t) != 0)
        return -errno;
    cfmakeraw(&t);
    t.c_iflag |= IGNBRK | INPCK | IGNPAR;
    t.c_cflag &= ~(tcflag_t)(CSTOPB | PARENB | PARODD | CRTSCTS);
    t.c_cflag |= CREAD | CLOCAL;
    if (strcmp(c->parity, "none") != 0)
        t.c_cflag |= PARENB;
    if (strcmp(c->parity, "odd") == 0)
        t.c_cflag |= PARODD;
    t.c_cc[VMIN] = 1;
    t.c_cc[VTIME] = 0;
    cfsetispeed(&t, speed_of(c->baud));
    cfsetospeed(&t, speed_of(c->baud));
    return tcsetattr(fd, TCSANOW, &t) == 0 ? 0 : -errno;
}

/* A descriptor, or -1 and why. */
static int open_device(const struct serial_conf *c, const char **why)
{
    int fd = open(c->device, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC), rc;

    if (fd < 0) {
        *why = strerror(errno);
        return -1;
    }
    rc = set_line(fd, c);
    if (rc != 0)
        *why = rc == -ENOTTY ? "it is not a serial device" : strerror(-rc);
    else if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        *why = "another process reads it";
    else
        return fd;
    close(fd);
    return -1;
}

/* Wait for so long (-1: for ever), or until the device has something: false when it is time to
 * end. */
static bool wait_for(const struct serial *s, int fd, int ms, short *events)
{
    struct pollfd wait[] = {{.fd = s->stop, .events = POLLIN}, {.fd = fd, .events = POLLIN}};

    while (poll(wait, 2, ms) < 0 && errno == EINTR)
        ;
    if (events != NULL)
        *events = wait[1].revents;
    return wait[0].revents == 0;
}

/* Let a frame become whole in the kernel's buffer. */
static void wait_for_silence(const struct serial *s, int fd)
{
    int before = -1, now = 0;

    while (ioctl(fd, FIONREAD, &now) == 0 && now != before && now < KERNEL_OCTETS / 2) {
        before = now;
        if (!wait_for(s, -1, SILENCE_MS, NULL))
            return;
    }
}

/* Until the device goes: why; or until the thread shall end: NULL. */
static const char *listen_to(struct serial *s, int fd)
{
    for (;;) {
        short events;
        bool more = wait_for(s, s->held ? -1 : fd, s->held ? RETRY_MS : -1, &events);
        ssize_t n;

        if (s->held && more)
            continue;
        wait_for_silence(s, fd);
        n = read(fd, s->octets, sizeof s->octets);
        if (n > 0 && !s->held)
            s->handler.octets(s->handler.arg, s->octets, (size_t)n);
        if (!more)
            return NULL;
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return "it was unplugged";
        if (n < 0 && (events & (POLLHUP | POLLERR)) != 0)
            return "it was hung up";
    }
}

static void *run(void *arg)
{
    struct serial *s = arg;
    const char *why = NULL;

    do {
        int fd = open_device(s->conf, &why);

        if (fd >= 0) {
            s->handler.state(s->handler.arg, true, "");
            why = listen_to(s, fd);
            close(fd);
        }
        if (why != NULL)
            s->handler.state(s->handler.arg, false, why);
    } while (why != NULL && wait_for(s, -1, RETRY_MS, NULL));
    return NULL;
}

struct serial *serial_new(const struct serial_conf *conf, const struct serial_handler *handler)
{
    struct serial *s = calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    s->conf = conf;
    s->handler = *handler;
    s->stop = eventfd(0, EFD_CLOEXEC);
    if (s->stop < 0 || pthread_create(&s->thread, NULL, run, s) != 0) {
        if (s->stop >= 0)
            close(s->stop);
        free(s);
        return NULL;
    }
    return s;
}

void serial_hold(struct serial *s, bool hold)
{
    s->held = hold;
}

void serial_free(struct serial *s)
{
    const uint64_t one = 1;

    if (s == NULL)
        return;
    (void)!write(s->stop, &one, sizeof one);
    pthread_join(s->thread, NULL);
    close(s->stop);
    free(s);
}
