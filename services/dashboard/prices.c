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

enum { WH_STEP = 100000 }; /* Wh times millionths per kWh, by this: ten-thousandths */

/* n / WH_STEP, half away from zero. */
static int64_t divide(int64_t n)
{
    return (n >= 0 ? n + WH_STEP / 2 : n - WH_STEP / 2) / WH_STEP;
}

struct json_t *price_cost(const struct price *p, int64_t wh)
{
    int64_t cost;

    /* In two parts of one sign, as 32-bit machines have no integer for the whole product. */
    if (!p->known || wh == INT64_MIN || __builtin_mul_overflow(wh / WH_STEP, p->micro, &cost) ||
        __builtin_add_overflow(cost, divide(wh % WH_STEP * p->micro), &cost))
        return json_null();
    return json_real((double)cost / 10000);
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
