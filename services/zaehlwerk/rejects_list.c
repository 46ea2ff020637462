/* zaehlwerk rejects: what could not become a reading, from the database. */
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "commands.h"
#include "hex.h"
#include "log.h"
#include "instant.h"
#include "look.h"
#include "utf8.h"

enum { LIMIT = 100, PAGE = 1000, DIGITS_SHOWN = 12 };

struct listing {
    struct store_conf store_conf;
    struct look look;
    size_t limit; /* 0: none */
    size_t listed;
    bool json;
};

/* clang-format off */
static const struct conf_option options[] = {
    STORE_OPTIONS(struct listing, store_conf),
    CONF_END,
};
/* clang-format on */

static const char usage_text[] =
    "usage: zaehlwerk rejects [FILTERS] [--limit N] [--all] [--format table|json]\n"
    "\n"
    "Lists what could not become a reading and no replay has resolved yet, newest last.\n"
    "\n" LOOK_USAGE "  --limit N       the newest N (100); 0: all\n"
    "  --all           resolved ones, too\n"
    "  --format WORD   table, or json: an object a line\n"
    "\n"
    "Exit status 65 when the database does not hold this program's tables, 69 when it does not\n"
    "answer, 78 when a setting is wrong. Settings:\n\n";

static int usage(const char *complaint)
{
    fprintf(stderr, "zaehlwerk rejects: %s (--help tells more)\n", complaint);
    return EX_USAGE;
}

static int help(void)
{
    fputs(usage_text, stdout);
    conf_help(stdout, options);
    return EX_OK;
}

/* NULL where there is no time. */
static json_t *json_time(int64_t utc_ms)
{
    char text[INSTANT_CHARS];

    if (utc_ms == 0)
        return json_null();
    instant_print_ms(utc_ms, text);
    return json_string(text);
}

static void print_json(const struct reject_row *row, const char *topic, const char *detail)
{
    char digest[2 * DIGEST_OCTETS + 1];
    json_t *o = json_object();

    hex_encode(row->mark.digest, DIGEST_OCTETS, digest);
    json_object_set_new(o, "time", json_time(row->mark.time_ms));
    json_object_set_new(o, "meter", *row->meter == '\0' ? json_null() : json_string(row->meter));
    json_object_set_new(o, "counter", row->counter < 0 ? json_null() : json_integer(row->counter));
    json_object_set_new(o, "reason", json_string(row->reason));
    json_object_set_new(o, "detail", json_string(detail));
    json_object_set_new(o, "topic", json_string(topic));
    json_object_set_new(o, "octets", json_integer(row->octets));
    json_object_set_new(o, "digest", json_string(digest));
    json_object_set_new(o, "resolved_at", json_time(row->resolved_ms));
    json_dumpf(o, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(o);
}

static void print_table(const struct reject_row *row, const char *topic, const char *detail)
{
    char digest[2 * DIGEST_OCTETS + 1], time[INSTANT_CHARS], resolved[INSTANT_CHARS + 12] = "";

    hex_encode(row->mark.digest, DIGEST_OCTETS, digest);
    instant_print_ms(row->mark.time_ms, time);
    if (row->resolved_ms != 0) {
        memcpy(resolved, "  resolved ", sizeof "  resolved ");
        instant_print_ms(row->resolved_ms, resolved + strlen(resolved));
    }
    printf("%s  %-16s  %-14s  %6lld  %.*s  %s%s%s%s\n", time,
           *row->meter == '\0' ? "-" : row->meter, row->reason, (long long)row->octets,
           DIGITS_SHOWN, digest, topic, *detail == '\0' ? "" : "  ", detail, resolved);
}

static void print_row(void *arg, const struct reject_row *row)
{
    struct listing *l = arg;
    char topic[TOPIC_CHARS + 1], detail[DETAIL_CHARS + 1];

    utf8_copy(topic, sizeof topic, row->topic);
    utf8_copy(detail, sizeof detail, row->detail);
    if (!l->json && l->listed == 0)
        printf("%-24s  %-16s  %-14s  %6s  %-*s  %s\n", "time", "meter", "reason", "octets",
               DIGITS_SHOWN, "digest", "topic, detail");
    (l->json ? print_json : print_table)(row, topic, detail);
    l->listed++;
    l->look.query.after = row->mark;
}

static int list(struct listing *l, struct store *s)
{
    struct reject_query *q = &l->look.query;
    char why[STORE_WHY_CHARS] = "";
    size_t before;
    int rc;

    q->newest = l->limit > 0;
    q->max = l->limit > 0 ? l->limit : PAGE;
    do {
        before = l->listed;
        rc = store_rejects(s, q, print_row, l, why);
    } while (rc == 0 && l->limit == 0 && l->listed - before == PAGE);
    if (rc != 0) {
        fprintf(stderr, "zaehlwerk rejects: database: %s\n", why);
        return EX_UNAVAILABLE;
    }
    if (l->listed == 0)
        fprintf(stderr, "zaehlwerk rejects: none\n");
    if (l->limit > 0 && l->listed == l->limit)
        fprintf(stderr, "zaehlwerk rejects: the newest %zu; --limit 0 lists all\n", l->limit);
    return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}

static const char *take_limit(struct listing *l, const char *text)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    l->limit = n;
    return *text >= '0' && *text <= '9' && *end == '\0' && n <= 1000000
               ? NULL
               : "--limit: a number up to 1000000";
}

static const char *take_format(struct listing *l, const char *text)
{
    l->json = strcmp(text, "json") == 0;
    return l->json || strcmp(text, "table") == 0 ? NULL : "--format: table or json";
}

/* NULL, or what is wrong; *asked: --help. */
static const char *read_arguments(struct listing *l, int argc, char **argv, bool *asked)
{
    static const struct option long_options[] = {
        {"since", required_argument, NULL, 's'},  {"meter", required_argument, NULL, 'm'},
        {"reason", required_argument, NULL, 'r'}, {"limit", required_argument, NULL, 'n'},
        {"all", no_argument, NULL, 'a'},          {"format", required_argument, NULL, 'f'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    const char *wrong = NULL;
    int c;

    while (wrong == NULL && (c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (c == 's')
            wrong = look_since(&l->look, optarg);
        else if (c == 'm')
            wrong = look_meter(&l->look, optarg);
        else if (c == 'r')
            wrong = look_reason(&l->look, optarg);
        else if (c == 'n')
            wrong = take_limit(l, optarg);
        else if (c == 'f')
            wrong = take_format(l, optarg);
        else if (c == 'a')
            l->look.query.resolved_too = true;
        else if (c == 'h')
            *asked = true;
        else
            wrong = "no such option";
    }
    return wrong == NULL && optind < argc ? "no arguments but options" : wrong;
}

int command_rejects(int argc, char **argv)
{
    struct listing l = {.limit = LIMIT};
    struct store *s = NULL;
    bool asked = false;
    const char *wrong = read_arguments(&l, argc, argv, &asked);
    int status;

    if (wrong != NULL)
        return usage(wrong);
    if (asked)
        return help();
    log_open("zaehlwerk rejects", LOG_LEVEL_WARN, false);
    status = conf_read(options, &l) == 0 ? look_open("rejects", &l.store_conf, &s) : EX_CONFIG;
    if (status == EX_OK)
        status = list(&l, s);
    store_free(s);
    conf_free(options, &l);
    return status;
}
