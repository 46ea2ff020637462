/* reading_json: one reading as the page gets it. */
#ifndef READING_JSON_H
#define READING_JSON_H

#include "record.h"
#include "rows.h"

struct json_t; /* NOLINT: jansson's name */

/** A reading that was stored or is live, with strings of its own. */
struct told {
    struct rows_row row; /* meter and suspect point into this struct: copy it by told_set alone */
    char meter[METER_ID_CHARS + 1];
    char suspect[SUSPECT_CHARS + 1];
    char name[NAME_CHARS + 1];
};

void told_set(struct told *t, const struct rows_row *row, const char *name);

/** From a record; returns 0, or -EINVAL when a value of it could not be stored either. */
int told_from_record(struct told *t, const struct record *r) __attribute__((warn_unused_result));

/** READING of the README. */
struct json_t *reading_json(const struct told *t);

#endif
