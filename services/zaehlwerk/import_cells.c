#include "import_cells.h"

#include <stdio.h>

void import_cells_next(struct import_cells *c)
{
    if (c->count < IMPORT_FIELDS_MAX) {
        c->len[c->count] = 0;
        c->null[c->count] = false;
        c->text[c->count][0] = '\0';
    }
    c->count++;
}

void import_cells_add(struct import_cells *c, char octet)
{
    size_t i = c->count - 1;

    if (c->count == 0 || c->count > IMPORT_FIELDS_MAX || c->len[i] + 1 >= IMPORT_CELL_CHARS)
        return;
    c->text[i][c->len[i]++] = octet;
    c->text[i][c->len[i]] = '\0';
}

void import_cells_null(struct import_cells *c)
{
    if (c->count > 0 && c->count <= IMPORT_FIELDS_MAX)
        c->null[c->count - 1] = true;
}

void import_cells_row(struct import_cells *c,
                      const struct import_layout *layout,
                      struct import_row *row)
{
    row->utc = layout->utc;
    row->wrong = NULL;
    for (int i = 0; i < IMPORT_COLUMNS; i++)
        row->text[i] = NULL;
    for (size_t i = 0; i < c->count && i < layout->count; i++)
        if (layout->of[i] >= 0 && !c->null[i])
            row->text[layout->of[i]] = c->text[i];
    if (c->count == layout->count)
        return;
    snprintf(c->wrong, sizeof c->wrong, "%zu fields, not %zu", c->count, layout->count);
    row->wrong = c->wrong;
}
