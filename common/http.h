/* http: /healthz, /readyz and /metrics of a service (libmicrohttpd, a thread of its own). */
#ifndef HTTP_H
#define HTTP_H

struct svc;
struct http;

/** The form of HTTP_LISTEN, without listening: 0, or -EINVAL and logged. */
int http_check(const char *listen);

/**
 * Listen on "address:port" ("*" or [v6] too; port 0: any free one, which the log names); "off"
 * opens nothing and *out stays NULL.
 *
 *   /healthz  200 while the service's loop turns (svc_turns), else 503; touches nothing
 *   /readyz   200 or 503, and a line for each dependency
 *   /metrics  Prometheus text
 *
 * Returns 0, or -EINVAL when the address cannot be listened on, already logged.
 */
int http_open(struct svc *svc, const char *listen, struct http **out)
    __attribute__((warn_unused_result));
void http_close(struct http *h);

#endif
