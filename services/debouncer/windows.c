#include "windows.h"

#include <stdlib.h>

#include "names.h"

struct window {
    bool known;
    int64_t start, time, counter;
};

struct windows {
    int64_t seconds;
    struct names *meters; /* of struct window */
};

struct windows *windows_new(int64_t seconds)
{
    struct windows *w = calloc(1, sizeof *w);

    if (w == NULL)
        return NULL;
    w->seconds = seconds;
    w->meters = names_new(sizeof(struct window), NULL);
    if (w->meters == NULL) {
        free(w);
        return NULL;
    }
    return w;
}

void windows_free(struct windows *w)
{
    if (w == NULL)
        return;
    names_free(w->meters);
    free(w);
}

int64_t windows_start(const struct windows *w, int64_t time)
{
    int64_t rest = time % w->seconds;

    return time - (rest < 0 ? rest + w->seconds : rest);
}

size_t windows_count(const struct windows *w)
{
    return names_count(w->meters);
}

bool windows_take(struct windows *w, const char *meter, int64_t time, int64_t counter)
{
    struct window *last = names_add(w->meters, meter);
    int64_t start = windows_start(w, time);

    if (last == NULL || (last->known && start < last->start))
        return true;
    if (last->known && start == last->start &&
        (time > last->time || (time == last->time && counter > last->counter)))
        return false;
    *last = (struct window){.known = true, .start = start, .time = time, .counter = counter};
    return true;
}
