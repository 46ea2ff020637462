/* Which way the meter talks, by errors and sound frames. */
#include "tools.h"

#include <stdio.h>

#include "fw_line.h"

enum { E24, N24, N96, E96 };

/* A meter that sends `octets` every 5 s, heard by a receiver in one mode. */
struct meter {
    const char *why;
    uint8_t mode; /* its own */
    unsigned octets;
};

/*
 * What a UART in a wrong mode makes of it. 8N1 read as 8E1: the stop bit is taken for an odd
 * octet's parity and the next start bit for a stop bit. 8E1 read as 8N1: half of the parity bits
 * are no stop bit. At another rate nearly every octet is wrong.
 */
static void hear(struct fw_line *l, const struct meter *m, unsigned i, uint32_t now_ms)
{
    const struct fw_line_mode *own = &fw_line_modes[m->mode], *ours = &fw_line_modes[l->mode];

    fw_line_octets(l, 1, now_ms);
    if (own->baud != ours->baud) {
        if (i % 8 != 0)
            fw_line_framing_error(l);
    } else if (own->even && !ours->even) {
        if (i % 2 == 0)
            fw_line_framing_error(l);
    } else if (!own->even && ours->even) {
        if (i % 2 == 0)
            fw_line_parity_error(l);
    }
}

/* Seconds until a mode is proven. */
static unsigned find(struct fw_line *l, const struct meter *m)
{
    for (unsigned second = 0; second < 600; second++) {
        unsigned n = second % 5 == 0 ? m->octets : 0, i = second == 0 ? m->octets / 3 : 0;
        uint8_t heard_in = l->mode;

        while (i < n && l->mode == heard_in) {
            hear(l, m, i, second * 1000 + i);
            fw_line_step(l, second * 1000 + i);
            i++;
        }
        if (n > 0 && i == n && second > 0 && l->mode == m->mode && heard_in == m->mode)
            assert_true(fw_line_sound(l));
        if (l->proven)
            return second;
        fw_line_step(l, second * 1000 + 999);
    }
    return 600;
}

static void each_meter_is_found_from_each_mode(void **state)
{
    static const struct meter meters[] = {
        {"T210-D", E24, 282},
        {"MA309M at 8N1", N24, 282},
        {"MA309M, west Austria", E24, 376},
        {"an HDLC meter", N96, 125},
        {"an HDLC meter with parity", E96, 491},
    };

    (void)state;
    for (size_t k = 0; k < COUNT(meters); k++)
        for (uint8_t mode = 0; mode < FW_LINE_MODES; mode++) {
            struct fw_line l;
            unsigned seconds;

            fw_line_init(&l, mode, false);
            seconds = find(&l, &meters[k]);
            if (seconds > 30 || l.mode != meters[k].mode)
                fail_msg("%s from %s: %u s, %s", meters[k].why, fw_line_modes[mode].name, seconds,
                         fw_line_modes[l.mode].name);
        }
}

static void silence_changes_nothing(void **state)
{
    struct fw_line l;

    (void)state;
    fw_line_init(&l, E24, false);
    for (uint32_t t = 0; t < 3600; t++)
        assert_false(fw_line_step(&l, t * 1000));
    fw_line_sound(&l);
    for (uint32_t t = 0; t < 3600; t++)
        assert_false(fw_line_step(&l, t * 1000));
}

static void a_fixed_mode_stays(void **state)
{
    struct fw_line l;

    (void)state;
    fw_line_init(&l, N96, true);
    for (uint32_t t = 0; t < 5000; t++) {
        fw_line_octets(&l, 1, t * 10);
        fw_line_parity_error(&l);
        fw_line_framing_error(&l);
        assert_false(fw_line_step(&l, t * 10));
    }
    assert_int_equal(l.mode, N96);
    assert_int_equal(l.parity_errors, 5000);
    assert_int_equal(l.framing_errors, 5000);
    fw_line_init(&l, FW_LINE_AUTO, true);
    assert_false(l.fixed);
    assert_int_equal(l.mode, E24);
}

/* A few damaged telegrams are no reason; a meter that was swapped is. */
static void a_proven_mode_is_left_only_when_frames_stop(void **state)
{
    struct fw_line l;
    uint32_t now = UINT32_MAX - 10000; /* the clock wraps meanwhile */
    unsigned telegrams = 0;

    (void)state;
    fw_line_init(&l, E24, false);
    assert_true(fw_line_sound(&l));
    assert_false(fw_line_sound(&l)); /* not the first */
    for (int i = 0; i < 8; i++, now += 5000) {
        fw_line_octets(&l, 282, now);
        for (int k = 0; k < 200; k++)
            fw_line_parity_error(&l);
        assert_false(fw_line_step(&l, now));
    }
    fw_line_sound(&l);
    while (!fw_line_step(&l, now)) {
        fw_line_octets(&l, 282, now);
        now += 5000;
        telegrams++;
    }
    assert_in_range(telegrams, 9, 14);
    assert_int_equal(l.mode, N24);
    assert_false(l.proven);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_meter_is_found_from_each_mode),
        cmocka_unit_test(silence_changes_nothing),
        cmocka_unit_test(a_fixed_mode_stays),
        cmocka_unit_test(a_proven_mode_is_left_only_when_frames_stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
