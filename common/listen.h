/* listen: settings that say where to listen. */
#ifndef LISTEN_H
#define LISTEN_H

#include <stdbool.h>
#include <sys/socket.h>

struct listen_address {
    struct sockaddr_storage at;
    socklen_t len;
    bool loopback; /* nobody but this machine reaches it */
};

/**
 * "127.0.0.1:9101", "*:9101", "[::1]:9101", "localhost:0". Returns 0; -EINVAL when it is none,
 * logged under the setting's name `variable`.
 */
int listen_read(const char *variable, const char *text, struct listen_address *out)
    __attribute__((warn_unused_result));

/** Log that it cannot be listened on, and why; returns -EINVAL. */
int listen_wrong(const char *variable, const char *text, const char *wrong);

#endif
