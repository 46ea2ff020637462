#include "import_source.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

int import_column_from_name(const char *name)
{
    static const char *const times[] = {"timestamp", "time", "ts", "datetime"};

    if (strcasecmp(name, "id") == 0)
        return IMPORT_ID;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
        if (strcasecmp(name, times[i]) == 0)
            return IMPORT_TIME;
    for (int f = 0; f < FIELD_ORIGINAL; f++)
        if (strcasecmp(name, field_name((enum field)f)) == 0)
            return IMPORT_VALUES + f;
    return -1;
}

const char *import_column_name(enum import_column c)
{
    return c == IMPORT_ID     ? "id"
           : c == IMPORT_TIME ? "timestamp"
                              : field_name((enum field)(c - IMPORT_VALUES));
}

int import_layout_add(struct import_layout *l, const char *name)
{
    int column = import_column_from_name(name);

    if (l->count == IMPORT_FIELDS_MAX)
        return -E2BIG;
    for (size_t i = 0; i < l->count; i++)
        if (column >= 0 && l->of[i] == column)
            return -EEXIST;
    l->has_time |= column == IMPORT_TIME;
    l->has_win |= column == IMPORT_VALUES + FIELD_WIN;
    l->of[l->count++] = column;
    return 0;
}

int import_layout_guess(struct import_layout *l, size_t fields)
{
    size_t first = fields == IMPORT_COLUMNS ? IMPORT_ID : IMPORT_TIME;

    if (fields != IMPORT_COLUMNS && fields != IMPORT_COLUMNS - 1)
        return -EINVAL;
    *l = (struct import_layout){.count = fields, .utc = l->utc, .has_time = true, .has_win = true};
    for (size_t i = 0; i < fields; i++)
        l->of[i] = (int)(first + i);
    return 0;
}

int import_table_from_name(const struct import_tables *t, const char *name)
{
    for (int i = 0; i < 2; i++)
        if (t->wanted[i] && strcasecmp(name, t->name[i]) == 0)
            return i;
    return -1;
}
