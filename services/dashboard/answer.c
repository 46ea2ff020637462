#include "answer.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rows.h"

char *answer_dump(const struct json_t *json)
{
    return json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15));
}

void answer_json(struct answer *a, unsigned status, struct json_t *json)
{
    char *text = json == NULL ? NULL : answer_dump(json);

    json_decref(json);
    a->body.len = 0;
    a->status = text == NULL ? 500 : status;
    a->type = text == NULL ? NULL : "application/json";
    if (text != NULL && buf_add(&a->body, text, strlen(text)) != 0) {
        a->status = 500;
        a->type = NULL;
    }
    free(text);
}

json_t *answer_number(int64_t value)
{
    return value == ROWS_NULL ? json_null() : json_integer(value);
}

void answer_error(struct answer *a, unsigned status, const char *code, const char *words)
{
    answer_json(a, status, json_pack("{s:s, s:s}", "error", words, "code", code));
}

int answer_print(struct buf *b, const char *format, ...)
{
    va_list args;
    size_t room;
    int n;

    if (buf_reserve(b, 512) != 0)
        return -ENOMEM;
    room = b->room - b->len;
    va_start(args, format);
    n = vsnprintf((char *)b->data + b->len, room, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= room)
        return -ENOMEM;
    b->len += (size_t)n;
    return 0;
}

void answer_free(struct answer *a)
{
    buf_free(&a->body);
    *a = (struct answer){0};
}
