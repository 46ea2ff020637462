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

#include "fw_retry.h"
#include "fw_text.h"

enum { SECOND_MS = 1000, LOST_MS = 180000 };

struct net {
    struct board *board;
    bool (*lost)(void *arg);
    void *arg;
    volatile bool up, was_up;
    volatile bool failed;  /* an attempt, since the last look */
    struct fw_retry retry; /* the timer's */
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

static esp_err_t start_afresh(void)
{
    esp_wifi_stop();
    return esp_wifi_start(); /* its start connects */
}

/* Every second, for ever: an event that does not come and a call that fails end nothing here. */
static void look(TimerHandle_t timer)
{
    struct net *n = pvTimerGetTimerID(timer);
    enum fw_retry_what what;
    esp_err_t err = ESP_OK;

    if (n->up) {
        fw_retry_init(&n->retry);
        return;
    }
    if (n->failed)
        fw_retry_failed(&n->retry);
    n->failed = false;
    what = fw_retry_second(&n->retry);
    if (what == FW_RETRY_CONNECT)
        err = esp_wifi_connect();
    if (what == FW_RETRY_AFRESH || err == ESP_ERR_WIFI_NOT_STARTED)
        err = start_afresh();
    if (err != ESP_OK) {
        ESP_LOGE("net", "no attempt to connect: 0x%x", (unsigned)err);
        n->failed = true;
    }
}

static void give_up(TimerHandle_t timer)
{
    struct net *n = pvTimerGetTimerID(timer);

    if (n->was_up || n->lost(n->arg))
        xTimerStop(timer, 0);
}

static void on_down(struct net *n)
{
    n->up = false;
    n->failed = true;
    board_show(n->board, BOARD_SEARCH);
}

static void on_up(struct net *n)
{
    n->reconnects += n->was_up;
    n->failed = false;
    n->up = n->was_up = true;
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

static void start_timer(struct net *n, uint32_t ms, void (*run)(TimerHandle_t))
{
    TimerHandle_t timer = xTimerCreate("net", pdMS_TO_TICKS(ms), pdTRUE, n, run);

    if (timer == NULL || xTimerStart(timer, 0) != pdPASS)
        abort();
}

struct net *
net_join(const struct fw_settings *s, struct board *board, bool (*lost)(void *arg), void *arg)
{
    struct net *n = calloc(1, sizeof *n);
    wifi_config_t c = {0};

    if (n == NULL)
        abort();
    n->board = board;
    n->lost = lost;
    n->arg = arg;
    fw_retry_init(&n->retry);
    memcpy(c.sta.ssid, s->ssid, strlen(s->ssid));
    memcpy(c.sta.password, s->wifi_password, strlen(s->wifi_password));
    if (s->wifi_password[0] != '\0') /* no open network that only has the name */
        c.sta.threshold.authmode = WIFI_AUTH_WPA_PSK;
    ESP_ERROR_CHECK(esp_event_handler_register(WIFI_EVENT, ESP_EVENT_ANY_ID, on_event, n));
    ESP_ERROR_CHECK(esp_event_handler_register(IP_EVENT, IP_EVENT_STA_GOT_IP, on_event, n));
    ESP_ERROR_CHECK(esp_wifi_set_mode(WIFI_MODE_STA));
    ESP_ERROR_CHECK(esp_wifi_set_config(ESP_IF_WIFI_STA, &c));
    ESP_ERROR_CHECK(esp_wifi_start());
    tcpip_adapter_set_hostname(TCPIP_ADAPTER_IF_STA, s->name);
    start_timer(n, SECOND_MS, look);
    start_timer(n, LOST_MS, give_up);
    return n;
}

bool net_open_setup(const char *name, bool beside)
{
    wifi_config_t c = {.ap = {.max_connection = 4, .authmode = WIFI_AUTH_OPEN}};
    esp_err_t err;

    c.ap.ssid_len = (uint8_t)strlen(name);
    memcpy(c.ap.ssid, name, c.ap.ssid_len);
    err = esp_wifi_set_mode(WIFI_MODE_APSTA); /* to look for networks, too */
    if (err == ESP_OK)
        err = esp_wifi_set_config(ESP_IF_WIFI_AP, &c);
    if (err == ESP_OK && !beside)
        err = esp_wifi_start();
    return err == ESP_OK;
}

void net_close_setup(void)
{
    esp_wifi_set_mode(WIFI_MODE_STA);
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
