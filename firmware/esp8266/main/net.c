#include "net.h"

#include <stdlib.h>
#include <string.h>

#include "esp_event.h"
#include "esp_log.h"
#include "esp_system.h"
#include "esp_wifi.h"
#include "freertos/FreeRTOS.h"
#include "freertos/timers.h"
#include "tcpip_adapter.h"

#include "fw_text.h"

enum {
    BACK_OFF_MS = 1000,
    BACK_OFF_MAX_MS = 60000,
    LOST_MS = 180000,
    AFRESH = 20, /* failures after which the driver is stopped and started */
};

struct net {
    struct board *board;
    TimerHandle_t again, patience;
    void (*lost)(void *arg);
    void *arg;
    volatile bool up;
    bool was_up;
    uint32_t back_off_ms;
    uint32_t failures;
    volatile uint32_t reconnects;
};

void net_begin(void)
{
    wifi_init_config_t c = WIFI_INIT_CONFIG_DEFAULT();

    tcpip_adapter_init();
    ESP_ERROR_CHECK(esp_event_loop_create_default());
    ESP_ERROR_CHECK(esp_wifi_init(&c));
    ESP_ERROR_CHECK(esp_wifi_set_storage(WIFI_STORAGE_RAM));
}

void net_own_name(char name[33])
{
    struct fw_text t = fw_text_make(name, 33);
    uint8_t mac[6] = {0};

    esp_read_mac(mac, ESP_MAC_WIFI_STA);
    fw_text_add(&t, "Zaehlwerk-");
    fw_text_hex(&t, mac + 3, 3);
}

static void retry(TimerHandle_t timer)
{
    struct net *n = pvTimerGetTimerID(timer);

    if (++n->failures % AFRESH == 0) {
        esp_wifi_stop();
        esp_wifi_start(); /* its start connects */
        return;
    }
    esp_wifi_connect();
}

static void give_up(TimerHandle_t timer)
{
    struct net *n = pvTimerGetTimerID(timer);

    if (!n->was_up)
        n->lost(n->arg);
}

static void on_down(struct net *n)
{
    n->up = false;
    board_show(n->board, BOARD_SEARCH);
    xTimerChangePeriod(n->again, pdMS_TO_TICKS(n->back_off_ms), 0);
    n->back_off_ms = n->back_off_ms * 2 > BACK_OFF_MAX_MS ? BACK_OFF_MAX_MS : n->back_off_ms * 2;
}

static void on_up(struct net *n)
{
    n->reconnects += n->was_up;
    n->up = n->was_up = true;
    n->back_off_ms = BACK_OFF_MS;
    n->failures = 0;
    board_show(n->board, BOARD_NO_MQTT);
}

static void on_event(void *arg, esp_event_base_t base, int32_t id, void *data)
{
    struct net *n = arg;

    (void)data;
    if (base == IP_EVENT && id == IP_EVENT_STA_GOT_IP)
        on_up(n);
    else if (base == WIFI_EVENT && id == WIFI_EVENT_STA_START)
        esp_wifi_connect();
    else if (base == WIFI_EVENT && id == WIFI_EVENT_STA_DISCONNECTED)
        on_down(n);
}

struct net *
net_join(const struct fw_settings *s, struct board *board, void (*lost)(void *arg), void *arg)
{
    struct net *n = calloc(1, sizeof *n);
    wifi_config_t c = {0};

    if (n == NULL)
        abort();
    n->board = board;
    n->lost = lost;
    n->arg = arg;
    n->back_off_ms = BACK_OFF_MS;
    n->again = xTimerCreate("wifi", pdMS_TO_TICKS(BACK_OFF_MS), pdFALSE, n, retry);
    n->patience = xTimerCreate("lost", pdMS_TO_TICKS(LOST_MS), pdFALSE, n, give_up);
    if (n->again == NULL || n->patience == NULL || xTimerStart(n->patience, 0) != pdPASS)
        abort();
    memcpy(c.sta.ssid, s->ssid, strlen(s->ssid));
    memcpy(c.sta.password, s->wifi_password, strlen(s->wifi_password));
    ESP_ERROR_CHECK(esp_event_handler_register(WIFI_EVENT, ESP_EVENT_ANY_ID, on_event, n));
    ESP_ERROR_CHECK(esp_event_handler_register(IP_EVENT, IP_EVENT_STA_GOT_IP, on_event, n));
    ESP_ERROR_CHECK(esp_wifi_set_mode(WIFI_MODE_STA));
    ESP_ERROR_CHECK(esp_wifi_set_config(ESP_IF_WIFI_STA, &c));
    ESP_ERROR_CHECK(esp_wifi_start());
    tcpip_adapter_set_hostname(TCPIP_ADAPTER_IF_STA, s->name);
    return n;
}

void net_open_setup(const char *name, bool beside)
{
    wifi_config_t c = {.ap = {.max_connection = 4, .authmode = WIFI_AUTH_OPEN}};

    c.ap.ssid_len = (uint8_t)strlen(name);
    memcpy(c.ap.ssid, name, c.ap.ssid_len);
    ESP_ERROR_CHECK(esp_wifi_set_mode(WIFI_MODE_APSTA)); /* to look for networks, too */
    ESP_ERROR_CHECK(esp_wifi_set_config(ESP_IF_WIFI_AP, &c));
    if (!beside)
        ESP_ERROR_CHECK(esp_wifi_start());
}

bool net_up(const struct net *n)
{
    return n->up;
}

uint32_t net_reconnects(const struct net *n)
{
    return n->reconnects;
}

int32_t net_rssi(void)
{
    wifi_ap_record_t ap;

    return esp_wifi_sta_get_ap_info(&ap) == ESP_OK ? ap.rssi : 0;
}
