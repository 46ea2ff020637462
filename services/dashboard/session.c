#include "session.h"

#include <errno.h>
#include <gcrypt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hex.h"

enum { MAC_OCTETS = 32, NONCE_OCTETS = 16, ITERATIONS = 100000 };

#define SALT "zaehlwerk dashboard session 1"

struct session {
    uint8_t key[MAC_OCTETS];    /* of tokens */
    uint8_t secret[MAC_OCTETS]; /* of this process: what is compared is nobody's to predict */
    uint8_t password[MAC_OCTETS];
};

static void mac(const uint8_t key[MAC_OCTETS], const char *text, uint8_t out[MAC_OCTETS])
{
    gcry_mac_hd_t h;
    size_t len = MAC_OCTETS;

    memset(out, 0, MAC_OCTETS);
    if (gcry_mac_open(&h, GCRY_MAC_HMAC_SHA256, 0, NULL) != 0)
        abort(); /* no libgcrypt: nothing here may go on */
    if (gcry_mac_setkey(h, key, MAC_OCTETS) != 0 || gcry_mac_write(h, text, strlen(text)) != 0 ||
        gcry_mac_read(h, out, &len) != 0)
        abort();
    gcry_mac_close(h);
}

/* In a time that depends on nothing but the length. */
static bool is_same(const uint8_t a[MAC_OCTETS], const uint8_t b[MAC_OCTETS])
{
    volatile uint8_t differ = 0;

    for (int i = 0; i < MAC_OCTETS; i++)
        differ |= a[i] ^ b[i];
    return differ == 0;
}

struct session *session_new(const char *password)
{
    struct session *s = calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    if (gcry_kdf_derive(password, strlen(password), GCRY_KDF_PBKDF2, GCRY_MD_SHA256, SALT,
                        strlen(SALT), ITERATIONS, sizeof s->key, s->key) != 0) {
        free(s);
        return NULL;
    }
    gcry_create_nonce(s->secret, sizeof s->secret);
    mac(s->secret, password, s->password);
    return s;
}

void session_free(struct session *s)
{
    if (s == NULL)
        return;
    explicit_bzero(s, sizeof *s);
    free(s);
}

bool session_password(const struct session *s, const char *text)
{
    uint8_t given[MAC_OCTETS];

    mac(s->secret, text, given);
    return is_same(given, s->password);
}

void session_token(const struct session *s, int64_t now_s, char token[SESSION_CHARS])
{
    uint8_t nonce[NONCE_OCTETS], sum[MAC_OCTETS];
    char digits[2 * NONCE_OCTETS + 1], sum_digits[2 * MAC_OCTETS + 1];
    size_t n;

    gcry_randomize(nonce, sizeof nonce, GCRY_STRONG_RANDOM);
    hex_encode(nonce, sizeof nonce, digits);
    n = (size_t)snprintf(token, SESSION_CHARS, "%" PRId64 ".%s", now_s + SESSION_SECONDS, digits);
    mac(s->key, token, sum);
    hex_encode(sum, sizeof sum, sum_digits);
    snprintf(token + n, SESSION_CHARS - n, ".%s", sum_digits);
}

/* EXPIRY.NONCE.MAC in a buffer of its own, which is cut. */
static bool is_good(const struct session *s, char *token, int64_t now_s, int64_t *age_s)
{
    uint8_t given[MAC_OCTETS], sum[MAC_OCTETS];
    char *dot = strrchr(token, '.');
    int64_t expiry;

    if (dot == NULL || hex_decode(dot + 1, given, sizeof given) != 0)
        return false;
    *dot = '\0';
    mac(s->key, token, sum);
    if (!is_same(given, sum))
        return false;
    expiry = strtoll(token, NULL, 10); /* ours: the sum holds */
    if (age_s != NULL)
        *age_s = now_s + SESSION_SECONDS - expiry;
    return expiry > now_s;
}

bool session_cookie(const struct session *s, const char *header, int64_t now_s, int64_t *age_s)
{
    char token[SESSION_CHARS];
    const size_t name = strlen(SESSION_COOKIE "=");

    for (const char *at = header; at != NULL && *at != '\0'; at += strcspn(at, ";")) {
        size_t len;

        at += strspn(at, "; ");
        len = strcspn(at, ";");
        if (len <= name || len - name >= sizeof token || strncmp(at, SESSION_COOKIE "=", name) != 0)
            continue;
        snprintf(token, sizeof token, "%.*s", (int)(len - name), at + name);
        if (is_good(s, token, now_s, age_s))
            return true;
    }
    return false;
}
