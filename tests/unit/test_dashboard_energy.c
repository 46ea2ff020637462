/* Quarter hours added up: over both clock changes, with what is not known, and what it costs. */
#include "tools.h"

#include <jansson.h>
#include <stdio.h>

#include "energy.h"
#include "query.h"
#include "zone.h"

#define METER "5341475E40F89D93"
#define NONE  ROWS_NULL

static int start(void **state)
{
    (void)state;
    return zone_use("Europe/Vienna");
}

static const struct prices no_prices = {.currency = "EUR"};

/* The answer of quarters from..to, each with win Wh and 1 Wh out, quality by its place. */
static json_t *answer_of(struct energy *e, int64_t from, int64_t to, int64_t win)
{
    struct answer a = {0};
    json_t *json;

    for (int64_t at = from; at < to; at += 900)
        energy_take(
            e,
            &(struct rows_row){
                .at = at, .meter = METER, .win = win, .wout = 1, .quality = "ok", .suspect = ""});
    energy_answer(e, &a);
    assert_int_equal(a.status, 200);
    json = json_loadb((const char *)a.body.data, a.body.len, 0, NULL);
    assert_non_null(json);
    answer_free(&a);
    energy_free(e);
    return json;
}

static int64_t member(const json_t *rows, size_t i, const char *name)
{
    const json_t *value = json_object_get(json_array_get(rows, i), name);

    return json_is_null(value) ? NONE : json_integer_value(value);
}

static void steps(void **state)
{
    static const struct row {
        const char *why;
        enum energy_step step;
        int64_t at, start, end;
    } rows[] = {
        {"a quarter", ENERGY_QUARTER, 1767226499, 1767225600, 1767226500},
        {"an hour", ENERGY_HOUR, 1767229199, 1767225600, 1767229200},
        {"a day in winter", ENERGY_DAY, 1767225600, 1767222000, 1767308400},
        {"its last second", ENERGY_DAY, 1767308399, 1767222000, 1767308400},
        {"spring: 23 hours", ENERGY_DAY, 1774746000, 1774738800, 1774821600},
        {"autumn: 25 hours", ENERGY_DAY, 1792890000, 1792879200, 1792969200},
        {"02:30 in summer time", ENERGY_HOUR, 1792888200, 1792886400, 1792890000},
        {"02:30 in winter time", ENERGY_HOUR, 1792891800, 1792890000, 1792893600},
        {"a month with the change", ENERGY_MONTH, 1774746000, 1772319600, 1774994400},
        {"a short month", ENERGY_MONTH, 1770000000, 1769900400, 1772319600},
        {"December", ENERGY_MONTH, 1766000000, 1764543600, 1767222000},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t begin = energy_step_start(rows[i].step, rows[i].at);
        int64_t end = energy_step_end(rows[i].step, begin);

        if (begin != rows[i].start || end != rows[i].end)
            fail_msg("%s: %lld %lld", rows[i].why, (long long)begin, (long long)end);
    }
}

/* Every second quarter of two years belongs to the step that begins not after it. */
static void steps_follow_one_another(void **state)
{
    (void)state;
    for (int step = ENERGY_QUARTER; step <= ENERGY_MONTH; step++) {
        int64_t at = energy_step_start((enum energy_step)step, 1767225600);

        while (at < 1767225600 + (step < ENERGY_DAY ? 40 : 730) * 86400LL) {
            int64_t end = energy_step_end((enum energy_step)step, at);

            assert_true(end > at);
            assert_int_equal(energy_step_start((enum energy_step)step, at), at);
            assert_int_equal(energy_step_start((enum energy_step)step, end - 1), at);
            assert_int_equal(energy_step_start((enum energy_step)step, end), end);
            at = end;
        }
    }
}

static void clock_changes(void **state)
{
    static const struct row {
        int64_t from, to;
        int quarters;
    } days[] = {{1774738800, 1774821600, 92}, {1792879200, 1792969200, 100}};

    (void)state;
    for (size_t i = 0; i < COUNT(days); i++) {
        struct energy *e =
            energy_new(ENERGY_DAY, METER, days[i].from + 1, days[i].to - 1, &no_prices);
        json_t *json = answer_of(e, days[i].from, days[i].to, 10);
        const json_t *rows = json_object_get(json, "rows");

        assert_int_equal(json_array_size(rows), 1);
        assert_int_equal(member(rows, 0, "win"), 10 * days[i].quarters);
        assert_int_equal(member(rows, 0, "end") - member(rows, 0, "start"), days[i].quarters * 900);
        json_decref(json);
        e = energy_new(ENERGY_HOUR, METER, days[i].from, days[i].to, &no_prices);
        json = answer_of(e, days[i].from, days[i].to, 10);
        rows = json_object_get(json, "rows");
        assert_int_equal(json_array_size(rows), days[i].quarters / 4);
        for (size_t h = 0; h < json_array_size(rows); h++)
            assert_int_equal(member(rows, h, "win"), 40);
        json_decref(json);
    }
}

static void what_is_not_known(void **state)
{
    struct energy *e = energy_new(ENERGY_HOUR, METER, 1767225600, 1767232800, &no_prices);
    struct rows_row rows[] = {
        {.at = 1767225600, .win = 5, .wout = NONE, .quality = "ok"},
        {.at = 1767226500, .win = NONE, .wout = NONE, .quality = "missing"},
        {.at = 1767227400, .win = 7, .wout = NONE, .quality = "gap"},
        {.at = 1767229200, .win = NONE, .wout = NONE, .quality = "open"},
    };
    struct answer a = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        energy_take(e, &rows[i]);
    energy_answer(e, &a);
    assert_int_equal(buf_add(&a.body, "", 1), 0);
    assert_string_equal((char *)a.body.data,
                        "{\"step\":\"hour\",\"rows\":[{\"start\":1767225600,\"end\":1767229200,"
                        "\"win\":12,\"wout\":null,\"quality\":\"missing\"},{\"start\":1767229200,"
                        "\"end\":1767232800,\"win\":null,\"wout\":null,\"quality\":\"open\"}],"
                        "\"sum\":{\"win\":12,\"wout\":null,\"cost\":null,\"revenue\":null}}");
    answer_free(&a);
    energy_free(e);
}

static void qualities(void **state)
{
    static const char *const order[] = {"reset", "missing", "gap", "start", "open", "ok"};

    (void)state;
    for (size_t i = 0; i < COUNT(order); i++)
        for (size_t j = 0; j < COUNT(order); j++)
            assert_string_equal(energy_worse(order[i], order[j]), order[i < j ? i : j]);
    assert_string_equal(energy_worse("ok", "what is this"), "reset");
}

/* A meter that counts nonsense: neither a crash nor a sum that is not known. */
static void sums_stay_in_range(void **state)
{
    int64_t sum = ROWS_NULL;

    (void)state;
    for (int i = 0; i < 4; i++)
        energy_add(&sum, INT64_MAX / 2);
    assert_true(sum == INT64_MAX);
    sum = -2;
    energy_add(&sum, -INT64_MAX);
    assert_true(sum == -INT64_MAX);
}

static void costs(void **state)
{
    static const struct row {
        const char *price;
        int64_t wh;
        const char *cost;
    } rows[] = {
        {"0.25", 1000, "0.25"},
        {"0.254321", 12345, "3.1396"},
        {"-0.05", 2000, "-0.1"},
        {"0.1", 3000, "0.3"},
        {"", 1000, "null"},
        {"0.25", NONE, "null"},
        {"9999.999999", 1000, "10000.0"},
        {"0.30", 0, "0.0"},
        {"0.254321", 123456789012, "31397654.0383"},
        {"-0.254321", 123456789012, "-31397654.0383"},
        {"0.000005", -10000, "-0.0001"}, /* half away from zero */
        {"9999.999999", INT64_MAX, "null"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct price p;
        json_t *cost, *list = json_array();
        char *text;

        assert_int_equal(price_read(rows[i].price, &p), 0);
        cost = price_cost(&p, rows[i].wh);
        json_array_append_new(list, cost);
        text = answer_dump(list);
        if (strncmp(text + 1, rows[i].cost, strlen(rows[i].cost)) != 0)
            fail_msg("%s: %s, not %s", rows[i].price, text, rows[i].cost);
        free(text);
        json_decref(list);
    }
}

static void wrong_prices(void **state)
{
    static const char *const wrong[] = {"0,25", "1e3",       ".5",    "1.",  "-",
                                        "+1",   "0.1234567", "10000", " 1",  "1 ",
                                        "x",    "0x1",       "nan",   "--1", "1.2.3"};

    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct price p = {true, 7};

        assert_int_not_equal(price_read(wrong[i], &p), 0);
        assert_int_equal(p.micro, 7);
    }
    assert_true(price_is_currency("EUR"));
    assert_false(price_is_currency("eur"));
    assert_false(price_is_currency("EURO"));
    assert_false(price_is_currency(""));
}

/* What the asker said, and what came of it. */
static unsigned ask(const char *meter, const char *from, const char *to, const char *step)
{
    const struct request r = {.meter = meter, .from = from, .to = to, .step = step};
    struct answer a = {0};
    struct energy *e = energy_ask(&r, &no_prices, &a);
    unsigned status = a.status;

    assert_int_equal(e == NULL, status != 0);
    energy_free(e);
    answer_free(&a);
    return status;
}

static void questions(void **state)
{
    (void)state;
    assert_int_equal(ask(METER, "1", "2", "quarter"), 0);
    assert_int_equal(ask("5341475e40f89d93", "0", "3456000", "quarter"), 0);
    assert_int_equal(ask(METER, "0", "3456001", "quarter"), 400);
    assert_int_equal(ask(METER, "0", "34560000", "hour"), 0);
    assert_int_equal(ask(METER, "0", "34560001", "hour"), 400);
    assert_int_equal(ask(METER, "0", "1262304000", "day"), 0);
    assert_int_equal(ask(METER, "0", "2000000000", "month"), 400);
    assert_int_equal(ask(METER, "2", "2", "day"), 400);
    assert_int_equal(ask(METER, "3", "2", "day"), 400);
    assert_int_equal(ask(METER, "-1", "2", "day"), 400);
    assert_int_equal(ask(METER, "1", "99999999999", "day"), 400);
    assert_int_equal(ask(METER, "1", "7258118401", "day"), 400);
    assert_int_equal(ask(METER, "1", NULL, "day"), 400);
    assert_int_equal(ask(METER, "", "2", "day"), 400);
    assert_int_equal(ask(METER, "1", "2", "week"), 400);
    assert_int_equal(ask(METER, "1", "2", NULL), 400);
    assert_int_equal(ask("5341475E40F89D9", "1", "2", "day"), 400);
    assert_int_equal(ask("5341475E40F89D9'", "1", "2", "day"), 400);
    assert_int_equal(ask(NULL, "1", "2", "day"), 400);
}

/* Any octets at all: taken or refused, never more than that. */
static void random_questions(void **state)
{
    static const char alphabet[] = "0123456789ABCDEFabcdef-+. %'\"\xC3\x28"
                                   "dayhourmonth\n\x01";
    char texts[4][24];
    unsigned seed = 20261124;

    (void)state;
    for (int n = 0; n < 20000; n++) {
        for (int i = 0; i < 4; i++) {
            size_t len = (size_t)(rand_r(&seed) % 20);

            for (size_t c = 0; c < len; c++)
                texts[i][c] = alphabet[(size_t)rand_r(&seed) % (sizeof alphabet - 1)];
            texts[i][len] = '\0';
        }
        if (rand_r(&seed) % 2 == 0)
            snprintf(texts[0], sizeof texts[0], METER);
        if (rand_r(&seed) % 2 == 0)
            snprintf(texts[3], sizeof texts[3], "day");
        if (ask(texts[0], texts[1], texts[2], texts[3]) == 0)
            assert_true(strlen(texts[0]) == 16 && strspn(texts[1], "0123456789") > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps),         cmocka_unit_test(steps_follow_one_another),
        cmocka_unit_test(clock_changes), cmocka_unit_test(what_is_not_known),
        cmocka_unit_test(qualities),     cmocka_unit_test(sums_stay_in_range),
        cmocka_unit_test(costs),         cmocka_unit_test(wrong_prices),
        cmocka_unit_test(questions),     cmocka_unit_test(random_questions),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
