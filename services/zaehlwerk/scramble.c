#include "scramble.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { RUN = 4, TRIES = 1000 };

struct pair {
    size_t len, keep;
    uint8_t *from, *to; /* to: the second half of from's allocation */
    bool made;
};

struct offset {
    uint8_t class[32];
    size_t class_len;
    int64_t offset;
};

struct scramble {
    struct pair *pairs;
    size_t pair_count;
    struct offset *offsets;
    size_t offset_count;
};

struct scramble *scramble_new(void)
{
    return calloc(1, sizeof(struct scramble));
}

void scramble_free(struct scramble *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->pair_count; i++)
        free(s->pairs[i].from);
    free(s->pairs);
    free(s->offsets);
    free(s);
}

int scramble_random(void *octets, size_t len)
{
    return getrandom(octets, len, 0) == (ssize_t)len ? 0 : -EIO;
}

static struct pair *find(const struct scramble *s, const uint8_t *octets, size_t len)
{
    for (size_t i = 0; i < s->pair_count; i++)
        if (s->pairs[i].len == len && memcmp(s->pairs[i].from, octets, len) == 0)
            return &s->pairs[i];
    return NULL;
}

int scramble_know(struct scramble *s, const uint8_t *octets, size_t len, size_t keep)
{
    struct pair *pairs, *p;

    if (len == 0 || find(s, octets, len) != NULL)
        return 0;
    pairs = realloc(s->pairs, (s->pair_count + 1) * sizeof *pairs);
    if (pairs == NULL)
        return -ENOMEM;
    s->pairs = pairs;
    p = &pairs[s->pair_count];
    *p = (struct pair){.len = len, .keep = keep < len ? keep : len, .from = malloc(2 * len)};
    if (p->from == NULL)
        return -ENOMEM;
    p->to = p->from + len;
    memcpy(p->from, octets, len);
    s->pair_count++;
    return 0;
}

static bool printable(const uint8_t *octets, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (octets[i] < ' ' || octets[i] > '~')
            return false;
    return true;
}

/* Another octet of the same kind. */
static uint8_t another(uint8_t from, uint8_t random, bool text)
{
    if (!text)
        return random;
    if (from >= '0' && from <= '9')
        return (uint8_t)('0' + random % 10);
    if (from >= 'A' && from <= 'Z')
        return (uint8_t)('A' + random % 26);
    if (from >= 'a' && from <= 'z')
        return (uint8_t)('a' + random % 26);
    return from;
}

/* Do they share RUN octets in a row (or all of what is shorter)? */
static bool share_run(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    size_t run = a_len < RUN || b_len < RUN ? (a_len < b_len ? a_len : b_len) : RUN;

    for (size_t i = 0; i + run <= a_len; i++)
        if (memmem(b, b_len, a + i, run) != NULL)
            return true;
    return false;
}

static bool tells(const struct scramble *s, const struct pair *p)
{
    for (size_t i = 0; i < s->pair_count; i++)
        if (s->pairs[i].len >= RUN && p->len >= RUN &&
            share_run(s->pairs[i].from, s->pairs[i].len, p->to, p->len))
            return true;
    return p->len > p->keep && memcmp(p->from, p->to, p->len) == 0;
}

/* A short text may have no other of its kind ("-"): then it names nobody. */
static int make(const struct scramble *s, struct pair *p)
{
    bool text = p->keep == 0 && printable(p->from, p->len);

    for (int i = 0; i < TRIES; i++) {
        if (scramble_random(p->to, p->len) != 0)
            return -EIO;
        for (size_t at = 0; at < p->len; at++)
            p->to[at] = at < p->keep ? p->from[at] : another(p->from[at], p->to[at], text);
        if (!text) /* no OBIS code by chance */
            p->to[p->len - 1] &= 0x7F;
        if (!tells(s, p))
            break;
    }
    p->made = true;
    return 0;
}

int scramble_replace(struct scramble *s, uint8_t *octets, size_t len)
{
    struct pair *p = find(s, octets, len);
    int rc = p == NULL || p->made ? 0 : make(s, p);

    if (rc == 0 && p != NULL)
        memcpy(octets, p->to, len);
    return rc;
}

/* A random number of as many digits, at most `max`. */
static int same_digits(int64_t number, int64_t max, int64_t *out)
{
    int64_t low = 1, high;
    uint64_t random;

    if (scramble_random(&random, sizeof random) != 0)
        return -EIO;
    while (low <= number / 10)
        low *= 10;
    high = low > max / 10 ? max : low * 10 - 1;
    *out = number == 0 ? 0 : low + (int64_t)(random % (uint64_t)(high - low + 1));
    return 0;
}

static struct offset *class_offset(struct scramble *s, const uint8_t *class, size_t len)
{
    struct offset *offsets;

    for (size_t i = 0; i < s->offset_count; i++)
        if (s->offsets[i].class_len == len && memcmp(s->offsets[i].class, class, len) == 0)
            return &s->offsets[i];
    offsets = realloc(s->offsets, (s->offset_count + 1) * sizeof *offsets);
    if (offsets == NULL)
        return NULL;
    s->offsets = offsets;
    offsets += s->offset_count++;
    *offsets = (struct offset){.class_len = len, .offset = INT64_MIN};
    memcpy(offsets->class, class, len);
    return offsets;
}

/* As far from the last one as the original was. */
static int
by_class(struct scramble *s, int64_t n, int64_t max, const uint8_t *class, size_t len, int64_t *out)
{
    struct offset *o = class_offset(s, class, len);
    int64_t shifted;

    if (o == NULL)
        return -ENOMEM;
    if (o->offset != INT64_MIN && !__builtin_add_overflow(n, o->offset, &shifted) && shifted > 0 &&
        shifted <= max) {
        *out = shifted;
        return 0;
    }
    if (same_digits(n, max, out) != 0)
        return -EIO;
    o->offset = *out - n;
    return 0;
}

int scramble_number(
    struct scramble *s, uint8_t *octets, size_t len, const uint8_t *class, size_t class_len)
{
    int64_t max = len == 4 ? INT32_MAX : INT64_MAX, n = 0, out = 0;
    int rc;

    for (size_t i = 0; i < len; i++)
        n = (int64_t)((uint64_t)n << 8 | octets[i]);
    if (n <= 0)
        return 0;
    rc = class != NULL && class_len <= sizeof s->offsets->class ? by_class(s, n, max, class,
                                                                           class_len, &out)
                                                                : same_digits(n, max, &out);
    for (size_t i = 0; rc == 0 && i < len; i++)
        octets[len - 1 - i] = (uint8_t)((uint64_t)out >> (8 * i));
    return rc;
}
