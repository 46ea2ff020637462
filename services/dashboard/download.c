#include "download.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export.h"
#include "query.h"

enum { PAGE_ROWS = 2000 };

struct download {
    char meter[METER_ID_CHARS + 1];
    enum rows_table table;
    int64_t at, to; /* the next page's rows are from `at` on, */
    size_t skip;    /* less those of that second that were read */
    bool begun, last;
    struct buf page;
    char file[64];

    int64_t row_at;        /* of the page under way: its last row's second, */
    size_t row_same, rows; /* how many rows that second has, and all of them */
    int rc;
};

struct download *download_ask(const struct request *r, struct answer *a)
{
    struct download asked = {0}, *x;
    int table = r->table == NULL ? -1 : rows_table_from_name(r->table);

    if (!query_meter(r, asked.meter, a) || !query_span(r, &asked.at, &asked.to, a))
        return NULL;
    if (table < 0) {
        query_wrong(a, "table must be quarter_hour, debounced or history.");
        return NULL;
    }
    asked.table = (enum rows_table)table;
    snprintf(asked.file, sizeof asked.file, "zaehlwerk-%s-%s.csv", asked.meter, r->table);
    x = malloc(sizeof *x);
    if (x == NULL)
        a->status = 500;
    else
        *x = asked;
    return x;
}

void download_free(struct download *x)
{
    if (x == NULL)
        return;
    buf_free(&x->page);
    free(x);
}

static void visit(void *arg, const struct rows_row *row)
{
    struct download *x = arg;

    x->row_same = row->at == x->row_at ? x->row_same + 1 : 1;
    x->row_at = row->at;
    x->rows++;
    if (x->rc == 0)
        x->rc = export_row(x->table, EXPORT_CSV, row, &x->page);
}

int download_run(struct download *x, struct store *store, char why[STORE_WHY_CHARS])
{
    const struct rows_query q = {
        .table = x->table,
        .meter = x->meter,
        .from = x->at,
        .to = x->to,
        .max = PAGE_ROWS,
        .skip = x->skip,
    };
    int rc;

    x->page.len = 0;
    x->rows = 0;
    x->row_at = x->at;
    x->row_same = x->skip;
    x->rc = x->begun ? 0 : export_header(x->table, EXPORT_CSV, &x->page);
    rc = store_rows(store, &q, visit, x, why);
    if (rc == 0)
        rc = x->rc;
    if (rc != 0)
        return rc;
    x->begun = true;
    x->last = x->rows < PAGE_ROWS;
    x->at = x->row_at;
    x->skip = x->row_same;
    return 0;
}

struct buf *download_page(struct download *x)
{
    return &x->page;
}

bool download_is_last(const struct download *x)
{
    return x->last;
}

const char *download_file(const struct download *x)
{
    return x->file;
}
