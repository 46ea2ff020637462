#include "watch.h"

#include <stdint.h>
#include <stdlib.h>

#include "esp_log.h"
#include "esp_system.h"
#include "freertos/FreeRTOS.h"
#include "freertos/timers.h"

enum { MINUTE_MS = 60000 };

/* A handshake over a bad line takes a minute or two, an update some more. */
static struct {
    const char *name;
    uint8_t patience; /* in minutes */
    uint8_t still;    /* minutes without a step */
    uint32_t seen;
    volatile uint32_t steps;
} all[WATCHED] = {
    [WATCH_METER] = {.name = "meter", .patience = 3},
    [WATCH_BROKER] = {.name = "broker", .patience = 15},
    [WATCH_MQTT] = {.name = "MQTT client", .patience = 15},
};

static void look(TimerHandle_t timer)
{
    (void)timer;
    for (int i = 0; i < WATCHED; i++) {
        all[i].still = (uint8_t)(all[i].steps == all[i].seen ? all[i].still + 1 : 0);
        all[i].seen = all[i].steps;
        if (all[i].still >= all[i].patience) {
            ESP_LOGE("watch", "%s has stood still for %u minutes", all[i].name, all[i].still);
            esp_restart();
        }
    }
}

void watch_begin(void)
{
    TimerHandle_t timer = xTimerCreate("watch", pdMS_TO_TICKS(MINUTE_MS), pdTRUE, NULL, look);

    if (timer == NULL || xTimerStart(timer, 0) != pdPASS)
        abort();
}

void watch_step(enum watched which)
{
    all[which].steps++;
}
