/* prices: what a kilowatt-hour costs, in exact millionths. */
#ifndef PRICES_H
#define PRICES_H

#include <stdbool.h>
#include <stdint.h>

struct json_t; /* NOLINT: jansson's name */

struct price {
    bool known;
    int64_t micro; /* millionths of the currency per kWh */
};

struct prices {
    struct price in, out;
    const char *currency; /* "EUR" */
};

/**
 * "0.2543", "12", "-0.01" with at most 6 decimals and 4 digits before them; "" is no price. Returns
 * 0, or -EINVAL.
 */
int price_read(const char *text, struct price *out) __attribute__((warn_unused_result));

/** "EUR": three capital letters. */
bool price_is_currency(const char *text);

/** What energy in Wh costs, rounded to a ten-thousandth; null when price or energy (INT64_MIN) is
 * not known. */
struct json_t *price_cost(const struct price *p, int64_t wh);

/** {"import": 0.25, "export": null, "currency": "EUR"} */
struct json_t *prices_json(const struct prices *p);

#endif
