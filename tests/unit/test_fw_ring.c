/* The firmware's ring of unsent telegrams: order, thinning, bounds, and its promises at random. */
#include "tools.h"

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "fw_ring.h"

enum { TELEGRAM = 20, SLOT = TELEGRAM + FW_RING_HEAD };

static void add(struct fw_ring *r, uint8_t content, uint32_t at_ms)
{
    uint8_t octets[TELEGRAM];

    memset(octets, content, sizeof octets);
    assert_true(fw_ring_add(r, octets, sizeof octets, at_ms));
}

/* Take out all, oldest first, as a text of the contents. */
static void drain(struct fw_ring *r, char *out)
{
    const uint8_t *octets;
    size_t len;
    uint32_t id;

    while ((octets = fw_ring_oldest(r, &len, &id)) != NULL) {
        *out++ = (char)octets[0];
        assert_int_equal(octets[len - 1], octets[0]);
        fw_ring_release(r, id);
    }
    *out = '\0';
    assert_int_equal(r->used, 0);
    assert_int_equal(r->count, 0);
}

static void oldest_first(void **state)
{
    uint8_t memory[10 * SLOT];
    struct fw_ring r;
    char text[16];
    size_t len;
    uint32_t id;

    (void)state;
    fw_ring_init(&r, memory, sizeof memory);
    assert_null(fw_ring_oldest(&r, &len, &id));
    fw_ring_release(&r, 0);
    fw_ring_release(&r, 1);
    for (int i = 0; i < 10; i++)
        add(&r, (uint8_t)('a' + i), (uint32_t)i * 5000);
    assert_int_equal(r.dropped, 0);
    drain(&r, text);
    assert_string_equal(text, "abcdefghij");
}

static void only_the_oldest_is_released(void **state)
{
    uint8_t memory[3 * SLOT];
    struct fw_ring r;
    char text[16];
    size_t len;
    uint32_t id;

    (void)state;
    fw_ring_init(&r, memory, sizeof memory);
    add(&r, 'a', 0);
    add(&r, 'b', 1);
    assert_non_null(fw_ring_oldest(&r, &len, &id));
    fw_ring_release(&r, id + 1);
    fw_ring_release(&r, id - 1);
    assert_int_equal(r.count, 2);
    fw_ring_release(&r, id);
    fw_ring_release(&r, id); /* acknowledged twice */
    drain(&r, text);
    assert_string_equal(text, "b");
}

/* As many as fit, spread over all of the outage, the first and the last among them. */
static void thinned_when_full(void **state)
{
    static const uint32_t starts[] = {0, UINT32_MAX - 30000}; /* the clock wraps */

    (void)state;
    for (size_t k = 0; k < COUNT(starts); k++) {
        uint8_t memory[5 * SLOT + SLOT / 2];
        struct fw_ring r;
        char text[16];

        fw_ring_init(&r, memory, sizeof memory);
        for (int i = 0; i < 17; i++)
            add(&r, (uint8_t)('a' + i), starts[k] + (uint32_t)i * 5000);
        assert_int_equal(r.dropped, 12);
        drain(&r, text);
        assert_int_equal(strlen(text), 5);
        assert_int_equal(text[0], 'a');
        assert_int_equal(text[4], 'q');
        for (int i = 0; i < 4; i++)
            assert_in_range(text[i + 1] - text[i], 1, 8);
    }
}

/* As firmware/README.md says: an hour without the broker leaves one about every minute. */
static void an_hour_away(void **state)
{
    static uint8_t memory[20480], telegram[282];
    uint32_t times[100], count = 0, last = 0, longest = 0;
    struct fw_ring r;
    size_t len;
    uint32_t id;

    (void)state;
    fw_ring_init(&r, memory, sizeof memory);
    for (uint32_t i = 0; i < 720; i++) {
        memcpy(telegram, &i, sizeof i);
        assert_true(fw_ring_add(&r, telegram, sizeof telegram, i * 5000));
    }
    assert_int_equal(r.count, 69);
    for (const uint8_t *t; (t = fw_ring_oldest(&r, &len, &id)) != NULL; fw_ring_release(&r, id))
        memcpy(&times[count++], t, sizeof times[0]);
    assert_int_equal(times[0], 0);
    assert_int_equal(times[count - 1], 719);
    for (uint32_t i = 1; i < count; last = times[i++])
        if (times[i] - last > longest)
            longest = times[i] - last;
    print_message("longest gap %u s\n", longest * 5);
    assert_true(longest * 5 <= 90);
}

static void add_spare(struct fw_ring *r, uint8_t content, uint32_t at_ms, bool added)
{
    uint8_t octets[TELEGRAM];

    memset(octets, content, sizeof octets);
    assert_int_equal(fw_ring_add_spare(r, octets, sizeof octets, at_ms), added);
}

/* Damaged telegrams: an hour of a bad line beside an outage must not cost one good telegram. */
static void spare_ones_go_first(void **state)
{
    uint8_t memory[5 * SLOT];
    struct fw_ring r;
    char text[16];

    (void)state;
    fw_ring_init(&r, memory, sizeof memory);
    add(&r, 'a', 0);
    add_spare(&r, 'x', 60000, true);
    add(&r, 'b', 120000);
    add_spare(&r, 'y', 180000, true);
    add(&r, 'c', 240000);
    add_spare(&r, 'z', 300000, false); /* full */
    assert_int_equal(r.dropped, 1);
    add(&r, 'd', 300001);
    add(&r, 'e', 300002);
    assert_int_equal(r.dropped, 3);
    add_spare(&r, 'z', 300003, false);
    drain(&r, text);
    assert_string_equal(text, "abcde");
    add_spare(&r, 'x', 0, true); /* the oldest may be on its way: it stays */
    for (int i = 0; i < 6; i++)
        add(&r, (uint8_t)('a' + i), 1 + (uint32_t)i);
    drain(&r, text);
    assert_int_equal(text[0], 'x');
    assert_int_equal(strlen(text), 5);
}

static void what_never_fits_is_counted(void **state)
{
    uint8_t memory[2 * SLOT], octets[2 * SLOT] = {0};
    struct fw_ring r;
    char text[16];

    (void)state;
    fw_ring_init(&r, memory, sizeof memory);
    assert_false(fw_ring_add(&r, octets, sizeof memory - FW_RING_HEAD + 1, 0));
    assert_true(fw_ring_add(&r, octets, sizeof memory - FW_RING_HEAD, 0));
    assert_false(fw_ring_add(&r, octets, 1, 1)); /* the oldest is never given up for another */
    assert_int_equal(r.dropped, 2);
    drain(&r, text);
    add(&r, 'a', 2);
    assert_false(fw_ring_add(&r, octets, TELEGRAM + 1, 3));
    add(&r, 'b', 4);
    drain(&r, text);
    assert_string_equal(text, "ab");
    fw_ring_init(&r, memory, 5);
    assert_false(fw_ring_add(&r, octets, 0, 0));
    assert_false(fw_ring_add_spare(&r, octets, 0, 0));
    assert_int_equal(r.dropped, 2);
}

/* Telegrams of any length; each that was taken leaves by release or is counted as dropped. */
static void random_use(void **state)
{
    const char *text = getenv("SEED");
    unsigned seed = text == NULL ? (unsigned)time(NULL) : (unsigned)strtoul(text, NULL, 0);
    uint8_t memory[2000], octets[600];
    uint32_t taken = 0, released = 0, last = 0;
    struct fw_ring r;

    (void)state;
    print_message("SEED=%u\n", seed);
    fw_ring_init(&r, memory, sizeof memory);
    for (uint32_t i = 0; i < 20000; i++) {
        size_t len = (size_t)(rand_r(&seed) % (int)sizeof octets);
        const uint8_t *oldest;
        uint32_t id;

        memset(octets, (int)(len & 0xFF), len);
        if (rand_r(&seed) % 3 != 0) {
            taken++;
            (void)(rand_r(&seed) % 4 == 0 ? fw_ring_add_spare : fw_ring_add)(&r, octets, len,
                                                                             i * 100);
        } else if ((oldest = fw_ring_oldest(&r, &len, &id)) != NULL) {
            assert_true(id > last);
            last = id;
            for (size_t k = 0; k < len; k++)
                assert_int_equal(oldest[k], len & 0xFF);
            fw_ring_release(&r, id);
            released++;
        }
        assert_true(r.used <= sizeof memory);
        assert_int_equal(r.count + r.dropped + released, taken);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(oldest_first),        cmocka_unit_test(only_the_oldest_is_released),
        cmocka_unit_test(thinned_when_full),   cmocka_unit_test(an_hour_away),
        cmocka_unit_test(spare_ones_go_first), cmocka_unit_test(what_never_fits_is_counted),
        cmocka_unit_test(random_use),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
