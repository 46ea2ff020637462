#include "dashboard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "clock.h"
#include "log.h"
#include "zone.h"

enum { JOBS_TICK_MS = 250, PICTURE_SECONDS = 10, METERS_SECONDS = 30, PING_SECONDS = 15 };

const struct metric_def dashboard_metrics[] = {
    [DASHBOARD_READINGS] = {"zaehlwerk_readings_total", METRIC_COUNTER, NULL, "Readings received."},
    [DASHBOARD_HELD] = {"zaehlwerk_held_back_total", METRIC_COUNTER, "reason",
                        "Readings not shown as live."},
    [DASHBOARD_UNREADABLE] = {"zaehlwerk_unreadable_total", METRIC_COUNTER, NULL,
                              "Messages that are no record of this version."},
    [DASHBOARD_ANSWERS] = {"zaehlwerk_http_answers_total", METRIC_COUNTER, "status",
                           "Answers to browsers, by class of status."},
    [DASHBOARD_LISTENERS] = {"zaehlwerk_listeners", METRIC_GAUGE, NULL,
                             "Browsers that listen to events."},
    [DASHBOARD_EVENTS_DROPPED] = {"zaehlwerk_events_dropped_total", METRIC_COUNTER, NULL,
                                  "Events that a slow browser has missed."},
    [DASHBOARD_DATABASE] = {"zaehlwerk_database_up", METRIC_GAUGE, NULL,
                            "1 while the database answers."},
    {NULL, METRIC_GAUGE, NULL, NULL},
};

/* Settings */

static int check_listen(struct dashboard *d)
{
    const char *token = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *h = d->trusted_header;

    if (strspn(h, token) != strlen(h))
        return conf_wrong("DASHBOARD_TRUSTED_HEADER", h, "a header's name, as X-Forwarded-User");
    if (listen_read("DASHBOARD_LISTEN", d->listen, &d->address) != 0)
        return -EINVAL;
    d->address.loopback |= d->local;
    if (!d->address.loopback && *d->password == '\0' && *h == '\0')
        return conf_wrong("DASHBOARD_LISTEN", "others reach it, and anybody could look",
                          "set DASHBOARD_PASSWORD (or DASHBOARD_TRUSTED_HEADER behind a proxy), or "
                          "listen on 127.0.0.1");
    return 0;
}

static int check_prices(struct dashboard *d)
{
    const char *right = "a decimal such as 0.2543, at most 6 decimals";

    if (price_read(d->price_import, &d->prices.in) != 0)
        return conf_wrong("PRICE_IMPORT", d->price_import, right);
    if (price_read(d->price_export, &d->prices.out) != 0)
        return conf_wrong("PRICE_EXPORT", d->price_export, right);
    if (!price_is_currency(d->currency))
        return conf_wrong("PRICE_CURRENCY", d->currency, "three capital letters, as EUR");
    d->prices.currency = d->currency;
    return 0;
}

int dashboard_check(void *self)
{
    struct dashboard *d = self;
    int rc = check_listen(d);

    if (rc == 0)
        rc = check_prices(d);
    if (rc == 0)
        rc = health_check(d->status_urls);
    if (rc == 0)
        rc = store_check(&d->store);
    if (rc == 0 && zone_use(d->timezone) != 0)
        rc = conf_wrong("TIMEZONE", d->timezone, "a zone such as Europe/Vienna");
    return rc;
}

/* Readings */

static void take_reading(struct dashboard *d)
{
    enum live_verdict v = live_judge(d->live, &d->record, clock_utc_ms());
    bool unknown = false;
    char *text;

    svc_count(&d->svc, DASHBOARD_READINGS, NULL, 1);
    if (v != LIVE) {
        svc_count(&d->svc, DASHBOARD_HELD, live_name(v), 1);
        return;
    }
    text = board_reading(d->board, &d->record, &unknown);
    if (text != NULL)
        events_publish(d->events, "reading", text);
    free(text);
    d->want |= unknown;
}

static bool
on_reading(void *arg, const uint8_t *topic, size_t topic_len, const uint8_t *octets, size_t len)
{
    struct dashboard *d = arg;
    size_t at = 0;
    int rc = record_unpack(octets, len, &at, &d->record, &d->memory);

    (void)topic;
    (void)topic_len;
    if (rc == 0 && d->record.type == RECORD_READING) {
        take_reading(d);
    } else {
        svc_count(&d->svc, DASHBOARD_UNREADABLE, NULL, 1);
        log_unreadable("readings", rc);
    }
    return true;
}

/* The picture of the database, and what others say */

/* The database answers, but not this in time: what was known before stays. */
static void log_slow(const char *what, const char *why)
{
    int64_t held;

    if (log_allowed("slow", &held))
        log_warn("slow", LOG_S("what", what), LOG_S("detail", why), LOG_I("suppressed", held));
}

static int run_picture(void *data, struct store *store, char why[STORE_WHY_CHARS])
{
    return picture_run(data, store, why);
}

static void on_picture(void *arg, void *data, int rc, const char *why)
{
    struct dashboard *d = arg;

    if (rc == 0)
        board_picture(d->board, data);
    else if (rc == -ETIMEDOUT)
        log_slow("the list of meters", why);
    atomic_store(&d->got, rc == 0);
    atomic_store(&d->asking, false);
}

static void free_picture(void *data)
{
    picture_free(data);
}

static void ask_picture(struct dashboard *d)
{
    static const struct job_kind kind = {run_picture, on_picture, free_picture};
    struct picture *p;

    if (atomic_load(&d->asking))
        return;
    p = picture_new(clock_utc_ms() / 1000);
    if (p == NULL)
        return;
    d->asked_at = d->seconds;
    d->want = false;
    atomic_store(&d->asking, true);
    if (jobs_submit(d->jobs, &kind, p, d) != 0)
        atomic_store(&d->asking, false);
}

static int run_sums(void *data, struct store *store, char why[STORE_WHY_CHARS])
{
    return sums_run(data, store, why);
}

/* Those that were read count, whatever became of the others. */
static void on_sums(void *arg, void *data, int rc, const char *why)
{
    struct dashboard *d = arg;
    bool news = false;

    if (data != NULL)
        board_sums(d->board, data, &news);
    if (rc == -ETIMEDOUT)
        log_slow("sums of a meter", why);
    if (news)
        atomic_store(&d->got, true);
    atomic_store(&d->adding, false);
}

/* One slice at a time. */
static void ask_sums(struct dashboard *d)
{
    static const struct job_kind kind = {run_sums, on_sums, free};
    struct sums *s;

    if (atomic_load(&d->adding))
        return;
    s = sums_new(clock_utc_ms() / 1000);
    if (s == NULL)
        return;
    if (!board_wants_sums(d->board, s)) {
        free(s);
        return;
    }
    atomic_store(&d->adding, true);
    if (jobs_submit(d->jobs, &kind, s, d) != 0)
        atomic_store(&d->adding, false);
}

static void on_database(void *arg, bool up, const char *why)
{
    struct dashboard *d = arg;

    svc_gauge(&d->svc, DASHBOARD_DATABASE, NULL, up ? 1 : 0);
    board_database(d->board, up, why);
}

static void on_health(void *arg, const struct health_report *report)
{
    board_health(((struct dashboard *)arg)->board, report);
}

static void on_answered(void *arg, unsigned status)
{
    static const char *const classes[] = {"other", "1xx", "2xx", "3xx", "4xx", "5xx"};

    svc_count(&((struct dashboard *)arg)->svc, DASHBOARD_ANSWERS,
              classes[status / 100 <= 5 ? status / 100 : 0], 1);
}

/* Time */

static void publish(struct dashboard *d, const char *name, char *text)
{
    if (text != NULL)
        events_publish(d->events, name, text);
    free(text);
}

static void on_jobs_tick(void *arg)
{
    jobs_tick(((struct dashboard *)arg)->jobs, clock_monotonic_ms());
}

static void on_second(void *arg)
{
    struct dashboard *d = arg;
    bool told = atomic_exchange(&d->got, false);
    size_t dropped = events_dropped(d->events);

    d->seconds++;
    web_tick(d->web, clock_monotonic_ms());
    if (d->want || d->seconds - d->asked_at >= PICTURE_SECONDS)
        ask_picture(d);
    ask_sums(d);
    publish(d, "status", board_status_text(d->board));
    if (d->seconds % METERS_SECONDS == 0 || (told && d->seconds < METERS_SECONDS))
        publish(d, "meters", board_meters_text(d->board, clock_utc_ms() / 1000));
    if (d->seconds % PING_SECONDS == 0)
        events_publish(d->events, NULL, "still here");
    svc_gauge(&d->svc, DASHBOARD_LISTENERS, NULL, (int64_t)events_count(d->events));
    svc_count(&d->svc, DASHBOARD_EVENTS_DROPPED, NULL, (int64_t)(dropped - d->dropped));
    d->dropped = dropped;
}

/* Life */

static int open_parts(struct dashboard *d)
{
    const struct board_conf board = {d->timezone, d->prices, *d->password != '\0'};

    check_prepare();
    d->live = live_new(d->skew_seconds);
    d->guard = guard_new(d->password, *d->trusted_header != '\0');
    d->board = board_new(&board);
    d->events = events_new((size_t)d->clients);
    return d->live == NULL || d->guard == NULL || d->board == NULL || d->events == NULL ? -ENOMEM
                                                                                        : 0;
}

static int open_web(struct dashboard *d)
{
    const struct web_conf conf = {
        .listen = d->listen,
        .address = d->address,
        .user_header = d->trusted_header,
        .clients = (size_t)d->clients,
    };
    const struct web_parts parts = {
        .route = {d->guard, d->board, &d->prices},
        .events = d->events,
        .jobs = d->jobs,
        .counted = on_answered,
        .arg = d,
    };

    return web_open(&conf, &parts, &d->web);
}

static int open_readings(struct dashboard *d)
{
    const struct link_consumer consumer = {on_reading, NULL, d};
    int rc = link_connect(&d->svc, LINK_TOPICS, "READINGS_CONNECT", d->readings_connect, &consumer,
                          &d->readings);

    return rc == 0 ? link_subscribe(d->readings, "reading.", strlen("reading.")) : rc;
}

int dashboard_open(struct dashboard *d)
{
    int rc = open_parts(d);

    if (rc == 0)
        rc = jobs_new(&d->store, on_database, d, &d->jobs);
    if (rc == 0)
        rc = health_open(d->status_urls, on_health, d, &d->health);
    if (rc == 0)
        rc = open_readings(d);
    if (rc == 0)
        rc = open_web(d);
    if (rc == 0)
        rc = svc_every(&d->svc, JOBS_TICK_MS, on_jobs_tick, d);
    if (rc == 0)
        rc = svc_every(&d->svc, 1000, on_second, d);
    if (rc == 0)
        ask_picture(d);
    return rc;
}

void dashboard_close(struct dashboard *d)
{
    if (d->events != NULL)
        events_end(d->events);
    jobs_end(d->jobs);
    web_close(d->web);
    health_close(d->health);
    jobs_free(d->jobs);
    link_free(d->readings);
    events_free(d->events);
    board_free(d->board);
    guard_free(d->guard);
    live_free(d->live);
    record_memory_free(&d->memory);
    svc_close(&d->svc, d);
}
