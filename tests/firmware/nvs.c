#include "nvs.h"

#include <assert.h>
#include <string.h>

#include "nvs_flash.h"

/* As the SDK's nvs_page.hpp: entries of 32 octets, 126 on a page; one page of four stays free. */
enum {
    KEY_MAX = 15,
    BLOB_MAX = 1984,
    ENTRY = 32,
    ENTRIES = 3 * 126,
    ITEMS = 32,
};

static struct item {
    char key[KEY_MAX + 1]; /* "": free */
    size_t len;
    uint8_t octets[BLOB_MAX];
} items[ITEMS];
static bool ready, may_write;

esp_err_t nvs_init_error;
int nvs_power = -1;
unsigned nvs_erasures, nvs_open_handles;

esp_err_t nvs_flash_init(void)
{
    ready = nvs_init_error == ESP_OK;
    return nvs_init_error;
}

esp_err_t nvs_flash_erase(void)
{
    memset(items, 0, sizeof items);
    nvs_init_error = ESP_OK;
    nvs_erasures++;
    ready = false;
    return ESP_OK;
}

unsigned nvs_keys(void)
{
    unsigned n = 0;

    for (size_t i = 0; i < ITEMS; i++)
        n += items[i].key[0] != '\0';
    return n;
}

esp_err_t nvs_open(const char *space, nvs_open_mode mode, nvs_handle *handle)
{
    if (!ready)
        return ESP_ERR_NVS_NOT_INITIALIZED;
    if (mode == NVS_READONLY && nvs_keys() == 0) /* it makes none that is not there */
        return ESP_ERR_NVS_NOT_FOUND;
    assert(strlen(space) <= KEY_MAX);
    assert(nvs_open_handles == 0); /* one at a time is all this one does */
    nvs_open_handles++;
    may_write = mode == NVS_READWRITE;
    *handle = 1;
    return ESP_OK;
}

void nvs_close(nvs_handle handle)
{
    assert(handle == 1 && nvs_open_handles == 1);
    nvs_open_handles--;
}

static struct item *find(const char *key)
{
    for (size_t i = 0; i < ITEMS; i++)
        if (strcmp(items[i].key, key) == 0)
            return &items[i];
    return NULL;
}

static size_t entries_of(size_t len)
{
    return 1 + (len + ENTRY - 1) / ENTRY;
}

/* What is replaced goes only when the new one stands, so both need room. */
static bool has_room(size_t len)
{
    size_t used = 1; /* the name of the space */

    for (size_t i = 0; i < ITEMS; i++)
        used += items[i].key[0] == '\0' ? 0 : entries_of(items[i].len);
    return entries_of(len) <= ENTRIES - used;
}

static bool power(void)
{
    if (nvs_power == 0)
        return false;
    nvs_power -= nvs_power > 0;
    return true;
}

static esp_err_t set(const char *key, const void *value, size_t len)
{
    struct item *item = find(key);

    if (!may_write)
        return ESP_ERR_NVS_READ_ONLY;
    if (strlen(key) > KEY_MAX)
        return ESP_ERR_NVS_KEY_TOO_LONG;
    if (len > BLOB_MAX)
        return ESP_ERR_NVS_VALUE_TOO_LONG;
    if (item == NULL)
        item = find("");
    if (item == NULL || !has_room(len))
        return ESP_ERR_NVS_NOT_ENOUGH_SPACE;
    if (!power())
        return ESP_FAIL;
    strcpy(item->key, key);
    item->len = len;
    memcpy(item->octets, value, len);
    return ESP_OK;
}

esp_err_t nvs_get_u8(nvs_handle handle, const char *key, uint8_t *value)
{
    size_t len = 1;

    return nvs_get_blob(handle, key, value, &len);
}

esp_err_t nvs_set_u8(nvs_handle handle, const char *key, uint8_t value)
{
    (void)handle;
    return set(key, &value, 1);
}

esp_err_t nvs_get_blob(nvs_handle handle, const char *key, void *value, size_t *len)
{
    const struct item *item = find(key);

    (void)handle;
    if (item == NULL)
        return ESP_ERR_NVS_NOT_FOUND;
    if (value != NULL && *len < item->len)
        return ESP_ERR_NVS_INVALID_LENGTH;
    if (value != NULL)
        memcpy(value, item->octets, item->len);
    *len = item->len;
    return ESP_OK;
}

esp_err_t nvs_set_blob(nvs_handle handle, const char *key, const void *value, size_t len)
{
    (void)handle;
    return set(key, value, len);
}

esp_err_t nvs_erase_key(nvs_handle handle, const char *key)
{
    struct item *item = find(key);

    (void)handle;
    if (item == NULL)
        return ESP_ERR_NVS_NOT_FOUND;
    if (!may_write || !power())
        return ESP_FAIL;
    memset(item, 0, sizeof *item);
    return ESP_OK;
}

esp_err_t nvs_commit(nvs_handle handle)
{
    (void)handle;
    return ESP_OK;
}
