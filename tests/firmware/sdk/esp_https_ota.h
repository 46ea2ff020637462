#ifndef ESP_HTTPS_OTA_H
#define ESP_HTTPS_OTA_H

#include "esp_err.h"
#include "esp_http_client.h"

esp_err_t esp_https_ota(const esp_http_client_config_t *config);

#endif
