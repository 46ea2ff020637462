#include "pin.h"

#include <stdbool.h>
#include <string.h>

#include "mbedtls/sha256.h"
#include "mbedtls/ssl.h"

/* The SDK's MQTT client has no place for a fingerprint, and its TLS layer none for a callback. So
 * the one call by which that layer switches checks off (no CA certificate: VERIFY_NONE) is taken
 * over by the linker (--wrap). There is no argument to carry this. */
static uint8_t pin[32];
static bool pinned;

void __real_mbedtls_ssl_conf_authmode(mbedtls_ssl_config *conf, int mode);
void __wrap_mbedtls_ssl_conf_authmode(mbedtls_ssl_config *conf, int mode);

void pin_use(const uint8_t sha256[32])
{
    memcpy(pin, sha256, sizeof pin);
    pinned = true;
}

/* Depth 0 is the server's own certificate. What is returned ends the handshake, before a password
 * could leave: a failed verification alone would not, in VERIFY_OPTIONAL. */
static int judge(void *arg, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
    uint8_t digest[32];

    (void)arg;
    (void)flags;
    if (depth != 0)
        return 0;
    if (!pinned || mbedtls_sha256_ret(crt->raw.p, crt->raw.len, digest, 0) != 0 ||
        memcmp(digest, pin, sizeof pin) != 0)
        return MBEDTLS_ERR_X509_FATAL_ERROR;
    return 0;
}

void __wrap_mbedtls_ssl_conf_authmode(mbedtls_ssl_config *conf, int mode)
{
    if (mode != MBEDTLS_SSL_VERIFY_NONE) {
        __real_mbedtls_ssl_conf_authmode(conf, mode);
        return;
    }
    __real_mbedtls_ssl_conf_authmode(conf, MBEDTLS_SSL_VERIFY_OPTIONAL);
    mbedtls_ssl_conf_verify(conf, judge, NULL);
}
