#include "disguise.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cursor.h"
#include "disguise_plain.h"
#include "dlms_time.h"
#include "mbus.h"
#include "notification.h"

enum { MANUFACTURER = 3 };

struct disguise {
    struct gcm *gcm;
    struct scramble *names;
    struct decode_keys keys;
    uint32_t counter_shift, invoke_shift;
    bool counting; /* counter_shift is chosen */
    int shift_days;
};

struct disguise *disguise_new(int shift_days)
{
    struct disguise *d = calloc(1, sizeof *d);

    if (d == NULL)
        return NULL;
    d->shift_days = shift_days;
    d->gcm = gcm_new();
    d->names = scramble_new();
    d->keys.has_key = d->keys.has_authentication_key = true;
    if (d->gcm != NULL && d->names != NULL && scramble_random(d->keys.key, KEY_OCTETS) == 0 &&
        scramble_random(d->keys.authentication_key, KEY_OCTETS) == 0 &&
        scramble_random(&d->invoke_shift, sizeof d->invoke_shift) == 0)
        return d;
    disguise_free(d);
    return NULL;
}

void disguise_free(struct disguise *d)
{
    if (d == NULL)
        return;
    gcm_free(d->gcm);
    scramble_free(d->names);
    free(d);
}

const struct decode_keys *disguise_keys(const struct disguise *d)
{
    return &d->keys;
}

static enum verdict fail(const char **detail, enum verdict v, const char *phrase)
{
    *detail = phrase;
    return v;
}

/* The counter of the first telegram becomes a small random one; the others keep their distance. */
static int new_counter(struct disguise *d, uint32_t counter, uint32_t *out)
{
    uint32_t random;

    if (!d->counting) {
        if (scramble_random(&random, sizeof random) != 0)
            return -EIO;
        d->counter_shift = (random & 0xFFFFF) + 0x10000 - counter;
        d->counting = true;
    }
    *out = counter + d->counter_shift;
    return 0;
}

static int replace_title(struct disguise *d, uint8_t *title, size_t len)
{
    int rc = scramble_know(d->names, title, len, MANUFACTURER);

    return rc == 0 ? scramble_replace(d->names, title, len) : rc;
}

/* general-ciphering's strings: transaction id, two titles, date-time, other information. */
static int disguise_general_header(struct disguise *d, uint8_t *header, size_t len)
{
    struct cursor in = cursor_make(header, len);
    int rc = 0;

    for (int i = 0; i < 5 && rc == 0; i++) {
        size_t size = cursor_length(&in);
        const uint8_t *at = cursor_take(&in, size);
        uint8_t *octets = at == NULL ? NULL : header + (at - header);

        if (octets == NULL)
            return -EPROTO;
        if (i == 3 && size == DLMS_TIME_OCTETS)
            disguise_date(octets, d->shift_days);
        else
            rc = i == 1 || i == 2 ? replace_title(d, octets, size) : 0;
        if (rc == 0 && (i == 0 || i == 4 || (i == 3 && size != DLMS_TIME_OCTETS))) {
            rc = scramble_know(d->names, octets, size, 0);
            rc = rc == 0 ? scramble_replace(d->names, octets, size) : rc;
        }
    }
    return rc;
}

/* The header's octets of `apdu`, which is a view into them. */
static int disguise_header(struct disguise *d, uint8_t *octets, struct apdu *apdu)
{
    uint8_t *counter = octets + (apdu->body - octets) - 4;
    int rc = apdu->header != NULL
                 ? disguise_general_header(d, octets + (apdu->header - octets), apdu->header_len)
                 : replace_title(d, octets + (apdu->title - octets), SYSTEM_TITLE_OCTETS);

    if (rc == 0)
        rc = new_counter(d, apdu->counter, &apdu->counter);
    for (int i = 0; i < 4; i++)
        counter[i] = (uint8_t)(apdu->counter >> (24 - 8 * i));
    return rc;
}

static enum verdict of_errno(int rc, const char **detail)
{
    return fail(detail, VERDICT_UNKNOWN_LAYOUT,
                rc == -EPROTO || rc == -ENOTSUP
                    ? "not every octet is understood, so it could tell anything"
                    : "no memory or no random octets");
}

/* The same fields in the same form; a string may have become a date or a version by chance. */
static bool same_form(const struct reading *a, const struct reading *b)
{
    for (int f = 0; f < FIELD_COUNT; f++)
        if (a->values[f].present != b->values[f].present ||
            a->values[f].scaler != b->values[f].scaler)
            return false;
    return a->has_time == b->has_time && strlen(a->number) == strlen(b->number);
}

static enum verdict disguise_body(
    struct disguise *d, const uint8_t *meter, uint8_t *plain, size_t len, const char **detail)
{
    const struct disguise_plain how = {d->names, meter, d->invoke_shift, d->shift_days};
    struct reading before, after;
    enum notification_result r = notification_read(plain, len, &before, detail);
    int rc;

    if (r == NOTIFICATION_NOISE)
        return meter == NULL ? VERDICT_NOT_A_FRAME : VERDICT_WRONG_KEY;
    if (r == NOTIFICATION_DSMR)
        return VERDICT_OTHER_INTERFACE;
    if (r == NOTIFICATION_BROKEN)
        return VERDICT_LOST_OCTETS;
    rc = disguise_plain(&how, plain, len);
    if (rc != 0)
        return of_errno(rc, detail);
    if (notification_read(plain, len, &after, detail) != r || !same_form(&before, &after))
        return fail(detail, VERDICT_UNKNOWN_LAYOUT, "its form did not survive: try again");
    return VERDICT_OK;
}

/* In place: octets are a copy of the APDU. */
static enum verdict disguise_ciphered(struct disguise *d,
                                      uint8_t *octets,
                                      struct apdu *apdu,
                                      const struct decode_keys *own,
                                      const char **detail)
{
    uint8_t *body = octets + (apdu->body - octets), meter[SYSTEM_TITLE_OCTETS], plain[APDU_MAX];
    enum verdict v;
    int rc;

    if (own == NULL || !own->has_key)
        return VERDICT_NO_KEY;
    rc = gcm_decrypt(d->gcm, apdu, own->key,
                     own->has_authentication_key ? own->authentication_key : NULL, plain);
    if (rc != 0)
        return fail(detail, rc == -EINVAL ? VERDICT_NO_KEY : VERDICT_TAG,
                    rc == -EINVAL ? "its authentication key is needed too"
                                  : "the authentication tag does not hold");
    memcpy(meter, apdu->title, sizeof meter);
    v = disguise_body(d, meter, plain, apdu->body_len, detail);
    if (v == VERDICT_OK) {
        memcpy(body, plain, apdu->body_len);
        rc = disguise_header(d, octets, apdu);
        if (rc == 0)
            rc = gcm_encrypt(d->gcm, apdu, d->keys.key, d->keys.authentication_key, body,
                             apdu->body_len,
                             apdu->tag == NULL ? NULL : octets + (apdu->tag - octets));
        v = rc == 0 ? VERDICT_OK : of_errno(rc, detail);
    }
    explicit_bzero(plain, sizeof plain);
    return v;
}

/* Put the APDU's octets into the frames that carried it, and sum them anew. */
static enum verdict
refill(uint8_t *frames, size_t len, const uint8_t *apdu, size_t apdu_len, const char **detail)
{
    size_t at = 0, taken = 0;

    while (at < len) {
        struct link_frame f;
        uint8_t *data, sum = 0;

        if (mbus_check(frames + at, len - at, &f) != LINK_FRAME || f.len > apdu_len - taken)
            return fail(detail, VERDICT_UNKNOWN_LAYOUT, "frames of another kind");
        data = frames + (f.data - frames);
        memcpy(data, apdu + taken, f.len);
        taken += f.len;
        for (const uint8_t *p = frames + at + 4; p < data + f.len; p++)
            sum = (uint8_t)(sum + *p);
        data[f.len] = sum;
        at += f.size;
    }
    return taken == apdu_len ? VERDICT_OK
                             : fail(detail, VERDICT_UNKNOWN_LAYOUT, "frames of another kind");
}

static enum verdict disguise_apdu(struct disguise *d,
                                  uint8_t *octets,
                                  size_t len,
                                  decode_lookup *keys,
                                  void *keys_arg,
                                  bool *tagged,
                                  const char **detail)
{
    struct apdu apdu;
    enum verdict v = apdu_parse(octets, len, &apdu, detail);

    if (v != VERDICT_OK)
        return v;
    if (!apdu.ciphered)
        return disguise_body(d, NULL, octets, len, detail);
    *tagged = apdu.tag != NULL;
    return disguise_ciphered(d, octets, &apdu, keys(keys_arg, apdu.title), detail);
}

enum verdict disguise_telegram(struct disguise *d,
                               const struct telegram_octets *t,
                               decode_lookup *keys,
                               void *keys_arg,
                               struct buf *out,
                               bool *tagged,
                               const char **detail)
{
    uint8_t apdu[APDU_MAX];
    size_t before = out->len;
    enum verdict v;

    *detail = "";
    *tagged = false;
    if (t->apdu_len > sizeof apdu)
        return fail(detail, VERDICT_UNKNOWN_LAYOUT, "the APDU is longer than 4096 octets");
    memcpy(apdu, t->apdu, t->apdu_len);
    v = disguise_apdu(d, apdu, t->apdu_len, keys, keys_arg, tagged, detail);
    if (v == VERDICT_OK && t->octets == t->apdu) { /* no link frames */
        v = buf_add(out, apdu, t->apdu_len) == 0 ? VERDICT_OK : of_errno(-ENOMEM, detail);
    } else if (v == VERDICT_OK) {
        v = buf_add(out, t->octets, t->octets_len) != 0
                ? of_errno(-ENOMEM, detail)
                : refill(out->data + before, t->octets_len, apdu, t->apdu_len, detail);
    }
    if (v != VERDICT_OK)
        out->len = before;
    explicit_bzero(apdu, sizeof apdu);
    return v;
}
