#include "windows.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "reading.h"

struct window {
    char meter[METER_ID_CHARS + 1];
    int64_t start, time, counter;
};

struct windows {
    int64_t seconds;
    void *tree;
    size_t count;
};

struct windows *windows_new(int64_t seconds)
{
    struct windows *w = calloc(1, sizeof *w);

    if (w != NULL)
        w->seconds = seconds;
    return w;
}

void windows_free(struct windows *w)
{
    if (w == NULL)
        return;
    tdestroy(w->tree, free);
    free(w);
}

int64_t windows_start(const struct windows *w, int64_t time)
{
    int64_t rest = time % w->seconds;

    return time - (rest < 0 ? rest + w->seconds : rest);
}

size_t windows_count(const struct windows *w)
{
    return w->count;
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct window *)a)->meter, ((const struct window *)b)->meter);
}

static struct window *find(struct windows *w, const char *meter)
{
    struct window *fresh = calloc(1, sizeof *fresh);
    struct window **found;

    if (fresh == NULL)
        return NULL;
    strncpy(fresh->meter, meter, sizeof fresh->meter - 1);
    fresh->start = INT64_MIN;
    found = tsearch(fresh, &w->tree, compare);
    if (found == NULL || *found != fresh)
        free(fresh);
    else
        w->count++;
    return found == NULL ? NULL : *found;
}

bool windows_take(struct windows *w, const char *meter, int64_t time, int64_t counter)
{
    struct window *known = find(w, meter);
    int64_t start = windows_start(w, time);

    if (known == NULL || start < known->start)
        return true;
    if (start == known->start &&
        (time > known->time || (time == known->time && counter > known->counter)))
        return false;
    known->start = start;
    known->time = time;
    known->counter = counter;
    return true;
}
