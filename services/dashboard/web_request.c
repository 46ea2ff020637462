#include "web_request.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "route.h"

static const char *header(struct MHD_Connection *c, const char *name)
{
    return MHD_lookup_connection_value(c, MHD_HEADER_KIND, name);
}

static const char *argument(struct MHD_Connection *c, const char *name)
{
    return MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, name);
}

static void read_address(struct MHD_Connection *c, char text[64])
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info == NULL ? NULL : info->client_addr;

    text[0] = '\0';
    if (address != NULL && address->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, text, 64);
    else if (address != NULL && address->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, text, 64);
}

/* Whoever asks may have sent some, and a proxy adds its own as a line behind them. */
static enum MHD_Result
keep_last(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
    (void)kind;
    if (strcasecmp(name, "X-Forwarded-For") == 0)
        *(const char **)arg = value;
    return MHD_YES;
}

static const char *forwarded_for(struct MHD_Connection *c)
{
    const char *last = NULL;

    MHD_get_connection_values(c, MHD_HEADER_KIND, keep_last, (void *)&last);
    return last;
}

void web_request_read(struct MHD_Connection *c,
                      const char *user_header,
                      const char *method,
                      const char *path,
                      struct request *r)
{
    *r = (struct request){
        .method = method,
        .path = path,
        .host = header(c, "Host"),
        .origin = header(c, "Origin"),
        .fetch_site = header(c, "Sec-Fetch-Site"),
        .content_type = header(c, "Content-Type"),
        .cookie = header(c, "Cookie"),
        .forwarded_proto = header(c, "X-Forwarded-Proto"),
        .forwarded_for = forwarded_for(c),
        .user = *user_header == '\0' ? NULL : header(c, user_header),
        .none_match = header(c, "If-None-Match"),
        .encoding = header(c, "Accept-Encoding"),
        .meter = argument(c, "meter"),
        .range = argument(c, "range"),
        .from = argument(c, "from"),
        .to = argument(c, "to"),
        .step = argument(c, "step"),
        .table = argument(c, "table"),
    };
    read_address(c, r->address);
}

static enum MHD_Result
count_lengths(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
    (void)kind;
    (void)value;
    if (strcasecmp(name, "Content-Length") == 0 || strcasecmp(name, "Transfer-Encoding") == 0)
        ++*(int *)arg;
    return MHD_YES;
}

bool web_request_is_ambiguous(struct MHD_Connection *c)
{
    int lengths = 0;

    MHD_get_connection_values(c, MHD_HEADER_KIND, count_lengths, &lengths);
    return lengths > 1;
}

bool web_request_is_too_long(struct MHD_Connection *c)
{
    const char *length = header(c, "Content-Length");

    return length != NULL && strtoull(length, NULL, 10) > ROUTE_BODY_MAX;
}

/* Nothing here has a name that would be escaped: so what is, is not found. */
size_t web_request_keep_escapes(void *arg, struct MHD_Connection *c, char *text)
{
    (void)arg;
    (void)c;
    return strlen(text);
}
