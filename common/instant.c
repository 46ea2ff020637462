#include "instant.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* Without a zone. Returns its length, 0 where there is no such year. */
static size_t print_seconds(int64_t utc_s, char text[INSTANT_CHARS])
{
    time_t t = (time_t)utc_s;
    struct tm tm;

    text[0] = '\0';
    return gmtime_r(&t, &tm) == NULL ? 0 : strftime(text, INSTANT_CHARS, "%Y-%m-%dT%H:%M:%S", &tm);
}

void instant_print(int64_t utc_s, char text[INSTANT_CHARS])
{
    size_t n = print_seconds(utc_s, text);

    if (n > 0)
        snprintf(text + n, INSTANT_CHARS - n, "Z");
}

void instant_print_ms(int64_t utc_ms, char text[INSTANT_CHARS])
{
    int64_t below = (utc_ms % 1000 + 1000) % 1000;
    size_t n = print_seconds(utc_ms / 1000 - (utc_ms % 1000 < 0), text);

    if (n > 0)
        snprintf(text + n, INSTANT_CHARS - n, ".%03dZ", (int)below);
}

bool instant_parse(const char *text, int64_t *utc_s)
{
    char again[INSTANT_CHARS];
    struct tm tm = {0};

    if (strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm) == NULL)
        return false;
    *utc_s = timegm(&tm);
    instant_print(*utc_s, again);
    return strcmp(again, text) == 0;
}
