#include "trial.h"

#include "esp_http_client.h"
#include "esp_https_ota.h"
#include "esp_log.h"
#include "esp_ota_ops.h"
#include "esp_system.h"

#include "store.h"

/* 0: no trial; else 1 plus the starts so far. */
static const char key_trial[] = "trial";
enum { STARTS = 4 };

void trial_begin(void)
{
    uint8_t trial = store_number(key_trial);

    if (trial == 0)
        return;
    if (trial <= STARTS) {
        store_set_number(key_trial, (uint8_t)(trial + 1));
        return;
    }
    store_set_number(key_trial, 0);
    if (esp_ota_set_boot_partition(esp_ota_get_next_update_partition(NULL)) == ESP_OK) {
        ESP_LOGE("trial", "the new firmware never reached the broker: back to the one before");
        esp_restart();
    }
}

void trial_passed(void)
{
    if (store_number(key_trial) != 0)
        store_set_number(key_trial, 0);
}

void trial_fetch(const char *url, const char *ca)
{
    const esp_http_client_config_t c = {.url = url, .cert_pem = ca, .timeout_ms = 15000};
    esp_err_t err;

    ESP_LOGI("trial", "fetching %s", url);
    err = esp_https_ota(&c);
    if (err != ESP_OK) {
        ESP_LOGE("trial", "update failed: 0x%x", err);
        return;
    }
    store_set_number(key_trial, 1);
    esp_restart();
}
