#include "board.h"

#include <stdint.h>
#include <stdbool.h>
#include <stdlib.h>

#include "driver/gpio.h"
#include "freertos/FreeRTOS.h"
#include "freertos/timers.h"

#define LED    GPIO_NUM_2
#define BUTTON GPIO_NUM_0

enum { STEP_MS = 100, STEPS = 10, HELD_STEPS = 50 };

struct board {
    void (*reset)(void);
    volatile enum board_light light;
    volatile uint8_t flash; /* steps of light that are owed */
    uint8_t step;
    uint8_t held; /* steps that the button has been down */
};

/* A bit for each tenth of a second. */
static const uint16_t patterns[] = {
    [BOARD_SETUP] = 0x01F, [BOARD_SEARCH] = 0x155, [BOARD_NO_MQTT] = 0x005, [BOARD_RUNNING] = 0};

static void step(TimerHandle_t timer)
{
    struct board *b = pvTimerGetTimerID(timer);
    bool on = (patterns[b->light] >> b->step & 1) != 0;

    if (b->flash > 0) {
        b->flash--;
        on = !on;
    }
    gpio_set_level(LED, !on); /* it lights when the pin is low */
    b->step = (uint8_t)(b->step + 1 == STEPS ? 0 : b->step + 1);
    b->held = (uint8_t)(gpio_get_level(BUTTON) != 0 ? 0 : b->held + 1);
    if (b->held == HELD_STEPS)
        b->reset();
}

struct board *board_begin(void (*reset)(void))
{
    struct board *b = calloc(1, sizeof *b);
    gpio_config_t led = {.pin_bit_mask = BIT(LED), .mode = GPIO_MODE_OUTPUT};
    gpio_config_t button = {
        .pin_bit_mask = BIT(BUTTON), .mode = GPIO_MODE_INPUT, .pull_up_en = GPIO_PULLUP_ENABLE};
    TimerHandle_t timer;

    if (b == NULL)
        abort();
    b->reset = reset;
    b->light = BOARD_SEARCH;
    gpio_config(&led);
    gpio_config(&button);
    timer = xTimerCreate("board", pdMS_TO_TICKS(STEP_MS), pdTRUE, b, step);
    if (timer == NULL || xTimerStart(timer, 0) != pdPASS)
        abort();
    return b;
}

void board_show(struct board *b, enum board_light light)
{
    b->light = light;
}

void board_flash(struct board *b)
{
    b->flash = 1;
}
