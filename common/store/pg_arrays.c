#include "pg_arrays.h"

#include <arpa/inet.h>
#include <endian.h>

#include "store.h"

enum { INT2 = 21, INT4 = 23, INT8 = 20, TIMESTAMPTZ = 1184 }; /* pg_type.dat */
enum { INT2S = 1005, INT4S = 1007, INT8S = 1016, TIMESTAMPTZS = 1185 };
#define EPOCH_2000_US INT64_C(946684800000000)

static const struct {
    unsigned element, array, size;
} types[PG_COLUMNS] = {
    [COL_TIME] = {TIMESTAMPTZ, TIMESTAMPTZS, 8},
    [COL_RECEIVED_AT] = {TIMESTAMPTZ, TIMESTAMPTZS, 8},
    [COL_WIN] = {INT8, INT8S, 8},
    [COL_WOUT] = {INT8, INT8S, 8},
    [COL_METER] = {INT4, INT4S, 4},
    [COL_COUNTER] = {INT4, INT4S, 4},
    [COL_PIN] = {INT4, INT4S, 4},
    [COL_POUT] = {INT4, INT4S, 4},
    [COL_U1] = {INT4, INT4S, 4},
    [COL_U2] = {INT4, INT4S, 4},
    [COL_U3] = {INT4, INT4S, 4},
    [COL_I1] = {INT4, INT4S, 4},
    [COL_I2] = {INT4, INT4S, 4},
    [COL_I3] = {INT4, INT4S, 4},
    [COL_PF] = {INT2, INT2S, 2},
    [COL_SUSPECT] = {INT2, INT2S, 2},
    [COL_WINDOW] = {TIMESTAMPTZ, TIMESTAMPTZS, 8},
};

unsigned pg_arrays_type(enum pg_column column)
{
    return types[column].array;
}

/* Dimensions, has-null flag, element type, length, lower bound. */
int pg_arrays_begin(struct pg_arrays *a, size_t n)
{
    int rc = 0;

    for (int c = 0; c < PG_COLUMNS && rc == 0; c++) {
        const uint32_t head[] = {htonl(1), htonl(1), htonl(types[c].element), htonl((uint32_t)n),
                                 htonl(1)};

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

int pg_arrays_add(struct pg_arrays *a, const int64_t values[PG_COLUMNS])
{
    int rc = 0;

    for (int c = 0; c < PG_COLUMNS && rc == 0; c++)
        rc = add_value(&a->columns[c], types[c].size, values[c]);
    return rc;
}

void pg_arrays_bind(const struct pg_arrays *a,
                    int columns,
                    const char *values[PG_COLUMNS],
                    int lengths[PG_COLUMNS],
                    int formats[PG_COLUMNS])
{
    for (int c = 0; c < columns; c++) {
        values[c] = (const char *)a->columns[c].data;
        lengths[c] = (int)a->columns[c].len;
        formats[c] = 1;
    }
}

void pg_arrays_free(struct pg_arrays *a)
{
    for (int c = 0; c < PG_COLUMNS; c++)
        buf_free(&a->columns[c]);
}

int64_t pg_timestamp(int64_t utc_ms)
{
    return utc_ms * 1000 - EPOCH_2000_US;
}
