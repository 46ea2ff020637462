#include "prices.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#define DIGITS "0123456789"

int price_read(const char *text, struct price *out)
{
    const bool negative = *text == '-';
    const char *at = text + (negative ? 1 : 0);
    const char *point = at + strspn(at, DIGITS);
    const char *decimals = *point == '.' ? point + 1 : point;
    size_t n = strspn(decimals, DIGITS);
    int64_t micro = 0;

    if (*text == '\0') {
        *out = (struct price){0};
        return 0;
    }
    if (point == at || point - at > 4 || n > 6 || decimals[n] != '\0' || (*point == '.' && n == 0))
        return -EINVAL;
    for (; at < point; at++)
        micro = micro * 10 + (*at - '0');
    for (size_t i = 0; i < 6; i++)
        micro = micro * 10 + (i < n ? decimals[i] - '0' : 0);
    *out = (struct price){true, negative ? -micro : micro};
    return 0;
}

bool price_is_currency(const char *text)
{
    return strlen(text) == 3 && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 3;
}

/* n / d, half away from zero. */
static int64_t divide(__int128 n, int64_t d)
{
    return (int64_t)((n >= 0 ? n + d / 2 : n - d / 2) / d);
}

struct json_t *price_cost(const struct price *p, int64_t wh)
{
    if (!p->known || wh == INT64_MIN)
        return json_null();
    /* Wh times millionths per kWh are thousandths of millionths: to ten-thousandths */
    return json_real((double)divide((__int128)wh * p->micro, 100000) / 10000);
}

static json_t *price_json(const struct price *p)
{
    return p->known ? json_real((double)p->micro / 1000000) : json_null();
}

struct json_t *prices_json(const struct prices *p)
{
    return json_pack("{s:o, s:o, s:s}", "import", price_json(&p->in), "export", price_json(&p->out),
                     "currency", p->currency);
}
