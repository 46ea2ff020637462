#include "import_rows.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"

/* The original begins in 2022; whoever has older rows has them of a meter of this kind, too. */
#define OLDEST INT64_C(1262304000) /* 2010 */

/* Clocks of two machines, and rows that come meanwhile. */
#define IMPORT_AHEAD_SECONDS 600

#define MANTISSA_MAX 9e15 /* a double counts in ones up to here */

/* A number in digits, with a point, or a comma as in German spreadsheets. */
static bool read_number(const char *text, double *number)
{
    char copy[40], *end, *comma;

    if ((size_t)snprintf(copy, sizeof copy, "%s", text) >= sizeof copy ||
        strspn(copy, "+-0123456789.,eE") != strlen(copy) || *copy == '\0')
        return false;
    comma = strchr(copy, ',');
    if (comma != NULL)
        *comma = '.';
    errno = 0;
    *number = strtod(copy, &end);
    return *end == '\0' && end != copy && isfinite(*number);
}

static bool is_energy(enum field f)
{
    return f == FIELD_WIN || f == FIELD_WOUT;
}

/* Energies are whole Wh: with decimals they are something else, most likely kWh. */
static const char *read_value(enum field f, const char *text, struct quantity *q)
{
    double number, mantissa;

    if (!read_number(text, &number))
        return "no number";
    if (is_energy(f) && number != floor(number))
        return "not in whole Wh";
    mantissa = is_energy(f) ? number : round(number * 1000);
    if (fabs(mantissa) > MANTISSA_MAX)
        return "more than a meter measures";
    *q = (struct quantity){true, is_energy(f) ? 0 : -3, (int64_t)mantissa};
    return NULL;
}

static bool complain(char reason[IMPORT_REASON_CHARS], enum import_column c, const char *wrong)
{
    snprintf(reason, IMPORT_REASON_CHARS, "%s: %s", import_column_name(c), wrong);
    return false;
}

static bool
read_values(const struct import_row *row, struct reading *r, char reason[IMPORT_REASON_CHARS])
{
    bool any = false;

    for (int f = 0; f < FIELD_ORIGINAL; f++) {
        enum import_column c = (enum import_column)(IMPORT_VALUES + f);
        const char *text = row->text[c];
        const char *wrong = text == NULL ? NULL : read_value((enum field)f, text, &r->values[f]);

        if (wrong != NULL)
            return complain(reason, c, wrong);
        any |= text != NULL;
    }
    if (!any)
        snprintf(reason, IMPORT_REASON_CHARS, "no value at all");
    return any;
}

static bool read_time(struct import_rows *rows,
                      const struct import_row *row,
                      int64_t *time,
                      char reason[IMPORT_REASON_CHARS])
{
    const char *text = row->text[IMPORT_TIME];
    const char *wrong = text == NULL
                            ? "nothing there"
                            : import_time_read(&rows->clocks[row->table], text, row->utc, time);

    if (wrong == NULL && *time < OLDEST)
        wrong = "before 2010";
    if (wrong == NULL && *time > rows->now + IMPORT_AHEAD_SECONDS)
        wrong = "in the future";
    return wrong == NULL || complain(reason, IMPORT_TIME, wrong);
}

static const char *judge(struct import_rows *rows, enum rows_table table, struct record *record)
{
    struct store_columns ignored;
    const char *wrong = plausible_reject(record, false);

    if (wrong == NULL && store_columns_of(&record->reading, &ignored) != 0)
        wrong = "a value that no meter measures";
    if (wrong == NULL)
        snprintf(record->reading.suspect, sizeof record->reading.suspect, "%s",
                 plausible_suspect(rows->plausible[table], record));
    return wrong;
}

enum import_verdict import_rows_read(struct import_rows *rows,
                                     const struct import_row *row,
                                     struct record *record,
                                     char reason[IMPORT_REASON_CHARS])
{
    struct reading *r = &record->reading;
    const char *wrong = row->wrong;

    *record = (struct record){
        .type = row->table == ROWS_DEBOUNCED ? RECORD_DEBOUNCED : RECORD_READING,
        .reading = {.counter = -1, .has_time = true, .clock_status = 0xFF},
    };
    snprintf(r->meter, sizeof r->meter, "%s", rows->meter);
    if (wrong == NULL) {
        if (!read_time(rows, row, &r->time, reason) || !read_values(row, r, reason))
            return IMPORT_REJECTED;
        if (r->time < rows->from || r->time >= rows->to)
            return IMPORT_OUTSIDE;
        if (r->time > rows->now - IMPORT_SETTLE_SECONDS)
            return IMPORT_FRESH;
        record->arrival_ms = r->time * 1000;
        record->window = r->time - r->time % IMPORT_WINDOW_SECONDS;
        wrong = judge(rows, row->table, record);
    }
    if (wrong != NULL)
        snprintf(reason, IMPORT_REASON_CHARS, "%s", wrong);
    return wrong == NULL ? IMPORT_TAKEN : IMPORT_REJECTED;
}
