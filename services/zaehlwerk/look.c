#include "look.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "clock.h"
#include "zone.h"

#define AGE_MAX_S INT64_C(100000000000)

/* "90s" "30m" "2h" "7d" as seconds. */
static int read_age(const char *text, int64_t *seconds)
{
    static const struct {
        char unit;
        int seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    char *end;
    int64_t n;

    if (*text < '0' || *text > '9')
        return -EINVAL;
    errno = 0;
    n = strtoll(text, &end, 10);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (errno == 0 && end[0] == units[i].unit && end[1] == '\0' &&
            n <= AGE_MAX_S / units[i].seconds) {
            *seconds = n * units[i].seconds;
            return 0;
        }
    return -EINVAL;
}

/* ".123" in ms, moving on; 0 when there is none, -1 when it is not digits. */
static int read_fraction(const char **text)
{
    int ms = 0, unit = 100;

    if (**text != '.')
        return 0;
    if (*++*text < '0' || **text > '9')
        return -1;
    for (; **text >= '0' && **text <= '9'; ++*text, unit /= 10)
        ms += (**text - '0') * unit;
    return ms;
}

/* "Z", "+01:00" or "-05:30" to its end, in seconds east of Greenwich. */
static int read_offset(const char *text, int *seconds)
{
    struct tm tm = {0};
    const char *end;

    *seconds = 0;
    if (strcmp(text, "Z") == 0 || strcmp(text, "z") == 0)
        return 0;
    if ((*text != '+' && *text != '-') || strlen(text) != strlen("+01:00"))
        return -EINVAL;
    end = strptime(text + 1, "%H:%M", &tm);
    if (end == NULL || *end != '\0')
        return -EINVAL;
    *seconds = (*text == '-' ? -1 : 1) * (tm.tm_hour * 3600 + tm.tm_min * 60);
    return 0;
}

/* A day and time that exist: timegm puts others right in silence. */
static int seconds_of(const struct tm *tm, int64_t *utc)
{
    struct tm copy = *tm;

    *utc = timegm(&copy);
    return copy.tm_mday == tm->tm_mday && copy.tm_mon == tm->tm_mon &&
                   copy.tm_hour == tm->tm_hour && copy.tm_min == tm->tm_min
               ? 0
               : -EINVAL;
}

int look_time(const char *text, int64_t now_ms, int64_t *utc_ms)
{
    struct tm tm = {0};
    int64_t seconds;
    const char *rest;
    int offset = 0, ms = 0;

    if (read_age(text, &seconds) == 0) {
        *utc_ms = now_ms - seconds * 1000;
        return 0;
    }
    if (strlen(text) < 10 || strspn(text, "0123456789") != 4)
        return -EINVAL;
    rest = strptime(text, "%Y-%m-%d", &tm);
    if (rest != NULL && *rest != '\0') {
        if (*rest != 'T' && *rest != 't' && *rest != ' ')
            return -EINVAL;
        rest = strptime(rest + 1, "%H:%M:%S", &tm);
        if (rest == NULL)
            return -EINVAL;
        ms = read_fraction(&rest);
        if (ms < 0 || read_offset(rest, &offset) != 0)
            return -EINVAL;
    }
    if (rest == NULL || seconds_of(&tm, &seconds) != 0)
        return -EINVAL;
    *utc_ms = (seconds - offset) * 1000 + ms;
    return 0;
}

int look_local_time(const char *text, int64_t now_ms, int64_t *utc_ms)
{
    struct tm tm = {.tm_isdst = -1, .tm_hour = 12}; /* noon is there every day */
    int64_t utc;
    int rc = look_time(text, now_ms, &utc);

    if (rc != 0)
        return rc;
    if (strlen(text) == strlen("2026-11-01") && strspn(text, "0123456789-") == strlen(text)) {
        (void)strptime(text, "%Y-%m-%d", &tm);
        utc = zone_day_start(mktime(&tm)) * 1000;
    }
    *utc_ms = utc;
    return 0;
}

const char *look_since(struct look *l, const char *text)
{
    return look_time(text, clock_utc_ms(), &l->query.after.time_ms) == 0
               ? NULL
               : "--since: a time such as 2026-11-24, 2026-11-24T08:00:00Z or 7d";
}

const char *look_meter(struct look *l, const char *text)
{
    if (!meter_id_read(text, l->meter))
        return "--meter: a meter's id has 16 hex digits";
    l->query.meter = l->meter;
    return NULL;
}

const char *look_reason(struct look *l, const char *text)
{
    int v = verdict_from_name(text);

    if (v <= VERDICT_OK)
        return "--reason: no such reason; `zaehlwerk rejects` shows them";
    l->query.reason = (enum verdict)v;
    return NULL;
}

int look_open(const char *command, const struct store_conf *conf, struct store **out)
{
    char why[STORE_WHY_CHARS] = "";
    struct store *s;
    int rc;

    if (store_check(conf) != 0)
        return EX_CONFIG;
    s = store_new(conf);
    if (s == NULL)
        return EX_OSERR;
    rc = store_look(s, why);
    if (rc == 0) {
        *out = s;
        return EX_OK;
    }
    if (rc != -EINVAL)
        fprintf(stderr, "zaehlwerk %s: database: %s\n", command, why);
    store_free(s);
    return rc == -EINVAL ? EX_CONFIG : rc == -ENODATA ? EX_DATAERR : EX_UNAVAILABLE;
}
