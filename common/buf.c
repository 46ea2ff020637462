#include "buf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int buf_reserve(struct buf *b, size_t len)
{
    size_t room = b->room == 0 ? 512 : b->room;
    uint8_t *data;

    if (len <= b->room - b->len)
        return 0;
    while (room - b->len < len) {
        if (room > SIZE_MAX / 2)
            return -ENOMEM;
        room *= 2;
    }
    data = realloc(b->data, room);
    if (data == NULL)
        return -ENOMEM;
    b->data = data;
    b->room = room;
    return 0;
}

int buf_add(struct buf *b, const void *octets, size_t len)
{
    if (len == 0)
        return 0;
    if (buf_reserve(b, len) != 0)
        return -ENOMEM;
    memcpy(b->data + b->len, octets, len);
    b->len += len;
    return 0;
}

void buf_drop(struct buf *b, size_t n)
{
    if (n >= b->len) {
        b->len = 0;
        return;
    }
    memmove(b->data, b->data + n, b->len - n);
    b->len -= n;
}

void buf_free(struct buf *b)
{
    free(b->data);
    *b = (struct buf){0};
}
