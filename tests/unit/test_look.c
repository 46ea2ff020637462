/* The filters of `zaehlwerk rejects` and `replay`: times in any of their forms. */
#include "tools.h"

#include <errno.h>
#include <inttypes.h>

#include "look.h"

#define NOW INT64_C(1795520000123)

static const struct row {
    const char *text;
    int rc;
    int64_t utc_ms;
} rows[] = {
    {"2026-11-24", 0, 1795478400000},
    {"1970-01-01", 0, 0},
    {"2024-02-29", 0, 1709164800000},
    {"2026-11-24T08:00:00Z", 0, 1795507200000},
    {"2026-11-24t08:00:00z", 0, 1795507200000},
    {"2026-11-24 08:00:00Z", 0, 1795507200000},
    {"2026-11-24T08:00:00.5Z", 0, 1795507200500},
    {"2026-11-24T08:00:00.1239Z", 0, 1795507200123},
    {"2026-11-24T08:00:00+01:00", 0, 1795503600000},
    {"2026-11-24T08:00:00-05:30", 0, 1795527000000},
    {"0s", 0, NOW},
    {"90s", 0, NOW - 90000},
    {"30m", 0, NOW - 1800000},
    {"2h", 0, NOW - 7200000},
    {"7d", 0, NOW - 604800000},
    {"", -EINVAL, 0},
    {"yesterday", -EINVAL, 0},
    {"7", -EINVAL, 0},
    {"7w", -EINVAL, 0},
    {"-7d", -EINVAL, 0},
    {"7 d", -EINVAL, 0},
    {"7dd", -EINVAL, 0},
    {"99999999999999999999d", -EINVAL, 0},
    {"9223372036854775807d", -EINVAL, 0},
    {"26-11-24", -EINVAL, 0},
    {"2026-13-01", -EINVAL, 0},
    {"2026-02-29", -EINVAL, 0},
    {"2026-11-31", -EINVAL, 0},
    {"2026-11-24T", -EINVAL, 0},
    {"2026-11-24T08:00", -EINVAL, 0},
    {"2026-11-24T08:00:00", -EINVAL, 0},
    {"2026-11-24T25:00:00Z", -EINVAL, 0},
    {"2026-11-24T08:61:00Z", -EINVAL, 0},
    {"2026-11-24T08:00:00.Z", -EINVAL, 0},
    {"2026-11-24T08:00:00+1", -EINVAL, 0},
    {"2026-11-24T08:00:00+25:00", -EINVAL, 0},
    {"2026-11-24T08:00:00+01:00x", -EINVAL, 0},
    {"2026-11-24T08:00:00Zx", -EINVAL, 0},
    {"2026-11-24x", -EINVAL, 0},
};

static void times_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t utc_ms = 0;
        int rc = look_time(rows[i].text, NOW, &utc_ms);

        if (rc != rows[i].rc || utc_ms != rows[i].utc_ms)
            fail_msg("%s: %d, %" PRId64 ", not %d, %" PRId64, rows[i].text, rc, utc_ms, rows[i].rc,
                     rows[i].utc_ms);
    }
}

static void other_filters(void **state)
{
    struct look l = {0};

    (void)state;
    assert_null(look_meter(&l, "5341475e40f89D93"));
    assert_string_equal(l.query.meter, "5341475E40F89D93");
    assert_non_null(look_meter(&l, "5341475E40F89D9"));
    assert_non_null(look_meter(&l, "5341475E40F89D93A"));
    assert_non_null(look_meter(&l, "5341475E40F89D9'"));
    assert_null(look_reason(&l, "wrong-key"));
    assert_int_equal(l.query.reason, VERDICT_WRONG_KEY);
    assert_non_null(look_reason(&l, "ok"));
    assert_non_null(look_reason(&l, "x' OR 1 = 1"));
    assert_null(look_since(&l, "2026-11-24"));
    assert_true(l.query.after.time_ms == 1795478400000);
    assert_non_null(look_since(&l, "now"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_read),
        cmocka_unit_test(other_filters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
