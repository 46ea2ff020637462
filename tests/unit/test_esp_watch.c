/* The receiver's watch: a loop that hangs restarts it, one that is only slow does not. */
#include "tools.h"

#include <stdbool.h>

#include "esp8266/main/watch.h"
#include "esp_err.h"
#include "esp_system.h"
#include "freertos/timers.h"

static void (*look)(TimerHandle_t);
static jmp_buf restarted;

void sdk_abort(void)
{
    abort();
}

void esp_restart(void)
{
    longjmp(restarted, 1);
}

TimerHandle_t xTimerCreate(
    const char *name, TickType_t period, BaseType_t again, void *id, void (*run)(TimerHandle_t))
{
    static int timer;

    (void)name;
    (void)id;
    assert_int_equal(period, pdMS_TO_TICKS(60000));
    assert_int_equal(again, pdTRUE);
    look = run;
    return (TimerHandle_t)&timer;
}

BaseType_t xTimerStart(TimerHandle_t timer, TickType_t wait)
{
    (void)timer;
    (void)wait;
    return pdPASS;
}

/* True when this minute ends in a restart. */
static bool minute(void)
{
    if (setjmp(restarted) != 0)
        return true;
    look(NULL);
    return false;
}

static void all_step(void)
{
    for (int i = 0; i < WATCHED; i++)
        watch_step((enum watched)i);
}

static void all_move(void **state)
{
    (void)state;
    watch_begin();
    for (int i = 0; i < 1000; i++) {
        all_step();
        assert_false(minute());
    }
}

static void one_hangs(void **state)
{
    static const int patience[WATCHED] = {
        [WATCH_METER] = 3, [WATCH_BROKER] = 15, [WATCH_MQTT] = 15};

    (void)state;
    watch_begin();
    for (int which = 0; which < WATCHED; which++) {
        all_step();
        assert_false(minute());
        for (int i = 1; i <= patience[which]; i++) {
            for (int other = 0; other < WATCHED; other++)
                if (other != which)
                    watch_step((enum watched)other);
            assert_int_equal(minute(), i == patience[which]);
        }
    }
}

/* As in an update: the broker's task and the client stand for a while, then go on. */
static void slow_ones(void **state)
{
    (void)state;
    watch_begin();
    all_step();
    assert_false(minute());
    for (int i = 0; i < 100; i++) {
        watch_step(WATCH_METER);
        if (i % 14 == 0)
            watch_step(WATCH_BROKER);
        if (i % 14 == 7)
            watch_step(WATCH_MQTT);
        assert_false(minute());
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_move),
        cmocka_unit_test(one_hangs),
        cmocka_unit_test(slow_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
