/* Who has fallen silent. */
#include "tools.h"

#include "silence.h"

static void check(const struct silence *s, int64_t now_ms, size_t meters, size_t silent)
{
    struct silence_counts c = silence_count(s, now_ms);

    assert_int_equal(c.meters, meters);
    assert_int_equal(c.silent, silent);
}

static void a_meter_is_silent_after_five_minutes(void **state)
{
    struct silence *s = silence_new();

    (void)state;
    check(s, 0, 0, 0);
    silence_heard(s, "A", 1000);
    silence_heard(s, "B", 200000);
    check(s, 1000 + SILENCE_MS - 1, 2, 0);
    check(s, 1000 + SILENCE_MS, 2, 1);
    check(s, 200000 + SILENCE_MS, 2, 2);
    silence_free(s);
}

static void it_speaks_again(void **state)
{
    struct silence *s = silence_new();

    (void)state;
    silence_heard(s, "A", 0);
    check(s, SILENCE_MS, 1, 1);
    silence_heard(s, "A", SILENCE_MS);
    check(s, SILENCE_MS, 1, 0);
    silence_free(s);
    silence_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_meter_is_silent_after_five_minutes),
        cmocka_unit_test(it_speaks_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
