#include "store.h"

#include <stdlib.h>
#include <string.h>

#include "esp_err.h"
#include "esp_log.h"
#include "nvs.h"
#include "nvs_flash.h"

static const char space[] = "zaehlwerk", key_settings[] = "settings", key_ca[] = "ca";

void store_begin(void)
{
    if (nvs_flash_init() == ESP_OK)
        return;
    ESP_ERROR_CHECK(nvs_flash_erase());
    ESP_ERROR_CHECK(nvs_flash_init());
}

bool store_read(struct fw_settings *s)
{
    uint8_t octets[FW_SETTINGS_MAX];
    size_t len = sizeof octets;
    nvs_handle handle;
    esp_err_t err;

    if (nvs_open(space, NVS_READONLY, &handle) != ESP_OK)
        return false;
    err = nvs_get_blob(handle, key_settings, octets, &len);
    nvs_close(handle);
    if (err != ESP_OK)
        return false;
    if (fw_settings_decode(s, octets, len) == FW_SETTINGS_READ)
        return fw_settings_wrong(s) == NULL;
    ESP_LOGE("store", "the settings cannot be read");
    return false;
}

char *store_read_ca(void)
{
    nvs_handle handle;
    size_t len = 0;
    char *ca = NULL;

    if (nvs_open(space, NVS_READONLY, &handle) != ESP_OK)
        return NULL;
    if (nvs_get_blob(handle, key_ca, NULL, &len) == ESP_OK && len > 0)
        ca = malloc(len + 1);
    if (ca != NULL && nvs_get_blob(handle, key_ca, ca, &len) != ESP_OK) {
        free(ca);
        ca = NULL;
    }
    if (ca != NULL)
        ca[len] = '\0';
    nvs_close(handle);
    return ca;
}

bool store_write(const struct fw_settings *s, const char *ca)
{
    uint8_t octets[FW_SETTINGS_MAX];
    size_t len = fw_settings_encode(s, octets);
    nvs_handle handle;
    esp_err_t err = nvs_open(space, NVS_READWRITE, &handle);

    if (err != ESP_OK)
        return false;
    if (ca != NULL)
        err = nvs_set_blob(handle, key_ca, ca, strlen(ca));
    if (err == ESP_OK)
        err = nvs_set_blob(handle, key_settings, octets, len);
    if (err == ESP_OK)
        err = nvs_commit(handle);
    nvs_close(handle);
    return err == ESP_OK;
}

uint8_t store_number(const char *key)
{
    nvs_handle handle;
    uint8_t number = 0;

    if (nvs_open(space, NVS_READONLY, &handle) != ESP_OK)
        return 0;
    if (nvs_get_u8(handle, key, &number) != ESP_OK)
        number = 0;
    nvs_close(handle);
    return number;
}

void store_set_number(const char *key, uint8_t number)
{
    nvs_handle handle;

    if (nvs_open(space, NVS_READWRITE, &handle) != ESP_OK)
        return;
    if (nvs_set_u8(handle, key, number) == ESP_OK)
        nvs_commit(handle);
    nvs_close(handle);
}

void store_erase(void)
{
    nvs_handle handle;

    if (nvs_open(space, NVS_READWRITE, &handle) != ESP_OK)
        return;
    nvs_erase_all(handle);
    nvs_commit(handle);
    nvs_close(handle);
}
