/* svc: the life of a service, the same for all: configuration, log, loop, health, stop. */
#ifndef SVC_H
#define SVC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"
#include "metrics.h"

struct _zloop_t;  /* NOLINT: czmq's name */
struct _zactor_t; /* NOLINT */
struct http;

/** Settings that every service has; SVC_OPTIONS puts them at the end of its table. */
struct svc_conf {
    char *log_level;
    char *log_format;
    char *http_listen;
    char *stream_key; /* "" or NULL for none */
};

/* clang-format off */
#define SVC_STREAM_KEY_OPTION(s, m)                                                                                          \
    CONF_SECRET_OPTION("STREAM_KEY", s, m.stream_key, "", "encrypts the streams: the same in all services, from `zaehlwerk keygen`")
#define SVC_OPTIONS(s, m, port)                                                                                              \
    SVC_STREAM_KEY_OPTION(s, m),                                                                                             \
    CONF_TEXT_OPTION("HTTP_LISTEN", s, m.http_listen, "127.0.0.1:" port, "address:port of /healthz /readyz /metrics; off: none"), \
    CONF_CHOICE_OPTION("LOG_LEVEL", s, m.log_level, "info", "debug|info|warn|error", "least level that is logged"),           \
    CONF_CHOICE_OPTION("LOG_FORMAT", s, m.log_format, "text", "text|json", "form of a log line")
/* clang-format on */

/** What a service is, as constants. */
struct svc_info {
    const char *name;
    const char *purpose; /* one line for --help */
    const struct conf_option *options;
    const struct metric_def *metrics;
    const char *needs[4]; /* what it waits for before it is ready, NULL-terminated; down at first */
    int (*check)(
        void *self); /* more checks of the settings: 0, or -EINVAL and logged; may be NULL */
};

#define SVC_STATES 8

/** One thing the service depends on, for /readyz. */
struct svc_state {
    const char *name;
    bool up;
    bool told; /* the present trouble was logged */
    char why[96];
};

struct svc {
    const struct svc_info *info;
    struct svc_conf conf;
    struct metrics *metrics;
    struct metrics *vitals; /* of every service (vitals.h) */
    struct _zactor_t *door; /* of the streams' producers, with a STREAM_KEY (link_key.h) */
    struct _zloop_t *loop;
    struct http *http;
    int signals;               /* signalfd, or -1 */
    int verdict;               /* of the run */
    _Atomic int64_t turned_ms; /* when the loop last came round, monotonic; 0: it owes no turn */
    atomic_bool excused;
    struct states *states;
    struct hook *hooks; /* what the loop calls */
};

/**
 * Read the command line (--help, --version, --check-config end the process here with status 0,
 * --healthcheck with 0 or 1) and the environment into self, of which svc is a member; open log,
 * loop and the HTTP endpoints; block SIGTERM, SIGINT and SIGHUP for the loop. Returns 0; -EINVAL
 * for a wrong setting, already logged; another negative errno.
 */
int svc_start(struct svc *svc, const struct svc_info *info, void *self, int argc, char **argv)
    __attribute__((warn_unused_result));

/** Call fn every interval_ms from the loop. Returns 0 or -ENOMEM. */
int svc_every(struct svc *svc, size_t interval_ms, void (*fn)(void *arg), void *arg)
    __attribute__((warn_unused_result));

/** Call fn from the loop while fd is readable. Returns 0 or -ENOMEM. */
int svc_on_readable(struct svc *svc, int fd, void (*fn)(void *arg), void *arg)
    __attribute__((warn_unused_result));

/**
 * Say that a dependency is up or down (thread-safe). A trouble is logged once, with the reason
 * known then; /readyz has the latest. It answers 503 while any is down. A dependency is known from
 * the first call.
 */
void svc_state(struct svc *svc, const char *name, bool up, const char *why);

/**
 * Run the loop until SIGTERM, SIGINT, SIGHUP or svc_end. After the first signal the process has 10
 * seconds before it is ended by SIGALRM; a second signal ends it at once. Returns 0, or svc_end's
 * verdict.
 */
int svc_run(struct svc *svc);

#define SVC_STUCK_MS 300000

/**
 * Whether the loop turns, for /healthz: true until it runs, while it is excused, and when it came
 * round less than SVC_STUCK_MS ago.
 */
bool svc_turns(const struct svc *svc, int64_t now_ms);

/** The loop does something that may take as long as it wants: a database's migration or lock. */
void svc_excuse(struct svc *svc, bool excused);

/** Before svc_run: wait so long, or until a signal has come that will end it; true then. */
bool svc_signalled(struct svc *svc, int wait_ms);

/** End the run from inside the loop: verdict 0 or a negative errno. */
void svc_end(struct svc *svc, int verdict);

/** Close what svc_start opened and free self's settings; takes a half-started svc. */
void svc_close(struct svc *svc, void *self);

/**
 * The exit status of a result: 0 (also for -EINTR: ended by a signal before the run), 78
 * (EX_CONFIG) for -EINVAL, 69 (EX_UNAVAILABLE) for -EBUSY, 75 (EX_TEMPFAIL) for -EAGAIN, all three
 * logged already; else 70 (EX_SOFTWARE). Logs the stop.
 */
int svc_exit(const struct svc_info *info, int rc);

/** Add to a counter, set a gauge: metrics of info->metrics by place. */
static inline void svc_count(struct svc *svc, size_t place, const char *label, int64_t n)
{
    metrics_add(svc->metrics, place, label, n);
}

static inline void svc_gauge(struct svc *svc, size_t place, const char *label, int64_t value)
{
    metrics_set(svc->metrics, place, label, value);
}

static inline void svc_observe(struct svc *svc, size_t place, const char *label, int64_t value)
{
    metrics_observe(svc->metrics, place, label, value);
}

/** Write the metric that says which dependencies are up. */
void svc_print_dependencies(struct svc *svc, FILE *out);

/** Write /readyz's answer; returns whether all dependencies are up. For http.c and tests. */
bool svc_print_states(struct svc *svc, FILE *out);

#endif
