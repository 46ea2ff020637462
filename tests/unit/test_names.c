/* Values by name: found again, counted, visited in order, freed. */
#include "tools.h"

#include <stdio.h>

#include "names.h"

enum { MANY = 2000 };

struct value {
    int64_t number;
};

static int finished;

static void count_fini(void *value)
{
    (void)value;
    finished++;
}

static void a_new_value_is_zero_and_stays(void **state)
{
    struct names *n = names_new(sizeof(struct value), NULL);
    struct value *a;
    char name[] = "a";

    (void)state;
    assert_null(names_find(n, "a"));
    a = names_add(n, name);
    assert_int_equal(a->number, 0);
    a->number = 7;
    name[0] = 'x'; /* it keeps a copy */
    assert_ptr_equal(names_find(n, "a"), a);
    assert_ptr_equal(names_add(n, "a"), a);
    assert_string_equal(names_of(a), "a");
    assert_int_equal(((struct value *)names_add(n, ""))->number, 0);
    assert_int_equal(names_count(n), 2);
    names_free(n);
    names_free(NULL);
}

static void check_order(void *value, void *arg)
{
    int64_t *next = arg;

    assert_int_equal(((struct value *)value)->number, (*next)++);
}

static void many_are_found_and_removed(void **state)
{
    struct names *n = names_new(sizeof(struct value), count_fini);
    int64_t next = 0;
    char name[16];

    (void)state;
    finished = 0;
    for (int i = 0; i < MANY; i++) {
        int k = i * 7 % MANY; /* not in order */

        snprintf(name, sizeof name, "%06d", k);
        ((struct value *)names_add(n, name))->number = k;
    }
    assert_int_equal(names_count(n), MANY);
    names_each(n, check_order, &next);
    assert_int_equal(next, MANY);
    for (int i = 0; i < MANY / 2; i++) {
        snprintf(name, sizeof name, "%06d", i);
        names_remove(n, name);
        names_remove(n, name); /* is not there any more */
        assert_null(names_find(n, name));
    }
    assert_int_equal(names_count(n), MANY / 2);
    assert_int_equal(finished, MANY / 2);
    names_free(n);
    assert_int_equal(finished, MANY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_value_is_zero_and_stays),
        cmocka_unit_test(many_are_found_and_removed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
