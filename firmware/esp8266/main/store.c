#include "store.h"

#include <stdlib.h>
#include <string.h>

#include "esp_err.h"
#include "esp_log.h"
#include "nvs.h"
#include "nvs_flash.h"

#include "fw_portal.h"

/*
 * Settings and CA certificate are one set, and two have room: a new certificate is written with its
 * settings beside the set in use, and one number then says which it is. So after a cut there is the
 * old set or the new one. This SDK's blobs end at 1984 octets, so the certificate takes two.
 */
enum { SETS = 2, PARTS = 2, PART_MAX = 1984 };
_Static_assert(FW_CA_MAX <= PARTS * PART_MAX, "a certificate has room");

static const char space[] = "zaehlwerk", key_set[] = "set"; /* 1 or 2; 0: none */
static const char *const key_settings[SETS] = {"settings1", "settings2"};
static const char *const key_ca[SETS][PARTS] = {{"ca1a", "ca1b"}, {"ca2a", "ca2b"}};

/* Other errors are the flash's own and say nothing about what stands in it. */
void store_begin(void)
{
    esp_err_t err = nvs_flash_init();

    if (err == ESP_ERR_NVS_NO_FREE_PAGES) {
        ESP_ERROR_CHECK(nvs_flash_erase());
        err = nvs_flash_init();
    }
    ESP_ERROR_CHECK(err);
}

/* The set in use, or -1. */
static int set_in_use(nvs_handle handle)
{
    uint8_t set;

    return nvs_get_u8(handle, key_set, &set) == ESP_OK && set >= 1 && set <= SETS ? set - 1 : -1;
}

bool store_read(struct fw_settings *s)
{
    uint8_t octets[FW_SETTINGS_MAX];
    size_t len = sizeof octets;
    nvs_handle handle;
    int set;
    bool found;

    if (nvs_open(space, NVS_READONLY, &handle) != ESP_OK)
        return false;
    set = set_in_use(handle);
    found = set >= 0 && nvs_get_blob(handle, key_settings[set], octets, &len) == ESP_OK;
    nvs_close(handle);
    if (!found)
        return false;
    if (fw_settings_decode(s, octets, len) == FW_SETTINGS_READ)
        return fw_settings_wrong(s) == NULL;
    ESP_LOGE("store", "the settings cannot be read");
    return false;
}

static char *read_ca(nvs_handle handle, const char *const keys[PARTS])
{
    size_t lens[PARTS] = {0}, at = 0;
    char *ca;

    for (int i = 0; i < PARTS; i++)
        if (nvs_get_blob(handle, keys[i], NULL, &lens[i]) != ESP_OK)
            lens[i] = 0;
    ca = lens[0] == 0 ? NULL : malloc(lens[0] + lens[1] + 1);
    for (int i = 0; ca != NULL && i < PARTS; i++) {
        if (lens[i] > 0 && nvs_get_blob(handle, keys[i], ca + at, &lens[i]) != ESP_OK) {
            free(ca);
            return NULL;
        }
        at += lens[i];
    }
    if (ca != NULL)
        ca[at] = '\0';
    return ca;
}

char *store_read_ca(void)
{
    nvs_handle handle;
    char *ca = NULL;
    int set;

    if (nvs_open(space, NVS_READONLY, &handle) != ESP_OK)
        return NULL;
    set = set_in_use(handle);
    if (set >= 0)
        ca = read_ca(handle, key_ca[set]);
    nvs_close(handle);
    return ca;
}

/* What is not there need not be erased. */
static void erase_set(nvs_handle handle, int set)
{
    nvs_erase_key(handle, key_settings[set]);
    for (int i = 0; i < PARTS; i++)
        nvs_erase_key(handle, key_ca[set][i]);
}

static esp_err_t write_ca(nvs_handle handle, int set, const char *ca)
{
    size_t len = strlen(ca);
    esp_err_t err = ESP_OK;

    for (int i = 0; i < PARTS && len > 0 && err == ESP_OK; i++) {
        size_t some = len < PART_MAX ? len : PART_MAX;

        err = nvs_set_blob(handle, key_ca[set][i], ca, some);
        ca += some;
        len -= some;
    }
    return len > 0 && err == ESP_OK ? ESP_ERR_NVS_VALUE_TOO_LONG : err;
}

/* A new set beside the one in use (or -1), which it then replaces. */
static esp_err_t
write_set(nvs_handle handle, int used, const uint8_t *octets, size_t len, const char *ca)
{
    int set = used == 0 ? 1 : 0;
    esp_err_t err;

    erase_set(handle, set);
    err = ca == NULL ? ESP_OK : write_ca(handle, set, ca);
    if (err == ESP_OK)
        err = nvs_set_blob(handle, key_settings[set], octets, len);
    if (err == ESP_OK)
        err = nvs_set_u8(handle, key_set, (uint8_t)(set + 1));
    if (err == ESP_OK)
        err = nvs_commit(handle);
    if (err == ESP_OK && used >= 0)
        erase_set(handle, used);
    return err;
}

bool store_write(const struct fw_settings *s, const char *ca)
{
    uint8_t octets[FW_SETTINGS_MAX];
    size_t len = fw_settings_encode(s, octets);
    nvs_handle handle;
    esp_err_t err;
    int used;

    if (nvs_open(space, NVS_READWRITE, &handle) != ESP_OK)
        return false;
    used = set_in_use(handle);
    if (ca == NULL && used >= 0)
        err = nvs_set_blob(handle, key_settings[used], octets, len);
    else
        err = write_set(handle, used, octets, len, ca);
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

bool store_set_number(const char *key, uint8_t number)
{
    nvs_handle handle;
    esp_err_t err;

    if (nvs_open(space, NVS_READWRITE, &handle) != ESP_OK)
        return false;
    err = nvs_set_u8(handle, key, number);
    if (err == ESP_OK)
        err = nvs_commit(handle);
    nvs_close(handle);
    return err == ESP_OK;
}

void store_erase(void)
{
    if (nvs_flash_erase() != ESP_OK)
        ESP_LOGE("store", "the flash cannot be erased");
}
