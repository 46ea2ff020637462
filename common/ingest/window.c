#include "window.h"

#include <stdlib.h>

enum {
    TIMEOUT_MIN_MS = 1000,
    TIMEOUT_MAX_MS = 300000,
    CONGESTION_MIN = 64,
    CONGESTION_FIRST = 512,
    PROBES = 16, /* telegrams sent again to a stream that acks nothing */
};

struct flight {
    struct window_telegram t;
    int64_t sent_ms;
    uint64_t order; /* of sending, over all telegrams */
    uint32_t next;  /* in its hash chain or the free list, +1 */
    bool used;
    bool waiting; /* taken for lost, not sent again yet */
};

struct stream {
    int64_t acked_ms; /* last ack of anything */
    uint64_t newest;  /* greatest order acked */
    int64_t smoothed_ms;
};

struct window {
    size_t max, count, chains;
    size_t waiting;  /* of count */
    size_t suspects; /* of waiting: they travel one at a time and hold up nobody */
    size_t congestion, threshold, credit;
    int64_t shrunk_ms;
    uint64_t order;
    struct stream streams[WINDOW_STREAMS];
    uint32_t *heads; /* index + 1 */
    uint32_t free;
    struct flight *flights;
    struct flight **candidates; /* scratch */
    window_acked *acked;
    void *acked_arg;
};

struct window *window_new(size_t max)
{
    struct window *w = calloc(1, sizeof *w);

    if (w == NULL)
        return NULL;
    w->max = max;
    w->chains = max * 2 + 1;
    w->congestion = max < CONGESTION_FIRST ? max : CONGESTION_FIRST;
    w->threshold = max;
    w->heads = calloc(w->chains, sizeof *w->heads);
    w->flights = calloc(max, sizeof *w->flights);
    w->candidates = calloc(max, sizeof(void *));
    if (w->heads == NULL || w->flights == NULL || w->candidates == NULL) {
        window_free(w);
        return NULL;
    }
    for (size_t i = 0; i < max; i++)
        w->flights[i].next = (uint32_t)(i + 1 < max ? i + 2 : 0);
    w->free = 1;
    return w;
}

void window_free(struct window *w)
{
    if (w == NULL)
        return;
    free(w->heads);
    free(w->flights);
    free(w->candidates);
    free(w);
}

void window_listen(struct window *w, window_acked *acked, void *arg)
{
    w->acked = acked;
    w->acked_arg = arg;
}

static uint32_t *chain(const struct window *w, uint64_t seq, uint32_t index)
{
    return &w->heads[(seq * 31 + index) % w->chains];
}

static struct flight *find(const struct window *w, uint64_t seq, uint32_t index)
{
    for (uint32_t i = *chain(w, seq, index); i != 0; i = w->flights[i - 1].next)
        if (w->flights[i - 1].t.seq == seq && w->flights[i - 1].t.index == index)
            return &w->flights[i - 1];
    return NULL;
}

static void forget(struct window *w, struct flight *f)
{
    uint32_t *link = chain(w, f->t.seq, f->t.index);
    uint32_t self = (uint32_t)(f - w->flights) + 1;

    while (*link != self)
        link = &w->flights[*link - 1].next;
    *link = f->next;
    w->waiting -= f->waiting;
    f->used = f->waiting = false;
    f->next = w->free;
    w->free = self;
    w->count--;
}

bool window_sent(struct window *w, const struct window_telegram *t, int64_t now_ms)
{
    uint32_t *head = chain(w, t->seq, t->index);
    struct flight *f;
    uint32_t self = w->free;

    w->order++;
    if (find(w, t->seq, t->index) != NULL)
        return true;
    if (self == 0)
        return false;
    f = &w->flights[self - 1];
    w->free = f->next;
    *f =
        (struct flight){.t = *t, .sent_ms = now_ms, .order = w->order, .next = *head, .used = true};
    *head = self;
    w->count++;
    return true;
}

bool window_has(const struct window *w, uint64_t seq, uint32_t index)
{
    return find(w, seq, index) != NULL;
}

static int64_t base_timeout(const struct stream *s)
{
    int64_t t = 4 * s->smoothed_ms;

    return t < TIMEOUT_MIN_MS ? TIMEOUT_MIN_MS : t > TIMEOUT_MAX_MS ? TIMEOUT_MAX_MS : t;
}

int64_t window_timeout(const struct window *w, unsigned streams)
{
    int64_t longest = 0;

    for (int i = 0; i < WINDOW_STREAMS; i++)
        if ((streams >> i & 1) != 0 && base_timeout(&w->streams[i]) > longest)
            longest = base_timeout(&w->streams[i]);
    return longest;
}

/* TCP's way: one more for each ack up to the threshold, then one more for each whole window. */
static void grow(struct window *w)
{
    if (w->congestion < w->threshold) {
        w->congestion++;
    } else if (++w->credit >= w->congestion) {
        w->credit = 0;
        w->congestion++;
    }
    if (w->congestion > w->max)
        w->congestion = w->max;
}

static void shrink(struct window *w, int64_t now_ms, int64_t timeout_ms)
{
    if (now_ms - w->shrunk_ms < timeout_ms)
        return;
    w->shrunk_ms = now_ms;
    w->threshold = w->congestion / 2 > CONGESTION_MIN ? w->congestion / 2 : CONGESTION_MIN;
    w->congestion = w->threshold;
}

static void ack_one(struct window *w, struct flight *f, unsigned stream, int64_t now_ms)
{
    int number = __builtin_ctz(stream);
    struct stream *s = &w->streams[number];

    if ((f->t.owed & stream) == 0)
        return;
    if (f->t.attempt == 0) { /* else it is not known which sending was acked */
        s->smoothed_ms += (now_ms - f->sent_ms - s->smoothed_ms) / 8;
        if (w->acked != NULL)
            w->acked(w->acked_arg, number, now_ms - f->sent_ms);
    }
    if (f->order > s->newest)
        s->newest = f->order;
    s->acked_ms = now_ms;
    f->t.owed &= ~stream;
    if (f->t.owed == 0) {
        forget(w, f);
        grow(w);
    }
}

void window_ack(struct window *w,
                uint64_t first,
                uint64_t last,
                uint32_t index,
                unsigned stream,
                int64_t now_ms)
{
    if (last - first < w->max) {
        for (uint64_t seq = first; seq <= last; seq++) {
            struct flight *f = find(w, seq, index);

            if (f != NULL)
                ack_one(w, f, stream, now_ms);
        }
        return;
    }
    for (size_t i = 0; i < w->max; i++) {
        struct flight *f = &w->flights[i];

        if (f->used && f->t.index == index && f->t.seq >= first && f->t.seq <= last)
            ack_one(w, f, stream, now_ms);
    }
}

/* Doubled for each attempt while nothing gets through, an eighth more or less by chance of number.
 */
static int64_t patience(const struct stream *s, const struct flight *f)
{
    int64_t t = base_timeout(s) << (f->t.attempt < 9 ? f->t.attempt : 9);

    if (t > TIMEOUT_MAX_MS)
        t = TIMEOUT_MAX_MS;
    return t + t / 8 * (int64_t)((f->t.seq * 2654435761U >> 7) % 17) / 16 - t / 16;
}

enum fate { ON_ITS_WAY, LOST, SILENT };

/* All streams acked something sent later: the telegram is at fault, not a neighbour that is away.
 */
static bool others_got_through(const struct window *w, const struct flight *f)
{
    for (int i = 0; i < WINDOW_STREAMS; i++) {
        const struct stream *s = &w->streams[i];

        if (((f->t.owed >> i & 1) != 0 || s->newest > 0) && s->newest <= f->order)
            return false;
    }
    return true;
}

/* What has become of a telegram: lost, or unknown because its stream acks nothing at all. */
static enum fate judge(const struct window *w, const struct flight *f, int64_t now_ms)
{
    enum fate fate = ON_ITS_WAY;

    if (f->waiting)
        return LOST;
    for (int i = 0; i < WINDOW_STREAMS; i++) {
        const struct stream *s = &w->streams[i];

        if ((f->t.owed >> i & 1) == 0)
            continue;
        if (s->newest > f->order && now_ms - f->sent_ms >= base_timeout(s))
            return LOST;
        if (now_ms - s->acked_ms >= base_timeout(s) && now_ms - f->sent_ms >= patience(s, f))
            fate = SILENT;
    }
    return fate;
}

static void send_again(struct window *w, struct flight *f, int64_t now_ms)
{
    w->waiting -= f->waiting;
    f->waiting = false;
    f->sent_ms = now_ms;
    f->order = ++w->order;
    f->t.attempt++;
}

static int by_age(const void *a, const void *b)
{
    const struct flight *x = *(struct flight *const *)a, *y = *(struct flight *const *)b;

    if (x->t.seq != y->t.seq)
        return x->t.seq < y->t.seq ? -1 : 1;
    return (x->t.index > y->t.index) - (x->t.index < y->t.index);
}

/* Those to be sent again, oldest first, into w->candidates; *probes: those that were, unanswered.
 */
static size_t find_candidates(struct window *w, int64_t now_ms, size_t *probes, bool *alone)
{
    size_t n = 0;

    *probes = w->suspects = 0;
    *alone = false;
    for (size_t i = 0; i < w->max; i++) {
        struct flight *f = &w->flights[i];
        enum fate fate = f->used ? judge(w, f, now_ms) : ON_ITS_WAY;

        if (fate == LOST && !f->waiting) {
            f->waiting = true;
            w->waiting++;
            f->t.failures += others_got_through(w, f);
            shrink(w, now_ms, TIMEOUT_MIN_MS);
        }
        w->suspects += f->used && f->waiting && f->t.failures >= WINDOW_ALONE_AFTER;
        if (fate != ON_ITS_WAY)
            w->candidates[n++] = f;
        else if (f->used && f->t.attempt > 0)
            ++*probes;
        if (fate == ON_ITS_WAY && f->used && f->t.failures >= WINDOW_ALONE_AFTER)
            *alone = true;
    }
    qsort(w->candidates, n, sizeof(void *), by_age);
    return n;
}

size_t window_due(struct window *w, int64_t now_ms, struct window_telegram *out, size_t max)
{
    size_t probes, sent = 0;
    bool alone;
    size_t n = find_candidates(w, now_ms, &probes, &alone);

    for (size_t i = 0; i < n && sent < max; i++) {
        struct flight *f = w->candidates[i];

        if (f->waiting ? w->count - w->waiting >= w->congestion : probes >= PROBES)
            continue;
        if (f->t.failures >= WINDOW_ALONE_AFTER && alone)
            continue;
        alone |= f->t.failures >= WINDOW_ALONE_AFTER;
        probes += !f->waiting;
        send_again(w, f, now_ms);
        out[sent++] = f->t;
    }
    return sent;
}

void window_unsent(struct window *w, const struct window_telegram *t)
{
    struct flight *f = find(w, t->seq, t->index);

    if (f == NULL)
        return;
    f->t.attempt = t->attempt - 1;
    if (!f->waiting)
        w->waiting++;
    f->waiting = true;
}

void window_forget(struct window *w, uint64_t seq, uint32_t index)
{
    struct flight *f = find(w, seq, index);

    if (f != NULL)
        forget(w, f);
}

size_t window_room(const struct window *w)
{
    size_t air = w->count - w->waiting;

    if (w->count >= w->max || air >= w->congestion || w->waiting > w->suspects)
        return 0;
    return w->congestion - air < w->max - w->count ? w->congestion - air : w->max - w->count;
}

size_t window_count(const struct window *w)
{
    return w->count;
}
