#ifndef ESP_HTTP_CLIENT_H
#define ESP_HTTP_CLIENT_H

typedef struct {
    const char *url, *cert_pem;
    int timeout_ms;
} esp_http_client_config_t;

#endif
