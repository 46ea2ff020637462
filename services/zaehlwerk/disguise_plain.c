#include "disguise_plain.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "apdu.h"
#include "axdr.h"
#include "cursor.h"
#include "dlms_time.h"
#include "obis.h"

enum {
    INVOKE_ID_AT = 2,
    INVOKE_ID_OCTETS = 3,
    HEADER = 5,
    ELECTRICITY = 1,
    ENERGY = 8,
    GENERAL = 96
};
enum { YEAR_UNSET = 0xFFFF };

/* Twice over the same octets: to know every string, then to replace. */
enum pass { KNOW, REPLACE };

struct walk {
    const struct disguise_plain *d;
    enum pass pass;
    struct cursor in;
    uint8_t *octets; /* the same as in's, to write */
    const uint8_t *start;
    uint8_t code[OBIS_OCTETS]; /* that announced this node, or zeros */
    bool announced;
};

void disguise_date(uint8_t *t, int days)
{
    struct tm tm = {.tm_year = (t[0] << 8 | t[1]) - 1900, .tm_mon = t[2] - 1, .tm_mday = t[3]};

    if (days == 0 || (t[0] << 8 | t[1]) == YEAR_UNSET || t[2] > 12 || t[3] > 31)
        return;
    tm.tm_mday += days;
    (void)timegm(&tm); /* puts month and weekday right */
    t[0] = (uint8_t)((tm.tm_year + 1900) >> 8);
    t[1] = (uint8_t)(tm.tm_year + 1900);
    t[2] = (uint8_t)(tm.tm_mon + 1);
    t[3] = (uint8_t)tm.tm_mday;
    if (t[4] >= 1 && t[4] <= 7)
        t[4] = (uint8_t)(tm.tm_wday == 0 ? 7 : tm.tm_wday);
}

static bool all_digits(const uint8_t *octets, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (octets[i] < '0' || octets[i] > '9')
            return false;
    return true;
}

static bool is_date_time(const struct axdr_node *node)
{
    int64_t utc;
    uint8_t status;

    return node->len == DLMS_TIME_OCTETS &&
           (node->tag == AXDR_DATE_TIME || !all_digits(node->octets, node->len)) &&
           dlms_time_read(node->octets, &utc, &status) != -EPROTO;
}

static bool is_list_version(const struct walk *w, const struct axdr_node *node)
{
    static const uint8_t version[] = {0, 2, 129};

    return (w->announced && memcmp(w->code + 2, version, sizeof version) == 0) ||
           obis_default_scaler(node->octets, node->len, FIELD_PF) != 0;
}

static int take_string(struct walk *w, const struct axdr_node *node, uint8_t *octets)
{
    if (is_list_version(w, node))
        return 0;
    if (w->pass == KNOW)
        return scramble_know(w->d->names, octets, node->len, 0);
    return scramble_replace(w->d->names, octets, node->len);
}

/* A register of electricity. Group C of 0 or from 96 on are general objects and the maker's own:
 * there stands the number of the meter, too (1-0:0.0.0, 1-0:96.1.0). */
static bool is_measured(const uint8_t code[OBIS_OCTETS])
{
    return code[0] == ELECTRICITY && code[2] > 0 && code[2] < GENERAL;
}

/* Energies keep their differences; what is no register of electricity might be a number that names.
 */
static int take_number(struct walk *w, const struct axdr_node *node)
{
    uint8_t class[SYSTEM_TITLE_OCTETS + OBIS_OCTETS] = {0};
    uint8_t *octets = w->octets + (w->in.at - w->start) - node->len;

    if (w->pass == KNOW || (node->len != 4 && node->len != 8) || node->kind != AXDR_NUMBER)
        return 0;
    if (!w->announced || !is_measured(w->code))
        return scramble_number(w->d->names, octets, node->len, NULL, 0);
    if (w->code[3] != ENERGY)
        return 0;
    if (w->d->meter != NULL)
        memcpy(class, w->d->meter, SYSTEM_TITLE_OCTETS);
    memcpy(class + SYSTEM_TITLE_OCTETS, w->code, OBIS_OCTETS);
    return scramble_number(w->d->names, octets, node->len, class, sizeof class);
}

static int visit(void *arg, const struct axdr_node *node)
{
    struct walk *w = arg;
    bool is_code = !w->announced && node->kind == AXDR_OCTETS &&
                   obis_is_code(node->octets, node->len) && node->octets[0] < 10;
    int rc = 0;

    if (node->tag == AXDR_COMPACT_ARRAY)
        return -ENOTSUP; /* its numbers' places are not known here */
    if (is_code) {
        memcpy(w->code, node->octets, OBIS_OCTETS);
    } else if (node->kind == AXDR_OCTETS && node->len > 0) {
        uint8_t *octets = w->octets + (node->octets - w->start);

        if (is_date_time(node)) {
            if (w->pass == REPLACE)
                disguise_date(octets, w->d->shift_days);
        } else if (node->tag == AXDR_DATE) {
            rc = w->d->shift_days == 0 ? 0 : -ENOTSUP;
        } else if (node->tag != AXDR_TIME) {
            rc = take_string(w, node, octets);
        }
    } else {
        rc = take_number(w, node);
    }
    w->announced = is_code;
    return rc;
}

/* 0F | invoke id | date-time; the cursor is left behind it. */
static int take_header(struct walk *w)
{
    const uint8_t *p = cursor_take(&w->in, HEADER);
    uint8_t len = cursor_u8(&w->in);
    uint8_t *id = w->octets + INVOKE_ID_AT;
    uint32_t n;

    if (len == AXDR_OCTET_STRING)
        len = cursor_u8(&w->in);
    p = len == DLMS_TIME_OCTETS && p != NULL ? cursor_take(&w->in, len) : p;
    if (p == NULL || w->in.err != 0 || (len != 0 && len != DLMS_TIME_OCTETS))
        return -EPROTO;
    if (w->pass == KNOW)
        return 0;
    n = ((uint32_t)id[0] << 16 | (uint32_t)id[1] << 8 | id[2]) + w->d->invoke_shift;
    for (int i = 0; i < INVOKE_ID_OCTETS; i++)
        id[i] = (uint8_t)(n >> (16 - 8 * i));
    if (len != 0)
        disguise_date(w->octets + (p - w->start), w->d->shift_days);
    return 0;
}

int disguise_plain(const struct disguise_plain *d, uint8_t *octets, size_t len)
{
    int rc = 0;

    for (enum pass pass = KNOW; pass <= REPLACE && rc == 0; pass++) {
        struct walk w = {.d = d,
                         .pass = pass,
                         .in = cursor_make(octets, len),
                         .octets = octets,
                         .start = octets};

        rc = take_header(&w);
        if (rc == 0)
            rc = axdr_walk(&w.in, visit, &w);
        if (rc == 0 && cursor_left(&w.in) > 0)
            rc = -EPROTO;
    }
    return rc;
}
