#include "acks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

struct ack_item {
    uint8_t origin[ORIGIN_OCTETS];
    char stream[STREAMS_CHARS + 1];
    uint64_t seq;
    uint32_t index;
    uint8_t reject;
};

static int
add(struct acks *a, const struct record *delivery, const char *stream, size_t len, bool reject)
{
    struct ack_item item = {.seq = delivery->seq, .index = delivery->index, .reject = reject};

    if (len >= sizeof item.stream)
        return 0;
    memcpy(item.origin, delivery->origin, ORIGIN_OCTETS);
    memcpy(item.stream, stream, len);
    return buf_add(&a->list, &item, sizeof item);
}

int acks_add(struct acks *a, const struct record *delivery, const char *stream, bool reject)
{
    return add(a, delivery, stream, strlen(stream), reject);
}

int acks_add_all(struct acks *a, const struct record *delivery)
{
    int rc = 0;

    for (const char *p = delivery->streams; rc == 0 && *p != '\0';) {
        size_t n = strcspn(p, ",");

        if (n > 0)
            rc = add(a, delivery, p, n, true);
        p += n + (p[n] == ',');
    }
    return rc;
}

static int compare(const void *x, const void *y)
{
    const struct ack_item *a = x, *b = y;
    int c = memcmp(a->origin, b->origin, ORIGIN_OCTETS);

    if (c == 0)
        c = strcmp(a->stream, b->stream);
    if (c == 0)
        c = a->reject - b->reject;
    if (c == 0)
        c = (a->index > b->index) - (a->index < b->index);
    if (c == 0)
        c = (a->seq > b->seq) - (a->seq < b->seq);
    return c;
}

static bool same_record(const struct ack_item *a, const struct ack_item *b)
{
    return memcmp(a->origin, b->origin, ORIGIN_OCTETS) == 0 && strcmp(a->stream, b->stream) == 0 &&
           a->reject == b->reject;
}

/* One record for the n items that share origin and stream; they are sorted. */
static void publish(struct acks *a, struct link *link, const struct ack_item *items, size_t n)
{
    struct ack_range *ranges = calloc(n, sizeof *ranges);
    struct record r = {.type = RECORD_ACK, .reject = items[0].reject, .ranges = ranges};

    if (ranges == NULL) {
        log_error("lost", LOG_S("what", "acks"), LOG_S("reason", "out of memory"));
        return;
    }
    memcpy(r.origin, items[0].origin, ORIGIN_OCTETS);
    memcpy(r.stream, items[0].stream, sizeof r.stream);
    for (size_t i = 0; i < n; i++) {
        struct ack_range *last = r.range_count == 0 ? NULL : &ranges[r.range_count - 1];

        if (last != NULL && last->index == items[i].index &&
            (items[i].seq == last->last || items[i].seq == last->last + 1))
            last->last = items[i].seq;
        else
            ranges[r.range_count++] =
                (struct ack_range){items[i].seq, items[i].seq, items[i].index};
    }
    a->packed.len = 0;
    if (record_pack(&r, &a->packed) == 0)
        link_publish(link, r.origin, ORIGIN_OCTETS, a->packed.data, a->packed.len);
    free(ranges);
}

size_t acks_publish(struct acks *a, struct link *link)
{
    struct ack_item *items = (struct ack_item *)(void *)a->list.data;
    size_t n = a->list.len / sizeof *items;

    if (n > 0)
        qsort(items, n, sizeof *items, compare);
    for (size_t first = 0, i = 1; i <= n && n > 0; i++) {
        if (i < n && same_record(&items[first], &items[i]))
            continue;
        publish(a, link, items + first, i - first);
        first = i;
    }
    a->list.len = 0;
    return n;
}

void acks_free(struct acks *a)
{
    buf_free(&a->list);
    buf_free(&a->packed);
}
