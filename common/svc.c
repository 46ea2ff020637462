#include "svc.h"

#include <czmq.h>
#include <errno.h>
#include <gcrypt.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "alive.h"
#include "clock.h"
#include "http.h"
#include "link.h"
#include "link_key.h"
#include "log.h"
#include "vitals.h"

enum { STOP_SECONDS = 10, TURN_MS = 1000, ALIVE_MS = 3000 };

#define NOT_YET "not connected yet" /* no trouble so far: not logged */

struct states {
    pthread_mutex_t lock;
    struct svc_state list[SVC_STATES];
    size_t count;
};

/* A callback and its argument, as zloop carries one pointer; the loop's own life long. */
struct hook {
    void (*fn)(void *arg);
    void *arg;
    struct hook *next;
};

static void help(const struct svc_info *info)
{
    printf("%s %s: %s\n\n"
           "usage: %s [--help | --version | --check-config | --healthcheck]\n\n"
           "--check-config says whether the settings are sound; --healthcheck asks the running\n"
           "service at HTTP_LISTEN whether it lives (status 0 or 1).\n\n"
           "Settings are environment variables; NAME_FILE instead of NAME names a file that holds\n"
           "the value. Defaults stand in brackets.\n\n",
           info->name, ZW_VERSION, info->purpose, info->name);
    conf_help(stdout, info->options);
}

/* --healthcheck: of the settings only the one that says whom to ask. Returns the exit status. */
static int healthcheck(const struct svc *svc, const struct svc_info *info, void *self)
{
    struct conf_option options[] = {CONF_END, CONF_END};
    int rc;

    for (const struct conf_option *o = info->options; o->name != NULL; o++)
        if (strcmp(o->name, "HTTP_LISTEN") == 0)
            options[0] = *o;
    log_open(info->name, LOG_LEVEL_INFO, false);
    rc = conf_read(options, self);
    if (rc == 0)
        rc = alive_ask(svc->conf.http_listen, ALIVE_MS);
    conf_free(options, self);
    return rc == 0 ? EX_OK : 1; /* the two that container engines know */
}

/* --help and --version end here. Returns whether only the settings are to be checked. */
static bool read_arguments(const struct svc_info *info, int argc, char **argv)
{
    const char *argument = argc > 1 ? argv[1] : "";

    if (strcmp(argument, "--check-config") == 0)
        return true;
    if (strcmp(argument, "--help") == 0) {
        help(info);
        exit(EX_OK);
    }
    if (strcmp(argument, "--version") == 0) {
        printf("%s %s\n", info->name, ZW_VERSION);
        exit(EX_OK);
    }
    if (argc > 1) {
        fprintf(stderr, "%s: unknown argument %s; see --help\n", info->name, argument);
        exit(EX_USAGE);
    }
    return false;
}

static int block_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* The form of every endpoint, of HTTP_LISTEN and STREAM_KEY, so that --check-config finds them too.
 */
static int check_addresses(const struct svc *svc, const void *self)
{
    int rc = svc->conf.http_listen == NULL ? 0 : http_check(svc->conf.http_listen);

    if (rc == 0 && svc->conf.stream_key != NULL)
        rc = link_key_check(svc->conf.stream_key);

    for (const struct conf_option *o = svc->info->options; rc == 0 && o->name != NULL; o++)
        if (o->kind == CONF_BIND || o->kind == CONF_CONNECT)
            rc = link_check(o->kind == CONF_BIND, o->name,
                            *(char *const *)((const char *)self + o->offset));
    return rc;
}

int svc_start(struct svc *svc, const struct svc_info *info, void *self, int argc, char **argv)
{
    bool only_check;
    int rc;

    if (argc > 1 && strcmp(argv[1], "--healthcheck") == 0)
        exit(healthcheck(svc, info, self));
    only_check = read_arguments(info, argc, argv);
    svc->info = info;
    svc->signals = -1;
    log_open(info->name, LOG_LEVEL_INFO, false);
    rc = conf_read(info->options, self);
    if (rc != 0)
        return rc;
    log_open(info->name, (enum log_level)log_level_from_name(svc->conf.log_level),
             strcmp(svc->conf.log_format, "json") == 0);
    rc = check_addresses(svc, self);
    if (rc == 0 && info->check != NULL)
        rc = info->check(self);
    if (rc != 0)
        return rc;
    (void)gcry_check_version(NULL); /* initialises it */
    if (only_check) {
        printf("%s: the settings are sound\n", info->name);
        exit(EX_OK);
    }

    setenv("RES_OPTIONS", "timeout:2 attempts:1", 0); /* a dead DNS server must not delay a stop */
    svc->signals = block_signals();
    zsys_init();
    zsys_handler_set(NULL);
    zsys_set_linger(500);
    svc->loop = zloop_new();
    svc->states = calloc(1, sizeof *svc->states);
    svc->metrics = metrics_new(info->metrics);
    svc->vitals = metrics_new(vitals_metrics);
    if (svc->signals < 0 || svc->loop == NULL || svc->states == NULL || svc->metrics == NULL ||
        svc->vitals == NULL)
        return -ENOMEM;
    pthread_mutex_init(&svc->states->lock, NULL);
    for (const char *const *need = info->needs; *need != NULL; need++)
        svc_state(svc, *need, false, NOT_YET);
    log_info("start", LOG_S("version", ZW_VERSION), LOG_I("pid", getpid()));
    return svc->conf.http_listen == NULL ? 0 : http_open(svc, svc->conf.http_listen, &svc->http);
}

static int on_timer(zloop_t *loop, int id, void *arg)
{
    struct hook *hook = arg;

    (void)loop;
    (void)id;
    hook->fn(hook->arg);
    return 0;
}

static int on_readable(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
    struct hook *hook = arg;

    (void)loop;
    (void)item;
    hook->fn(hook->arg);
    return 0;
}

static struct hook *hook_new(struct svc *svc, void (*fn)(void *), void *arg)
{
    struct hook *hook = malloc(sizeof *hook);

    if (hook != NULL) {
        *hook = (struct hook){fn, arg, svc->hooks};
        svc->hooks = hook;
    }
    return hook;
}

int svc_every(struct svc *svc, size_t interval_ms, void (*fn)(void *arg), void *arg)
{
    struct hook *hook = hook_new(svc, fn, arg);

    return hook != NULL && zloop_timer(svc->loop, interval_ms, 0, on_timer, hook) >= 0 ? 0
                                                                                       : -ENOMEM;
}

int svc_on_readable(struct svc *svc, int fd, void (*fn)(void *arg), void *arg)
{
    zmq_pollitem_t item = {.fd = fd, .events = ZMQ_POLLIN};
    struct hook *hook = hook_new(svc, fn, arg);

    return hook != NULL && zloop_poller(svc->loop, &item, on_readable, hook) == 0 ? 0 : -ENOMEM;
}

static struct svc_state *find_state(struct states *s, const char *name)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->list[i].name, name) == 0)
            return &s->list[i];
    return NULL;
}

void svc_state(struct svc *svc, const char *name, bool up, const char *why)
{
    struct states *s = svc->states;
    struct svc_state *state;
    bool changed = false;

    pthread_mutex_lock(&s->lock);
    state = find_state(s, name);
    if (state == NULL && s->count < SVC_STATES) {
        state = &s->list[s->count++];
        state->name = name;
    }
    if (state != NULL) {
        changed = up ? !state->up : !state->told && strcmp(why, NOT_YET) != 0;
        state->up = up;
        state->told = !up && (state->told || changed);
        snprintf(state->why, sizeof state->why, "%s", why);
    }
    pthread_mutex_unlock(&s->lock);
    if (!changed)
        return;
    if (up)
        log_info("up", LOG_S("what", name), LOG_S("detail", why));
    else
        log_warn("down", LOG_S("what", name), LOG_S("detail", why));
}

bool svc_print_states(struct svc *svc, FILE *out)
{
    bool ready = true;

    pthread_mutex_lock(&svc->states->lock);
    for (size_t i = 0; i < svc->states->count; i++) {
        const struct svc_state *state = &svc->states->list[i];

        ready &= state->up;
        fprintf(out, "%s: %s%s%s\n", state->name, state->up ? "up" : "down",
                state->why[0] != '\0' ? ", " : "", state->why);
    }
    pthread_mutex_unlock(&svc->states->lock);
    return ready;
}

void svc_print_dependencies(struct svc *svc, FILE *out)
{
    fputs("# HELP zaehlwerk_dependency_up 1 while what the service depends on is there.\n"
          "# TYPE zaehlwerk_dependency_up gauge\n",
          out);
    pthread_mutex_lock(&svc->states->lock);
    for (size_t i = 0; i < svc->states->count; i++)
        fprintf(out, "zaehlwerk_dependency_up{dependency=\"%s\"} %d\n", svc->states->list[i].name,
                svc->states->list[i].up);
    pthread_mutex_unlock(&svc->states->lock);
}

bool svc_turns(const struct svc *svc, int64_t now_ms)
{
    int64_t turned_ms = atomic_load(&svc->turned_ms);

    return turned_ms == 0 || atomic_load(&svc->excused) || now_ms - turned_ms < SVC_STUCK_MS;
}

static void turn(void *arg)
{
    struct svc *svc = arg;

    atomic_store(&svc->turned_ms, clock_monotonic_ms());
}

void svc_excuse(struct svc *svc, bool excused)
{
    if (!excused && atomic_load(&svc->turned_ms) != 0)
        turn(svc);
    atomic_store(&svc->excused, excused);
}

static int on_signal(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
    struct svc *svc = arg;
    struct signalfd_siginfo got;
    sigset_t set;

    (void)loop;
    (void)item;
    if (read(svc->signals, &got, sizeof got) != sizeof got)
        return 0;
    log_info("signal", LOG_S("name", strsignal((int)got.ssi_signo)));
    sigfillset(&set);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL); /* the next one ends the process at once */
    alarm(STOP_SECONDS);
    return -1;
}

bool svc_signalled(struct svc *svc, int wait_ms)
{
    struct pollfd signals = {.fd = svc->signals, .events = POLLIN};

    return poll(&signals, 1, wait_ms) > 0;
}

int svc_run(struct svc *svc)
{
    zmq_pollitem_t item = {.fd = svc->signals, .events = ZMQ_POLLIN};

    if (zloop_poller(svc->loop, &item, on_signal, svc) != 0 ||
        svc_every(svc, TURN_MS, turn, svc) != 0)
        return -ENOMEM;
    turn(svc);
    zloop_set_nonstop(svc->loop, true); /* signals come by signalfd alone */
    zloop_start(svc->loop);
    atomic_store(&svc->turned_ms, 0); /* a stop has its own limit */
    return svc->verdict;
}

static int on_end(zloop_t *loop, int id, void *arg)
{
    (void)loop;
    (void)id;
    (void)arg;
    return -1;
}

void svc_end(struct svc *svc, int verdict)
{
    svc->verdict = verdict;
    zloop_timer(svc->loop, 0, 1, on_end, NULL);
}

void svc_close(struct svc *svc, void *self)
{
    http_close(svc->http);
    svc->http = NULL;
    link_key_close(&svc->door);
    if (svc->loop != NULL)
        zloop_destroy(&svc->loop);
    while (svc->hooks != NULL) {
        struct hook *next = svc->hooks->next;

        free(svc->hooks);
        svc->hooks = next;
    }
    if (svc->states != NULL)
        pthread_mutex_destroy(&svc->states->lock);
    free(svc->states);
    svc->states = NULL;
    metrics_free(svc->metrics);
    metrics_free(svc->vitals);
    svc->metrics = svc->vitals = NULL;
    if (svc->signals >= 0)
        close(svc->signals);
    svc->signals = -1;
    if (svc->info != NULL)
        conf_free(svc->info->options, self);
}

int svc_exit(const struct svc_info *info, int rc)
{
    int status = rc == 0 || rc == -EINTR ? EX_OK
                 : rc == -EINVAL         ? EX_CONFIG
                 : rc == -EBUSY          ? EX_UNAVAILABLE
                 : rc == -EAGAIN         ? EX_TEMPFAIL
                                         : EX_SOFTWARE;

    (void)info;
    if (status == EX_OK)
        log_info("stop", LOG_I("status", status));
    else if (status == EX_SOFTWARE) /* the others have their line */
        log_error("stop", LOG_S("reason", strerror(-rc)), LOG_I("status", status));
    return status;
}
