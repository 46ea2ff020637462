#include "alive.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "conf.h"
#include "listen.h"
#include "log.h"

/* "Any address" is for listening: the one to ask is this machine's own. Returns the port. */
static in_port_t to_loopback(struct sockaddr_storage *at)
{
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)at;
    struct sockaddr_in *v4 = (struct sockaddr_in *)at;

    if (at->ss_family == AF_INET6) {
        if (IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr))
            v6->sin6_addr = in6addr_loopback;
        return v6->sin6_port;
    }
    if (v4->sin_addr.s_addr == htonl(INADDR_ANY))
        v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return v4->sin_port;
}

/* A timed-out socket says EAGAIN, or EINPROGRESS while it connects. */
static int failure(void)
{
    return errno == EAGAIN || errno == EINPROGRESS ? -ETIMEDOUT : -errno;
}

/* By hand, as one line is asked and one read: a library for it would be in every image. */
static int ask(int fd, const struct listen_address *address, int timeout_ms)
{
    static const char question[] = "GET /healthz HTTP/1.0\r\n\r\n", ok[] = "HTTP/1.x 200";
    struct timeval time = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
    char status[sizeof ok - 1];
    ssize_t n;

    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) != 0 ||
        connect(fd, (const struct sockaddr *)&address->at, address->len) != 0 ||
        send(fd, question, sizeof question - 1, MSG_NOSIGNAL) < 0)
        return failure();
    n = recv(fd, status, sizeof status, MSG_WAITALL);
    if (n < 0)
        return failure();
    status[7] = 'x'; /* 1.0 or 1.1 */
    return (size_t)n == sizeof status && memcmp(status, ok, sizeof status) == 0 ? 0 : -EPROTO;
}

int alive_ask(const char *listen, int timeout_ms)
{
    struct listen_address address;
    int fd, rc;

    if (strcmp(listen, "off") == 0)
        return conf_wrong("HTTP_LISTEN", "off: nobody can be asked",
                          "address:port, or no health check");
    if (listen_read("HTTP_LISTEN", listen, &address) != 0)
        return -EINVAL;
    if (to_loopback(&address.at) == 0)
        return conf_wrong("HTTP_LISTEN", "port 0: nobody knows which one it became",
                          "address:port, or no health check");
    fd = socket(address.at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    rc = fd < 0 ? -errno : ask(fd, &address, timeout_ms);
    if (fd >= 0)
        close(fd);
    if (rc != 0)
        log_error("unhealthy", LOG_S("listen", listen),
                  LOG_S("reason", rc == -EPROTO ? "another answer than 200" : strerror(-rc)));
    return rc;
}
