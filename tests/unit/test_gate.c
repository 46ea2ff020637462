/* Whether a text goes out on its topic now. */
#include "tools.h"

#include "gate.h"

struct row {
    int64_t ms;
    const char *text;
    bool passes;
};

static void run(const char *why, const struct gate_rule *rule, size_t n, const struct row rows[])
{
    struct gate g = {0};

    for (size_t i = 0; i < n; i++) {
        bool open = gate_is_open(&g, rule, rows[i].text, strlen(rows[i].text), rows[i].ms);

        if (open != rows[i].passes)
            fail_msg("%s: %zu, %s", why, i, rows[i].text);
        if (open)
            gate_pass(&g, rule, rows[i].text, strlen(rows[i].text), rows[i].ms);
    }
    gate_free(&g);
}

#define RUN(why, rule, ...)                                                                        \
    run(why, rule, COUNT(((const struct row[]){__VA_ARGS__})), (const struct row[]){__VA_ARGS__})

static void every_reading_passes(void **state)
{
    const struct gate_rule rule = {0, false, 30000};

    (void)state;
    RUN("every", &rule, {0, "1", true}, {0, "1", true}, {5000, "1", true}, {5001, "2", true});
}

static void the_least_time_counts_from_what_passed(void **state)
{
    const struct gate_rule rule = {10000, false, 30000};

    (void)state;
    RUN("minimum", &rule, {100, "1", true}, {5100, "2", false}, {9599, "3", false},
        {9600, "4", true}, /* a little early */
        {15000, "5", false}, {19700, "6", true});
}

static void changes_pass_and_silence_is_broken(void **state)
{
    const struct gate_rule rule = {0, true, 30000};

    (void)state;
    RUN("changes", &rule, {0, "1", true}, {5000, "1", false}, {10000, "2", true},
        {15000, "2", false}, {35000, "2", false}, {40000, "2", true}, {45000, "2", false},
        {50000, "23", true}, {55000, "2", true}, {60000, "", true}, {65000, "", false});
}

static void a_change_within_the_least_time_comes_after_it(void **state)
{
    const struct gate_rule rule = {10000, true, 30000};

    (void)state;
    RUN("both", &rule, {0, "1", true}, {5000, "2", false}, {10000, "2", true}, {15000, "1", false},
        {20000, "2", false}, {25000, "1", true});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reading_passes),
        cmocka_unit_test(the_least_time_counts_from_what_passed),
        cmocka_unit_test(changes_pass_and_silence_is_broken),
        cmocka_unit_test(a_change_within_the_least_time_comes_after_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
