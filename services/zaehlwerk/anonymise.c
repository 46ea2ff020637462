/* zaehlwerk anonymise: telegrams for a bug report, without whose they are. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "commands.h"
#include "disguise.h"
#include "hex.h"
#include "input.h"
#include "keys.h"
#include "log.h"

enum { SHIFT_DAYS_MAX = 3660 };

struct job {
    struct disguise *disguise;
    struct keys *keys; /* NULL: none given */
    const char *key, *authentication_key, *keys_file, *path;
    int shift_days;
    unsigned done, failures;
    bool tagged; /* one of them needs the authentication key */
};

static const char usage_text[] =
    "usage: zaehlwerk anonymise [--key HEX] [--authentication-key HEX] [--keys-file FILE]\n"
    "                           [--shift-days N] [FILE|-]\n"
    "\n"
    "Makes of each telegram one for a bug report and prints its frames, a line of hex for each\n"
    "telegram; stderr tells the throwaway key that `zaehlwerk decode --key` reads them with.\n"
    "\n"
    "  --key HEX                 the meter's key\n"
    "  --authentication-key HEX  for meters that authenticate their telegrams\n"
    "  --keys-file FILE          keys of several meters, as SMARTMETER_KEYS_FILE\n"
    "  --shift-days N            move every date by N days; without it dates stay\n"
    "\n"
    "Replaced: key, system title (the maker's three letters stay), meter number and every other\n"
    "string, counters, and numbers that no OBIS code explains. Energies are moved by a distance\n"
    "that nobody knows; their differences stay. What remains is the form: lengths, fragments,\n"
    "types, OBIS codes, scalers, units, powers, voltages, currents, the time of day.\n"
    "\n"
    "A telegram that does not decrypt and decode to its last octet is refused, since it could\n"
    "tell anything: exit status 65, and a line that says why. 66 when the input cannot be read.\n";

static int usage(const char *complaint)
{
    fprintf(stderr, "zaehlwerk anonymise: %s (--help tells more)\n", complaint);
    return EX_USAGE;
}

static const struct decode_keys *lookup(void *arg, const uint8_t title[SYSTEM_TITLE_OCTETS])
{
    return arg == NULL ? NULL : keys_lookup(arg, title);
}

static void take(void *arg, const struct telegram_octets *t)
{
    struct job *job = arg;
    struct buf out = {0};
    const char *detail = t->detail;
    enum verdict v = t->verdict;
    bool tagged = false;
    char *hex;

    if (v == VERDICT_OK)
        v = disguise_telegram(job->disguise, t, lookup, job->keys, &out, &tagged, &detail);
    hex = v == VERDICT_OK ? malloc(2 * out.len + 1) : NULL;
    if (hex == NULL) { /* without the meter's id */
        fprintf(stderr, "zaehlwerk anonymise: %s: left out, %zu octets: %s%s%s\n", verdict_name(v),
                t->octets_len, verdict_advice(v), *detail == '\0' ? "" : "; ", detail);
        job->failures++;
    } else {
        hex_encode(out.data, out.len, hex);
        puts(hex);
        job->done++;
        job->tagged |= tagged;
    }
    free(hex);
    buf_free(&out);
}

static void tell_keys(const struct job *job)
{
    const struct decode_keys *keys = disguise_keys(job->disguise);
    char key[2 * KEY_OCTETS + 1], authentication_key[2 * KEY_OCTETS + 1];

    hex_encode(keys->key, KEY_OCTETS, key);
    hex_encode(keys->authentication_key, KEY_OCTETS, authentication_key);
    fprintf(stderr, "zaehlwerk anonymise: %u telegrams; zaehlwerk decode --key %s%s%s\n", job->done,
            key, job->tagged ? " --authentication-key " : "",
            job->tagged ? authentication_key : "");
}

static int anonymise(struct job *job, const struct buf *octets)
{
    job->disguise = disguise_new(job->shift_days);
    if (job->disguise == NULL || input_telegrams(octets, take, job) != 0) {
        fprintf(stderr, "zaehlwerk anonymise: libgcrypt, random octets or memory are missing\n");
        return EX_OSERR;
    }
    if (job->done > 0)
        tell_keys(job);
    if (fflush(stdout) != 0)
        return EX_IOERR;
    return job->failures > 0 || job->done == 0 ? EX_DATAERR : EX_OK;
}

static int run(struct job *job)
{
    bool keys = *job->key != '\0' || *job->keys_file != '\0';
    struct buf octets = {0};
    int status = EX_OK;

    if (keys && keys_open(job->key, job->authentication_key, job->keys_file, &job->keys) != 0)
        status = EX_CONFIG;
    if (status == EX_OK)
        status = input_octets("anonymise", job->path, &octets);
    if (status == EX_OK)
        status = anonymise(job, &octets);
    disguise_free(job->disguise);
    keys_free(job->keys);
    buf_free(&octets);
    return status;
}

static const char *take_days(struct job *job, const char *text)
{
    char *end;
    long days = strtol(text, &end, 10);

    job->shift_days = (int)days;
    return end != text && *end == '\0' && days >= -SHIFT_DAYS_MAX && days <= SHIFT_DAYS_MAX
               ? NULL
               : "--shift-days: a number from -3660 to 3660";
}

/* What is wrong with it, or NULL; it is kept as text for keys_open. */
static const char *take_key(const char *text, const char **kept)
{
    uint8_t key[KEY_OCTETS];

    *kept = text;
    return key_parse(text, key);
}

/* NULL, or what is wrong; *asked: --help. */
static const char *read_arguments(struct job *job, int argc, char **argv, bool *asked)
{
    static const struct option options[] = {
        {"key", required_argument, NULL, 'k'},
        {"authentication-key", required_argument, NULL, 'a'},
        {"keys-file", required_argument, NULL, 'f'},
        {"shift-days", required_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const char *wrong = NULL;
    int c;

    while (wrong == NULL && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'k')
            wrong = take_key(optarg, &job->key);
        else if (c == 'a')
            wrong = take_key(optarg, &job->authentication_key);
        else if (c == 'f')
            job->keys_file = optarg;
        else if (c == 's')
            wrong = take_days(job, optarg);
        else if (c == 'h')
            *asked = true;
        else
            wrong = "no such option";
    }
    if (wrong == NULL && argc - optind > 1)
        wrong = "one file at a time";
    if (wrong == NULL && optind < argc)
        job->path = argv[optind];
    return wrong;
}

int command_anonymise(int argc, char **argv)
{
    struct job job = {.key = "", .authentication_key = "", .keys_file = "", .path = "-"};
    bool asked = false;
    const char *wrong = read_arguments(&job, argc, argv, &asked);

    if (wrong != NULL)
        return usage(wrong);
    if (asked)
        return fputs(usage_text, stdout) < 0 ? EX_IOERR : EX_OK;
    log_open("zaehlwerk anonymise", LOG_LEVEL_WARN, false);
    return run(&job);
}
