#include "decode.h"

#include <errno.h>
#include <gcrypt.h>
#include <stdio.h>
#include <string.h>

#include "assembler.h"
#include "hex.h"
#include "notification.h"

static enum verdict decode_plain(const struct apdu *apdu, struct reading *out, const char **detail)
{
    char named[sizeof "zaehlwerk:" + NUMBER_CHARS];
    uint8_t digest[32];

    switch (notification_read(apdu->body, apdu->body_len, out, detail)) {
    case NOTIFICATION_OK:
        break;
    case NOTIFICATION_UNKNOWN:
        return VERDICT_UNKNOWN_LAYOUT;
    case NOTIFICATION_DSMR:
        return VERDICT_OTHER_INTERFACE;
    case NOTIFICATION_NOISE:
        return VERDICT_NOT_A_FRAME;
    case NOTIFICATION_BROKEN:
        return VERDICT_LOST_OCTETS;
    }
    if (out->number[0] == '\0') {
        *detail = "neither a system title nor a meter number names the meter";
        return VERDICT_UNKNOWN_LAYOUT;
    }
    snprintf(named, sizeof named, "zaehlwerk:%s", out->number);
    gcry_md_hash_buffer(GCRY_MD_SHA256, digest, named, strlen(named));
    hex_encode(digest, METER_ID_CHARS / 2, out->meter);
    return VERDICT_OK;
}

static enum verdict decode_ciphered(struct gcm *gcm,
                                    const struct apdu *apdu,
                                    const struct decode_keys *keys,
                                    struct reading *out,
                                    const char **detail)
{
    uint8_t plain[APDU_MAX];
    enum notification_result r;
    int rc;

    if (apdu->body_len > sizeof plain) {
        *detail = "the APDU is longer than 4096 octets";
        return VERDICT_UNKNOWN_LAYOUT;
    }
    rc = gcm_decrypt(gcm, apdu, keys->key,
                     keys->has_authentication_key ? keys->authentication_key : NULL, plain);
    if (rc == -EINVAL) {
        *detail = "this meter authenticates its telegrams: its authentication key is needed too";
        return VERDICT_NO_KEY;
    }
    if (rc != 0 && rc != -EBADMSG) {
        *detail = "the cipher failed";
        return VERDICT_WRONG_KEY;
    }
    r = notification_read(plain, apdu->body_len, out, detail);
    if (rc == 0 && r == NOTIFICATION_DSMR)
        return VERDICT_OTHER_INTERFACE;
    if (rc == 0 && apdu->tag != NULL) /* the tag holds: key and octets are right */
        return r == NOTIFICATION_OK ? VERDICT_OK : VERDICT_UNKNOWN_LAYOUT;
    if (r == NOTIFICATION_NOISE)
        return VERDICT_WRONG_KEY;
    if (r == NOTIFICATION_BROKEN)
        return VERDICT_LOST_OCTETS;
    if (rc == -EBADMSG) {
        *detail = "the authentication tag does not hold";
        return VERDICT_TAG;
    }
    return r == NOTIFICATION_OK ? VERDICT_OK : VERDICT_UNKNOWN_LAYOUT;
}

enum verdict decode_apdu(struct gcm *gcm,
                         const uint8_t *octets,
                         size_t len,
                         decode_lookup *lookup,
                         void *lookup_arg,
                         struct reading *out,
                         const char **detail)
{
    const struct decode_keys *keys;
    struct apdu apdu;
    enum verdict v = apdu_parse(octets, len, &apdu, detail);

    memset(out, 0, sizeof *out);
    out->counter = -1;
    if (apdu.ciphered && apdu.title != NULL)
        hex_encode(apdu.title, SYSTEM_TITLE_OCTETS, out->meter);
    if (v != VERDICT_OK)
        return v;
    if (!apdu.ciphered)
        return decode_plain(&apdu, out, detail);
    out->counter = apdu.counter;
    keys = lookup(lookup_arg, apdu.title);
    if (keys == NULL || !keys->has_key) {
        *detail = "";
        return VERDICT_NO_KEY;
    }
    if (keys->name != NULL)
        snprintf(out->name, sizeof out->name, "%s", keys->name);
    return decode_ciphered(gcm, &apdu, keys, out, detail);
}
