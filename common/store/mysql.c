#include "mysql.h"

#include <netdb.h>
#include <poll.h>
#include <stdint.h>
#include <unistd.h>

bool mysql_greets(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    uint8_t greeting[5] = {0};
    bool mysql = false;

    if (getaddrinfo(host, port, &hints, &list) != 0)
        return false;
    for (const struct addrinfo *a = list; a != NULL && !mysql; a = a->ai_next) {
        int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct pollfd wait = {.fd = fd, .events = POLLIN};

        mysql = fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) == 0 && poll(&wait, 1, 500) > 0 &&
                recv(fd, greeting, sizeof greeting, MSG_WAITALL) == sizeof greeting &&
                greeting[3] == 0 && greeting[4] == 10;
        if (fd >= 0)
            close(fd);
    }
    freeaddrinfo(list);
    return mysql;
}
