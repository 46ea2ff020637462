/* zaehlwerk replay: rejects go through again, for example once the right key is there. */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "clock.h"
#include "commands.h"
#include "conf.h"
#include "log.h"
#include "look.h"
#include "mqtt.h"

enum { PAGE = 100, IN_FLIGHT = 64, RATE = 500, CONNECT_MS = 6000, PATIENCE_S = 30 };

struct replay {
    struct mqtt_conf mqtt_conf;
    struct store_conf store_conf;
    struct look look;
    const char *topic; /* NULL: the one that each came on */
    bool dry_run;
    int64_t rate; /* messages a second; 0: as fast as the broker */

    struct mqtt *mqtt;
    size_t found, sent, left_out;
    size_t by_reason[VERDICT_COUNT];
    int64_t start_ms;
    int status; /* of the exit, once it is known */

    pthread_mutex_t lock; /* for paho's threads, and below */
    pthread_cond_t change;
    bool lost;
    size_t in_flight, refused;
    char why[96]; /* the connection is lost */
    char why_refused[96];
};

/* clang-format off */
static const struct conf_option options[] = {
    CONF_MQTT_OPTIONS(struct replay, mqtt_conf),
    STORE_OPTIONS(struct replay, store_conf),
    CONF_END,
};
/* clang-format on */

static const char usage_text[] =
    "usage: zaehlwerk replay [FILTERS] [--topic TOPIC] [--rate N] [--dry-run]\n"
    "\n"
    "Publishes unresolved rejects again, each to the topic that it came on, with its original\n"
    "arrival; db-writer marks those resolved that become readings. Needs MQTT 5.\n"
    "\n" LOOK_USAGE "  --topic TOPIC   publish to this topic instead\n"
    "  --rate N        so many a second (500); 0: as fast as the broker takes them\n"
    "  --dry-run       only say how many there are\n"
    "\n"
    "Exit status 65 when the database does not hold this program's tables, 69 when it or the\n"
    "broker does not answer or refuses, 78 when a setting is wrong. Settings:\n\n";

static int usage(const char *complaint)
{
    fprintf(stderr, "zaehlwerk replay: %s (--help tells more)\n", complaint);
    return EX_USAGE;
}

static int help(void)
{
    fputs(usage_text, stdout);
    conf_help(stdout, options);
    return EX_OK;
}

/* paho's side */

static void on_state(void *arg, bool connected, const char *reason)
{
    struct replay *r = arg;

    if (connected)
        return;
    pthread_mutex_lock(&r->lock);
    r->lost = true;
    snprintf(r->why, sizeof r->why, "%s", reason);
    pthread_cond_signal(&r->change);
    pthread_mutex_unlock(&r->lock);
}

static void on_acknowledged(void *arg, const char *refused)
{
    struct replay *r = arg;

    pthread_mutex_lock(&r->lock);
    r->in_flight--;
    if (refused != NULL) {
        r->refused++;
        snprintf(r->why_refused, sizeof r->why_refused, "%s", refused);
    }
    pthread_cond_signal(&r->change);
    pthread_mutex_unlock(&r->lock);
}

/* Our side */

static int fail(struct replay *r, const char *what, const char *why)
{
    fprintf(stderr, "zaehlwerk replay: %s: %s\n", what, why);
    r->status = EX_UNAVAILABLE;
    return r->status;
}

/* Until at most `most` are not acknowledged yet; false, and told, when that does not happen. */
static bool wait_acknowledged(struct replay *r, size_t most)
{
    struct timespec until;
    bool timely = true;
    char why[sizeof r->why];

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    pthread_mutex_lock(&r->lock);
    while (r->in_flight > most && !r->lost && timely)
        timely = pthread_cond_timedwait(&r->change, &r->lock, &until) == 0;
    if (r->in_flight <= most) {
        pthread_mutex_unlock(&r->lock);
        return true;
    }
    snprintf(why, sizeof why, "%s", r->lost ? r->why : "no acknowledgement");
    pthread_mutex_unlock(&r->lock);
    fail(r, "broker", why);
    return false;
}

/* Not faster than mqtt-ingest: what a broker holds for it is bounded, and live payloads come too.
 */
static void keep_pace(const struct replay *r)
{
    int64_t due = r->rate == 0 ? 0 : r->start_ms + (int64_t)r->sent * 1000 / r->rate;
    int64_t early = due - clock_monotonic_ms();

    if (early > 0)
        nanosleep(&(struct timespec){early / 1000, early % 1000 * 1000000}, NULL);
}

static void publish(struct replay *r, const struct reject_row *row)
{
    const char *topic = r->topic != NULL ? r->topic : row->topic;
    int rc;

    keep_pace(r);
    if (!wait_acknowledged(r, IN_FLIGHT - 1))
        return;
    pthread_mutex_lock(&r->lock);
    r->in_flight++;
    pthread_mutex_unlock(&r->lock);
    rc = mqtt_replay(r->mqtt, topic, row->payload.at, row->payload.len, row->mark.time_ms);
    if (rc == 0) {
        r->sent++;
        return;
    }
    pthread_mutex_lock(&r->lock);
    r->in_flight--;
    pthread_mutex_unlock(&r->lock);
    fail(r, "broker", strerror(-rc));
}

/* What the database refused is a packed record, not a meter's octets. */
static void on_row(void *arg, const struct reject_row *row)
{
    struct replay *r = arg;
    int verdict = verdict_from_name(row->reason);

    if (r->status != EX_OK)
        return;
    r->found++;
    r->look.query.after = row->mark;
    if (verdict == VERDICT_REFUSED || row->mark.time_ms <= 0) {
        r->left_out++;
        return;
    }
    if (!r->dry_run)
        publish(r, row);
    if (r->status == EX_OK)
        r->by_reason[verdict < 0 ? VERDICT_OK : verdict]++;
}

static int connect_broker(struct replay *r)
{
    const struct mqtt_handler handler = {
        .acknowledged = on_acknowledged, .state = on_state, .arg = r};
    int64_t until = clock_monotonic_ms() + CONNECT_MS;
    char client[48];

    snprintf(client, sizeof client, "zaehlwerk-replay-%lld", (long long)clock_utc_ms());
    r->mqtt = mqtt_new(&r->mqtt_conf, client, false, NULL, &handler);
    if (r->mqtt == NULL)
        return fail(r, "broker", "out of memory");
    while (!mqtt_connected(r->mqtt) && clock_monotonic_ms() < until) {
        mqtt_step(r->mqtt, clock_monotonic_ms());
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    if (mqtt_connected(r->mqtt)) {
        pthread_mutex_lock(&r->lock);
        r->lost = false; /* an attempt before may have failed */
        pthread_mutex_unlock(&r->lock);
        return EX_OK;
    }
    pthread_mutex_lock(&r->lock);
    snprintf(client, sizeof client, "%.40s", r->why[0] != '\0' ? r->why : "no answer");
    pthread_mutex_unlock(&r->lock);
    return fail(r, "broker", client);
}

static void run(struct replay *r, struct store *s)
{
    char why[STORE_WHY_CHARS] = "";
    size_t before;
    int rc;

    r->look.query.max = PAGE;
    r->look.query.payload = !r->dry_run;
    r->start_ms = clock_monotonic_ms();
    do {
        before = r->found;
        rc = store_rejects(s, &r->look.query, on_row, r, why);
        if (rc != 0)
            fail(r, "database", why);
    } while (r->status == EX_OK && r->found - before == PAGE);
    if (r->status == EX_OK)
        (void)wait_acknowledged(r, 0);
}

static void summarise(struct replay *r)
{
    size_t published = r->dry_run ? r->found - r->left_out : r->sent;

    pthread_mutex_lock(&r->lock);
    published -= r->in_flight + r->refused;
    for (int v = 0; v < VERDICT_COUNT; v++)
        if (r->by_reason[v] > 0)
            printf("%-16s %zu\n", verdict_name((enum verdict)v), r->by_reason[v]);
    printf("%-16s %zu\n", r->dry_run ? "would publish" : "published", published);
    if (r->left_out > 0)
        printf("%-16s %zu (refused by the database: packed records, not a meter's octets)\n",
               "left out", r->left_out);
    if (r->refused > 0) {
        printf("%-16s %zu (%s)\n", "not taken", r->refused, r->why_refused);
        r->status = EX_UNAVAILABLE;
    }
    pthread_mutex_unlock(&r->lock);
}

static const char *take_rate(struct replay *r, const char *text)
{
    char *end;

    r->rate = strtol(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && r->rate <= 1000000
               ? NULL
               : "--rate: a number up to 1000000";
}

static const char *take_topic(struct replay *r, const char *text)
{
    r->topic = text;
    return *text == '\0' || strpbrk(text, "+#") != NULL ? "--topic: one topic, no filter" : NULL;
}

/* NULL, or what is wrong; *asked: --help. */
static const char *read_arguments(struct replay *r, int argc, char **argv, bool *asked)
{
    static const struct option long_options[] = {
        {"since", required_argument, NULL, 's'},  {"meter", required_argument, NULL, 'm'},
        {"reason", required_argument, NULL, 'r'}, {"topic", required_argument, NULL, 't'},
        {"rate", required_argument, NULL, 'n'},   {"dry-run", no_argument, NULL, 'd'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    const char *wrong = NULL;
    int c;

    while (wrong == NULL && (c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (c == 's')
            wrong = look_since(&r->look, optarg);
        else if (c == 'm')
            wrong = look_meter(&r->look, optarg);
        else if (c == 'r')
            wrong = look_reason(&r->look, optarg);
        else if (c == 't')
            wrong = take_topic(r, optarg);
        else if (c == 'n')
            wrong = take_rate(r, optarg);
        else if (c == 'd')
            r->dry_run = true;
        else if (c == 'h')
            *asked = true;
        else
            wrong = "no such option";
    }
    return wrong == NULL && optind < argc ? "no arguments but options" : wrong;
}

static int read_settings(struct replay *r)
{
    if (conf_read(options, r) != 0 || mqtt_check(&r->mqtt_conf) != 0)
        return EX_CONFIG;
    if (strcmp(r->mqtt_conf.protocol, "5") == 0)
        return EX_OK;
    (void)conf_wrong("MQTT_PROTOCOL", r->mqtt_conf.protocol,
                     "5, of mqtt-ingest too: the original arrival is a user property of MQTT 5");
    return EX_CONFIG;
}

int command_replay(int argc, char **argv)
{
    struct replay r = {
        .rate = RATE, .lock = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER};
    struct store *s = NULL;
    bool asked = false;
    const char *wrong = read_arguments(&r, argc, argv, &asked);

    if (wrong != NULL)
        return usage(wrong);
    if (asked)
        return help();
    log_open("zaehlwerk replay", LOG_LEVEL_WARN, false);
    r.status = read_settings(&r);
    if (r.status == EX_OK)
        r.status = look_open("replay", &r.store_conf, &s);
    if (r.status == EX_OK && !r.dry_run)
        (void)connect_broker(&r);
    if (s != NULL && r.status == EX_OK) {
        run(&r, s);
        summarise(&r);
    }
    mqtt_free(r.mqtt, 1000);
    store_free(s);
    conf_free(options, &r);
    return r.status;
}
