#include "web.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "clock.h"
#include "log.h"
#include "web_answer.h"
#include "web_peers.h"
#include "web_request.h"

enum {
    MEMORY_OCTETS = 16384, /* of a connection: bounds address and headers (414, 431) */
    IDLE_SECONDS = 20,     /* nothing sent or taken */
    OTHER_CONNECTIONS = 256,
    EVENT_BLOCK = 2048,
    PAGE_BLOCK = 16384,
};

/* One request and its answer. */
struct exchange {
    struct web *web;
    struct MHD_Connection *connection;
    struct web_peer *peer;
    struct request request;
    struct answer answer;
    struct buf body;
    bool answered, too_long;
    struct question *question; /* a download, from its first page on */
    struct listener *listener;
};

struct web {
    struct web_parts parts;
    const char *user_header;
    struct MHD_Daemon *daemon;
    struct web_peers *peers;
};

/* Connections */

static void on_connection(void *arg,
                          struct MHD_Connection *connection,
                          void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct web *w = arg;
    const union MHD_ConnectionInfo *info;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        *context = web_peers_join(w->peers, info->connect_fd);
    } else if (*context != NULL) {
        web_peers_leave(w->peers, *context);
        *context = NULL;
    }
}

static void set_busy(struct exchange *x, bool busy)
{
    web_peers_busy(x->web->peers, x->peer, busy);
}

static void set_listener(struct exchange *x, struct listener *l)
{
    x->listener = l;
    web_peers_listens(x->web->peers, x->peer, l);
}

void web_tick(struct web *w, int64_t now_ms)
{
    web_peers_tick(w->peers, w->parts.events, now_ms);
}

/* Answers */

/* Takes the response over. */
static enum MHD_Result send_response(struct exchange *x, struct MHD_Response *response)
{
    enum MHD_Result rc;

    if (response == NULL)
        return MHD_NO;
    web_answer_headers(response, &x->answer);
    x->web->parts.counted(x->web->parts.arg, x->answer.status);
    rc = MHD_queue_response(x->connection, x->answer.status, response);
    MHD_destroy_response(response);
    return rc;
}

static enum MHD_Result send_answer(struct exchange *x)
{
    return send_response(x, web_answer_body(&x->answer));
}

static void wake(void *arg)
{
    MHD_resume_connection(((struct exchange *)arg)->connection);
}

static void sleep_now(void *arg)
{
    MHD_suspend_connection(((struct exchange *)arg)->connection);
}

/* Events */

static ssize_t read_events(void *arg, uint64_t at, char *to, size_t max)
{
    struct exchange *x = arg;
    ssize_t n = events_take(x->web->parts.events, x->listener, to, max, sleep_now);

    (void)at;
    return n < 0 ? MHD_CONTENT_READER_END_OF_STREAM : n;
}

static enum MHD_Result send_events(struct exchange *x)
{
    struct listener *l = events_join(x->web->parts.events, wake, x);

    if (l == NULL) {
        x->answer.retry_seconds = 30;
        answer_error(&x->answer, 503, "busy", "Too many browsers watch already.");
        return send_answer(x);
    }
    set_listener(x, l);
    x->answer.status = 200;
    x->answer.type = "text/event-stream";
    return send_response(
        x, MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, EVENT_BLOCK, read_events, x, NULL));
}

/* Questions to the database */

static void on_answer(void *arg, void *data, int rc, const char *why)
{
    struct exchange *x = arg;
    struct question *q = data;

    question_answer(q, rc, why, &x->answer);
    if (rc == 0 && q->download != NULL) {
        x->question = calloc(1, sizeof *x->question);
        if (x->question == NULL) {
            x->answer.status = 500;
        } else { /* the pages go on */
            *x->question = *q;
            q->download = NULL;
        }
    }
    x->answered = true;
    wake(x);
}

static const struct job_kind question_kind = {question_run, on_answer, question_free};

static void ask(struct exchange *x, struct question *q)
{
    MHD_suspend_connection(x->connection);
    if (jobs_submit(x->web->parts.jobs, &question_kind, q, x) == 0)
        return;
    x->answer.retry_seconds = 5;
    answer_error(&x->answer, 503, "busy", "Too many questions at once. Please try again.");
    x->answered = true;
    wake(x);
}

/* Pages of a download */

static void on_page(void *arg, void *data, int rc, const char *why)
{
    struct exchange *x = arg;
    struct question *q = data;

    (void)why;
    if (rc == 0) {
        *x->question = *q;
        q->download = NULL;
    }
    wake(x);
}

static const struct job_kind page_kind = {question_run, on_page, question_free};

static bool ask_page(struct exchange *x)
{
    struct question *q = calloc(1, sizeof *q);

    if (q == NULL)
        return false;
    *q = *x->question;
    x->question->download = NULL; /* the job's, until it is done */
    MHD_suspend_connection(x->connection);
    if (jobs_submit(x->web->parts.jobs, &page_kind, q, x) != 0)
        wake(x);
    return true;
}

/* An end without a last page is an error, so that nobody takes a part for the whole. */
static ssize_t read_pages(void *arg, uint64_t at, char *to, size_t max)
{
    struct exchange *x = arg;
    struct download *download = x->question->download;
    struct buf *page = download == NULL ? NULL : download_page(download);
    size_t n;

    (void)at;
    if (page == NULL)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (page->len == 0 && download_is_last(download))
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (page->len == 0)
        return ask_page(x) ? 0 : MHD_CONTENT_READER_END_WITH_ERROR;
    n = page->len < max ? page->len : max;
    memcpy(to, page->data, n);
    buf_drop(page, n);
    return (ssize_t)n;
}

static enum MHD_Result send_pages(struct exchange *x)
{
    return send_response(
        x, MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PAGE_BLOCK, read_pages, x, NULL));
}

/* Requests */

static void answer_too_long(struct exchange *x)
{
    answer_error(&x->answer, 413, "body", "That is more than 64 KiB.");
}

/* The headers are here. A request that is refused now is answered before its body comes. */
static enum MHD_Result
begin(struct web *w, struct MHD_Connection *c, const char *method, const char *path, void **context)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct exchange *x = calloc(1, sizeof *x);

    if (x == NULL)
        return MHD_NO;
    *context = x;
    x->web = w;
    x->connection = c;
    x->peer = info == NULL ? NULL : info->socket_context;
    web_request_read(c, w->user_header, method, path, &x->request);
    if (web_request_is_ambiguous(c)) {
        x->answer.last = true;
        answer_error(&x->answer, 400, "length", "The request has more than one length.");
    } else if (route_headers(&w->parts.route, &x->request, &x->answer) == ROUTE_BODY) {
        if (!web_request_is_too_long(c))
            return MHD_YES;
        answer_too_long(x);
    }
    set_busy(x, true);
    return send_answer(x);
}

/* The library's copy of it goes, too: a key may stand in it. */
static void take_body(struct exchange *x, const char *upload, size_t len)
{
    x->too_long |= len > ROUTE_BODY_MAX - x->body.len;
    if (!x->too_long && (buf_reserve(&x->body, ROUTE_BODY_MAX) != 0 || /* once: no copies stay */
                         buf_add(&x->body, upload, len) != 0))
        x->too_long = true;
    explicit_bzero((char *)(uintptr_t)upload, len); /* NOLINT: const by its interface alone */
}

static void wipe_body(struct exchange *x)
{
    if (x->body.data != NULL)
        explicit_bzero(x->body.data, x->body.room);
    buf_free(&x->body);
}

static enum MHD_Result finish(struct exchange *x)
{
    struct question *question = NULL;
    enum route_next next = ROUTE_ANSWERED;

    if (x->answered)
        return x->question != NULL ? send_pages(x) : send_answer(x);
    set_busy(x, true);
    x->request.body = x->body.data;
    x->request.body_len = x->body.len;
    if (x->too_long)
        answer_too_long(x);
    else
        next = route_request(&x->web->parts.route, &x->request, clock_utc_ms() / 1000, &x->answer,
                             &question);
    wipe_body(x);
    if (next == ROUTE_EVENTS)
        return send_events(x);
    if (next == ROUTE_QUESTION) {
        ask(x, question);
        return MHD_YES;
    }
    return send_answer(x);
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
    struct exchange *x = *context;

    (void)version;
    if (x == NULL)
        return begin(arg, connection, method, url, context);
    if (*upload_len > 0) {
        take_body(x, upload, *upload_len);
        *upload_len = 0;
        return MHD_YES;
    }
    return finish(x);
}

static void on_completed(void *arg,
                         struct MHD_Connection *connection,
                         void **context,
                         enum MHD_RequestTerminationCode how)
{
    struct exchange *x = *context;

    (void)arg;
    (void)connection;
    (void)how;
    if (x == NULL)
        return;
    if (x->listener != NULL) {
        struct listener *l = x->listener;

        set_listener(x, NULL);
        events_leave(x->web->parts.events, l);
    }
    set_busy(x, false);
    if (x->question != NULL)
        question_free(x->question);
    wipe_body(x);
    answer_free(&x->answer);
    free(x);
    *context = NULL;
}

/* Life */

void web_raise_limit(size_t clients)
{
    struct rlimit limit;
    rlim_t wanted = 2 * clients + OTHER_CONNECTIONS + 128;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < wanted)
        log_warn("limit",
                 LOG_S("reason", "fewer open files are allowed than DASHBOARD_CLIENTS wants"),
                 LOG_I("wanted", wanted), LOG_I("allowed", limit.rlim_cur));
}

static int start(struct web *w, const struct web_conf *conf)
{
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO | MHD_ALLOW_SUSPEND_RESUME;
    unsigned most = (unsigned)(2 * conf->clients + OTHER_CONNECTIONS);
    bool telling = !conf->address.loopback && *conf->user_header == '\0';

    if (conf->address.at.ss_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    w->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, handle, w, MHD_OPTION_SOCK_ADDR, &conf->address.at,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS, MHD_OPTION_CONNECTION_LIMIT, most,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, telling ? most / 2 : 0U,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_OCTETS, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_UNESCAPE_CALLBACK, web_request_keep_escapes, NULL, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, w, MHD_OPTION_NOTIFY_COMPLETED, on_completed, w, MHD_OPTION_END);
    if (w->daemon == NULL)
        return listen_wrong("DASHBOARD_LISTEN", conf->listen, strerror(errno));
    return 0;
}

int web_open(const struct web_conf *conf, const struct web_parts *parts, struct web **out)
{
    struct web *w = calloc(1, sizeof *w);
    const union MHD_DaemonInfo *info;
    int rc;

    if (w == NULL)
        return -ENOMEM;
    *out = w;
    w->parts = *parts;
    w->user_header = conf->user_header;
    w->peers = web_peers_new(conf->clients);
    if (w->peers == NULL)
        return -ENOMEM;
    web_raise_limit(conf->clients);
    rc = start(w, conf);
    if (rc != 0)
        return rc;
    info = MHD_get_daemon_info(w->daemon, MHD_DAEMON_INFO_BIND_PORT);
    log_info("dashboard", LOG_S("listen", conf->listen),
             LOG_I("port", info == NULL ? 0 : info->port));
    return 0;
}

void web_close(struct web *w)
{
    if (w == NULL)
        return;
    if (w->daemon != NULL)
        MHD_stop_daemon(w->daemon);
    web_peers_free(w->peers);
    free(w);
}
