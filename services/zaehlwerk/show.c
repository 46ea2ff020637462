#include "show.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "instant.h"
#include "utf8.h"

enum { NAME_COLUMNS = 16 };

/* SGR codes: they take no columns. */
#define IMPORT  "33"
#define EXPORT  "32"
#define SUSPECT "1;31"
#define TITLE   "1"

/* JSON */

/* A JSON string of text that may hold anything. */
static void print_string(FILE *out, const char *text)
{
    json_t *string = json_string(text);
    char *quoted = json_dumps(string, JSON_ENCODE_ANY);

    fputs(quoted == NULL ? "\"\"" : quoted, out);
    free(quoted);
    json_decref(string);
}

static void print_values(FILE *out, const struct reading *r)
{
    char text[QUANTITY_CHARS];
    const char *comma = "";

    fprintf(out, ",\"values\":{");
    for (int f = 0; f < FIELD_COUNT; f++) {
        if (!r->values[f].present)
            continue;
        quantity_format(&r->values[f], text);
        fprintf(out, "%s\"%s\":%s", comma, field_name((enum field)f), text);
        comma = ",";
    }
    fputc('}', out);
}

static void print_head(FILE *out, const struct reading *r)
{
    char time[INSTANT_CHARS];

    fprintf(out, "{\"meter\":\"%s\",\"counter\":%" PRId64 ",\"time\":", r->meter, r->counter);
    instant_print(r->time, time);
    if (r->has_time)
        fprintf(out, "\"%s\"", time);
    else
        fputs("null", out);
    fprintf(out, ",\"clock_status\":%u,\"meter_number\":", r->clock_status);
    print_string(out, r->number);
}

void show_json(FILE *out, const struct reading *r)
{
    print_head(out, r);
    print_values(out, r);
    fputs("}\n", out);
}

void show_record_json(FILE *out, const struct record *r)
{
    char arrival[INSTANT_CHARS];

    print_head(out, &r->reading);
    fputs(",\"name\":", out);
    print_string(out, r->reading.name);
    fputs(",\"suspect\":", out);
    if (r->reading.suspect[0] == '\0')
        fputs("null", out);
    else
        print_string(out, r->reading.suspect);
    instant_print_ms(r->arrival_ms, arrival);
    fprintf(out, ",\"received_at\":\"%s\"", arrival);
    print_values(out, &r->reading);
    fputs("}\n", out);
}

/* Lines */

struct line {
    const struct show_look *look;
    char *text;
    size_t len;
    int columns;
    bool full; /* something did not fit: nothing more does */
};

static int columns_of(const char *text)
{
    int n = 0;

    for (; *text != '\0'; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

/* One piece behind a blank, in a colour or NULL. */
static void add(struct line *l, const char *colour, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void add(struct line *l, const char *colour, const char *format, ...)
{
    const char *blank = l->columns == 0 ? "" : " ";
    bool coloured = colour != NULL && l->look->colour;
    char piece[128];
    va_list arguments;
    int n;

    va_start(arguments, format);
    vsnprintf(piece, sizeof piece, format, arguments);
    va_end(arguments);
    l->full |=
        l->look->width > 0 && l->columns + (int)strlen(blank) + columns_of(piece) > l->look->width;
    if (l->full)
        return;
    n = snprintf(l->text + l->len, SHOW_LINE_CHARS - l->len, "%s%s%s%s%s%s", blank,
                 coloured ? "\033[" : "", coloured ? colour : "", coloured ? "m" : "", piece,
                 coloured ? "\033[0m" : "");
    l->len += n > 0 && (size_t)n < SHOW_LINE_CHARS - l->len ? (size_t)n : 0;
    l->columns += (int)strlen(blank) + columns_of(piece);
}

/* Sixteen columns of the meter's name, or its id. */
static void add_meter(struct line *l, const struct reading *r)
{
    char name[NAME_CHARS + 1];
    char *end = name;
    int columns = 0;

    utf8_copy(name, sizeof name, r->name);
    if (!l->look->terminal || name[0] == '\0')
        add(l, NULL, "%s", r->meter);
    if (name[0] == '\0')
        return;
    for (; *end != '\0'; end++) {
        columns += ((unsigned char)*end & 0xC0) != 0x80;
        if (columns > NAME_COLUMNS)
            break;
    }
    *end = '\0';
    add(l, NULL, "%s%*s", name,
        columns < NAME_COLUMNS && l->look->terminal ? NAME_COLUMNS - columns : 0, "");
}

static void add_power(struct line *l, const struct reading *r)
{
    struct quantity power;
    int64_t w;

    if (!reading_power(r, &power)) {
        add(l, NULL, "%8s  ", "-");
        return;
    }
    w = quantity_scaled(&power, 0);
    add(l, w > 0 ? IMPORT : w < 0 ? EXPORT : NULL, "%+8" PRId64 " W", w);
}

/* "WIn   10069016 Wh", or as many blanks where the meter sends none on a terminal. */
static void add_energy(struct line *l, const struct reading *r, enum field f)
{
    char text[QUANTITY_CHARS] = "-";

    if (r->values[f].present)
        quantity_format(&r->values[f], text);
    if (r->values[f].present || l->look->terminal)
        add(l, NULL, " %s %10s %s", field_name(f), text, field_unit(f));
}

static void add_field(struct line *l, const struct reading *r, enum field f)
{
    char text[QUANTITY_CHARS];

    if (!r->values[f].present)
        return;
    quantity_format(&r->values[f], text);
    if (f == FIELD_PF)
        add(l, NULL, " %s %s", field_name(f), text);
    else
        add(l, NULL, " %s %*s %s", field_name(f), f >= FIELD_U1 && f <= FIELD_I3 ? 5 : 1, text,
            field_unit(f));
}

static struct line begin(const struct show_look *look, char text[SHOW_LINE_CHARS])
{
    text[0] = '\0';
    return (struct line){.look = look, .text = text};
}

void show_line(const struct record *r, const struct show_look *look, char text[SHOW_LINE_CHARS])
{
    struct line l = begin(look, text);
    char time[INSTANT_CHARS];

    instant_print(record_time(r), time);
    add(&l, NULL, "%s", look->terminal && *time != '\0' ? strchr(time, 'T') + 1 : time);
    add_meter(&l, &r->reading);
    add_power(&l, &r->reading);
    if (r->reading.suspect[0] != '\0') {
        char suspect[SUSPECT_CHARS + 1];

        utf8_copy(suspect, sizeof suspect, r->reading.suspect);
        add(&l, SUSPECT, " suspect: %s", suspect);
    }
    add_energy(&l, &r->reading, FIELD_WIN);
    add_energy(&l, &r->reading, FIELD_WOUT);
    for (int f = FIELD_U1; f < FIELD_COUNT; f++)
        add_field(&l, &r->reading, (enum field)f);
}

void show_titles(const struct show_look *look, char text[SHOW_LINE_CHARS])
{
    struct line l = begin(look, text);

    add(&l, TITLE, "%-9s %-16s %10s  %-17s  %-17s", "time", "meter", "power", "import", "export");
    if (l.full) { /* too narrow for all of them */
        l.full = false;
        add(&l, TITLE, "%-9s %-16s %10s", "time", "meter", "power");
    }
}
