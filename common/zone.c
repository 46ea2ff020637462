#include "zone.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ZONES "/usr/share/zoneinfo"

enum { DAY_SECONDS = 86400 };

/* glibc takes UTC for a name that it does not find, and says nothing. */
static bool is_zone(const char *name)
{
    char path[PATH_MAX], magic[4];
    FILE *file;
    bool found;

    if (*name == '\0' || *name == '/' || strstr(name, "..") != NULL)
        return false;
    if ((size_t)snprintf(path, sizeof path, ZONES "/%s", name) >= sizeof path)
        return false;
    file = fopen(path, "rbe");
    if (file == NULL)
        return false;
    found = fread(magic, 1, sizeof magic, file) == sizeof magic && memcmp(magic, "TZif", 4) == 0;
    fclose(file);
    return found;
}

int zone_use(const char *name)
{
    if (!is_zone(name))
        return -EINVAL;
    if (setenv("TZ", name, 1) != 0)
        return -ENOMEM;
    tzset();
    return 0;
}

/* A number that rises with the local date: 20241124, or 202411 by month. */
static int64_t date_of(int64_t utc, bool month)
{
    time_t t = (time_t)utc;
    struct tm tm = {0};
    int64_t of_month;

    localtime_r(&t, &tm);
    of_month = (tm.tm_year + INT64_C(1900)) * 100 + tm.tm_mon + 1;
    return month ? of_month : of_month * 100 + tm.tm_mday;
}

/* The first second in (before, utc] whose date is that of utc; before has an earlier one. */
static int64_t first_of(int64_t before, int64_t utc, bool month)
{
    int64_t date = date_of(utc, month);

    while (utc - before > 1) {
        int64_t middle = before + (utc - before) / 2;

        if (date_of(middle, month) < date)
            before = middle;
        else
            utc = middle;
    }
    return utc;
}

int64_t zone_day_start(int64_t utc)
{
    return first_of(utc - 2 * DAY_SECONDS, utc, false);
}

int64_t zone_month_start(int64_t utc)
{
    return first_of(utc - 33 * DAY_SECONDS, utc, true);
}
