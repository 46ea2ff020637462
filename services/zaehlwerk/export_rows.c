/* zaehlwerk export: readings and quarter hours from the database, as CSV or JSON. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "commands.h"
#include "export.h"
#include "log.h"
#include "instant.h"
#include "look.h"
#include "zone.h"

enum { PAGE = 2000, PROGRESS_MS = 500 };

#define END_OF_TIME INT64_C(253402300800) /* the year 10000 */

struct export
{
    struct store_conf store_conf;
    char *timezone;
    struct look look; /* for its meter */
    struct rows_query query;
    const char *from, *to, *path; /* NULL: not given */
    enum export_format format;
    FILE *out;
    char *part; /* the file while it is not whole, or NULL */
    struct buf text;
    int status;
    size_t rows, page; /* written in all; visited of this page */
    int64_t last_at;   /* of the last row that was visited, and what orders rows of one time */
    int64_t last_counter;
    char last_meter[METER_ID_CHARS + 1];
    int64_t progress_ms; /* when it was told last; 0: stderr is no terminal */
};

/* clang-format off */
static const struct conf_option options[] = {
    STORE_OPTIONS(struct export, store_conf),
    CONF_TEXT_OPTION("TIMEZONE", struct export, timezone, "Europe/Vienna", "where a day begins that --from or --to names"),
    CONF_END,
};
/* clang-format on */

static const char usage_text[] =
    "usage: zaehlwerk export [--table WORD] [--from TIME] [--to TIME] [--meter ID]\n"
    "                        [--format csv|json] [--output FILE]\n"
    "\n"
    "Prints what the database holds, oldest first: all of it, or rows from --from on and before\n"
    "--to.\n"
    "\n"
    "  --table WORD    history (the default): every reading\n"
    "                  debounced: one for each 5 minutes\n"
    "                  quarter_hour: energy of each quarter hour\n"
    "  --from, --to    a day (2026-11-01: its midnight in TIMEZONE), RFC 3339\n"
    "                  (2026-11-24T08:00:00+01:00), or an age: 90s 30m 2h 7d. November is\n"
    "                  --from 2026-11-01 --to 2026-12-01\n"
    "  --meter ID      of this meter (16 hex digits)\n"
    "  --format WORD   csv (the default): RFC 4180, with a header line; json: an object a line\n"
    "  --output FILE   to this file, which is made or replaced when it is whole\n"
    "\n"
    "Times are RFC 3339 in UTC; win and wout Wh (of quarter_hour: of the quarter, else the "
    "meter's\n"
    "totals), pin and pout W, u1 to u3 V, i1 to i3 A, pf 1.\n"
    "\n"
    "Exit status 65 when the database does not hold this program's tables, 69 when it does not\n"
    "answer, 73 when FILE cannot be made, 74 when the output cannot be written (no space), 78\n"
    "when a setting is wrong. Settings:\n\n";

static int usage(const char *complaint)
{
    fprintf(stderr, "zaehlwerk export: %s (--help tells more)\n", complaint);
    return EX_USAGE;
}

static int help(void)
{
    fputs(usage_text, stdout);
    conf_help(stdout, options);
    return EX_OK;
}

static int fail(struct export *e, int status, const char *what, const char *why)
{
    if (e->status == EX_OK)
        fprintf(stderr, "%szaehlwerk export: %s: %s\n", e->progress_ms > 0 ? "\r\033[K" : "", what,
                why);
    if (e->status == EX_OK)
        e->status = status;
    return e->status;
}

/* The output */

/* A new file beside the old one; a device or pipe is written to as it is. */
static int open_output(struct export *e)
{
    struct stat st;
    int fd;

    e->out = stdout;
    if (e->path == NULL || strcmp(e->path, "-") == 0)
        return EX_OK;
    if (stat(e->path, &st) == 0 && !S_ISREG(st.st_mode)) {
        e->out = fopen(e->path, "we");
    } else if (asprintf(&e->part, "%s.XXXXXX", e->path) < 0) {
        e->part = NULL;
        e->out = NULL;
    } else {
        mode_t mask = umask(0);

        umask(mask);
        fd = mkostemp(e->part, O_CLOEXEC);
        e->out = fd < 0 ? NULL : fdopen(fd, "w");
        if (fd >= 0)
            (void)fchmod(fd, 0666 & ~mask);
    }
    if (e->out != NULL)
        return EX_OK;
    e->out = stdout;
    free(e->part);
    e->part = NULL;
    return fail(e, EX_CANTCREAT, e->path, strerror(errno));
}

/* In place of the old file when all is in it; else as if nothing had been. */
static void close_output(struct export *e)
{
    bool written =
        fflush(e->out) == 0 && !ferror(e->out) && (e->part == NULL || fsync(fileno(e->out)) == 0);

    if (!written)
        fail(e, EX_IOERR, e->path == NULL ? "output" : e->path, strerror(errno));
    if (e->out != stdout)
        fclose(e->out);
    if (e->part != NULL && (e->status != EX_OK || rename(e->part, e->path) != 0)) {
        fail(e, EX_CANTCREAT, e->path, strerror(errno));
        unlink(e->part);
    }
    free(e->part);
}

static void flush_text(struct export *e)
{
    if (e->status == EX_OK && e->text.len > 0 &&
        fwrite(e->text.data, 1, e->text.len, e->out) != e->text.len)
        fail(e, EX_IOERR, e->path == NULL ? "output" : e->path, strerror(errno));
    e->text.len = 0;
}

/* Rows */

static void tell_progress(struct export *e)
{
    int64_t now = clock_monotonic_ms();
    char time[INSTANT_CHARS];

    if (e->progress_ms == 0 || now - e->progress_ms < PROGRESS_MS)
        return;
    e->progress_ms = now;
    instant_print(e->last_at, time);
    fprintf(stderr, "\r\033[K%zu rows, at %s", e->rows, time);
}

/* Already written: a row came in at the very second where the last page ended. */
static bool is_seen(const struct export *e, const struct rows_row *row)
{
    int meter = strcmp(row->meter, e->last_meter);

    return row->at == e->last_at && (meter < 0 || (meter == 0 && row->counter <= e->last_counter));
}

static void on_row(void *arg, const struct rows_row *row)
{
    struct export *e = arg;

    bool first = e->rows == 0, seen = !first && is_seen(e, row);

    e->page++;
    e->query.skip = !first && row->at == e->last_at ? e->query.skip + 1 : 1;
    if (e->status != EX_OK || seen)
        return;
    if (export_row(e->query.table, e->format, row, &e->text) != 0) {
        fail(e, EX_OSERR, "output", "out of memory");
        return;
    }
    e->rows++;
    e->last_at = row->at;
    e->last_counter = row->counter;
    snprintf(e->last_meter, sizeof e->last_meter, "%s", row->meter);
}

/* Page by page; the next one begins at the second where the last one ended, behind its rows. */
static void export_pages(struct export *e, struct store *s)
{
    char why[STORE_WHY_CHARS] = "";

    e->query.max = PAGE;
    do {
        struct rows_query query = e->query;

        e->page = 0;
        if (store_rows(s, &query, on_row, e, why) != 0)
            fail(e, EX_UNAVAILABLE, "database", why);
        if (e->rows > 0)
            e->query.from = e->last_at;
        flush_text(e);
        tell_progress(e);
    } while (e->status == EX_OK && e->page == PAGE);
}

static void export(struct export *e, struct store *s)
{
    if (open_output(e) != EX_OK)
        return;
    if (isatty(STDERR_FILENO) && !(e->out == stdout && isatty(STDOUT_FILENO)))
        e->progress_ms = 1;
    if (export_header(e->query.table, e->format, &e->text) != 0)
        fail(e, EX_OSERR, "output", "out of memory");
    if (e->status == EX_OK)
        export_pages(e, s);
    close_output(e);
    if (e->progress_ms > 0 && e->status == EX_OK)
        fprintf(stderr, "\r\033[K%zu rows\n", e->rows);
    else if (e->rows == 0 && e->status == EX_OK)
        fprintf(stderr, "zaehlwerk export: no rows\n");
    buf_free(&e->text);
}

/* Arguments */

static const char *take_table(struct export *e, const char *text)
{
    int table = rows_table_from_name(text);

    e->query.table = table < 0 ? ROWS_HISTORY : (enum rows_table)table;
    return table < 0 ? "--table: history, debounced or quarter_hour" : NULL;
}

static const char *take_format(struct export *e, const char *text)
{
    int format = export_format_from_name(text);

    e->format = format < 0 ? EXPORT_CSV : (enum export_format)format;
    return format < 0 ? "--format: csv or json" : NULL;
}

static const char *take_meter(struct export *e, const char *text)
{
    const char *wrong = look_meter(&e->look, text);

    e->query.meter = e->look.meter;
    return wrong;
}

/* NULL, or what is wrong; *asked: --help. */
static const char *read_arguments(struct export *e, int argc, char **argv, bool *asked)
{
    static const struct option long_options[] = {
        {"table", required_argument, NULL, 't'},  {"from", required_argument, NULL, 'f'},
        {"to", required_argument, NULL, 'u'},     {"meter", required_argument, NULL, 'm'},
        {"format", required_argument, NULL, 'F'}, {"output", required_argument, NULL, 'o'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    const char *wrong = NULL;
    int c;

    while (wrong == NULL && (c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (c == 't')
            wrong = take_table(e, optarg);
        else if (c == 'f')
            e->from = optarg;
        else if (c == 'u')
            e->to = optarg;
        else if (c == 'm')
            wrong = take_meter(e, optarg);
        else if (c == 'F')
            wrong = take_format(e, optarg);
        else if (c == 'o')
            e->path = optarg;
        else if (c == 'h')
            *asked = true;
        else
            wrong = "no such option";
    }
    return wrong == NULL && optind < argc ? "no arguments but options" : wrong;
}

/* The range, once the zone is known. Rows have whole seconds: one before --from is left out. */
static const char *read_range(struct export *e)
{
    int64_t now = clock_utc_ms(), from_ms = INT64_MIN, to_ms = END_OF_TIME * 1000;

    if (e->from != NULL && look_local_time(e->from, now, &from_ms) != 0)
        return "--from: a day such as 2026-11-01, 2026-11-24T08:00:00Z or 7d";
    if (e->to != NULL && look_local_time(e->to, now, &to_ms) != 0)
        return "--to: a day such as 2026-12-01, 2026-11-24T08:00:00Z or 7d";
    e->query.from = from_ms == INT64_MIN ? 0 : (from_ms + 999) / 1000;
    e->query.to = (to_ms + 999) / 1000;
    return e->query.from >= e->query.to ? "--from is not before --to" : NULL;
}

static int read_settings(struct export *e)
{
    const char *wrong;

    if (conf_read(options, e) != 0)
        return EX_CONFIG;
    if (zone_use(e->timezone) != 0) {
        (void)conf_wrong("TIMEZONE", e->timezone, "a time zone such as Europe/Vienna");
        return EX_CONFIG;
    }
    wrong = read_range(e);
    return wrong == NULL ? EX_OK : usage(wrong);
}

int command_export(int argc, char **argv)
{
    struct export e = {.format = EXPORT_CSV};
    struct store *s = NULL;
    bool asked = false;
    const char *wrong = read_arguments(&e, argc, argv, &asked);

    if (wrong != NULL)
        return usage(wrong);
    if (asked)
        return help();
    log_open("zaehlwerk export", LOG_LEVEL_WARN, false);
    e.status = read_settings(&e);
    if (e.status == EX_OK)
        e.status = look_open("export", &e.store_conf, &s);
    if (e.status == EX_OK)
        export(&e, s);
    store_free(s);
    conf_free(options, &e);
    return e.status;
}
