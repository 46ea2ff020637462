#include "annotate_plain.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "apdu.h"
#include "axdr.h"
#include "dlms_time.h"
#include "hex.h"
#include "instant.h"
#include "notification.h"
#include "obis.h"
enum { INVOKE_ID_OCTETS = 4, SHOWN_OCTETS = 64 };

/* What an OBIS code has announced: as in notification.c, whose values are shown. */
enum place { PLAIN, AFTER_CODE, AFTER_VALUE, IN_SCALER, IN_UNIT };

struct body {
    struct notes n;
    unsigned depth; /* of the outermost element */
    struct cursor *in;
    const uint8_t *done; /* the first octet that is in no leaf yet */
    const struct reading *reading;
    enum place place;
    enum obis_role role;
    enum field field;
    struct quantity quantity; /* of the last value, as far as it is read */
    int64_t unit;
};

static void note_time(const struct notes *n, const uint8_t *t)
{
    static const char *const days[] = {"",           ", Monday", ", Tuesday",  ", Wednesday",
                                       ", Thursday", ", Friday", ", Saturday", ", Sunday"};
    int deviation = (int16_t)(t[9] << 8 | t[10]);
    uint8_t s = t[11];
    char text[INSTANT_CHARS];
    int64_t utc;
    int rc = dlms_time_read(t, &utc, &s);

    note_leaf(n, t, 5, "date", "%04u-%02u-%02u%s", t[0] << 8 | t[1], t[2], t[3],
              t[4] < 8 ? days[t[4]] : "");
    note_leaf(n, t + 5, 4, "local time", "%02u:%02u:%02u%s", t[5], t[6], t[7],
              t[8] == 0xFF ? ", no hundredths" : "");
    note_leaf(n, t + 9, 2, "deviation", deviation == -0x8000 ? "not specified" : "%d min to UTC",
              deviation);
    if (t[11] == 0xFF)
        note_leaf(n, t + 11, 1, "clock status", "not specified");
    else
        note_leaf(n, t + 11, 1, "clock status", "%s%s%s%s%s",
                  (t[11] & 0x80) != 0 ? "summer time" : "standard time",
                  (t[11] & 0x01) != 0 ? ", invalid" : "", (t[11] & 0x02) != 0 ? ", doubtful" : "",
                  (t[11] & 0x04) != 0 ? ", another clock base" : "",
                  (t[11] & 0x08) != 0 ? ", invalid status" : "");
    if (rc == 0) {
        instant_print(utc, text);
        note_heading(n, t, DLMS_TIME_OCTETS, "= in UTC", "%s", text);
    } else {
        note_heading(n, t, DLMS_TIME_OCTETS, "= in UTC", "not a valid time");
    }
}

/* The value that an OBIS code announced is complete. */
static void note_quantity(struct body *b)
{
    const struct quantity *q = &b->quantity;
    bool known = b->role == OBIS_FIELD && b->reading->values[b->field].present;
    char text[QUANTITY_CHARS];

    b->place = PLAIN;
    if (!q->present)
        return;
    quantity_format(known ? &b->reading->values[b->field] : q, text);
    note_heading(&b->n, NULL, 0, known ? field_name(b->field) : "value", "= %s %s", text,
                 known && b->field == FIELD_PF ? ""
                 : known                       ? field_unit(b->field)
                                               : obis_unit_name(b->unit));
    b->quantity.present = false;
}

static const char *type_name(enum axdr_tag tag)
{
    static const char *const names[] = {
        [AXDR_NULL] = "null",
        [AXDR_ARRAY] = "array",
        [AXDR_STRUCTURE] = "structure",
        [AXDR_BOOLEAN] = "boolean",
        [AXDR_BIT_STRING] = "bit string",
        [AXDR_DOUBLE_LONG] = "double-long",
        [AXDR_DOUBLE_LONG_UNSIGNED] = "double-long-unsigned",
        [AXDR_OCTET_STRING] = "octet string",
        [AXDR_VISIBLE_STRING] = "visible string",
        [AXDR_UTF8_STRING] = "UTF-8 string",
        [AXDR_BCD] = "bcd",
        [AXDR_INTEGER] = "integer",
        [AXDR_LONG] = "long",
        [AXDR_UNSIGNED] = "unsigned",
        [AXDR_LONG_UNSIGNED] = "long-unsigned",
        [AXDR_COMPACT_ARRAY] = "compact array",
        [AXDR_LONG64] = "long64",
        [AXDR_LONG64_UNSIGNED] = "long64-unsigned",
        [AXDR_ENUM] = "enum",
        [AXDR_FLOAT32] = "float32",
        [AXDR_FLOAT64] = "float64",
        [AXDR_DATE_TIME] = "date-time",
        [AXDR_DATE] = "date",
        [AXDR_TIME] = "time",
        [AXDR_DELTA_INTEGER] = "delta-integer",
        [AXDR_DELTA_LONG] = "delta-long",
        [AXDR_DELTA_DOUBLE_LONG] = "delta-double-long",
        [AXDR_DELTA_UNSIGNED] = "delta-unsigned",
        [AXDR_DELTA_LONG_UNSIGNED] = "delta-long-unsigned",
        [AXDR_DELTA_DOUBLE_LONG_UNSIGNED] = "delta-double-long-unsigned",
    };

    return tag == AXDR_DONT_CARE ? "don't care" : names[tag];
}

static bool is_printable(const uint8_t *octets, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (octets[i] < ' ' || octets[i] > '~')
            return false;
    return len > 0;
}

/* The node's octets up to the cursor as one leaf; none of its own inside a compact array. */
static void note_node(struct body *b, const char *name, const char *value)
{
    size_t len = (size_t)(b->in->at - b->done);

    if (len > 0)
        note_leaf(&b->n, b->done, len, name, "%s", value);
    else
        note_heading(&b->n, NULL, 0, name, "%s", value);
    b->done = b->in->at;
}

static void note_octets(struct body *b, const struct axdr_node *node)
{
    char value[NOTE_VALUE_CHARS], hex[2 * SHOWN_OCTETS + 1];
    size_t shown = node->len < SHOWN_OCTETS ? node->len : SHOWN_OCTETS;

    hex_encode(node->octets, shown, hex);
    if (node->tag == AXDR_BIT_STRING)
        snprintf(value, sizeof value, "%zu bits: %s", node->count, hex);
    else if (is_printable(node->octets, node->len))
        snprintf(value, sizeof value, "\"%.*s\"", (int)shown, (const char *)node->octets);
    else
        snprintf(value, sizeof value, "%s%s", hex, shown < node->len ? "..." : "");
    note_node(b, type_name(node->tag), value);
}

/* A date-time of its own kind, or 12 octets that are one. */
static bool is_time(const struct axdr_node *node)
{
    int64_t utc;
    uint8_t status;

    return node->kind == AXDR_OCTETS && node->len == DLMS_TIME_OCTETS &&
           (node->tag == AXDR_DATE_TIME || node->tag == AXDR_OCTET_STRING) &&
           !is_printable(node->octets, node->len) &&
           dlms_time_read(node->octets, &utc, &status) == 0;
}

static void note_time_node(struct body *b, const struct axdr_node *node)
{
    if (node->octets < b->done) { /* inside a compact array */
        note_octets(b, node);
        return;
    }
    note_leaf(&b->n, b->done, (size_t)(node->octets - b->done), type_name(node->tag), "date-time");
    b->n.depth++;
    note_time(&b->n, node->octets);
    b->n.depth--;
    b->done = b->in->at;
}

static void note_code(struct body *b, const struct axdr_node *node)
{
    const uint8_t *c = node->octets;
    const char *name = obis_name(c);
    char value[96];

    snprintf(value, sizeof value, "OBIS %u-%u:%u.%u.%u*%u%s%s", c[0], c[1], c[2], c[3], c[4], c[5],
             *name == '\0' ? "" : " ", name);
    note_node(b, type_name(node->tag), value);
    b->role = obis_role(c, &b->field);
    b->place = AFTER_CODE;
}

static void note_scalar(struct body *b, const struct axdr_node *node)
{
    char value[64] = "";

    if (node->kind == AXDR_NUMBER)
        snprintf(value, sizeof value, "%" PRId64, node->number);
    else if (node->kind == AXDR_REAL)
        snprintf(value, sizeof value, "%g", node->real);
    note_node(b, type_name(node->tag), value);
}

static void note_scaler(struct body *b, const struct axdr_node *node)
{
    char value[32];

    snprintf(value, sizeof value, "scaler: 10^%" PRId64, node->number);
    note_node(b, type_name(node->tag), value);
    b->quantity.scaler = (int8_t)node->number;
    b->place = IN_UNIT;
}

static void note_unit(struct body *b, const struct axdr_node *node)
{
    const char *name = obis_unit_name(node->number);
    char value[48];

    snprintf(value, sizeof value, "unit: %" PRId64 " %s", node->number,
             node->number == 255 ? "none" : name);
    note_node(b, type_name(node->tag), value);
    b->unit = node->number;
    note_quantity(b);
}

static void note_value(struct body *b, const struct axdr_node *node)
{
    b->place = AFTER_VALUE;
    b->unit = 255;
    b->quantity = (struct quantity){.present = node->kind == AXDR_NUMBER, .mantissa = node->number};
    if (node->kind == AXDR_REAL)
        b->quantity.present = b->role == OBIS_FIELD && b->reading->values[b->field].present;
    if (is_time(node))
        note_time_node(b, node);
    else if (node->kind == AXDR_OCTETS)
        note_octets(b, node);
    else
        note_scalar(b, node);
}

static int visit(void *arg, const struct axdr_node *node)
{
    struct body *b = arg;
    char value[32];

    if (b->place == AFTER_VALUE &&
        !(node->kind == AXDR_CONTAINER && node->tag == AXDR_STRUCTURE && node->count == 2))
        note_quantity(b);
    b->n.depth = b->depth + node->depth;
    if (node->kind == AXDR_CONTAINER) {
        snprintf(value, sizeof value, "of %zu", node->count);
        note_node(b, type_name(node->tag), node->tag == AXDR_COMPACT_ARRAY ? "" : value);
        b->place = b->place == AFTER_VALUE ? IN_SCALER : PLAIN;
    } else if (b->place == AFTER_CODE) {
        note_value(b, node);
    } else if (b->place == IN_SCALER && node->tag == AXDR_INTEGER) {
        note_scaler(b, node);
    } else if (b->place == IN_UNIT && node->tag == AXDR_ENUM) {
        note_unit(b, node);
    } else if (node->kind == AXDR_OCTETS && obis_is_code(node->octets, node->len)) {
        note_code(b, node);
    } else if (is_time(node)) {
        note_time_node(b, node);
    } else if (node->kind == AXDR_OCTETS) {
        note_octets(b, node);
    } else {
        note_scalar(b, node);
    }
    return 0;
}

/* P1 text: a line each. */
static void note_lines(const struct notes *n, const uint8_t *octets, size_t len)
{
    while (len > 0) {
        const uint8_t *end = memchr(octets, '\n', len);
        size_t size = end == NULL ? len : (size_t)(end + 1 - octets), shown = size;

        while (shown > 0 && octets[shown - 1] < ' ')
            shown--;
        note_leaf(n, octets, size, "line", "%.*s", (int)shown, (const char *)octets);
        octets += size;
        len -= size;
    }
}

/* 0F | long-invoke-id-and-priority | date-time; false when the octets end in it. */
static bool note_header(const struct notes *n, struct cursor *in)
{
    const uint8_t *p = in->at;
    size_t head;

    if (cursor_left(in) < 1 + INVOKE_ID_OCTETS + 1)
        return false;
    note_leaf(n, p, 1, "tag", "data-notification");
    note_leaf(n, p + 1, INVOKE_ID_OCTETS, "invoke id and priority", "%u, %s priority, %sconfirmed",
              (unsigned)(p[2] << 16 | p[3] << 8 | p[4]), (p[1] & 0x80) != 0 ? "high" : "normal",
              (p[1] & 0x40) != 0 ? "" : "un");
    cursor_take(in, 1 + INVOKE_ID_OCTETS);
    p = in->at;
    head = *p == AXDR_OCTET_STRING ? 2 : 1;
    if (*p == 0) {
        note_leaf(n, p, 1, "date-time", "none");
        cursor_take(in, 1);
        return true;
    }
    if (cursor_left(in) < head + DLMS_TIME_OCTETS)
        return false;
    note_leaf(n, p, head, "date-time", "%d octets", DLMS_TIME_OCTETS);
    note_time(&(struct notes){n->visit, n->arg, n->space, n->base, n->depth + 1}, p + head);
    cursor_take(in, head + DLMS_TIME_OCTETS);
    return true;
}

static void note_body(const struct notes *n,
                      struct cursor *in,
                      const struct reading *reading,
                      bool whole,
                      const char *why)
{
    struct body b = {.n = *n, .depth = n->depth, .in = in, .done = in->at, .reading = reading};
    int rc = axdr_walk(in, visit, &b);

    if (b.place == AFTER_VALUE)
        note_quantity(&b);
    note_wrong(n, b.done, (size_t)(in->end - b.done),
               rc == 0 ? "octets behind the contents" : "does not decode", "%s",
               whole ? why : "breaks off, or the rest is damaged");
}

void annotate_plain(const struct notes *n, const uint8_t *octets, size_t len, bool whole)
{
    struct cursor in = cursor_make(octets, len);
    struct reading reading;
    const char *detail;
    enum notification_result r = notification_read(octets, len, &reading, &detail);

    if (r == NOTIFICATION_DSMR) {
        note_lines(n, octets, len);
    } else if (r == NOTIFICATION_NOISE && len > 0) {
        note_wrong(n, octets, len, "noise", "%s", detail);
    } else if (!note_header(n, &in)) {
        note_wrong(n, in.at, cursor_left(&in), "does not decode", "breaks off");
    } else {
        note_body(n, &in, &reading, whole, detail);
    }
}
