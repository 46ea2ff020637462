/* When the receiver tries to join its Wi-Fi again. */
#include "tools.h"

#include <stdio.h>

#include "fw_retry.h"

/* Seconds until something is to be done. */
static unsigned wait(struct fw_retry *r, enum fw_retry_what *what)
{
    unsigned seconds = 0;

    do {
        *what = fw_retry_second(r);
        assert_in_range(++seconds, 1, 60);
    } while (*what == FW_RETRY_WAIT);
    return seconds;
}

static void less_and_less_often(void **state)
{
    static const unsigned want[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
    struct fw_retry r;
    enum fw_retry_what what;

    (void)state;
    fw_retry_init(&r);
    for (size_t i = 0; i < COUNT(want); i++) {
        fw_retry_failed(&r);
        assert_int_equal(wait(&r, &what), want[i]);
        assert_int_equal(what, FW_RETRY_CONNECT);
    }
    fw_retry_init(&r); /* joined, and lost */
    fw_retry_failed(&r);
    assert_int_equal(wait(&r, &what), 1);
}

static void every_twentieth_is_afresh(void **state)
{
    struct fw_retry r;
    enum fw_retry_what what;

    (void)state;
    fw_retry_init(&r);
    for (int i = 1; i <= 100; i++) {
        fw_retry_failed(&r);
        (void)wait(&r, &what);
        assert_int_equal(what, i % 20 == 0 ? FW_RETRY_AFRESH : FW_RETRY_CONNECT);
    }
}

/* A call that failed, an event that never came, no address from the router: it never ends here. */
static void no_outcome(void **state)
{
    struct fw_retry r;
    enum fw_retry_what what;

    (void)state;
    fw_retry_init(&r);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(wait(&r, &what), 60);
        assert_int_equal(what, FW_RETRY_AFRESH);
    }
    fw_retry_failed(&r);
    assert_int_equal(wait(&r, &what), 1);
    assert_int_equal(what, FW_RETRY_CONNECT);
    assert_int_equal(wait(&r, &what), 60);
    assert_int_equal(what, FW_RETRY_AFRESH);
}

/* Two failures in a row, as when the driver reports one twice, are one. */
static void reported_twice(void **state)
{
    struct fw_retry r;
    enum fw_retry_what what;

    (void)state;
    fw_retry_init(&r);
    fw_retry_failed(&r);
    fw_retry_failed(&r);
    assert_int_equal(wait(&r, &what), 2);
    assert_int_equal(what, FW_RETRY_CONNECT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(less_and_less_often),
        cmocka_unit_test(every_twentieth_is_afresh),
        cmocka_unit_test(no_outcome),
        cmocka_unit_test(reported_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
