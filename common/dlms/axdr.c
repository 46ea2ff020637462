#include "axdr.h"

#include <string.h>

/* How each type's contents are read; a compact array's type description uses the same tags. */
enum form { NONE, FIXED_SIGNED, FIXED_UNSIGNED, FIXED_REAL, FIXED_OCTETS, COUNTED, BITS };

static const struct {
    enum form form;
    uint8_t size;
    enum axdr_kind kind;
} types[] = {
    [AXDR_BOOLEAN] = {FIXED_UNSIGNED, 1, AXDR_NUMBER},
    [AXDR_BIT_STRING] = {BITS, 0, AXDR_OCTETS},
    [AXDR_DOUBLE_LONG] = {FIXED_SIGNED, 4, AXDR_NUMBER},
    [AXDR_DOUBLE_LONG_UNSIGNED] = {FIXED_UNSIGNED, 4, AXDR_NUMBER},
    [AXDR_OCTET_STRING] = {COUNTED, 0, AXDR_OCTETS},
    [AXDR_VISIBLE_STRING] = {COUNTED, 0, AXDR_OCTETS},
    [AXDR_UTF8_STRING] = {COUNTED, 0, AXDR_OCTETS},
    [AXDR_BCD] = {FIXED_UNSIGNED, 1, AXDR_NUMBER},
    [AXDR_INTEGER] = {FIXED_SIGNED, 1, AXDR_NUMBER},
    [AXDR_LONG] = {FIXED_SIGNED, 2, AXDR_NUMBER},
    [AXDR_UNSIGNED] = {FIXED_UNSIGNED, 1, AXDR_NUMBER},
    [AXDR_LONG_UNSIGNED] = {FIXED_UNSIGNED, 2, AXDR_NUMBER},
    [AXDR_LONG64] = {FIXED_SIGNED, 8, AXDR_NUMBER},
    [AXDR_LONG64_UNSIGNED] = {FIXED_UNSIGNED, 8, AXDR_NUMBER},
    [AXDR_ENUM] = {FIXED_UNSIGNED, 1, AXDR_NUMBER},
    [AXDR_FLOAT32] = {FIXED_REAL, 4, AXDR_REAL},
    [AXDR_FLOAT64] = {FIXED_REAL, 8, AXDR_REAL},
    [AXDR_DATE_TIME] = {FIXED_OCTETS, 12, AXDR_OCTETS},
    [AXDR_DATE] = {FIXED_OCTETS, 5, AXDR_OCTETS},
    [AXDR_TIME] = {FIXED_OCTETS, 4, AXDR_OCTETS},
    [AXDR_DELTA_INTEGER] = {FIXED_SIGNED, 1, AXDR_NUMBER},
    [AXDR_DELTA_LONG] = {FIXED_SIGNED, 2, AXDR_NUMBER},
    [AXDR_DELTA_DOUBLE_LONG] = {FIXED_SIGNED, 4, AXDR_NUMBER},
    [AXDR_DELTA_UNSIGNED] = {FIXED_UNSIGNED, 1, AXDR_NUMBER},
    [AXDR_DELTA_LONG_UNSIGNED] = {FIXED_UNSIGNED, 2, AXDR_NUMBER},
    [AXDR_DELTA_DOUBLE_LONG_UNSIGNED] = {FIXED_UNSIGNED, 4, AXDR_NUMBER},
};

struct walk {
    axdr_visit *visit;
    void *arg;
};

static int value(const struct walk *w, struct cursor *in, unsigned depth);

static void read_real(struct cursor *in, size_t size, double *real)
{
    uint64_t bits = cursor_be(in, size);

    if (size == sizeof(float)) {
        uint32_t bits32 = (uint32_t)bits;
        float f;

        memcpy(&f, &bits32, sizeof f);
        *real = (double)f;
    } else {
        memcpy(real, &bits, sizeof *real);
    }
}

/* A value without elements, its tag already known. */
static int scalar(const struct walk *w, struct cursor *in, uint8_t tag, unsigned depth)
{
    struct axdr_node node = {.tag = tag, .depth = depth, .kind = AXDR_EMPTY};
    unsigned unused_bits;

    if (tag == AXDR_NULL || tag == AXDR_DONT_CARE)
        return w->visit(w->arg, &node);
    if (tag >= sizeof types / sizeof types[0] || types[tag].form == NONE)
        return in->err = -EPROTO;

    node.kind = types[tag].kind;
    node.len = types[tag].size;
    switch (types[tag].form) {
    case FIXED_SIGNED:
        unused_bits = (64 - 8 * (unsigned)node.len) % 64;
        node.number = (int64_t)(cursor_be(in, node.len) << unused_bits) >> unused_bits;
        break;
    case FIXED_UNSIGNED: {
        uint64_t u = cursor_be(in, node.len);

        if (u > INT64_MAX)
            return in->err = -EPROTO;
        node.number = (int64_t)u;
        break;
    }
    case FIXED_REAL:
        read_real(in, node.len, &node.real);
        break;
    case BITS:
        node.count = cursor_length(in);
        node.len = node.count / 8 + (node.count % 8 != 0);
        node.octets = cursor_take(in, node.len);
        break;
    case COUNTED:
        node.len = cursor_length(in);
        node.octets = cursor_take(in, node.len);
        break;
    case FIXED_OCTETS:
        node.octets = cursor_take(in, node.len);
        break;
    case NONE:
        break;
    }
    return in->err != 0 ? in->err : w->visit(w->arg, &node);
}

/* Step over one type description of a compact array (Blue Book 4.1.5: TypeDescription). */
static int skip_description(struct cursor *type, unsigned depth)
{
    uint8_t tag = cursor_u8(type);
    size_t count;

    if (depth > AXDR_DEPTH_MAX)
        return type->err = -EPROTO;
    if (tag == AXDR_ARRAY) {
        cursor_be(type, 2);
        return skip_description(type, depth + 1);
    }
    if (tag == AXDR_STRUCTURE) {
        count = cursor_length(type);
        while (count-- > 0 && type->err == 0)
            (void)skip_description(type, depth + 1);
    }
    return type->err;
}

/* One value whose type stands in a description; the contents carry no tags. */
static int described(const struct walk *w, struct cursor *type, struct cursor *in, unsigned depth)
{
    struct axdr_node node = {.kind = AXDR_CONTAINER, .depth = depth};
    uint8_t tag = cursor_u8(type);
    struct cursor element;
    int rc;

    if (depth > AXDR_DEPTH_MAX || type->err != 0)
        return in->err = -EPROTO;
    if (tag != AXDR_ARRAY && tag != AXDR_STRUCTURE)
        return scalar(w, in, tag, depth);

    node.tag = tag;
    node.count = tag == AXDR_ARRAY ? (size_t)cursor_be(type, 2) : cursor_length(type);
    rc = w->visit(w->arg, &node);
    element = *type;
    for (size_t i = 0; i < node.count && rc == 0; i++) {
        const uint8_t *before = in->at;

        if (tag == AXDR_ARRAY)
            *type = element;
        rc = described(w, type, in, depth + 1);
        if (rc == 0 && tag == AXDR_ARRAY && in->at == before) /* never end */
            rc = in->err = -EPROTO;
    }
    if (tag == AXDR_ARRAY && rc == 0) {
        *type = element;
        rc = skip_description(type, depth);
    }
    return rc;
}

static int compact_array(const struct walk *w, struct cursor *in, unsigned depth)
{
    struct axdr_node node = {.tag = AXDR_COMPACT_ARRAY, .kind = AXDR_CONTAINER, .depth = depth};
    struct cursor type = *in;
    struct cursor contents;
    const uint8_t *octets;
    size_t len;
    int rc;

    if (skip_description(in, depth) != 0)
        return -EPROTO;
    type.end = in->at;
    len = cursor_length(in);
    octets = cursor_take(in, len);
    if (octets == NULL)
        return -EPROTO;
    contents = cursor_make(octets, len);
    rc = w->visit(w->arg, &node);
    while (rc == 0 && cursor_left(&contents) > 0) {
        struct cursor again = type;
        const uint8_t *before = contents.at;

        rc = described(w, &again, &contents, depth + 1);
        if (rc == 0 && contents.at == before) /* elements of no octets would never end */
            rc = -EPROTO;
    }
    return rc;
}

static int value(const struct walk *w, struct cursor *in, unsigned depth)
{
    struct axdr_node node = {.kind = AXDR_CONTAINER, .depth = depth};
    uint8_t tag = cursor_u8(in);
    int rc;

    if (in->err != 0 || depth > AXDR_DEPTH_MAX)
        return in->err = -EPROTO;
    if (tag == AXDR_COMPACT_ARRAY)
        return compact_array(w, in, depth);
    if (tag != AXDR_ARRAY && tag != AXDR_STRUCTURE)
        return scalar(w, in, tag, depth);

    node.tag = tag;
    node.count = cursor_length(in);
    if (in->err != 0 || node.count > cursor_left(in)) /* each element takes an octet or more */
        return in->err = -EPROTO;
    rc = w->visit(w->arg, &node);
    for (size_t i = 0; i < node.count && rc == 0; i++)
        rc = value(w, in, depth + 1);
    return rc;
}

int axdr_walk(struct cursor *in, axdr_visit *visit, void *arg)
{
    const struct walk w = {visit, arg};

    return value(&w, in, 0);
}
