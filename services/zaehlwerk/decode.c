/* zaehlwerk decode: frames in, readings out, with the reason when it cannot. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "annotate.h"
#include "commands.h"
#include "decode.h"
#include "input.h"
#include "instant.h"
#include "show.h"
#include "tree.h"
struct job {
    struct gcm *gcm;
    struct decode_keys keys;
    void (*print)(const struct reading *); /* NULL: a tree is shown */
    note_visit *show;                      /* NULL: readings are printed */
    unsigned readings;
    unsigned failures;
};

static const char usage_text[] =
    "usage: zaehlwerk decode [--key HEX] [--authentication-key HEX] [--format WORD] [FILE|-]\n"
    "\n"
    "Reads meter frames in any form that mqtt-ingest accepts (hex text, raw octets, a gateway's\n"
    "JSON), decrypts them and prints every reading.\n"
    "\n"
    "  --key HEX                 the meter's key: 32 hex digits, with or without separators\n"
    "  --authentication-key HEX  for meters that authenticate their telegrams\n"
    "  --format WORD             table (the default): for reading\n"
    "                            json: an object a line\n"
    "                            values: the original program's JSON\n"
    "                            tree: every octet of the input, what it means and its value;\n"
    "                            also without a key and of damaged input, as far as it goes\n"
    "                            tree-json: the same, an object a line\n"
    "\n"
    "Exit status 65 when something in the input could not be decoded: a line on stderr says why,\n"
    "beginning with the reason (wrong-key, lost-octets, parity, other-interface ...).\n";

static int usage(const char *complaint)
{
    fprintf(stderr, "zaehlwerk decode: %s\n%s", complaint, usage_text);
    return EX_USAGE;
}

static void print_json(const struct reading *r)
{
    show_json(stdout, r);
}

static void print_values(const struct reading *r)
{
    char text[VALUES_JSON_CHARS];

    reading_values_json(r, r->time, text);
    puts(text);
}

static void print_table(const struct reading *r)
{
    char text[QUANTITY_CHARS];

    instant_print(r->time, text);
    printf("meter %s  number %s  counter %" PRId64 "\n", r->meter, r->number, r->counter);
    printf("clock %s  status %02X\n", r->has_time ? text : "not set", r->clock_status);
    for (int f = 0; f < FIELD_COUNT; f++) {
        if (!r->values[f].present)
            continue;
        quantity_format(&r->values[f], text);
        printf("  %-4s %14s %s\n", field_name(f), text, field_unit(f));
    }
}

static const struct decode_keys *lookup(void *arg, const uint8_t title[SYSTEM_TITLE_OCTETS])
{
    (void)title;
    return arg;
}

static void take(void *arg, const struct telegram_octets *t)
{
    struct job *job = arg;
    struct reading reading = {0};
    const char *detail = t->detail;
    enum verdict v = t->verdict;

    if (v == VERDICT_OK)
        v = decode_apdu(job->gcm, t->apdu, t->apdu_len, lookup, &job->keys, &reading, &detail);
    if (v != VERDICT_OK) {
        input_complain("decode", v, detail, reading.meter, t->octets_len);
        job->failures++;
        return;
    }
    if (job->print != NULL)
        job->print(&reading);
    job->readings++;
}

static int decode_octets(struct job *job, const struct buf *octets)
{
    if ((job->show != NULL && annotate(job->gcm, octets->data, octets->len, lookup, &job->keys,
                                       job->show, stdout) != 0) ||
        input_telegrams(octets, take, job) != 0) {
        fprintf(stderr, "zaehlwerk decode: out of memory\n");
        return EX_OSERR;
    }
    if (job->readings == 0 && job->failures == 0)
        input_complain("decode", VERDICT_NOT_A_FRAME, "nothing but idle octets", "", octets->len);
    if (fflush(stdout) != 0)
        return EX_IOERR;
    return job->failures > 0 || job->readings == 0 ? EX_DATAERR : EX_OK;
}

static int run(struct job *job, const char *path)
{
    struct buf octets = {0};
    int status = EX_UNAVAILABLE;

    job->gcm = gcm_new();
    if (job->gcm == NULL)
        fprintf(stderr, "zaehlwerk decode: libgcrypt cannot be used\n");
    else
        status = input_octets("decode", path, &octets);
    if (status == EX_OK)
        status = decode_octets(job, &octets);
    gcm_free(job->gcm);
    buf_free(&octets);
    return status;
}

static bool choose_format(struct job *job, const char *name)
{
    static const struct {
        const char *name;
        void (*print)(const struct reading *);
        note_visit *show;
    } formats[] = {
        {"json", print_json, NULL},          {"values", print_values, NULL},
        {"table", print_table, NULL},        {"tree", NULL, tree_show},
        {"tree-json", NULL, tree_show_json},
    };

    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        if (strcmp(name, formats[i].name) != 0)
            continue;
        job->print = formats[i].print;
        job->show = formats[i].show;
        return true;
    }
    return false;
}

static int take_key(const char *text, uint8_t key[KEY_OCTETS], bool *has)
{
    const char *wrong = key_parse(text, key);

    *has = wrong == NULL;
    return wrong == NULL ? 0 : usage(wrong);
}

int command_decode(int argc, char **argv)
{
    static const struct option options[] = {
        {"key", required_argument, NULL, 'k'},
        {"authentication-key", required_argument, NULL, 'a'},
        {"format", required_argument, NULL, 'f'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct job job = {.print = print_table};
    int status = EX_OK;
    int c;

    while (status == EX_OK && (c = getopt_long(argc, argv, "k:a:f:h", options, NULL)) != -1) {
        if (c == 'k')
            status = take_key(optarg, job.keys.key, &job.keys.has_key);
        else if (c == 'a')
            status =
                take_key(optarg, job.keys.authentication_key, &job.keys.has_authentication_key);
        else if (c == 'f')
            status = choose_format(&job, optarg) ? EX_OK : usage("no such format");
        else if (c == 'h')
            return fputs(usage_text, stdout) < 0 ? EX_IOERR : EX_OK;
        else
            status = EX_USAGE;
    }
    if (status == EX_OK && argc - optind > 1)
        status = usage("one file at a time");
    if (status == EX_OK)
        status = run(&job, optind < argc ? argv[optind] : "-");
    explicit_bzero(&job.keys, sizeof job.keys);
    return status;
}
