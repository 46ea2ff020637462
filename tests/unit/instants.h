/* instants: points in time as tests write them. */
#ifndef INSTANTS_H
#define INSTANTS_H

#include "tools.h"

#include <stdio.h>
#include <time.h>

/** Seconds since 1970 of an RFC 3339 text with its offset: "2026-03-29T03:00:00+02:00". */
static inline int64_t at(const char *text)
{
    struct tm tm = {0};
    int hours, minutes;
    char sign;

    if (sscanf(text, "%d-%d-%dT%d:%d:%d%c%d:%d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
               &tm.tm_min, &tm.tm_sec, &sign, &hours, &minutes) != 9)
        fail_msg("%s", text);
    tm.tm_year -= 1900;
    tm.tm_mon--;
    return timegm(&tm) - (sign == '-' ? -60 : 60) * (60 * hours + minutes);
}

#endif
