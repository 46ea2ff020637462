/* zaehlwerk decode: frames in, readings out, with the reason when it cannot. */
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "assembler.h"
#include "commands.h"
#include "decode.h"
#include "hex.h"
#include "payload.h"

struct job {
    struct gcm *gcm;
    struct decode_keys keys;
    void (*print)(const struct reading *);
    unsigned readings;
    unsigned failures;
};

static const char usage_text[] =
    "usage: zaehlwerk decode --key HEX [--authentication-key HEX]\n"
    "                        [--format json|values|table] [FILE|-]\n"
    "\n"
    "Reads meter frames in any form that mqtt-ingest accepts (hex text, raw octets, a gateway's\n"
    "JSON), decrypts them and prints every reading. Exit status 65 when something in the input\n"
    "could not be decoded, with a line on stderr that says why.\n";

static int usage(const char *complaint)
{
    fprintf(stderr, "zaehlwerk decode: %s\n%s", complaint, usage_text);
    return EX_USAGE;
}

static void format_time(const struct reading *r, char text[32])
{
    time_t t = (time_t)r->time;
    struct tm tm;

    gmtime_r(&t, &tm);
    strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* A JSON string of text that may hold anything. */
static void print_json_string(const char *text)
{
    json_t *string = json_string(text);
    char *quoted = json_dumps(string, JSON_ENCODE_ANY);

    fputs(quoted == NULL ? "\"\"" : quoted, stdout);
    free(quoted);
    json_decref(string);
}

static void print_json(const struct reading *r)
{
    char text[QUANTITY_CHARS];
    const char *comma = "";

    printf("{\"meter\":\"%s\",\"counter\":%" PRId64 ",\"time\":", r->meter, r->counter);
    format_time(r, text);
    if (r->has_time)
        printf("\"%s\"", text);
    else
        printf("null");
    printf(",\"clock_status\":%u,\"meter_number\":", r->clock_status);
    print_json_string(r->number);
    printf(",\"values\":{");
    for (int f = 0; f < FIELD_COUNT; f++) {
        if (!r->values[f].present)
            continue;
        quantity_format(&r->values[f], text);
        printf("%s\"%s\":%s", comma, field_name(f), text);
        comma = ",";
    }
    printf("}}\n");
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

    format_time(r, text);
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

static void complain(enum verdict v, const char *detail, const char *meter, size_t octets)
{
    fprintf(stderr, "zaehlwerk decode: %s: %s%s%s%s (meter %s, %zu octets)\n", verdict_name(v),
            verdict_advice(v), *detail != '\0' ? " [" : "", detail, *detail != '\0' ? "]" : "",
            *meter != '\0' ? meter : "unknown", octets);
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
        complain(v, detail, reading.meter, t->octets_len);
        job->failures++;
        return;
    }
    job->print(&reading);
    job->readings++;
}

static int read_all(FILE *in, struct buf *out)
{
    uint8_t chunk[16384];
    size_t n;

    while ((n = fread(chunk, 1, sizeof chunk, in)) > 0)
        if (buf_add(out, chunk, n) != 0)
            return -1;
    return ferror(in) ? -1 : 0;
}

static int decode_input(struct job *job, FILE *in)
{
    struct buf text = {0}, octets = {0};
    struct assembler *assembler = assembler_new();
    enum payload_form form;
    const char *detail = "";
    int status = EX_OK;

    if (assembler == NULL || read_all(in, &text) != 0) {
        fprintf(stderr, "zaehlwerk decode: cannot read the input\n");
        status = EX_NOINPUT;
    } else if (payload_octets(text.data, text.len, &octets, &form, &detail) != 0) {
        complain(VERDICT_NOT_A_FRAME, detail, "", text.len);
        status = EX_DATAERR;
    } else if (assembler_feed(assembler, octets.data, octets.len, (struct arrival){0}, take, job) !=
               0) {
        status = EX_OSERR;
    } else {
        assembler_flush(assembler, take, job);
        if (job->readings == 0 && job->failures == 0)
            complain(VERDICT_NOT_A_FRAME, "the input is empty", "", text.len);
        status = job->failures > 0 || job->readings == 0 ? EX_DATAERR : EX_OK;
    }
    assembler_free(assembler);
    buf_free(&text);
    buf_free(&octets);
    return status;
}

static int run(struct job *job, const char *path)
{
    FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    int status;

    if (in == NULL) {
        fprintf(stderr, "zaehlwerk decode: %s: cannot be opened\n", path);
        return EX_NOINPUT;
    }
    job->gcm = gcm_new();
    if (job->gcm == NULL) {
        fprintf(stderr, "zaehlwerk decode: libgcrypt cannot be used\n");
        status = EX_UNAVAILABLE;
    } else {
        status = decode_input(job, in);
    }
    gcm_free(job->gcm);
    if (in != stdin)
        fclose(in);
    return status;
}

static bool choose_format(struct job *job, const char *name)
{
    if (strcmp(name, "json") == 0)
        job->print = print_json;
    else if (strcmp(name, "values") == 0)
        job->print = print_values;
    else if (strcmp(name, "table") == 0)
        job->print = print_table;
    else
        return false;
    return true;
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
