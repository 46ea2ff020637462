#include "trial.h"

#include <stdint.h>

#include "esp_http_client.h"
#include "esp_https_ota.h"
#include "esp_log.h"
#include "esp_ota_ops.h"
#include "esp_system.h"
#include "freertos/FreeRTOS.h"
#include "freertos/timers.h"

#include "store.h"

/*
 * 0: no trial; else SLOT times 1 plus the number of the slot on trial, plus its starts so far. It
 * is written before that slot can be started, so no firmware ever runs there unwatched; in the
 * other slot it says that the update did not come to a start, or was left.
 */
static const char key_trial[] = "trial";
enum { SLOT = 16, STARTS = 4, PATIENCE_MS = 600000 };

static TimerHandle_t patience;

static uint8_t record_of(const esp_partition_t *slot)
{
    return (uint8_t)(SLOT * (1 + slot->subtype - ESP_PARTITION_SUBTYPE_APP_OTA_0));
}

static bool names(uint8_t record, const esp_partition_t *slot)
{
    return record - record % SLOT == record_of(slot);
}

static void try_again(TimerHandle_t timer)
{
    (void)timer;
    ESP_LOGE("trial", "the new firmware does not reach the broker: a new start");
    esp_restart();
}

static void be_patient(void)
{
    patience = xTimerCreate("trial", pdMS_TO_TICKS(PATIENCE_MS), pdFALSE, NULL, try_again);
    if (patience == NULL || xTimerStart(patience, 0) != pdPASS)
        esp_restart(); /* counts as one of its starts */
}

/* The record stays until the other firmware runs and finds it. */
static void go_back(void)
{
    if (esp_ota_set_boot_partition(esp_ota_get_next_update_partition(NULL)) == ESP_OK) {
        ESP_LOGE("trial", "the new firmware never reached the broker: back to the one before");
        esp_restart();
    }
    ESP_LOGE("trial", "there is no firmware to go back to");
    store_set_number(key_trial, 0);
}

void trial_begin(void)
{
    uint8_t record = store_number(key_trial);

    if (record == 0)
        return;
    if (!names(record, esp_ota_get_running_partition()))
        store_set_number(key_trial, 0);
    else if (record % SLOT < STARTS && store_set_number(key_trial, (uint8_t)(record + 1)))
        be_patient();
    else
        go_back();
}

void trial_passed(void)
{
    uint8_t record = store_number(key_trial);

    if (patience != NULL)
        xTimerStop(patience, portMAX_DELAY);
    if (record != 0 && names(record, esp_ota_get_running_partition()))
        store_set_number(key_trial, 0);
}

bool trial_fetch(const char *url, const char *ca)
{
    const esp_http_client_config_t c = {.url = url, .cert_pem = ca, .timeout_ms = 15000};
    const esp_partition_t *slot = esp_ota_get_next_update_partition(NULL);
    esp_err_t err;

    if (slot == NULL || !store_set_number(key_trial, record_of(slot))) {
        ESP_LOGE("trial", "no slot for an update, or it cannot be noted");
        return false;
    }
    ESP_LOGI("trial", "fetching %s", url);
    err = esp_https_ota(&c); /* its last step is to choose the new slot for the next start */
    if (err == ESP_OK)
        return true;
    ESP_LOGE("trial", "update failed: 0x%x", (unsigned)err);
    store_set_number(key_trial, 0);
    return false;
}
