/* NVS in memory, with the bounds of the SDK's (v3.4) and a power supply that can fail. */
#ifndef NVS_H
#define NVS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "esp_err.h"

typedef uint32_t nvs_handle;
typedef enum { NVS_READONLY, NVS_READWRITE } nvs_open_mode;

#define ESP_ERR_NVS_NOT_INITIALIZED  0x1101
#define ESP_ERR_NVS_NOT_FOUND        0x1102
#define ESP_ERR_NVS_READ_ONLY        0x1104
#define ESP_ERR_NVS_NOT_ENOUGH_SPACE 0x1105
#define ESP_ERR_NVS_KEY_TOO_LONG     0x1109
#define ESP_ERR_NVS_INVALID_LENGTH   0x110C
#define ESP_ERR_NVS_NO_FREE_PAGES    0x110D
#define ESP_ERR_NVS_VALUE_TOO_LONG   0x110E

esp_err_t nvs_open(const char *space, nvs_open_mode mode, nvs_handle *handle);
void nvs_close(nvs_handle handle);
esp_err_t nvs_get_u8(nvs_handle handle, const char *key, uint8_t *value);
esp_err_t nvs_set_u8(nvs_handle handle, const char *key, uint8_t value);
esp_err_t nvs_get_blob(nvs_handle handle, const char *key, void *value, size_t *len);
esp_err_t nvs_set_blob(nvs_handle handle, const char *key, const void *value, size_t len);
esp_err_t nvs_erase_key(nvs_handle handle, const char *key);
esp_err_t nvs_commit(nvs_handle handle);

/** What the next start finds: an error of nvs_flash_init, until the flash is erased. */
extern esp_err_t nvs_init_error;

/** Changes until the power fails, after which nothing is written; -1: it does not. */
extern int nvs_power;

/** Times the flash was erased, handles that are open, and keys that it holds. */
extern unsigned nvs_erasures, nvs_open_handles;
unsigned nvs_keys(void);

#endif
