/* The growing run of octets under everything that is assembled. */
#include "tools.h"

#include <errno.h>

#include "buf.h"

static void grows_and_keeps_what_it_has(void **state)
{
    struct buf b = {0};

    (void)state;
    for (unsigned i = 0; i < 5000; i++) {
        uint8_t octets[3] = {(uint8_t)i, (uint8_t)(i >> 8), 0x5A};

        assert_int_equal(buf_add(&b, octets, i % 4), 0);
    }
    assert_int_equal(b.len, 5000 / 4 * 6);
    for (unsigned i = 0, at = 0; i < 5000; at += i % 4, i++)
        if (i % 4 > 0)
            assert_int_equal(b.data[at], (uint8_t)i);
    buf_free(&b);
    assert_null(b.data);
    assert_int_equal(b.len + b.room, 0);
    buf_free(&b); /* an empty one is fine */
}

static void nothing_is_added_to_nothing(void **state)
{
    struct buf b = {0};

    (void)state;
    assert_int_equal(buf_add(&b, NULL, 0), 0);
    assert_null(b.data);
    buf_drop(&b, 7);
    assert_int_equal(b.len, 0);
}

static void drops_from_the_front(void **state)
{
    struct buf b = {0};

    (void)state;
    assert_int_equal(buf_add(&b, "abcdef", 6), 0);
    buf_drop(&b, 0);
    buf_drop(&b, 2);
    assert_int_equal(b.len, 4);
    assert_memory_equal(b.data, "cdef", 4);
    assert_int_equal(buf_add(&b, "g", 1), 0);
    assert_memory_equal(b.data, "cdefg", 5);
    buf_drop(&b, 5);
    assert_int_equal(b.len, 0);
    assert_int_equal(buf_add(&b, "h", 1), 0);
    buf_drop(&b, SIZE_MAX);
    assert_int_equal(b.len, 0);
    buf_free(&b);
}

static void reserved_room_is_there(void **state)
{
    struct buf b = {0};

    (void)state;
    assert_int_equal(buf_add(&b, "ab", 2), 0);
    for (size_t n = 0; n < 3000; n += 299) {
        assert_int_equal(buf_reserve(&b, n), 0);
        assert_true(b.room - b.len >= n);
        memset(b.data + b.len, 'x', n);
        assert_memory_equal(b.data, "ab", 2);
    }
    assert_int_equal(b.len, 2);
    buf_free(&b);
}

static void more_than_there_is_leaves_it_as_it_was(void **state)
{
    struct buf b = {0};

    (void)state;
    assert_int_equal(buf_reserve(&b, SIZE_MAX), -ENOMEM);
    assert_int_equal(buf_add(&b, "ab", 2), 0);
    assert_int_equal(buf_reserve(&b, SIZE_MAX), -ENOMEM);
    assert_int_equal(buf_reserve(&b, SIZE_MAX - 1), -ENOMEM);
    assert_int_equal(b.len, 2);
    assert_memory_equal(b.data, "ab", 2);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_and_keeps_what_it_has),
        cmocka_unit_test(nothing_is_added_to_nothing),
        cmocka_unit_test(drops_from_the_front),
        cmocka_unit_test(reserved_room_is_there),
        cmocka_unit_test(more_than_there_is_leaves_it_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
