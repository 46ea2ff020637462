/* import_cells: the fields of one row of a file, each with little room: they are numbers and times.
 */
#ifndef IMPORT_CELLS_H
#define IMPORT_CELLS_H

#include "import_source.h"

/** Longer ones are cut, which no number and no time survives. */
enum { IMPORT_CELL_CHARS = 64 };

struct import_cells {
    size_t count; /* may be more than there is room for */
    size_t len[IMPORT_FIELDS_MAX];
    bool null[IMPORT_FIELDS_MAX];
    char text[IMPORT_FIELDS_MAX][IMPORT_CELL_CHARS];
    char wrong[64];
};

/** Begin an empty field. */
void import_cells_next(struct import_cells *c);

/** Append to the last field. */
void import_cells_add(struct import_cells *c, char octet);

/** Mark the last field as SQL's NULL. */
void import_cells_null(struct import_cells *c);

/** Lay the fields out as a row, which points to them; `wrong` when there are more or fewer. */
void import_cells_row(struct import_cells *c,
                      const struct import_layout *layout,
                      struct import_row *row);

#endif
