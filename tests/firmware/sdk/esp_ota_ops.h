#ifndef ESP_OTA_OPS_H
#define ESP_OTA_OPS_H

#include "esp_err.h"

typedef struct {
    int subtype;
} esp_partition_t;

#define ESP_PARTITION_SUBTYPE_APP_OTA_0 0x10

const esp_partition_t *esp_ota_get_running_partition(void);
const esp_partition_t *esp_ota_get_next_update_partition(const esp_partition_t *from);
esp_err_t esp_ota_set_boot_partition(const esp_partition_t *slot);

#endif
