/* axdr: walk A-XDR encoded COSEM data (IEC 61334-6; types: Blue Book ed. 13, 4.1.5). */
#ifndef AXDR_H
#define AXDR_H

#include <stdint.h>

#include "cursor.h"

/** Tags of the common data types. */
enum axdr_tag {
    AXDR_NULL = 0,
    AXDR_ARRAY = 1,
    AXDR_STRUCTURE = 2,
    AXDR_BOOLEAN = 3,
    AXDR_BIT_STRING = 4,
    AXDR_DOUBLE_LONG = 5,
    AXDR_DOUBLE_LONG_UNSIGNED = 6,
    AXDR_OCTET_STRING = 9,
    AXDR_VISIBLE_STRING = 10,
    AXDR_UTF8_STRING = 12,
    AXDR_BCD = 13,
    AXDR_INTEGER = 15,
    AXDR_LONG = 16,
    AXDR_UNSIGNED = 17,
    AXDR_LONG_UNSIGNED = 18,
    AXDR_COMPACT_ARRAY = 19,
    AXDR_LONG64 = 20,
    AXDR_LONG64_UNSIGNED = 21,
    AXDR_ENUM = 22,
    AXDR_FLOAT32 = 23,
    AXDR_FLOAT64 = 24,
    AXDR_DATE_TIME = 25,
    AXDR_DATE = 26,
    AXDR_TIME = 27,
    AXDR_DELTA_INTEGER = 28,
    AXDR_DELTA_LONG = 29,
    AXDR_DELTA_DOUBLE_LONG = 30,
    AXDR_DELTA_UNSIGNED = 31,
    AXDR_DELTA_LONG_UNSIGNED = 32,
    AXDR_DELTA_DOUBLE_LONG_UNSIGNED = 33,
    AXDR_DONT_CARE = 255,
};

#define AXDR_DEPTH_MAX 16

/** What kind of value a node holds. */
enum axdr_kind {
    AXDR_CONTAINER, /* array, structure, compact array: `count` nodes one level deeper follow */
    AXDR_NUMBER,    /* `number`: integers, enum, boolean, bcd, deltas */
    AXDR_REAL,      /* `real` */
    AXDR_OCTETS,    /* `octets`, `len`: strings, dates and times; a bit string's octets */
    AXDR_EMPTY,     /* null-data, don't-care */
};

/** One value on the way; `octets` is a view into the input. */
struct axdr_node {
    enum axdr_tag tag;
    enum axdr_kind kind;
    unsigned depth; /* 0 for the outermost value */
    size_t count;   /* containers: elements; bit string: bits */
    int64_t number; /* a long64-unsigned above INT64_MAX is an error */
    double real;
    const uint8_t *octets;
    size_t len;
};

/** Called for each node in order of occurrence; a result other than 0 ends the walk with it. */
typedef int axdr_visit(void *arg, const struct axdr_node *node);

/**
 * Read one value with all it contains; the cursor stands behind it afterwards. Compact arrays are
 * visited like arrays.
 * Returns 0; -EPROTO for an unknown tag, a length beyond the input, nesting deeper than
 * AXDR_DEPTH_MAX or a number beyond int64_t; or what visit returned.
 */
int axdr_walk(struct cursor *in, axdr_visit *visit, void *arg) __attribute__((warn_unused_result));

#endif
