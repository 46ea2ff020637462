#include "pg_arrays.h"

#include <arpa/inet.h>
#include <endian.h>

#include "store.h"

#define EPOCH_2000_US INT64_C(946684800000000)

/* As in pg_type.dat. */
static const struct {
    unsigned element, array, size;
} type_of[] = {
    [PG_INT2] = {21, 1005, 2},
    [PG_INT4] = {23, 1007, 4},
    [PG_INT8] = {20, 1016, 8},
    [PG_TIMESTAMPTZ] = {1184, 1185, 8},
};

unsigned pg_arrays_type(enum pg_type type)
{
    return type_of[type].array;
}

/* Dimensions, has-null flag, element type, length, lower bound. */
int pg_arrays_begin(struct pg_arrays *a, const enum pg_type *types, int count, size_t n)
{
    int rc = 0;

    a->types = types;
    a->count = count;
    for (int c = 0; c < count && rc == 0; c++) {
        const uint32_t head[] = {htonl(1), htonl(1), htonl(type_of[types[c]].element),
                                 htonl((uint32_t)n), htonl(1)};

        a->columns[c].len = 0;
        rc = buf_add(&a->columns[c], head, sizeof head);
    }
    return rc;
}

/* A value in network order behind its length; STORE_NULL is length -1 and nothing. */
static int add_value(struct buf *b, size_t size, int64_t value)
{
    uint32_t len = htonl(value == STORE_NULL ? UINT32_MAX : (uint32_t)size);
    uint64_t be = htobe64((uint64_t)value);
    int rc = buf_add(b, &len, sizeof len);

    if (rc == 0 && value != STORE_NULL)
        rc = buf_add(b, (const uint8_t *)&be + sizeof be - size, size);
    return rc;
}

int pg_arrays_add(struct pg_arrays *a, const int64_t *values)
{
    int rc = 0;

    for (int c = 0; c < a->count && rc == 0; c++)
        rc = add_value(&a->columns[c], type_of[a->types[c]].size, values[c]);
    return rc;
}

void pg_arrays_bind(const struct pg_arrays *a,
                    const char *values[PG_COLUMNS_MAX],
                    int lengths[PG_COLUMNS_MAX],
                    int formats[PG_COLUMNS_MAX])
{
    for (int c = 0; c < a->count; c++) {
        values[c] = (const char *)a->columns[c].data;
        lengths[c] = (int)a->columns[c].len;
        formats[c] = 1;
    }
}

void pg_arrays_free(struct pg_arrays *a)
{
    for (int c = 0; c < PG_COLUMNS_MAX; c++)
        buf_free(&a->columns[c]);
}

int64_t pg_timestamp(int64_t utc_ms)
{
    return utc_ms * 1000 - EPOCH_2000_US;
}
