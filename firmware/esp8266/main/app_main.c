/* The receiver at the meter: from the M-Bus to MQTT. */
#include <stdlib.h>

#include "esp_log.h"
#include "esp_system.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"

#include "board.h"
#include "broker.h"
#include "meter.h"
#include "net.h"
#include "portal.h"
#include "store.h"
#include "trial.h"
#include "unsent.h"
#include "watch.h"

/* Octets of the ring: what is left beside Wi-Fi, less where TLS needs its buffers. */
enum { RING = 20480, RING_TLS = 8192, PORTAL_STACK = 3072 };

struct app {
    struct fw_settings settings;
    struct unsent unsent;
    char name[33];
};

static void factory_reset(void)
{
    ESP_LOGW("app", "forgetting all settings");
    store_erase();
    esp_restart();
}

static void open_portal(void *arg)
{
    const struct app *app = arg;

    portal_begin(&app->settings, app->name, true);
    vTaskDelete(NULL);
}

/* The network is not what the settings say, or not there: let them be changed meanwhile. In a task
 * of its own, since a timer's must not wait. */
static void on_lost(void *arg)
{
    if (xTaskCreate(open_portal, "portal", PORTAL_STACK, arg, 4, NULL) != pdPASS)
        ESP_LOGE("app", "no memory for the set-up page");
}

void app_main(void)
{
    struct app *app = calloc(1, sizeof *app);
    struct board *board;
    struct broker_parts parts;

    if (app == NULL)
        abort();
    store_begin();
    trial_begin();
    board = board_begin(factory_reset);
    net_begin();
    net_own_name(app->name);
    fw_settings_defaults(&app->settings, app->name);
    ESP_LOGI("app", "%s, version %s", app->name, ZW_VERSION);
    if (!store_read(&app->settings)) {
        board_show(board, BOARD_SETUP);
        portal_begin(&app->settings, app->name, false);
        return;
    }
    unsent_begin(&app->unsent, app->settings.tls ? RING_TLS : RING);
    parts = (struct broker_parts){
        .settings = &app->settings, .ca = store_read_ca(), .unsent = &app->unsent, .board = board};
    parts.meter = meter_begin(&app->settings, &app->unsent, board);
    parts.net = net_join(&app->settings, board, on_lost, app);
    broker_begin(&parts);
    watch_begin();
}
