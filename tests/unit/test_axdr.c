/* The A-XDR walk over COSEM data types (quirk Q27: walk them all). */
#include "tools.h"

#include <inttypes.h>
#include <stdio.h>

#include "axdr.h"

enum { TEXT_CHARS = 512, NODES_MAX = 100000, STOPPED = -12345 };

/** The nodes of a walk as text: "2*2 >17=1 >18=2" is a structure of two numbers. */
struct trace {
    char text[TEXT_CHARS];
    size_t len;
    size_t nodes, nodes_max;
};

static void write_text(struct trace *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void write_text(struct trace *t, const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(t->text + t->len, TEXT_CHARS - t->len, format, args);
    va_end(args);
    t->len += (size_t)n < TEXT_CHARS - t->len ? (size_t)n : 0;
}

static int visit(void *arg, const struct axdr_node *node)
{
    struct trace *t = arg;
    char *hex;

    if (t->nodes++ == t->nodes_max)
        return STOPPED;
    write_text(t, "%s%.*s%d", t->len > 0 ? " " : "", (int)node->depth, ">>>>>>>>>>>>>>>>>",
               node->tag);
    switch (node->kind) {
    case AXDR_CONTAINER:
        write_text(t, "*%zu", node->count);
        break;
    case AXDR_NUMBER:
        write_text(t, "=%" PRId64, node->number);
        break;
    case AXDR_REAL:
        write_text(t, "=%.9g", node->real);
        break;
    case AXDR_OCTETS:
        hex = hex_text(node->octets, node->len);
        write_text(t, node->tag == AXDR_BIT_STRING ? ":%s/%zu" : ":%s", hex, node->count);
        free(hex);
        break;
    case AXDR_EMPTY:
        break;
    }
    return 0;
}

static int walk(const uint8_t *octets, size_t len, size_t nodes_max, struct trace *t, size_t *left)
{
    struct octets exact = octets_copy(octets, len);
    struct cursor in = cursor_make(exact.at, exact.len);
    int rc;

    *t = (struct trace){.nodes_max = nodes_max};
    rc = axdr_walk(&in, visit, t);
    *left = cursor_left(&in);
    free(exact.at);
    return rc;
}

static const struct good_row {
    const char *why, *octets, *nodes;
} good_rows[] = {
    {"null-data", "00", "0"},
    {"don't-care", "FF", "255"},
    {"boolean", "0301", "3=1"},
    {"boolean false", "0300", "3=0"},
    {"bit string of 3", "0403A0", "4:A0/3"},
    {"bit string of 8", "0408A5", "4:A5/8"},
    {"bit string of 9", "0409A580", "4:A580/9"},
    {"bit string of none", "0400", "4:/0"},
    {"double-long", "05FFFFFFFE", "5=-2"},
    {"double-long, smallest", "0580000000", "5=-2147483648"},
    {"double-long-unsigned", "06FFFFFFFE", "6=4294967294"},
    {"octet string", "0903 0C0F16", "9:0C0F16"},
    {"octet string of none", "0900", "9:"},
    {"octet string, long length", "098103 0C0F16", "9:0C0F16"},
    {"visible string", "0A024B46", "10:4B46"},
    {"utf8 string", "0C02C3A4", "12:C3A4"},
    {"bcd", "0D42", "13=66"},
    {"integer", "0FFD", "15=-3"},
    {"long", "10FFFE", "16=-2"},
    {"unsigned", "11FE", "17=254"},
    {"long-unsigned", "12FFFE", "18=65534"},
    {"long64", "14FFFFFFFFFFFFFFFE", "20=-2"},
    {"long64, smallest", "148000000000000000", "20=-9223372036854775808"},
    {"long64-unsigned, largest that is taken", "157FFFFFFFFFFFFFFF", "21=9223372036854775807"},
    {"enum", "161E", "22=30"},
    {"float32", "17 3E800000", "23=0.25"},
    {"float32, negative", "17 C2F70000", "23=-123.5"},
    {"float64", "18 3FF8000000000000", "24=1.5"},
    {"date-time", "19 07E60A0B020C0C3700FF8882", "25:07E60A0B020C0C3700FF8882"},
    {"date", "1A 07E60A0B02", "26:07E60A0B02"},
    {"time", "1B 0C0C3700", "27:0C0C3700"},
    {"delta-integer", "1CFF", "28=-1"},
    {"delta-long", "1DFFFE", "29=-2"},
    {"delta-double-long", "1EFFFFFFFD", "30=-3"},
    {"delta-unsigned", "1FFF", "31=255"},
    {"delta-long-unsigned", "20FFFE", "32=65534"},
    {"delta-double-long-unsigned", "21FFFFFFFD", "33=4294967293"},

    {"array", "0102 1101 1102", "1*2 >17=1 >17=2"},
    {"array of none", "0100", "1*0"},
    {"structure", "0202 0FFE 161E", "2*2 >15=-2 >22=30"},
    {"structure of nulls", "020200 00", "2*2 >0 >0"},
    {"structures within", "0202 0202 1101 1102 1103", "2*2 >2*2 >>17=1 >>17=2 >17=3"},
    {"array with a long length", "018101 1107", "1*1 >17=7"},

    {"compact array of unsigned", "1311 03 010203", "19*0 >17=1 >17=2 >17=3"},
    {"compact array of none", "1311 00", "19*0"},
    {"compact array of octet strings", "1309 05 01AA02BBCC", "19*0 >9:AA >9:BBCC"},
    {"compact array of structures", "13 020211 12 06 010002 030004",
     "19*0 >2*2 >>17=1 >>18=2 >2*2 >>17=3 >>18=4"},
    {"compact array of arrays", "13 01000211 04 01020304",
     "19*0 >1*2 >>17=1 >>17=2 >1*2 >>17=3 >>17=4"},
    {"compact array, structure that holds an array before another value",
     "13 0202 010002 11 12 04 0102 0003", "19*0 >2*2 >>1*2 >>>17=1 >>>17=2 >>18=3"},
    {"compact array, array of structures", "13 010002 0202 110F 04 01FF 02FE",
     "19*0 >1*2 >>2*2 >>>17=1 >>>15=-1 >>2*2 >>>17=2 >>>15=-2"},
    {"compact array, array of none before a value", "13 0202 010000 0202 1112 11 01 07",
     "19*0 >2*2 >>1*0 >>17=7"},
    {"compact array, structure with a null", "13 020200 11 02 0102",
     "19*0 >2*2 >>0 >>17=1 >2*2 >>0 >>17=2"},
    {"compact array among others", "0203 1101 1312 02 0002 1103", "2*3 >17=1 >19*0 >>18=2 >17=3"},
};

static void every_type(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good_rows); i++) {
        struct octets o = octets_from_hex(good_rows[i].octets);
        struct trace t;
        size_t left;
        int rc = walk(o.at, o.len, NODES_MAX, &t, &left);

        if (rc != 0 || left != 0 || strcmp(t.text, good_rows[i].nodes) != 0)
            fail_msg("%s: %d, %zu left, %s", good_rows[i].why, rc, left, t.text);
        free(o.at);
    }
}

static void every_truncation_fails(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good_rows); i++) {
        struct octets o = octets_from_hex(good_rows[i].octets);

        for (size_t len = 0; len < o.len; len++) {
            struct trace t;
            size_t left;
            int rc = walk(o.at, len, NODES_MAX, &t, &left);

            if (rc != -EPROTO)
                fail_msg("%s, %zu octets: %d", good_rows[i].why, len, rc);
        }
        free(o.at);
    }
}

static void what_follows_is_left(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good_rows); i++) {
        struct octets o = octets_from_hex(good_rows[i].octets);
        struct octets more = octets_copy(o.at, o.len);
        struct trace t;
        size_t left;

        more.at = realloc(more.at, o.len + 3);
        memset(more.at + o.len, 0xFF, 3);
        assert_int_equal(walk(more.at, o.len + 3, NODES_MAX, &t, &left), 0);
        assert_int_equal(left, 3);
        free(more.at);
        free(o.at);
    }
}

static void what_is_refused(void **state)
{
    static const struct row {
        const char *why, *octets;
    } rows[] = {
        {"long64-unsigned beyond int64_t", "158000000000000000"},
        {"unknown tag 7", "0700000000"},
        {"unknown tag 8", "0800"},
        {"unknown tag 11", "0B00"},
        {"unknown tag 14", "0E00"},
        {"unknown tag 34", "2200000000"},
        {"unknown tag 254", "FE00"},
        {"unknown tag within", "0202 1101 0700"},
        {"octet string longer than the rest", "0904 0C0F16"},
        {"octet string of 4 GiB", "0984FFFFFFFF 00"},
        {"bit string of 4 Gbit", "0484FFFFFFFF 00"},
        {"indefinite length", "0980 00"},
        {"array of more elements than octets", "01 84FFFFFFFF 00"},
        {"structure of one more", "0203 1101 1102"},
        {"compact array: unknown type", "1307 04 00000000"},
        {"compact array: unknown type within", "13 020211 07 02 0102"},
        {"compact array: contents longer than the rest", "1311 04 010203"},
        {"compact array: half an element", "1312 03 000102"},
        {"compact array: half a structure", "13 020211 12 04 010002 03"},
        {"compact array in a compact array", "13 1311 02 0111"},
        {"compact array: number beyond int64_t", "1315 08 8000000000000000"},
        {"compact array: null-data never ends", "1300 01 AA"},
        {"compact array: don't-care never ends", "13FF 01 AA"},
        {"compact array: structure of none never ends", "13 0200 01 AA"},
        {"compact array: structure of nulls never ends", "13 02020000 01 AA"},
        {"compact array: array of none never ends", "13 01000011 01 AA"},
        {"compact array: array of nulls", "13 01FFFF00 01 AA"},
        {"compact array: array of arrays of nulls", "13 01FFFF01FFFF01FFFF00 01 AA"},
        {"compact array: the same beside a value", "13 0202 11 01FFFF01FFFF01FFFF00 01 AA"},
        {"compact array: array of structures of none", "13 01FFFF01FFFF0200 01 AA"},
        {"compact array: array of more than the contents hold", "13 01FFFF11 04 01020304"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct octets o = octets_from_hex(rows[i].octets);
        struct trace t;
        size_t left;
        int rc = walk(o.at, o.len, NODES_MAX, &t, &left);

        if (rc == STOPPED)
            fail_msg("%s: more than %d nodes of %zu octets", rows[i].why, NODES_MAX, o.len);
        if (rc != -EPROTO)
            fail_msg("%s: %d, %s", rows[i].why, rc, t.text);
        free(o.at);
    }
}

/* `depth` times `opening` around `inner`. */
static int walk_nested(const char *opening, unsigned depth, const char *inner)
{
    char text[TEXT_CHARS] = "";
    struct octets o;
    struct trace t;
    size_t left;
    int rc;

    while (depth-- > 0)
        strcat(text, opening);
    strcat(text, inner);
    o = octets_from_hex(text);
    rc = walk(o.at, o.len, NODES_MAX, &t, &left);
    free(o.at);
    return rc;
}

static void depth_is_limited(void **state)
{
    (void)state;
    assert_int_equal(walk_nested("0101", AXDR_DEPTH_MAX, "1107"), 0);
    assert_int_equal(walk_nested("0101", AXDR_DEPTH_MAX + 1, "1107"), -EPROTO);
    assert_int_equal(walk_nested("0201", AXDR_DEPTH_MAX, "1107"), 0);
    assert_int_equal(walk_nested("0201", AXDR_DEPTH_MAX + 1, "1107"), -EPROTO);
    assert_int_equal(walk_nested("0201", 80, "1107"), -EPROTO);
    /* a compact array and its elements are levels too */
    assert_int_equal(walk_nested("0201", AXDR_DEPTH_MAX - 1, "13110107"), 0);
    assert_int_equal(walk_nested("0201", AXDR_DEPTH_MAX, "13110107"), -EPROTO);
}

static void depth_of_a_description_is_limited(void **state)
{
    static const char *const openings[] = {"0201", "010001"};
    char text[TEXT_CHARS];

    (void)state;
    for (size_t i = 0; i < COUNT(openings); i++) {
        for (unsigned depth = 1; depth < 80; depth++) {
            struct octets o;
            struct trace t;
            size_t left;
            int rc;

            strcpy(text, "13");
            for (unsigned d = 0; d < depth; d++)
                strcat(text, openings[i]);
            strcat(text, "110107");
            o = octets_from_hex(text);
            rc = walk(o.at, o.len, NODES_MAX, &t, &left);
            assert_int_equal(rc, depth + 1 <= AXDR_DEPTH_MAX ? 0 : -EPROTO);
            free(o.at);
        }
    }
}

/* A visitor's result ends the walk at once, wherever it stands. */
static void a_visitor_ends_the_walk(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good_rows); i++) {
        struct octets o = octets_from_hex(good_rows[i].octets);
        struct trace t;
        size_t left, nodes;

        assert_int_equal(walk(o.at, o.len, NODES_MAX, &t, &left), 0);
        nodes = t.nodes;
        for (size_t n = 0; n < nodes; n++) {
            assert_int_equal(walk(o.at, o.len, n, &t, &left), STOPPED);
            assert_int_equal(t.nodes, n + 1);
        }
        free(o.at);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type),
        cmocka_unit_test(every_truncation_fails),
        cmocka_unit_test(what_follows_is_left),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(depth_of_a_description_is_limited),
        cmocka_unit_test(a_visitor_ends_the_walk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
