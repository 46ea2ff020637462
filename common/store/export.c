#include "export.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "instant.h"
#include "reading.h"

enum { TABLES = ROWS_QUARTERS + 1, MILLI = -3 };

/* What a column holds: text, or a number with a power of ten. */
enum kind { TEXT, SECONDS, MILLISECONDS, COUNTER, NUMBER, THOUSANDTHS };

#define IN(table) (1U << (table))
#define READINGS  (IN(ROWS_HISTORY) | IN(ROWS_DEBOUNCED))
#define ALL       (READINGS | IN(ROWS_QUARTERS))

static const struct column {
    const char *name;
    unsigned tables;
    enum kind kind;
    size_t offset; /* in struct rows_row */
} columns[] = {
    {"time", ALL, SECONDS, offsetof(struct rows_row, time)},
    {"meter", ALL, TEXT, offsetof(struct rows_row, meter)},
    {"window_start", IN(ROWS_DEBOUNCED), SECONDS, offsetof(struct rows_row, at)},
    {"counter", READINGS, COUNTER, offsetof(struct rows_row, counter)},
    {"received_at", READINGS, MILLISECONDS, offsetof(struct rows_row, received_ms)},
    {"suspect", READINGS, TEXT, offsetof(struct rows_row, suspect)},
    {"win", ALL, NUMBER, offsetof(struct rows_row, win)},
    {"wout", ALL, NUMBER, offsetof(struct rows_row, wout)},
    {"pin", READINGS, NUMBER, offsetof(struct rows_row, pin)},
    {"pout", READINGS, NUMBER, offsetof(struct rows_row, pout)},
    {"u1", READINGS, THOUSANDTHS, offsetof(struct rows_row, u[0])},
    {"u2", READINGS, THOUSANDTHS, offsetof(struct rows_row, u[1])},
    {"u3", READINGS, THOUSANDTHS, offsetof(struct rows_row, u[2])},
    {"i1", READINGS, THOUSANDTHS, offsetof(struct rows_row, i[0])},
    {"i2", READINGS, THOUSANDTHS, offsetof(struct rows_row, i[1])},
    {"i3", READINGS, THOUSANDTHS, offsetof(struct rows_row, i[2])},
    {"pf", READINGS, THOUSANDTHS, offsetof(struct rows_row, pf)},
    {"quality", IN(ROWS_QUARTERS), TEXT, offsetof(struct rows_row, quality)},
};

enum { COLUMNS = sizeof columns / sizeof columns[0] };

int export_format_from_name(const char *name)
{
    if (strcmp(name, "csv") == 0)
        return EXPORT_CSV;
    return strcmp(name, "json") == 0 ? EXPORT_JSON : -1;
}

static int put(struct buf *out, const char *text)
{
    return buf_add(out, text, strlen(text));
}

/* RFC 4180: quotes around what holds a comma, quote or line end; a quote is doubled. */
static int put_csv_text(struct buf *out, const char *text)
{
    int rc;

    if (strpbrk(text, ",\"\r\n") == NULL)
        return put(out, text);
    rc = put(out, "\"");
    for (; *text != '\0' && rc == 0; text++)
        rc = *text == '"' ? put(out, "\"\"") : buf_add(out, text, 1);
    return rc == 0 ? put(out, "\"") : rc;
}

static int put_json_text(struct buf *out, const char *text)
{
    json_t *string = json_string(text);
    char *quoted = json_dumps(string, JSON_ENCODE_ANY);
    int rc = quoted == NULL ? -ENOMEM : put(out, quoted);

    free(quoted);
    json_decref(string);
    return rc;
}

/* A column's value as text; false when there is none. */
static bool
format_value(const struct column *c, const struct rows_row *row, char text[QUANTITY_CHARS])
{
    int64_t v;

    memcpy(&v, (const char *)row + c->offset, sizeof v);
    if (v == ROWS_NULL || (c->kind == COUNTER && v < 0))
        return false;
    if (c->kind == SECONDS)
        instant_print(v, text);
    else if (c->kind == MILLISECONDS)
        instant_print_ms(v, text);
    else
        quantity_format(
            &(struct quantity){true, c->kind == THOUSANDTHS ? (int8_t)MILLI : (int8_t)0, v}, text);
    return true;
}

static const char *text_of(const struct column *c, const struct rows_row *row)
{
    const char *text;

    memcpy(&text, (const char *)row + c->offset, sizeof text);
    return text;
}

static int put_csv(const struct column *c, const struct rows_row *row, struct buf *out)
{
    char text[QUANTITY_CHARS];

    if (c->kind == TEXT)
        return put_csv_text(out, text_of(c, row));
    return format_value(c, row, text) ? put(out, text) : 0;
}

static int put_json(const struct column *c, const struct rows_row *row, struct buf *out)
{
    bool quoted = c->kind == SECONDS || c->kind == MILLISECONDS;
    char text[QUANTITY_CHARS], value[QUANTITY_CHARS + 2];

    if (c->kind == TEXT && *text_of(c, row) != '\0')
        return put_json_text(out, text_of(c, row));
    if (c->kind == TEXT || !format_value(c, row, text))
        return put(out, "null");
    snprintf(value, sizeof value, quoted ? "\"%s\"" : "%s", text);
    return put(out, value);
}

int export_header(enum rows_table table, enum export_format format, struct buf *out)
{
    const char *comma = "";
    int rc = 0;

    if (format == EXPORT_JSON)
        return 0;
    for (int i = 0; i < COLUMNS && rc == 0; i++) {
        if ((columns[i].tables & IN(table)) == 0)
            continue;
        rc = put(out, comma);
        if (rc == 0)
            rc = put(out, columns[i].name);
        comma = ",";
    }
    return rc == 0 ? put(out, "\r\n") : rc;
}

int export_row(enum rows_table table,
               enum export_format format,
               const struct rows_row *row,
               struct buf *out)
{
    const bool json = format == EXPORT_JSON;
    const char *before = json ? "{" : "";
    int rc = 0;

    for (int i = 0; i < COLUMNS && rc == 0; i++) {
        const struct column *c = &columns[i];

        if ((c->tables & IN(table)) == 0)
            continue;
        rc = put(out, before);
        if (rc == 0 && json)
            rc = put(out, "\"") != 0 || put(out, c->name) != 0 ? -ENOMEM : put(out, "\":");
        if (rc == 0)
            rc = json ? put_json(c, row, out) : put_csv(c, row, out);
        before = ",";
    }
    return rc == 0 ? put(out, json ? "}\n" : "\r\n") : rc;
}
