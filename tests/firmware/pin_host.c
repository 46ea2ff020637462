/*
 * pin_host PORT [FINGERPRINT]: one TLS connection to 127.0.0.1 as the SDK's TLS layer makes it
 * without a CA certificate, with the receiver's pin.c linked as there. Prints what became of the
 * handshake.
 */
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <stdio.h>
#include <string.h>

#include "esp8266/main/pin.h"
#include "fw_settings.h"

struct client {
    mbedtls_net_context socket;
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_ssl_config conf;
    mbedtls_ssl_context ssl;
};

/* In the order of the SDK's esp_tls_mbedtls.c. */
static int shake_hands(struct client *c, const char *port)
{
    int rc = mbedtls_net_connect(&c->socket, "127.0.0.1", port, MBEDTLS_NET_PROTO_TCP);

    if (rc == 0)
        rc = mbedtls_ssl_set_hostname(&c->ssl, "127.0.0.1");
    if (rc == 0)
        rc = mbedtls_ssl_config_defaults(&c->conf, MBEDTLS_SSL_IS_CLIENT,
                                         MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
    mbedtls_ssl_conf_authmode(&c->conf, MBEDTLS_SSL_VERIFY_NONE);
    if (rc == 0)
        rc = mbedtls_ctr_drbg_seed(&c->random, mbedtls_entropy_func, &c->entropy, NULL, 0);
    mbedtls_ssl_conf_rng(&c->conf, mbedtls_ctr_drbg_random, &c->random);
    if (rc == 0)
        rc = mbedtls_ssl_setup(&c->ssl, &c->conf);
    mbedtls_ssl_set_bio(&c->ssl, &c->socket, mbedtls_net_send, mbedtls_net_recv, NULL);
    return rc == 0 ? mbedtls_ssl_handshake(&c->ssl) : rc;
}

int main(int argc, char **argv)
{
    struct client c;
    struct fw_settings s;
    uint8_t fingerprint[FW_PIN_LEN];
    int rc;

    if (argc < 2)
        return 64;
    fw_settings_defaults(&s, "x");
    if (argc > 2)
        snprintf(s.fingerprint, sizeof s.fingerprint, "%s", argv[2]);
    if (fw_settings_pin(&s, fingerprint))
        pin_use(fingerprint);
    mbedtls_net_init(&c.socket);
    mbedtls_entropy_init(&c.entropy);
    mbedtls_ctr_drbg_init(&c.random);
    mbedtls_ssl_config_init(&c.conf);
    mbedtls_ssl_init(&c.ssl);
    rc = shake_hands(&c, argv[1]);
    printf(rc == 0 ? "connected\n" : "refused -0x%04x\n", (unsigned)-rc);
    mbedtls_ssl_free(&c.ssl);
    mbedtls_ssl_config_free(&c.conf);
    mbedtls_ctr_drbg_free(&c.random);
    mbedtls_entropy_free(&c.entropy);
    mbedtls_net_free(&c.socket);
    return rc == 0 ? 0 : 1;
}
