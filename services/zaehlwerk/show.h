/* show: readings for people and other programs. */
#ifndef SHOW_H
#define SHOW_H

#include <stdio.h>

#include "record.h"

/** One JSON object and a line end: meter, counter, time, clock_status, meter_number, values. */
void show_json(FILE *out, const struct reading *r);

/** The same of a record: with name, suspect (or null) and received_at, too. */
void show_record_json(FILE *out, const struct record *r);

/** How a line is to look. */
struct show_look {
    bool terminal; /* short: the time of day alone, the meter's name in place of its id */
    bool colour;   /* import, export, suspect */
    int width;     /* columns; what does not fit is left out, from the right; 0: no bound */
};

#define SHOW_LINE_CHARS 1024

/** One line, without its end: time in UTC, meter, signed power (import +), then every field. */
void show_line(const struct record *r, const struct show_look *look, char text[SHOW_LINE_CHARS]);

/** The titles above such lines on a terminal. */
void show_titles(const struct show_look *look, char text[SHOW_LINE_CHARS]);

#endif
