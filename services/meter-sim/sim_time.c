#include "sim_time.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* 01:00 UTC on the last Sunday of a month of 31 days. */
static int64_t last_sunday(int tm_year, int tm_mon)
{
    struct tm tm = {.tm_year = tm_year, .tm_mon = tm_mon, .tm_mday = 31, .tm_hour = 1};
    time_t t = timegm(&tm);

    return (int64_t)t - (int64_t)tm.tm_wday * 86400;
}

bool sim_time_summer(int64_t utc)
{
    time_t t = (time_t)utc;
    struct tm tm;

    gmtime_r(&t, &tm);
    return utc >= last_sunday(tm.tm_year, 2) && utc < last_sunday(tm.tm_year, 9);
}

/* True when text has the shape of pattern: 'd' is a digit, all else itself (letters in either
 * case). */
static bool has_shape(const char *text, const char *pattern)
{
    for (; *pattern != '\0'; pattern++, text++)
        if (*pattern == 'd' ? !isdigit((unsigned char)*text)
                            : toupper((unsigned char)*text) != *pattern)
            return false;
    return true;
}

static int two(const char *digits)
{
    return (digits[0] - '0') * 10 + digits[1] - '0';
}

/* "Z" or "+hh:mm" to its end: seconds east of UTC. */
static int parse_zone(const char *text, int64_t *offset)
{
    if ((text[0] == 'Z' || text[0] == 'z') && text[1] == '\0') {
        *offset = 0;
        return 0;
    }
    if ((text[0] != '+' && text[0] != '-') || !has_shape(text + 1, "dd:dd") || text[6] != '\0' ||
        two(text + 1) > 23 || two(text + 4) > 59)
        return -EINVAL;
    *offset = (two(text + 1) * 60 + two(text + 4)) * 60 * (text[0] == '-' ? -1 : 1);
    return 0;
}

static int parse_rfc3339(const char *text, int64_t *utc)
{
    struct tm tm = {
        .tm_year = two(text) * 100 + two(text + 2) - 1900,
        .tm_mon = two(text + 5) - 1,
        .tm_mday = two(text + 8),
        .tm_hour = two(text + 11),
        .tm_min = two(text + 14),
        .tm_sec = two(text + 17),
    };
    const struct tm asked = tm;
    const char *zone = text + 19;
    int64_t offset, local;

    if (zone[0] == '.' && isdigit((unsigned char)zone[1]))
        for (zone++; isdigit((unsigned char)*zone);)
            zone++;
    if (parse_zone(zone, &offset) != 0)
        return -EINVAL;
    local = timegm(&tm);
    if (tm.tm_mon != asked.tm_mon || tm.tm_mday != asked.tm_mday || tm.tm_hour != asked.tm_hour ||
        tm.tm_min != asked.tm_min || tm.tm_sec != asked.tm_sec)
        return -EINVAL;
    *utc = local - offset;
    return 0;
}

int sim_time_parse(const char *text, int64_t *utc)
{
    size_t digits = strspn(text, "0123456789");

    if (has_shape(text, "dddd-dd-ddTdd:dd:dd") || has_shape(text, "dddd-dd-dd dd:dd:dd"))
        return parse_rfc3339(text, utc);
    if (digits == 0 || digits > 12 || text[digits] != '\0')
        return -EINVAL;
    *utc = strtoll(text, NULL, 10);
    return 0;
}
