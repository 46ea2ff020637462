/* zaehlwerk tail: one line for each reading, live from the decryptors. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "commands.h"
#include "link.h"
#include "look.h"
#include "show.h"
#include "svc.h"

enum colour { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER };

struct tail {
    struct svc svc;
    char *readings_connect;
    struct link *readings;
    struct record_memory memory;
    struct record record;
    struct look look; /* for its meter */
    struct show_look line;
    enum colour colour;
    bool json, asked, only_check;
};

/* clang-format off */
static const struct conf_option options[] = {
    CONF_CONNECT_OPTION("READINGS_CONNECT", struct tail, readings_connect, "tcp://localhost:5562", "the decryptors"),
    SVC_STREAM_KEY_OPTION(struct tail, svc.conf),
    CONF_CHOICE_OPTION("LOG_LEVEL", struct tail, svc.conf.log_level, "warn", "debug|info|warn|error", "least level that is logged"),
    CONF_CHOICE_OPTION("LOG_FORMAT", struct tail, svc.conf.log_format, "text", "text|json", "form of a log line"),
    CONF_END,
};
/* clang-format on */

static const struct metric_def no_metrics[] = {{NULL, METRIC_GAUGE, NULL, NULL}};

static const struct svc_info info = {
    .name = "zaehlwerk tail",
    .purpose = "prints one line for each reading, live",
    .options = options,
    .metrics = no_metrics,
};

static const char usage_text[] =
    "usage: zaehlwerk tail [--meter ID] [--format table|json] [--color auto|always|never]\n"
    "\n"
    "Prints one line for each reading, live, until it is interrupted: time in UTC, meter, power "
    "in\n"
    "W (import +, export -), and every field. Redelivered readings are among them; a reading that\n"
    "is not trusted says why (suspect).\n"
    "\n"
    "  --meter ID      of this meter (16 hex digits)\n"
    "  --format WORD   table (the default): on a terminal as much as fits its width, with the\n"
    "                  meter's name; json: an object a line\n"
    "  --color WORD    auto (the default): when stdout is a terminal and NO_COLOR is not set;\n"
    "                  always; never. Import is yellow, export green, suspect red\n"
    "  --check-config  try the settings and end\n"
    "\n"
    "Exit status 0; 78 when a setting is wrong. Settings:\n\n";

static int usage(const char *complaint)
{
    fprintf(stderr, "zaehlwerk tail: %s (--help tells more)\n", complaint);
    return EX_USAGE;
}

static int help(void)
{
    fputs(usage_text, stdout);
    conf_help(stdout, options);
    return EX_OK;
}

/* How wide the terminal is now: it may be drawn larger. */
static void measure(struct tail *t)
{
    struct winsize size;

    if (t->line.terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
        t->line.width = size.ws_col;
}

static void print_line(struct tail *t)
{
    char text[SHOW_LINE_CHARS];

    measure(t);
    show_line(&t->record, &t->line, text);
    puts(text);
}

static bool
on_reading(void *arg, const uint8_t *topic, size_t topic_len, const uint8_t *octets, size_t len)
{
    struct tail *t = arg;
    size_t at = 0;

    (void)topic;
    (void)topic_len;
    if (record_unpack(octets, len, &at, &t->record, &t->memory) != 0 ||
        t->record.type != RECORD_READING)
        return true;
    if (t->json)
        show_record_json(stdout, &t->record);
    else
        print_line(t);
    return true;
}

/* The reader of the output may be gone: then so are we. */
static void on_drained(void *arg)
{
    struct tail *t = arg;

    if (fflush(stdout) != 0 || ferror(stdout))
        svc_end(&t->svc, 0);
}

static int open_tail(struct tail *t)
{
    const struct link_consumer consumer = {on_reading, on_drained, t};
    char topic[sizeof "reading." + METER_ID_CHARS], titles[SHOW_LINE_CHARS];
    int rc = link_connect(&t->svc, LINK_TOPICS, "READINGS_CONNECT", t->readings_connect, &consumer,
                          &t->readings);

    if (rc != 0)
        return rc;
    if (t->line.terminal && !t->json) {
        measure(t);
        show_titles(&t->line, titles);
        puts(titles);
    }
    snprintf(topic, sizeof topic, "reading.%s", t->look.meter);
    return link_subscribe(t->readings, topic, strlen(topic));
}

static const char *take_format(struct tail *t, const char *text)
{
    t->json = strcmp(text, "json") == 0;
    return t->json || strcmp(text, "table") == 0 ? NULL : "--format: table or json";
}

static const char *take_colour(struct tail *t, const char *text)
{
    static const char *const words[] = {
        [COLOUR_AUTO] = "auto", [COLOUR_ALWAYS] = "always", [COLOUR_NEVER] = "never"};

    for (int i = COLOUR_AUTO; i <= COLOUR_NEVER; i++)
        if (strcmp(text, words[i]) == 0) {
            t->colour = (enum colour)i;
            return NULL;
        }
    return "--color: auto, always or never";
}

/* NULL, or what is wrong. */
static const char *read_arguments(struct tail *t, int argc, char **argv)
{
    static const struct option long_options[] = {
        {"meter", required_argument, NULL, 'm'}, {"format", required_argument, NULL, 'f'},
        {"color", required_argument, NULL, 'c'}, {"check-config", no_argument, NULL, 'n'},
        {"help", no_argument, NULL, 'h'},        {NULL, 0, NULL, 0},
    };
    const char *wrong = NULL;
    int c;

    while (wrong == NULL && (c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (c == 'm')
            wrong = look_meter(&t->look, optarg);
        else if (c == 'f')
            wrong = take_format(t, optarg);
        else if (c == 'c')
            wrong = take_colour(t, optarg);
        else if (c == 'n')
            t->only_check = true;
        else if (c == 'h')
            t->asked = true;
        else
            wrong = "no such option";
    }
    return wrong == NULL && optind < argc ? "no arguments but options" : wrong;
}

/* https://no-color.org: set and not empty. */
static bool wants_colour(const struct tail *t)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

    if (t->colour != COLOUR_AUTO)
        return t->colour == COLOUR_ALWAYS;
    return t->line.terminal && (no_color == NULL || *no_color == '\0') &&
           (term == NULL || strcmp(term, "dumb") != 0);
}

int command_tail(int argc, char **argv)
{
    static char name[] = "zaehlwerk tail", check[] = "--check-config";
    struct tail self = {0};
    const char *wrong = read_arguments(&self, argc, argv);
    char *rest[] = {name, self.only_check ? check : NULL, NULL};
    int rc;

    if (wrong != NULL)
        return usage(wrong);
    if (self.asked)
        return help();
    self.line.terminal = isatty(STDOUT_FILENO);
    self.line.colour = wants_colour(&self);
    rc = svc_start(&self.svc, &info, &self, self.only_check ? 2 : 1, rest);
    if (rc == 0)
        rc = open_tail(&self);
    if (rc == 0)
        rc = svc_run(&self.svc);
    link_free(self.readings);
    record_memory_free(&self.memory);
    svc_close(&self.svc, &self);
    return svc_exit(&info, rc);
}
