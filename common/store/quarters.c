#include "quarters.h"

#include <errno.h>
#include <stdlib.h>

#include "store.h"

static int by_value(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int by_quarter(const void *a, const void *b)
{
    const struct quarter *x = a, *y = b;
    int order = by_value(x->meter, y->meter);

    return order != 0 ? order : by_value(x->start, y->start);
}

/* No wout, which is INT64_MIN, comes before any; -1 stands for it in SQL. */
bool quarter_edge_before(const struct quarter_edge *a, const struct quarter_edge *b)
{
    int order = by_value(a->s, b->s);

    if (order == 0)
        order = by_value(a->win, b->win);
    return order != 0 ? order < 0 : a->wout < b->wout;
}

static void merge(struct quarter *into, const struct quarter *other)
{
    if (quarter_edge_before(&other->first, &into->first))
        into->first = other->first;
    if (quarter_edge_before(&into->last, &other->last))
        into->last = other->last;
}

int quarters_add(struct quarters *q, int64_t meter, int64_t time, int64_t win, int64_t wout)
{
    int64_t s = (time % QUARTER_SECONDS + QUARTER_SECONDS) % QUARTER_SECONDS;
    struct quarter one = {meter, time - s, {s, win, wout}, {s, win, wout}};

    if (q->count > 0 && by_quarter(&q->list[q->count - 1], &one) == 0) {
        merge(&q->list[q->count - 1], &one);
        return 0;
    }
    if (q->count == q->room) {
        size_t room = q->room == 0 ? 64 : 2 * q->room;
        struct quarter *list = reallocarray(q->list, room, sizeof *list);

        if (list == NULL)
            return -ENOMEM;
        q->list = list;
        q->room = room;
    }
    q->list[q->count++] = one;
    return 0;
}

void quarters_merge(struct quarters *q)
{
    size_t kept = 0;

    if (q->count == 0)
        return;
    qsort(q->list, q->count, sizeof *q->list, by_quarter);
    for (size_t i = 1; i < q->count; i++)
        if (by_quarter(&q->list[kept], &q->list[i]) == 0)
            merge(&q->list[kept], &q->list[i]);
        else
            q->list[++kept] = q->list[i];
    q->count = kept + 1;
}

void quarters_free(struct quarters *q)
{
    free(q->list);
    *q = (struct quarters){0};
}
