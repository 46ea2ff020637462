#include "sim_args.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "clock.h"
#include "sim_home.h"
#include "sim_time.h"

enum {
    METERS_MAX = 1000000,
    INTERVAL_MAX = 86400,
    SPEED_MAX = 1000000,
    START_MIN = SIM_HOME_EPOCH + 2 * 86400,
};

static const struct conf_option settings[] = {
    CONF_MQTT_OPTIONS(struct sim_args, mqtt),
    CONF_END,
};

/* In the order of enum sim_mix and enum sim_payload. */
static const char *const models[] = {"t210d", "s210", "ma309m", "ma110m", "mixed", NULL};
static const char *const payloads[] = {"hex", "raw", "json", "frames", NULL};

static const struct option options[] = {
    {"meters", required_argument, NULL, 'n'},
    {"interval", required_argument, NULL, 'i'},
    {"model", required_argument, NULL, 'm'},
    {"seed", required_argument, NULL, 's'},
    {"topic", required_argument, NULL, 't'},
    {"payload", required_argument, NULL, 'p'},
    {"keys", required_argument, NULL, 'k'},
    {"count", required_argument, NULL, 'c'},
    {"print", no_argument, NULL, 'o'},
    {"start", required_argument, NULL, 'b'},
    {"speed", required_argument, NULL, 'x'},
    {"tag", no_argument, NULL, 'g'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'v'},
    {NULL, 0, NULL, 0},
};

static const char help_text[] =
    "meter-sim " ZW_VERSION ": a fleet of meters that sends genuine, encrypted telegrams\n"
    "\n"
    "usage: meter-sim [OPTIONS]\n"
    "\n"
    "  --meters N      how many (1 to 1000000) [1]\n"
    "  --interval S    seconds between two telegrams of a meter [5]\n"
    "  --model NAME    t210d, s210, ma309m, ma110m, mixed [mixed]\n"
    "  --seed N        another number, other meters, keys and households [1]\n"
    "  --tag           authenticate telegrams too (security control 30)\n"
    "  --keys FILE     write the meters' keys there (SMARTMETER_KEYS_FILE), mode 0600\n"
    "  --topic T       MQTT topic, with {meter} or {name} [sensors/smartmeter/raw/{meter}]\n"
    "  --payload FORM  hex, raw, json, frames (each link frame by itself) [hex]\n"
    "  --print         write to standard output, a line each, instead of to the broker\n"
    "  --count ROUNDS  end after so many telegrams of each meter; 0: never [0]\n"
    "  --start TIME    simulate from then on: RFC 3339 or Unix seconds [now]\n"
    "  --speed X       simulated seconds a second; 0: as fast as possible [1]\n"
    "  --help, --version\n"
    "\n"
    "Settings are environment variables; NAME_FILE instead of NAME names a file that holds the\n"
    "value. Defaults stand in brackets.\n"
    "\n";

static int wrong(const char *option, const char *value, const char *wanted)
{
    fprintf(stderr, "meter-sim: --%s %s: %s\n", option, value, wanted);
    return EX_USAGE;
}

/* A whole number from min to max, digits alone. */
static int
take_number(const char *option, const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    char wanted[80];
    uint64_t n;

    errno = 0;
    n = strtoull(text, NULL, 10);
    if (*text != '\0' && text[strspn(text, "0123456789")] == '\0' && errno == 0 && n >= min &&
        n <= max) {
        *out = n;
        return -1;
    }
    snprintf(wanted, sizeof wanted, "a number from %llu to %llu is wanted", (unsigned long long)min,
             (unsigned long long)max);
    return wrong(option, text, wanted);
}

static int take_u32(const char *option, const char *text, uint32_t max, uint32_t *out)
{
    uint64_t n;
    int status = take_number(option, text, 1, max, &n);

    if (status < 0)
        *out = (uint32_t)n;
    return status;
}

static int take_rounds(const char *option, const char *text, int64_t *out)
{
    uint64_t n;
    int status = take_number(option, text, 0, UINT32_MAX, &n);

    if (status < 0)
        *out = (int64_t)n;
    return status;
}

static int take_word(const char *option, const char *text, const char *const *words, int *out)
{
    char wanted[80] = "one of";

    for (int i = 0; words[i] != NULL; i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = i;
            return -1;
        }
        snprintf(wanted + strlen(wanted), sizeof wanted - strlen(wanted), " %s", words[i]);
    }
    strncat(wanted, " is wanted", sizeof wanted - strlen(wanted) - 1);
    return wrong(option, text, wanted);
}

static int take_speed(struct sim_args *a, const char *option, const char *text)
{
    char *end;
    double x = strtod(text, &end);

    if (end == text || *end != '\0' || !isfinite(x) || x < 0 || x > SPEED_MAX)
        return wrong(option, text, "a number from 0 (as fast as possible) to 1000000 is wanted");
    a->speed = x;
    a->real_time = false;
    return -1;
}

static int take_start(struct sim_args *a, const char *option, const char *text)
{
    if (sim_time_parse(text, &a->start) != 0)
        return wrong(option, text, "a time like 2024-06-01T12:00:00Z or Unix seconds is wanted");
    if (a->start < START_MIN || a->start >= SIM_ARGS_TIME_END)
        return wrong(option, text, "only times from 2016-01-03 to 2099 can be simulated");
    a->real_time = false;
    return -1;
}

static int take(struct sim_args *a, int c, const char *name)
{
    int word = 0;
    int status;

    switch (c) {
    case 'n':
        return take_u32(name, optarg, METERS_MAX, &a->fleet.meters);
    case 'i':
        return take_u32(name, optarg, INTERVAL_MAX, &a->fleet.interval_s);
    case 'm':
        status = take_word(name, optarg, models, &word);
        a->fleet.mix = (enum sim_mix)word;
        return status;
    case 'p':
        status = take_word(name, optarg, payloads, &word);
        a->payload = (enum sim_payload)word;
        return status;
    case 's':
        return take_number(name, optarg, 0, UINT64_MAX, &a->fleet.seed);
    case 'c':
        return take_rounds(name, optarg, &a->rounds);
    case 'b':
        return take_start(a, name, optarg);
    case 'x':
        return take_speed(a, name, optarg);
    case 't':
        a->topic = optarg;
        return -1;
    case 'k':
        a->keys = optarg;
        return *optarg != '\0' ? -1 : wrong(name, "\"\"", "the name of a file is wanted");
    case 'o':
        a->print = true;
        return -1;
    case 'g':
        a->fleet.tag = true;
        return -1;
    case 'v':
        puts("meter-sim " ZW_VERSION);
        return EX_OK;
    case 'h':
        fputs(help_text, stdout);
        conf_help(stdout, settings);
        return EX_OK;
    default: /* getopt has said it */
        return EX_USAGE;
    }
}

static int check_topic(const struct sim_args *a)
{
    bool apart = false;

    for (const char *p = a->topic; *p != '\0'; p++) {
        if (*p == '+' || *p == '#')
            return wrong("topic", a->topic, "+ and # cannot stand in a topic that is published to");
        if (*p != '{')
            continue;
        if (strncmp(p, "{meter}", 7) != 0 && strncmp(p, "{name}", 6) != 0)
            return wrong("topic", a->topic, "only {meter} and {name} are known");
        apart = true;
    }
    if (*a->topic == '\0' || strlen(a->topic) > 200)
        return wrong("topic", a->topic, "1 to 200 characters are wanted");
    if (!apart && a->fleet.meters > 1)
        return wrong("topic", a->topic, "with more than one meter it must hold {meter} or {name}");
    return -1;
}

static int check(const struct sim_args *a)
{
    if (a->print && a->payload == SIM_PAYLOAD_RAW)
        return wrong("payload", "raw", "not with --print");
    if (a->start < START_MIN || a->start >= SIM_ARGS_TIME_END) {
        fprintf(stderr, "meter-sim: --start is wanted: the system's clock is wrong\n");
        return EX_USAGE;
    }
    return check_topic(a);
}

int sim_args_read(struct sim_args *a, int argc, char **argv)
{
    int status = -1;
    int place = 0;
    int c;

    *a = (struct sim_args){
        .fleet = {.seed = 1, .meters = 1, .interval_s = 5, .mix = SIM_MIX_ALL},
        .topic = "sensors/smartmeter/raw/{meter}",
        .real_time = true,
        .start = clock_utc_ms() / 1000,
        .speed = 1,
    };
    while (status < 0 && (c = getopt_long(argc, argv, "", options, &place)) != -1)
        status = take(a, c, options[place].name);
    if (status < 0 && optind < argc) {
        fprintf(stderr, "meter-sim: %s: not an option; see --help\n", argv[optind]);
        status = EX_USAGE;
    }
    if (status < 0)
        status = check(a);
    if (status < 0 && !a->print && (conf_read(settings, a) != 0 || mqtt_check(&a->mqtt) != 0))
        status = EX_CONFIG;
    return status;
}

void sim_args_free(struct sim_args *a)
{
    if (a->mqtt.host != NULL)
        conf_free(settings, a);
}
