#include "portal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "esp_http_server.h"
#include "esp_log.h"
#include "esp_system.h"
#include "esp_wifi.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "lwip/sockets.h"

#include "fw_dns.h"
#include "fw_portal.h"
#include "net.h"
#include "store.h"

enum { NETWORKS = 16, STACK = 2048, HTTPD_STACK = 5120, RESTART_MS = 2000, DNS_PORT = 53 };

/* How long the name server may take to see that it shall end. */
static const struct timeval patience = {.tv_sec = 1};

struct portal {
    struct fw_settings settings;
    struct fw_portal page;
    char scratch[FW_SCRATCH];
    char names[NETWORKS][33];
    const char *networks[NETWORKS + 1];
    bool saved;
    httpd_handle_t server;
    volatile bool ending, names_run; /* the name server */
};

/* Addresses that phones and computers ask for to find a captive portal, and the page's own. */
static const char *const addresses[] = {
    "/",
    "/generate_204",
    "/gen_204",
    "/hotspot-detect.html",
    "/library/test/success.html",
    "/ncsi.txt",
    "/connecttest.txt",
    "/redirect",
    "/success.txt",
    "/canonical.html",
};
enum { ADDRESSES = sizeof addresses / sizeof addresses[0] };

/* The names that are in the air, each once. */
static void look_around(struct portal *p)
{
    wifi_ap_record_t *found = calloc(NETWORKS, sizeof *found);
    uint16_t count = NETWORKS;
    size_t n = 0;

    if (found != NULL && esp_wifi_scan_start(NULL, true) == ESP_OK &&
        esp_wifi_scan_get_ap_records(&count, found) == ESP_OK) {
        for (uint16_t i = 0; i < count; i++) {
            size_t k = 0;

            while (k < n && strcmp(p->names[k], (const char *)found[i].ssid) != 0)
                k++;
            if (k < n || found[i].ssid[0] == '\0')
                continue;
            memcpy(p->names[n], found[i].ssid, sizeof p->names[n] - 1);
            p->networks[n] = p->names[n];
            n++;
        }
    }
    p->networks[n] = NULL;
    free(found);
}

static bool save(void *arg, const struct fw_settings *s, const char *ca)
{
    struct portal *p = arg;

    p->saved = store_write(s, ca);
    return p->saved;
}

static const char *status_line(unsigned status)
{
    switch (status) {
    case 200:
        return "200 OK";
    case 302:
        return "302 Found";
    case 400:
        return "400 Bad Request";
    default:
        return "500 Internal Server Error";
    }
}

static void begin(void *arg, unsigned status, const char *location)
{
    httpd_req_t *r = arg;

    httpd_resp_set_status(r, status_line(status));
    httpd_resp_set_type(r, "text/html; charset=utf-8");
    httpd_resp_set_hdr(r, "Cache-Control", "no-store");
    if (location != NULL)
        httpd_resp_set_hdr(r, "Location", location);
}

static void write_piece(void *arg, const char *text, size_t len)
{
    httpd_resp_send_chunk(arg, text, (ssize_t)len);
}

static void restart(void *arg)
{
    (void)arg;
    vTaskDelay(pdMS_TO_TICKS(RESTART_MS)); /* the answer has to leave first */
    esp_restart();
}

static void answer(httpd_req_t *r, struct fw_request *request)
{
    struct portal *p = r->user_ctx;
    const struct fw_reply reply = {begin, write_piece, r};
    char language[8] = "";

    (void)httpd_req_get_hdr_value_str(r, "Accept-Language", language, sizeof language); /* cut */
    request->path = r->uri;
    request->language = language;
    fw_portal_answer(&p->page, request, &reply);
    httpd_resp_send_chunk(r, NULL, 0);
    if (p->saved && xTaskCreate(restart, "restart", STACK, NULL, 5, NULL) != pdPASS)
        esp_restart();
}

static esp_err_t on_get(httpd_req_t *r)
{
    struct fw_request request = {.post = false, .body = ""};

    answer(r, &request);
    return ESP_OK;
}

static esp_err_t on_post(httpd_req_t *r)
{
    struct fw_request request = {.post = true, .body = ""};
    size_t have = 0;
    char *body;

    if (r->content_len > FW_BODY_MAX) {
        request.too_long = true;
        answer(r, &request);
        return ESP_OK;
    }
    body = malloc(r->content_len + 1);
    if (body == NULL)
        return httpd_resp_send_500(r);
    while (have < r->content_len) {
        int n = httpd_req_recv(r, body + have, r->content_len - have);

        if (n <= 0) {
            free(body);
            return ESP_FAIL;
        }
        have += (size_t)n;
    }
    request.body = body;
    request.body_len = have;
    answer(r, &request);
    free(body);
    return ESP_OK;
}

static bool serve_pages(struct portal *p)
{
    httpd_config_t c = HTTPD_DEFAULT_CONFIG();
    httpd_uri_t form = {.uri = "/save", .method = HTTP_POST, .handler = on_post, .user_ctx = p};
    esp_err_t err;

    c.stack_size = HTTPD_STACK;
    c.max_uri_handlers = ADDRESSES + 1;
    c.max_open_sockets = 4;
    c.lru_purge_enable = true;
    err = httpd_start(&p->server, &c);
    if (err == ESP_OK)
        err = httpd_register_uri_handler(p->server, &form);
    for (size_t i = 0; i < ADDRESSES && err == ESP_OK; i++) {
        httpd_uri_t get = {
            .uri = addresses[i], .method = HTTP_GET, .handler = on_get, .user_ctx = p};

        err = httpd_register_uri_handler(p->server, &get);
    }
    return err == ESP_OK;
}

/* Every name is ours. */
static void serve_names(void *arg)
{
    static const uint8_t own[4] = {192, 168, 4, 1};
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(DNS_PORT)}, from;
    uint8_t query[FW_DNS_MAX], out[FW_DNS_MAX];
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct portal *p = arg;

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
        bind(fd, (struct sockaddr *)&here, sizeof here) != 0)
        ESP_LOGE("portal", "no name server");
    while (!p->ending) {
        socklen_t from_len = sizeof from;
        int n = recvfrom(fd, query, sizeof query, 0, (struct sockaddr *)&from, &from_len);
        size_t len = n <= 0 ? 0 : fw_dns_answer(query, (size_t)n, own, out, sizeof out);

        if (len > 0)
            sendto(fd, out, len, 0, (struct sockaddr *)&from, from_len);
        else if (n < 0 && errno != EAGAIN)
            vTaskDelay(pdMS_TO_TICKS(1000));
    }
    if (fd >= 0)
        close(fd);
    p->names_run = false;
    vTaskDelete(NULL);
}

static bool open_all(struct portal *p, const char *name, bool beside)
{
    if (!net_open_setup(name, beside))
        return false;
    look_around(p);
    if (!serve_pages(p))
        return false;
    p->names_run = xTaskCreate(serve_names, "names", STACK, p, 5, NULL) == pdPASS;
    return p->names_run;
}

struct portal *portal_begin(const struct fw_settings *s, const char *name, bool beside)
{
    struct portal *p = calloc(1, sizeof *p);
    char *ca = p == NULL ? NULL : store_read_ca();

    if (p == NULL)
        return NULL;
    p->settings = *s;
    p->page = (struct fw_portal){.settings = &p->settings,
                                 .networks = p->networks,
                                 .has_ca = ca != NULL,
                                 .scratch = p->scratch,
                                 .save = save,
                                 .arg = p};
    free(ca);
    if (!open_all(p, name, beside)) {
        ESP_LOGE("portal", "the set-up page cannot be opened");
        portal_end(p);
        return NULL;
    }
    ESP_LOGI("portal", "join the network %s and open http://" FW_PORTAL_HOST "/", name);
    return p;
}

void portal_end(struct portal *p)
{
    if (p == NULL)
        return;
    if (p->server != NULL)
        httpd_stop(p->server);
    p->ending = true;
    while (p->names_run)
        vTaskDelay(pdMS_TO_TICKS(100));
    net_close_setup();
    free(p);
}
