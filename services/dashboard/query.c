#include "query.h"

#include <stdlib.h>
#include <string.h>

#define LATEST_S INT64_C(7258118400) /* 2200-01-01 */

bool query_wrong(struct answer *a, const char *words)
{
    answer_error(a, 400, "query", words);
    return false;
}

bool query_meter(const struct request *r, char meter[METER_ID_CHARS + 1], struct answer *a)
{
    if (r->meter == NULL || !meter_id_read(r->meter, meter))
        return query_wrong(a, "meter must be a meter's id: 16 hex digits.");
    return true;
}

static bool read_second(const char *text, int64_t *second)
{
    size_t n = text == NULL ? 0 : strlen(text);

    if (n == 0 || n > 10 || strspn(text, "0123456789") != n)
        return false;
    *second = strtoll(text, NULL, 10);
    return *second <= LATEST_S;
}

bool query_span(const struct request *r, int64_t *from, int64_t *to, struct answer *a)
{
    if (!read_second(r->from, from) || !read_second(r->to, to) || *from >= *to)
        return query_wrong(a, "from and to must be seconds since 1970, from the smaller one.");
    return true;
}
