#include "gcm.h"

#include <errno.h>
#include <gcrypt.h>
#include <stdlib.h>
#include <string.h>

struct gcm {
    gcry_cipher_hd_t cipher;
};

struct gcm *gcm_new(void)
{
    struct gcm *g = calloc(1, sizeof *g);

    if (g == NULL || gcry_check_version(GCRYPT_VERSION) == NULL)
        goto fail;
    if (!gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P)) {
        gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
        gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
    }
    if (gcry_cipher_open(&g->cipher, GCRY_CIPHER_AES128, GCRY_CIPHER_MODE_GCM, 0) != 0)
        goto fail;
    return g;
fail:
    free(g);
    return NULL;
}

void gcm_free(struct gcm *g)
{
    if (g == NULL)
        return;
    gcry_cipher_close(g->cipher);
    free(g);
}

/* Key, nonce and authenticated data, in libgcrypt's order. */
static int start(struct gcm *g,
                 const struct apdu *apdu,
                 const uint8_t key[KEY_OCTETS],
                 const uint8_t *authentication_key)
{
    uint8_t nonce[SYSTEM_TITLE_OCTETS + 4];
    gcry_error_t err;

    memcpy(nonce, apdu->title, SYSTEM_TITLE_OCTETS);
    for (int i = 0; i < 4; i++)
        nonce[SYSTEM_TITLE_OCTETS + i] = (uint8_t)(apdu->counter >> (24 - 8 * i));

    /* libgcrypt 1.10.1 keeps GHASH's partial block of a message whose tag was never read; neither
     * setkey nor setiv clears it, and the next authenticated message would fail. Reset does. */
    err = gcry_cipher_setkey(g->cipher, key, KEY_OCTETS);
    if (err == 0)
        err = gcry_cipher_reset(g->cipher);
    if (err == 0)
        err = gcry_cipher_setiv(g->cipher, nonce, sizeof nonce);
    if (err == 0 && (apdu->security_control & SC_AUTHENTICATED) != 0) {
        if (authentication_key == NULL)
            return -EINVAL;
        err = gcry_cipher_authenticate(g->cipher, &apdu->security_control, 1);
        if (err == 0)
            err = gcry_cipher_authenticate(g->cipher, authentication_key, KEY_OCTETS);
        if (err == 0 && apdu->header_len > 0)
            err = gcry_cipher_authenticate(g->cipher, apdu->header, apdu->header_len);
    }
    return err == 0 ? 0 : -EIO;
}

int gcm_decrypt(struct gcm *g,
                const struct apdu *apdu,
                const uint8_t key[KEY_OCTETS],
                const uint8_t *authentication_key,
                uint8_t *plain)
{
    int rc = start(g, apdu, key, authentication_key);

    if (rc != 0)
        return rc;
    if (gcry_cipher_decrypt(g->cipher, plain, apdu->body_len, apdu->body, apdu->body_len) != 0)
        return -EIO;
    if (apdu->tag != NULL && gcry_cipher_checktag(g->cipher, apdu->tag, TAG_OCTETS) != 0)
        return -EBADMSG;
    return 0;
}

int gcm_encrypt(struct gcm *g,
                const struct apdu *apdu,
                const uint8_t key[KEY_OCTETS],
                const uint8_t *authentication_key,
                uint8_t *octets,
                size_t len,
                uint8_t *tag)
{
    int rc = start(g, apdu, key, authentication_key);

    if (rc != 0)
        return rc;
    if (gcry_cipher_encrypt(g->cipher, octets, len, NULL, 0) != 0)
        return -EIO;
    if (tag != NULL && gcry_cipher_gettag(g->cipher, tag, TAG_OCTETS) != 0)
        return -EIO;
    return 0;
}
