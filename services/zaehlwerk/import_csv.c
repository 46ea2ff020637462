/*
 * import_csv: CSV (RFC 4180), tab-separated and phpMyAdmin's forms, through libcsv.
 *
 * The first line names the columns, in any order; without names it is the original's own order, or
 * what --columns says. The separator is the one of , ; tab that the first line holds most often.
 */
#include <csv.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "import_cells.h"

/* A row, or a quote that never closes, ends here. */
enum { ROW_OCTETS_MAX = 1 << 16, HEAD_OCTETS = 4096 };

struct csv_source {
    struct import_source base;
    struct import_file *file;
    enum rows_table table;
    const char *columns; /* NULL: not given */
    bool begun, whole;   /* the first row was looked at; a row is in cells */
    struct csv_parser parser;
    struct import_layout layout;
    struct import_cells cells;
    uint64_t line; /* where the row begins */
};

static int is_end(unsigned char c)
{
    return c == '\n';
}

/* Around a field; libcsv takes the separator first. */
static int is_blank(unsigned char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static void on_field(void *octets, size_t len, void *arg)
{
    struct csv_source *s = arg;
    const char *text = octets;

    import_cells_next(&s->cells);
    for (size_t i = 0; i < len; i++)
        import_cells_add(&s->cells, text[i]);
    if (len == 0 || (len == 2 && memcmp(text, "\\N", 2) == 0) ||
        (len == 4 && strncasecmp(text, "NULL", 4) == 0))
        import_cells_null(&s->cells);
}

static void on_row(int end, void *arg)
{
    struct csv_source *s = arg;

    (void)end;
    s->whole = true;
}

/* Read on until a row is whole. 1, or 0 at the end, or as next. */
static int read_row(struct csv_source *s, char why[IMPORT_WHY_CHARS])
{
    size_t octets = 0;
    bool any = false;

    s->cells.count = 0;
    s->line = s->file->line;
    for (s->whole = false; !s->whole; octets++) {
        int c = import_file_get(s->file);
        unsigned char octet = (unsigned char)c;

        if (c < 0)
            break;
        any |= c != '\n' && c != '\r';
        if (!any)
            s->line = s->file->line;
        if (octets > ROW_OCTETS_MAX || csv_parse(&s->parser, &octet, 1, on_field, on_row, s) != 1) {
            snprintf(why, IMPORT_WHY_CHARS,
                     "line %llu: a row of more than 64 KiB; a quote that is not closed?",
                     (unsigned long long)s->line);
            return -EINVAL;
        }
    }
    if (s->file->err != 0) {
        snprintf(why, IMPORT_WHY_CHARS, "%s", strerror(-s->file->err));
        return s->file->err == -EINTR ? -EINTR : -EAGAIN;
    }
    if (!s->whole)
        csv_fini(&s->parser, on_field, on_row, s);
    return s->whole ? 1 : 0;
}

/* The separator that the first line holds most often, outside quotes. */
static char find_separator(const struct import_file *f)
{
    static const char separators[] = {',', ';', '\t'};
    size_t counts[sizeof separators] = {0}, best = 0;
    bool quoted = false;

    for (size_t i = f->at; i < f->len && i < f->at + HEAD_OCTETS; i++) {
        char c = (char)f->block[i];

        if (c == '\n' && !quoted)
            break;
        quoted ^= c == '"';
        for (size_t k = 0; k < sizeof separators; k++)
            counts[k] += !quoted && c == separators[k];
    }
    for (size_t k = 1; k < sizeof separators; k++)
        if (counts[k] > counts[best])
            best = k;
    return separators[best];
}

static int add_column(struct csv_source *s, const char *name, char why[IMPORT_WHY_CHARS])
{
    int rc = import_layout_add(&s->layout, name);

    if (rc == -EEXIST)
        snprintf(why, IMPORT_WHY_CHARS, "column %.40s is there twice", name);
    else if (rc != 0)
        snprintf(why, IMPORT_WHY_CHARS, "more than %d columns", IMPORT_FIELDS_MAX);
    return rc == 0 ? 0 : -EINVAL;
}

static int lay_out_columns(struct csv_source *s, char why[IMPORT_WHY_CHARS])
{
    char **names = conf_list(s->columns);
    int rc = names == NULL ? -EAGAIN : 0;

    for (size_t i = 0; rc == 0 && names[i] != NULL; i++)
        rc = add_column(s, names[i], why);
    free(names);
    return rc;
}

static bool is_name(const char *text)
{
    return strpbrk(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") != NULL;
}

/* The first row's fields as names; *names: they were. */
static int lay_out_head(struct csv_source *s, bool *names, char why[IMPORT_WHY_CHARS])
{
    struct import_cells *c = &s->cells;
    int rc = 0;

    *names = false;
    for (size_t i = 0; i < c->count && i < IMPORT_FIELDS_MAX; i++)
        *names |= !c->null[i] && is_name(c->text[i]);
    if (s->columns != NULL) { /* a head beside it is passed over when it names a column of ours */
        *names = import_column_from_name(c->text[0]) >= 0;
        return lay_out_columns(s, why);
    }
    for (size_t i = 0; i < c->count && *names && rc == 0; i++)
        rc = add_column(s, i < IMPORT_FIELDS_MAX ? c->text[i] : "", why);
    if (!*names && import_layout_guess(&s->layout, c->count) != 0) {
        snprintf(why, IMPORT_WHY_CHARS,
                 "the first line names no columns and has %zu fields: --columns must tell",
                 c->count);
        rc = -EINVAL;
    }
    return rc;
}

/* The first row: names, or data already. As next. */
static int begin(struct csv_source *s, char why[IMPORT_WHY_CHARS])
{
    bool names;
    int rc;

    csv_set_delim(&s->parser, (unsigned char)find_separator(s->file));
    rc = read_row(s, why);
    if (rc != 1)
        return rc;
    rc = lay_out_head(s, &names, why);
    if (rc != 0)
        return rc;
    if (!s->layout.has_time || !s->layout.has_win) {
        snprintf(why, IMPORT_WHY_CHARS, "no column %s", s->layout.has_time ? "WIn" : "timestamp");
        return -EINVAL;
    }
    s->begun = true;
    return names ? read_row(s, why) : 1;
}

static int csv_next(struct import_source *base, struct import_row *row, char why[IMPORT_WHY_CHARS])
{
    struct csv_source *s = (struct csv_source *)base;
    int rc = s->begun ? read_row(s, why) : begin(s, why);

    if (rc != 1)
        return rc;
    row->table = s->table;
    row->where = s->line;
    import_cells_row(&s->cells, &s->layout, row);
    return 1;
}

static double csv_share(const struct import_source *base)
{
    return import_file_share(((const struct csv_source *)base)->file);
}

static void csv_close(struct import_source *base)
{
    struct csv_source *s = (struct csv_source *)base;

    csv_free(&s->parser);
    import_file_close(s->file);
    free(s);
}

struct import_source *
import_csv_new(struct import_file *file, enum rows_table table, const char *columns)
{
    static const struct import_source_ops ops = {csv_next, csv_share, csv_close};
    struct csv_source *s = calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    *s = (struct csv_source){
        .base = {&ops, "line"}, .file = file, .table = table, .columns = columns};
    if (csv_init(&s->parser, 0) != 0) {
        free(s);
        return NULL;
    }
    csv_set_term_func(&s->parser, is_end);
    csv_set_space_func(&s->parser, is_blank);
    csv_set_blk_size(&s->parser, IMPORT_CELL_CHARS * 64);
    return &s->base;
}
