/* mqtt: TLS. paho does the work; OpenSSL tells why it failed, and whether the files fit. */
#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "conf.h"
#include "mqtt_client.h"

enum { ASK_SECONDS = 3 };

#define HUNG_UP "unexpected eof"

/* What OpenSSL says of a handshake (a part of it), in words that name the setting. */
static const struct {
    const char *theirs, *ours;
} sayings[] = {
    {"wrong version number", "the broker speaks no TLS on this port: MQTT_PORT (often 8883)"},
    {HUNG_UP, "the broker hangs up on TLS: MQTT_PORT (often 8883)"},
    {"certificate required", "the broker wants MQTT_CERT_FILE and MQTT_CERT_KEY_FILE"},
    {"alert handshake failure",
     "the broker wants MQTT_CERT_FILE and MQTT_CERT_KEY_FILE, or other ciphers"},
    {"alert unknown ca", "the broker does not trust the authority of MQTT_CERT_FILE"},
    {"alert certificate expired", "the certificate in MQTT_CERT_FILE has expired"},
    {"alert certificate revoked", "the certificate in MQTT_CERT_FILE is revoked"},
    {"alert bad certificate", "the broker does not take the certificate in MQTT_CERT_FILE"},
};

static const char *or_null(const char *text)
{
    return *text == '\0' ? NULL : text;
}

void mqtt_tls_options(const struct mqtt *m, MQTTAsync_SSLOptions *ssl)
{
    ssl->trustStore = or_null(m->conf->ca_file);
    ssl->keyStore = or_null(m->conf->cert_file);
    ssl->privateKey = or_null(m->conf->cert_key_file);
    ssl->enableServerCertAuth = 1;
    ssl->verify = 1; /* the name, too */
}

/* Asking anew */

static int dial(const struct mqtt_conf *conf)
{
    const struct timeval patience = {.tv_sec = ASK_SECONDS};
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    char port[8];
    int fd = -1;

    snprintf(port, sizeof port, "%d", (int)conf->port);
    if (getaddrinfo(conf->host, port, &hints, &list) != 0)
        return -1;
    for (const struct addrinfo *a = list; a != NULL && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
        if (fd < 0)
            continue;
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience); /* connect's, too */
        if (connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(list);
    return fd;
}

static int show_own(const struct mqtt_conf *conf, SSL_CTX *ctx)
{
    return SSL_CTX_use_certificate_chain_file(ctx, conf->cert_file) == 1 &&
           SSL_CTX_use_PrivateKey_file(ctx, conf->cert_key_file, SSL_FILETYPE_PEM) == 1;
}

static SSL_CTX *trusting(const struct mqtt_conf *conf)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    int ok = ctx == NULL                ? 0
             : conf->ca_file[0] != '\0' ? SSL_CTX_load_verify_locations(ctx, conf->ca_file, NULL)
                                        : SSL_CTX_set_default_verify_paths(ctx);

    if (ok == 1 && (conf->cert_file[0] == '\0' || show_own(conf, ctx)))
        return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

/* What a handshake of ours has found out. */
struct answer {
    long verdict;       /* on the broker's certificate; X509_V_OK also when there is none */
    const char *reason; /* of another failure, OpenSSL's words; or NULL */
};

/* TLS 1.3 refuses a client's certificate only after the handshake: so wait for that. */
static void shake_hands(const struct mqtt_conf *conf, SSL *ssl, struct answer *answer)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    bool reset = false;
    char octet;

    SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    SSL_set_tlsext_host_name(ssl, conf->host);
    if (X509_VERIFY_PARAM_set1_ip_asc(param, conf->host) != 1)
        X509_VERIFY_PARAM_set1_host(param, conf->host, 0);
    ERR_clear_error();
    if (SSL_connect(ssl) == 1)
        (void)SSL_read(ssl, &octet, 1);
    else
        reset = errno == ECONNRESET || errno == EPIPE;
    answer->verdict = SSL_get_verify_result(ssl);
    answer->reason = ERR_reason_error_string(ERR_peek_error());
    if (answer->reason == NULL && reset)
        answer->reason = HUNG_UP;
    ERR_clear_error();
}

static struct answer ask(const struct mqtt_conf *conf)
{
    struct answer answer = {X509_V_OK, NULL};
    SSL_CTX *ctx = trusting(conf);
    SSL *ssl = ctx == NULL ? NULL : SSL_new(ctx);
    int fd = ssl == NULL ? -1 : dial(conf);

    if (fd >= 0 && SSL_set_fd(ssl, fd) == 1)
        shake_hands(conf, ssl, &answer);
    if (fd >= 0)
        close(fd);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    return answer;
}

static void explain(const struct mqtt_conf *conf, long verdict, char why[MQTT_WHY_CHARS])
{
    switch (verdict) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        snprintf(why, MQTT_WHY_CHARS, "the broker's certificate has expired: renew it there");
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        snprintf(why, MQTT_WHY_CHARS,
                 "the broker's certificate is not valid yet: is this machine's clock right?");
        break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        snprintf(why, MQTT_WHY_CHARS,
                 "the broker's certificate is not for %.80s: MQTT_HOST must be a name in it",
                 conf->host);
        break;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        snprintf(why, MQTT_WHY_CHARS, "the broker's certificate is from nobody %s",
                 conf->ca_file[0] != '\0' ? "that MQTT_CA_FILE holds"
                                          : "that this system trusts: set MQTT_CA_FILE");
        break;
    default:
        snprintf(why, MQTT_WHY_CHARS, "the broker's certificate: %s",
                 X509_verify_cert_error_string(verdict));
    }
}

const char *mqtt_tls_why(const struct mqtt_conf *conf, const char *other, char why[MQTT_WHY_CHARS])
{
    struct answer answer = ask(conf);

    if (answer.verdict != X509_V_OK) {
        explain(conf, answer.verdict, why);
        return why;
    }
    if (answer.reason == NULL)
        return other;
    for (size_t i = 0; i < sizeof sayings / sizeof sayings[0]; i++)
        if (strstr(answer.reason, sayings[i].theirs) != NULL)
            return sayings[i].ours;
    snprintf(why, MQTT_WHY_CHARS, "TLS: %s", answer.reason);
    return why;
}

/* Settings */

/* Nobody is there to type a passphrase. */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)arg;
    return 0;
}

static int wrong_file(const char *variable, const char *path, const char *right)
{
    char wrong[512];

    snprintf(wrong, sizeof wrong, "%.256s: %s", path,
             access(path, R_OK) != 0 ? strerror(errno) : "not what is needed");
    ERR_clear_error();
    return conf_wrong(variable, wrong, right);
}

static int check_own(const struct mqtt_conf *conf, SSL_CTX *ctx)
{
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    if (SSL_CTX_use_certificate_chain_file(ctx, conf->cert_file) != 1)
        return wrong_file("MQTT_CERT_FILE", conf->cert_file, "a certificate (PEM)");
    if (SSL_CTX_use_PrivateKey_file(ctx, conf->cert_key_file, SSL_FILETYPE_PEM) != 1)
        return wrong_file("MQTT_CERT_KEY_FILE", conf->cert_key_file,
                          "the private key (PEM, no passphrase) of MQTT_CERT_FILE");
    return 0;
}

int mqtt_check(const struct mqtt_conf *conf)
{
    bool ca = conf->ca_file[0] != '\0', cert = conf->cert_file[0] != '\0';
    SSL_CTX *ctx;
    int rc = 0;

    if (!conf->tls && (ca || cert))
        return conf_wrong("MQTT_TLS", ca ? "0, beside MQTT_CA_FILE" : "0, beside MQTT_CERT_FILE",
                          "1, or no certificates");
    if (cert != (conf->cert_key_file[0] != '\0'))
        return conf_wrong(cert ? "MQTT_CERT_KEY_FILE" : "MQTT_CERT_FILE", "missing",
                          "both of MQTT_CERT_FILE and MQTT_CERT_KEY_FILE");
    if (!ca && !cert)
        return 0;
    ctx = SSL_CTX_new(TLS_client_method());
    if (ctx == NULL)
        return -ENOMEM;
    if (ca && SSL_CTX_load_verify_locations(ctx, conf->ca_file, NULL) != 1)
        rc = wrong_file("MQTT_CA_FILE", conf->ca_file, "certificates (PEM)");
    if (rc == 0 && cert)
        rc = check_own(conf, ctx);
    SSL_CTX_free(ctx);
    return rc;
}
