#include "import_report.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

enum { BAR_MS = 200, LINE_MS = 10000, BAR_CHARS = 24 };

void import_report_open(struct import_report *r, const char *path)
{
    r->path = path;
    r->terminal = isatty(STDERR_FILENO);
    r->begun_ms = clock_monotonic_ms();
    r->told_ms = r->begun_ms - (r->terminal ? BAR_MS : 0); /* the bar is there at once */
}

/* Rejected rows */

static void tally(struct import_report *r, const char *reason)
{
    for (size_t i = 0; i < IMPORT_REASONS_MAX; i++) {
        if (r->reasons[i].rows == 0 || i + 1 == IMPORT_REASONS_MAX)
            snprintf(r->reasons[i].text, sizeof r->reasons[i].text, "%s",
                     i + 1 == IMPORT_REASONS_MAX ? "other reasons" : reason);
        else if (strcmp(r->reasons[i].text, reason) != 0)
            continue;
        r->reasons[i].rows++;
        return;
    }
}

/* CSV: a quote is doubled, and what could upset a terminal is left out. */
static void print_field(FILE *out, const char *text)
{
    fputs(",\"", out);
    for (; text != NULL && *text != '\0'; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc((unsigned char)*text < ' ' || *text == 0x7F ? '?' : *text, out);
    }
    fputc('"', out);
}

static int open_rejected(struct import_report *r, const char *where)
{
    r->rejected = fopen(r->path, "we");
    if (r->rejected == NULL)
        return -errno;
    fprintf(r->rejected, "table,%s,reason", where);
    for (int c = IMPORT_TIME; c < IMPORT_COLUMNS; c++)
        fprintf(r->rejected, ",%s", import_column_name((enum import_column)c));
    fputc('\n', r->rejected);
    return 0;
}

int import_report_reject(struct import_report *r,
                         const struct import_source *source,
                         const struct import_row *row,
                         const char *reason)
{
    int rc = r->rejected == NULL ? open_rejected(r, source->what) : 0;

    r->counts[row->table].rejected++;
    tally(r, reason);
    if (rc != 0)
        return rc;
    fprintf(r->rejected, "%s,%llu", rows_table_name(row->table), (unsigned long long)row->where);
    print_field(r->rejected, reason);
    for (int c = IMPORT_TIME; c < IMPORT_COLUMNS; c++)
        print_field(r->rejected, row->text[c]);
    fputc('\n', r->rejected);
    return ferror(r->rejected) ? -EIO : 0;
}

/* Progress */

static size_t read_so_far(const struct import_report *r)
{
    return r->counts[0].read + r->counts[1].read;
}

static void print_left(double share, int64_t ms)
{
    long left = share <= 0.001 ? -1 : (long)((double)ms / 1000 / share * (1 - share));

    if (left >= 3600)
        fprintf(stderr, ", %ld:%02ld h left", left / 3600, left / 60 % 60);
    else if (left >= 0)
        fprintf(stderr, ", %ld:%02ld min left", left / 60, left % 60);
}

void import_report_progress(struct import_report *r, double share)
{
    int64_t now = clock_monotonic_ms(), ms = now - r->begun_ms;

    if (now - r->told_ms < (r->terminal ? BAR_MS : LINE_MS))
        return;
    r->told_ms = now;
    if (r->terminal)
        fputs("\r\033[K", stderr);
    if (share >= 0 && r->terminal) {
        int full = (int)(share * BAR_CHARS);

        fprintf(stderr, "[%.*s%*s] ", full, "########################", BAR_CHARS - full, "");
    }
    if (share >= 0)
        fprintf(stderr, "%3.0f %%, ", share * 100);
    fprintf(stderr, "%zu rows, %.0f a second", read_so_far(r),
            (double)read_so_far(r) * 1000 / (double)(ms > 0 ? ms : 1));
    print_left(share, ms);
    if (!r->terminal)
        fputc('\n', stderr);
    r->shown = r->terminal;
}

void import_report_pause(struct import_report *r)
{
    if (r->shown)
        fputs("\r\033[K", stderr);
    r->shown = false;
}

/* The end */

static void print_counts(const struct import_report *r, enum rows_table table, bool dry)
{
    const struct import_counts *c = &r->counts[table];

    printf("%-9s %zu rows read, %zu %s, %zu already there, %zu rejected", rows_table_name(table),
           c->read, c->fresh, dry ? "would be new" : "new", c->there, c->rejected);
    if (c->suspect > 0)
        printf(", %zu suspect", c->suspect);
    if (c->outside > 0)
        printf(", %zu outside --from and --to", c->outside);
    if (c->later > 0)
        printf(", %zu of the last 10 minutes left for the next run", c->later);
    putchar('\n');
}

void import_report_close(struct import_report *r, bool dry)
{
    import_report_pause(r);
    for (int t = ROWS_HISTORY; t <= ROWS_DEBOUNCED; t++)
        if (r->counts[t].read > 0)
            print_counts(r, (enum rows_table)t, dry);
    if (read_so_far(r) == 0)
        puts("no rows");
    for (size_t i = 0; i < IMPORT_REASONS_MAX && r->reasons[i].rows > 0; i++)
        printf("  %zu rejected: %s\n", r->reasons[i].rows, r->reasons[i].text);
    if (r->rejected == NULL)
        return;
    if (fclose(r->rejected) == 0)
        printf("  all of them: %s\n", r->path);
    else
        fprintf(stderr, "zaehlwerk import: %s: %s\n", r->path, strerror(errno));
}
