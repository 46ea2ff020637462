/* The receiver's ring between two tasks: what the meter's task adds, the broker's takes. */
#include "tools.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>

#include "esp8266/main/unsent.h"
#include "esp_err.h"
#include "freertos/task.h"

/* Both kinds: 1 is free, or given. */
struct semaphore {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool free;
};

static TickType_t now;

void sdk_abort(void)
{
    abort();
}

TickType_t xTaskGetTickCount(void)
{
    return now;
}

static SemaphoreHandle_t make(bool free)
{
    SemaphoreHandle_t s = calloc(1, sizeof *s);

    assert_non_null(s);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    s->free = free;
    return s;
}

SemaphoreHandle_t xSemaphoreCreateMutex(void)
{
    return make(true);
}

SemaphoreHandle_t xSemaphoreCreateBinary(void)
{
    return make(false);
}

BaseType_t xSemaphoreTake(SemaphoreHandle_t s, TickType_t wait)
{
    BaseType_t taken;

    pthread_mutex_lock(&s->lock);
    while (!s->free && wait == portMAX_DELAY)
        pthread_cond_wait(&s->changed, &s->lock);
    taken = s->free;
    s->free = false;
    pthread_mutex_unlock(&s->lock);
    return taken;
}

BaseType_t xSemaphoreGive(SemaphoreHandle_t s)
{
    pthread_mutex_lock(&s->lock);
    s->free = true;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return pdTRUE;
}

static void begin(struct unsent *u, size_t size)
{
    now = 0;
    unsent_begin(u, size);
}

static void end(struct unsent *u)
{
    assert_int_equal(xSemaphoreTake(u->lock, 0), pdTRUE); /* nobody has kept it */
    free(u->ring.memory);
    free(u->lock);
    free(u->more);
}

static void in_and_out(void **state)
{
    struct unsent u;
    char text[9] = "?";
    uint32_t id;

    (void)state;
    begin(&u, 100);
    assert_false(unsent_oldest_hex(&u, text, sizeof text, &id));
    assert_int_equal(xSemaphoreTake(u.more, 0), pdFALSE);
    assert_true(unsent_add(&u, (const uint8_t *)"\x68\x01\xFA\x16", 4, true));
    assert_int_equal(xSemaphoreTake(u.more, 0), pdTRUE);
    assert_int_equal(unsent_look(&u).count, 1);
    assert_int_equal(unsent_look(&u).used, 4 + FW_RING_HEAD);
    assert_false(unsent_oldest_hex(&u, text, 8, &id)); /* no room for the NUL */
    assert_string_equal(text, "?");
    assert_true(unsent_oldest_hex(&u, text, sizeof text, &id));
    assert_string_equal(text, "6801FA16");
    assert_true(unsent_oldest_hex(&u, text, sizeof text, &id)); /* it stays until it is released */
    unsent_release(&u, id);
    assert_false(unsent_oldest_hex(&u, text, sizeof text, &id));
    end(&u);
}

/* Full: the one goes that leaves the smallest gap by the clock; a damaged one drives out nothing.
 */
static void when_it_is_full(void **state)
{
    static const TickType_t at[] = {0, 10000, 11000, 20000, 30000};
    struct unsent u;
    char text[9], all[16] = "";
    uint32_t id;

    (void)state;
    begin(&u, 4 * (1 + FW_RING_HEAD));
    for (uint8_t i = 0; i < COUNT(at); i++) {
        now = pdMS_TO_TICKS(at[i]);
        assert_true(unsent_add(&u, &i, 1, true));
    }
    assert_false(unsent_add(&u, (const uint8_t *)"\xEE", 1, false));
    assert_int_equal(unsent_look(&u).dropped, 2);
    for (; unsent_oldest_hex(&u, text, sizeof text, &id); unsent_release(&u, id))
        strcat(all, text);
    assert_string_equal(all, "00010304");
    end(&u);
}

enum { MANY = 20000 };

static void *meter(void *arg)
{
    struct unsent *u = arg;

    for (uint32_t i = 0; i < MANY; i++) {
        uint8_t octets[40];

        memset(octets, (int)(i & 0xFF), sizeof octets);
        memcpy(octets, &i, sizeof i);
        assert_true(unsent_add(u, octets, sizeof octets - i % 30, true));
        if (i % 16 == 0)
            sched_yield();
    }
    return NULL;
}

/* Whole, in order, and each either came out or is counted. */
static void two_tasks(void **state)
{
    struct unsent u;
    pthread_t thread;
    uint32_t out = 0, id, number, last = 0;
    char text[81];
    uint8_t octets[40];

    (void)state;
    begin(&u, 600);
    assert_int_equal(pthread_create(&thread, NULL, meter, &u), 0);
    do {
        (void)xSemaphoreTake(u.more, portMAX_DELAY);
        while (unsent_oldest_hex(&u, text, sizeof text, &id)) {
            size_t len = strlen(text) / 2;

            assert_int_equal(hex_decode(text, octets, len), 0);
            memcpy(&number, octets, sizeof number);
            assert_int_equal(len, sizeof octets - number % 30);
            for (size_t i = sizeof number; i < len; i++)
                assert_int_equal(octets[i], number & 0xFF);
            assert_true(out == 0 || number > last);
            last = number;
            out++;
            unsent_release(&u, id);
        }
    } while (last != MANY - 1);
    pthread_join(thread, NULL);
    assert_int_equal(out + unsent_look(&u).dropped, MANY);
    print_message("%u of %u came out\n", out, MANY);
    end(&u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_and_out),
        cmocka_unit_test(when_it_is_full),
        cmocka_unit_test(two_tasks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
