#include "silence.h"

#include <stdlib.h>

#include "names.h"

struct silence {
    struct names *heard_ms; /* by meter */
};

struct silence *silence_new(void)
{
    struct silence *s = calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    s->heard_ms = names_new(sizeof(int64_t), NULL);
    if (s->heard_ms == NULL) {
        free(s);
        return NULL;
    }
    return s;
}

void silence_free(struct silence *s)
{
    if (s == NULL)
        return;
    names_free(s->heard_ms);
    free(s);
}

void silence_heard(struct silence *s, const char *meter, int64_t now_ms)
{
    int64_t *heard_ms = names_add(s->heard_ms, meter);

    if (heard_ms != NULL)
        *heard_ms = now_ms;
}

struct tally {
    int64_t now_ms;
    size_t silent;
};

static void tally(void *value, void *arg)
{
    struct tally *t = arg;

    t->silent += t->now_ms - *(const int64_t *)value >= SILENCE_MS;
}

struct silence_counts silence_count(const struct silence *s, int64_t now_ms)
{
    struct tally t = {now_ms, 0};

    names_each(s->heard_ms, tally, &t);
    return (struct silence_counts){names_count(s->heard_ms), t.silent};
}
