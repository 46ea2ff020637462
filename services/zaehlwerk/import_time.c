#include "import_time.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "look.h"

enum { HALF_DAY = 43200, MS_DIGITS = 13 };

/* Seconds east of Greenwich. */
static int64_t offset_at(int64_t utc)
{
    time_t t = (time_t)utc;
    struct tm tm = {0};

    localtime_r(&t, &tm);
    return timegm(&tm) - utc;
}

/* Whether at utc the clock on the wall, read as if it were UTC, shows `wall`. */
static bool shows(int64_t utc, int64_t wall)
{
    return utc + offset_at(utc) == wall;
}

/* Of two times, the earlier first, the one that goes on from the row before. */
static int64_t in_order(const struct import_clock *clock, int64_t first, int64_t second)
{
    return clock->known && clock->last > first ? second : first;
}

/* When the wall's clock shows `wall`: false when it never does. */
static bool from_wall(const struct import_clock *clock, int64_t wall, int64_t *utc)
{
    int64_t summer = wall - offset_at(wall - 2 * HALF_DAY);
    int64_t winter = wall - offset_at(wall + 2 * HALF_DAY);
    int64_t first = summer < winter ? summer : winter, second = summer < winter ? winter : summer;

    if (!shows(first, wall) && !shows(second, wall))
        return false;
    if (!shows(first, wall))
        *utc = second;
    else
        *utc = shows(second, wall) ? in_order(clock, first, second) : first;
    return true;
}

/*
 * What utcnow() was when its timestamp() came out as s. In the hour that the wall's clock leaves
 * out in spring, Python counts on from before: so that hour and the next gave the same numbers.
 */
static int64_t from_shifted(const struct import_clock *clock, int64_t s)
{
    int64_t now = s + offset_at(s), before = s + offset_at(s - 3 * HALF_DAY / 12);
    int64_t ignored;

    return before < now && !from_wall(clock, before, &ignored) ? in_order(clock, before, now) : now;
}

/* A number of digits, perhaps with a fraction. */
static bool read_epoch(const char *text, int64_t *s)
{
    size_t digits = strspn(text, "0123456789");
    const char *rest = text + digits;

    if (digits == 0 || digits > MS_DIGITS)
        return false;
    if (*rest == '.')
        rest += 1 + strspn(rest + 1, "0123456789");
    if (*rest != '\0')
        return false;
    *s = strtoll(text, NULL, 10) / (digits == MS_DIGITS ? 1000 : 1);
    return true;
}

/* "2026-10-25 02:30:00", perhaps with a fraction, as if it were UTC. */
static bool read_wall(const char *text, int64_t *wall)
{
    char copy[40];
    int64_t ms;

    if (strlen(text) < strlen("2026-10-25 02:30:00") ||
        (size_t)snprintf(copy, sizeof copy, "%sZ", text) >= sizeof copy ||
        look_time(copy, 0, &ms) != 0)
        return false;
    *wall = ms / 1000;
    return true;
}

const char *import_time_read(struct import_clock *clock, const char *text, bool utc, int64_t *time)
{
    int64_t t, ms;

    if (read_epoch(text, &t)) {
        if (clock->shifted)
            t = from_shifted(clock, t);
    } else if (read_wall(text, &t)) {
        if (!utc && !from_wall(clock, t, &t))
            return "no such time: clocks were put forward";
    } else if (strlen(text) > 10 && look_time(text, 0, &ms) == 0) {
        t = ms / 1000;
    } else {
        return "no time";
    }
    clock->known = true;
    clock->last = t;
    *time = t;
    return NULL;
}
