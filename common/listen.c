#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "conf.h"

int listen_wrong(const char *variable, const char *text, const char *wrong)
{
    char words[160];

    snprintf(words, sizeof words, "%s: %s", text, wrong);
    return conf_wrong(variable, words, "a free address:port, such as 127.0.0.1:8080");
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
    return address->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

int listen_read(const char *variable, const char *text, struct listen_address *out)
{
    char host[128];
    const char *colon = strrchr(text, ':');
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    size_t len = colon == NULL ? 0 : (size_t)(colon - text);
    int rc;

    if (*text != '\0' && strspn(text, "0123456789") == strlen(text))
        return listen_wrong(variable, text, "an address must stand before the port");
    if (colon == NULL || len >= sizeof host)
        return listen_wrong(variable, text, "no port");
    memcpy(host, text, len);
    host[len] = '\0';
    if (len > 1 && host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        memmove(host, host + 1, len - 1);
    }
    rc = getaddrinfo(strcmp(host, "*") == 0 ? NULL : host, colon + 1, &hints, &found);
    if (rc != 0)
        return listen_wrong(variable, text, gai_strerror(rc));
    memset(&out->at, 0, sizeof out->at);
    memcpy(&out->at, found->ai_addr, found->ai_addrlen);
    out->len = found->ai_addrlen;
    out->loopback = is_loopback(found->ai_addr);
    freeaddrinfo(found);
    return 0;
}
