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
enum { LOOK_MS = 1000, AGAIN_MS = 60000, RESTART_MS = 10000 };

struct app {
    struct fw_settings settings;
    struct unsent unsent;
    const struct net *net;
    char name[33];
};

static void factory_reset(void)
{
    ESP_LOGW("app", "forgetting all settings");
    store_erase();
    esp_restart();
}

/* Anybody may change the settings there, so it is open no longer than needed. */
static void keep_portal(void *arg)
{
    const struct app *app = arg;
    struct portal *portal = NULL;

    do {
        if (portal == NULL)
            portal = portal_begin(&app->settings, app->name, true);
        vTaskDelay(pdMS_TO_TICKS(portal == NULL ? AGAIN_MS : LOOK_MS));
    } while (!net_up(app->net));
    portal_end(portal);
    vTaskDelete(NULL);
}

/* The network is not what the settings say, or not there: let them be changed meanwhile. In a task
 * of its own, since a timer's must not wait. */
static bool on_lost(void *arg)
{
    if (xTaskCreate(keep_portal, "portal", PORTAL_STACK, arg, 4, NULL) == pdPASS)
        return true;
    ESP_LOGE("app", "no memory for the set-up page");
    return false;
}

/* Without it nothing else can be done. */
static void set_up(const struct app *app)
{
    if (portal_begin(&app->settings, app->name, false) != NULL)
        return;
    vTaskDelay(pdMS_TO_TICKS(RESTART_MS));
    esp_restart();
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
        set_up(app);
        return;
    }
    unsent_begin(&app->unsent, app->settings.tls ? RING_TLS : RING);
    parts = (struct broker_parts){
        .settings = &app->settings, .ca = store_read_ca(), .unsent = &app->unsent, .board = board};
    parts.meter = meter_begin(&app->settings, &app->unsent, board);
    app->net = parts.net = net_join(&app->settings, board, on_lost, app);
    broker_begin(&parts);
    watch_begin();
}
