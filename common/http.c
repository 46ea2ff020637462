#include "http.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "listen.h"
#include "log.h"
#include "svc.h"
#include "vitals.h"

struct http {
    struct MHD_Daemon *daemon;
    struct svc *svc;
    int64_t started;
};

static enum MHD_Result
answer(struct MHD_Connection *connection, unsigned status, const char *type, char *text, size_t len)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
    enum MHD_Result rc;

    if (response == NULL) {
        free(text);
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    rc = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return rc;
}

static void print_metrics(const struct http *h, FILE *out)
{
    vitals_print(h->svc, h->started, out);
    metrics_print(h->svc->metrics, out);
}

static unsigned print_health(const struct http *h, FILE *out)
{
    bool turns = svc_turns(h->svc, clock_monotonic_ms());

    fputs(turns ? "alive\n" : "stuck: the service's loop has not turned for minutes\n", out);
    return turns ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
}

static enum MHD_Result handle(void *arg,
                              struct MHD_Connection *connection,
                              const char *url,
                              const char *method,
                              const char *version,
                              const char *upload,
                              size_t *upload_len,
                              void **context)
{
    struct http *h = arg;
    unsigned status = MHD_HTTP_OK;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    (void)version;
    (void)upload;
    (void)upload_len;
    (void)context;
    if (out == NULL)
        return MHD_NO;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        status = MHD_HTTP_METHOD_NOT_ALLOWED;
    else if (strcmp(url, "/healthz") == 0)
        status = print_health(h, out);
    else if (strcmp(url, "/readyz") == 0)
        status = svc_print_states(h->svc, out) ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
    else if (strcmp(url, "/metrics") == 0)
        print_metrics(h, out);
    else
        status = MHD_HTTP_NOT_FOUND;
    fclose(out);
    return answer(connection, status, "text/plain; version=0.0.4; charset=utf-8", text, len);
}

static int bound_port(struct MHD_Daemon *daemon)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);

    return info == NULL ? 0 : info->port;
}

static int listen_on(struct http *h, const char *listen, const struct listen_address *address)
{
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO;

    if (address->at.ss_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    h->daemon = MHD_start_daemon(flags, 0, NULL, NULL, handle, h, MHD_OPTION_SOCK_ADDR,
                                 &address->at, MHD_OPTION_CONNECTION_TIMEOUT, 10U,
                                 MHD_OPTION_CONNECTION_LIMIT, 64U, MHD_OPTION_END);
    if (h->daemon == NULL)
        return listen_wrong("HTTP_LISTEN", listen, strerror(errno));
    log_info("http", LOG_S("listen", listen), LOG_I("port", bound_port(h->daemon)));
    return 0;
}

int http_check(const char *listen)
{
    struct listen_address address;

    return strcmp(listen, "off") == 0 ? 0 : listen_read("HTTP_LISTEN", listen, &address);
}

int http_open(struct svc *svc, const char *listen, struct http **out)
{
    struct listen_address address;
    struct http *h;

    if (strcmp(listen, "off") == 0)
        return 0;
    if (listen_read("HTTP_LISTEN", listen, &address) != 0)
        return -EINVAL;
    h = calloc(1, sizeof *h);
    if (h == NULL)
        return -ENOMEM;
    h->svc = svc;
    h->started = (int64_t)time(NULL);
    *out = h;
    return listen_on(h, listen, &address);
}

void http_close(struct http *h)
{
    if (h == NULL)
        return;
    if (h->daemon != NULL)
        MHD_stop_daemon(h->daemon);
    free(h);
}
