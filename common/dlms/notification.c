#include "notification.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "apdu.h"
#include "axdr.h"
#include "dlms_time.h"
#include "obis.h"

enum { REAL_SCALER = -3 }; /* reals are kept in thousandths */
enum { SCALER_MAX = 9 };

/* Where the walk stands between an OBIS code and the end of what belongs to it. */
enum place {
    PLAIN,       /* nothing pending */
    AFTER_CODE,  /* the next node is the code's value */
    AFTER_VALUE, /* a structure {scaler, unit} may follow */
    IN_SCALER,   /* inside that structure, perhaps */
    IN_UNIT,
};

struct walk {
    struct reading *out;
    const char *detail;
    enum place place;
    enum field field; /* of the last value */
    bool has_field;   /* false: the last value is none that is known */
    enum obis_role role;
    int8_t base; /* power of ten of the last value's mantissa before its scaler */
    int8_t scaler;
    bool first;             /* no leaf seen yet */
    bool has_clock;         /* the body's clock was found */
    const uint8_t *version; /* list version string, or NULL */
    size_t version_len;
    size_t structure_of_four; /* 2: next leaf is its first; 1: its second; capture object check */
    const uint8_t *last_digits;
    size_t last_digits_len;
};

static int refuse(struct walk *w, const char *detail)
{
    w->detail = detail;
    return -ENOTSUP;
}

static void take_clock(struct walk *w, const uint8_t *octets)
{
    int rc;

    if (w->has_clock)
        return;
    rc = dlms_time_read(octets, &w->out->time, &w->out->clock_status);
    w->has_clock = rc != -EPROTO;
    w->out->has_time |= rc == 0; /* an invalid one leaves the header's time */
}

static void take_number(struct walk *w, const uint8_t *octets, size_t len)
{
    size_t n = 0;

    if (len > NUMBER_CHARS)
        return;
    for (size_t i = 0; i < len; i++)
        if (octets[i] > ' ' && octets[i] < 0x7F)
            w->out->number[n++] = (char)octets[i];
    w->out->number[n] = '\0';
}

static int take_value(struct walk *w, const struct axdr_node *node)
{
    struct quantity *q = &w->out->values[w->field];

    w->place = AFTER_VALUE;
    w->has_field = false;
    if (w->role == OBIS_CLOCK && node->kind == AXDR_OCTETS && node->len == DLMS_TIME_OCTETS)
        take_clock(w, node->octets);
    else if (w->role == OBIS_NUMBER && node->kind == AXDR_OCTETS)
        take_number(w, node->octets, node->len);
    else if (w->role == OBIS_FIELD && (node->kind == AXDR_NUMBER || node->kind == AXDR_REAL)) {
        bool real = node->kind == AXDR_REAL;

        if (q->present)
            return refuse(w, "the same register twice");
        if (real && (!isfinite(node->real) || fabs(node->real) > 1e15))
            return refuse(w, "a floating-point register out of range");
        w->has_field = true;
        w->base = real ? REAL_SCALER : 0;
        q->present = true;
        q->mantissa = real ? llround(node->real * 1000) : node->number;
        q->scaler = obis_default_scaler(w->version, w->version_len, w->field);
        if (real)
            q->scaler = w->base;
    }
    return 0;
}

static int take_unit(struct walk *w, int64_t unit)
{
    w->place = PLAIN;
    if (!w->has_field)
        return 0;
    w->has_field = false;
    if (!obis_unit_fits(w->field, unit))
        return refuse(w, "a register in another unit than its OBIS code means");
    if (w->scaler < -SCALER_MAX || w->scaler > SCALER_MAX)
        return refuse(w, "a scaler beyond 10^9");
    w->out->values[w->field].scaler = (int8_t)(w->base + w->scaler);
    return 0;
}

static bool all_digits(const uint8_t *octets, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (octets[i] < '0' || octets[i] > '9')
            return false;
    return len >= 6;
}

/* A leaf that no OBIS code announces. */
static int take_bare(struct walk *w, const struct axdr_node *node)
{
    bool first = w->first;

    w->place = PLAIN;
    if (node->kind == AXDR_OCTETS && obis_is_code(node->octets, node->len)) {
        if (w->structure_of_four == 1)
            return refuse(w, "a push object list: values without OBIS codes");
        w->role = obis_role(node->octets, &w->field);
        w->place = AFTER_CODE;
    } else if (node->tag == AXDR_DATE_TIME ||
               (node->tag == AXDR_OCTET_STRING && node->len == DLMS_TIME_OCTETS &&
                !all_digits(node->octets, node->len))) {
        take_clock(w, node->octets);
    } else if (node->kind == AXDR_OCTETS && all_digits(node->octets, node->len)) {
        w->last_digits = node->octets;
        w->last_digits_len = node->len;
    } else if (first && node->kind == AXDR_OCTETS) {
        w->version = node->octets;
        w->version_len = node->len;
    }
    return 0;
}

static int visit_leaf(struct walk *w, const struct axdr_node *node)
{
    int rc;

    if (w->structure_of_four == 2 && node->tag != AXDR_LONG_UNSIGNED)
        w->structure_of_four = 0;
    if (w->place == AFTER_CODE) {
        /* a list's version has a code of its own: 1-b:0.2.129 */
        if (w->version == NULL && w->role == OBIS_OTHER && node->kind == AXDR_OCTETS) {
            w->version = node->octets;
            w->version_len = node->len;
        }
        rc = take_value(w, node);
    } else if (w->place == IN_SCALER && node->tag == AXDR_INTEGER) {
        w->scaler = (int8_t)node->number;
        w->place = IN_UNIT;
        rc = 0;
    } else if (w->place == IN_UNIT && node->tag == AXDR_ENUM) {
        rc = take_unit(w, node->number);
    } else if (w->has_field &&
               (w->place == IN_UNIT || (w->place == IN_SCALER && node->kind == AXDR_NUMBER))) {
        rc = refuse(w, "a scaler or unit of another type");
    } else {
        rc = take_bare(w, node);
    }
    w->first = false;
    if (w->structure_of_four > 0)
        w->structure_of_four--;
    return rc;
}

static int visit(void *arg, const struct axdr_node *node)
{
    struct walk *w = arg;

    if (node->kind != AXDR_CONTAINER)
        return visit_leaf(w, node);
    w->structure_of_four = node->tag == AXDR_STRUCTURE && node->count == 4 ? 2 : 0;
    w->place = w->place == AFTER_VALUE && node->tag == AXDR_STRUCTURE && node->count == 2
                   ? IN_SCALER
                   : PLAIN;
    return 0;
}

/* 0F, invoke id, date-time: false when this is no data-notification. */
static bool read_header(struct cursor *in, struct reading *out)
{
    const uint8_t *time;
    uint8_t tag = cursor_u8(in);
    uint8_t len;
    int rc;

    cursor_take(in, 4);
    len = cursor_u8(in);
    if (len == AXDR_OCTET_STRING)
        len = cursor_u8(in);
    if (in->err != 0 || tag != APDU_DATA_NOTIFICATION || (len != 0 && len != DLMS_TIME_OCTETS))
        return false;
    if (len == 0)
        return true;
    time = cursor_take(in, DLMS_TIME_OCTETS);
    if (time == NULL)
        return false;
    rc = dlms_time_read(time, &out->time, &out->clock_status);
    out->has_time = rc == 0;
    return rc != -EPROTO;
}

static bool has_values(const struct reading *r)
{
    for (int f = 0; f < FIELD_COUNT; f++)
        if (r->values[f].present)
            return true;
    return false;
}

/* DSMR is text from end to end; a wrong key makes a slash at the start in one telegram of 256. */
static bool is_dsmr(const uint8_t *octets, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((octets[i] < ' ' && octets[i] != '\r' && octets[i] != '\n') || octets[i] > '~')
            return false;
    return len > 0 && octets[0] == '/';
}

enum notification_result
notification_read(const uint8_t *octets, size_t len, struct reading *out, const char **detail)
{
    struct cursor in = cursor_make(octets, len);
    struct walk w = {.out = out, .detail = "", .first = true};
    int rc;

    out->has_time = false;
    out->time = 0;
    out->clock_status = 0xFF;
    out->number[0] = '\0';
    memset(out->values, 0, sizeof out->values);
    *detail = "";
    if (!read_header(&in, out)) {
        bool dsmr = is_dsmr(octets, len);

        *detail = dsmr ? "a DSMR P1 telegram: this meter has another interface (T210-D-r)"
                       : "no data-notification header";
        return dsmr ? NOTIFICATION_DSMR : NOTIFICATION_NOISE;
    }
    rc = axdr_walk(&in, visit, &w);
    if (rc == -ENOTSUP) {
        *detail = w.detail;
        return NOTIFICATION_UNKNOWN;
    }
    if (rc != 0 || cursor_left(&in) > 0) {
        *detail = rc != 0 ? "the contents break off or hold an unknown type"
                          : "octets are left behind the contents";
        return NOTIFICATION_BROKEN;
    }
    if (out->number[0] == '\0' && w.last_digits != NULL)
        take_number(&w, w.last_digits, w.last_digits_len);
    if (!has_values(out)) {
        *detail = "no register with a known OBIS code";
        return NOTIFICATION_UNKNOWN;
    }
    return NOTIFICATION_OK;
}

bool notification_is_whole(const uint8_t *octets, size_t len)
{
    struct reading scratch;
    const char *detail;
    enum notification_result r = notification_read(octets, len, &scratch, &detail);

    return len > 0 && octets[0] == APDU_DATA_NOTIFICATION &&
           (r == NOTIFICATION_OK || r == NOTIFICATION_UNKNOWN);
}
