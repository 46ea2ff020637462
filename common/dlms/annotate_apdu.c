#include "annotate_apdu.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "annotate_plain.h"
#include "assembler.h"
#include "cursor.h"
#include "hex.h"

struct walk {
    const struct notes *n;
    struct cursor in;
    bool whole;
    struct apdu apdu;
};

/* The three letters that a title begins with (DLMS UA's list of manufacturers). */
static const char *manufacturer(const uint8_t *title)
{
    static const struct {
        char flag[4];
        const char *name;
    } known[] = {{"KFM", "Kaifa"},      {"SAG", "Sagemcom"}, {"ISK", "Iskraemeco"},
                 {"LGZ", "Landis+Gyr"}, {"KAM", "Kamstrup"}, {"SMS", "Siemens"},
                 {"ELS", "Elster"},     {"AUX", "Aux"},      {"DEV", "Develco"},
                 {"AID", "Aidon"}};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (memcmp(title, known[i].flag, 3) == 0)
            return known[i].name;
    return "a manufacturer not known here";
}

/* Everything that is left, as one wrong leaf. */
static void rest(struct walk *w, const char *name, const char *why)
{
    size_t left = (size_t)(w->in.end - w->in.at);

    note_wrong(w->n, w->in.at, left, name, "%s", why);
    w->in.at = w->in.end;
    w->in.err = -EPROTO;
}

/* A length and its leaf; false when the octets end in it. */
static bool read_length(struct walk *w, const char *name, size_t *len)
{
    const uint8_t *from = w->in.at;

    *len = cursor_length(&w->in);
    if (w->in.err != 0) {
        w->in.at = from;
        rest(w, name, cursor_left(&w->in) == 0 ? "missing" : "no length");
        return false;
    }
    note_leaf(w->n, from, (size_t)(w->in.at - from), name, "%zu", *len);
    return true;
}

/* The next octets; NULL, and what is there shown as its beginning, when they are too few. */
static const uint8_t *take(struct walk *w, size_t len, const char *name)
{
    if (w->in.err == 0 && len <= cursor_left(&w->in))
        return cursor_take(&w->in, len);
    rest(w, name, "breaks off here");
    return NULL;
}

static void describe_title(const struct walk *w, const uint8_t *title, size_t len)
{
    char hex[2 * SYSTEM_TITLE_OCTETS + 1];

    if (len != SYSTEM_TITLE_OCTETS) {
        note_wrong(w->n, title, len, "system title", "has not 8 octets");
        return;
    }
    hex_encode(title, len, hex);
    note_leaf(w->n, title, len, "system title", "%s: %.3s, %s", hex,
              title[0] >= 'A' && title[0] <= 'Z' && title[1] >= 'A' && title[1] <= 'Z' &&
                      title[2] >= 'A' && title[2] <= 'Z'
                  ? (const char *)title
                  : "???",
              manufacturer(title));
}

static bool read_title(struct walk *w)
{
    const uint8_t *title;
    size_t len;

    if (!read_length(w, "length of the system title", &len))
        return false;
    title = take(w, len, "system title");
    if (title == NULL)
        return false;
    describe_title(w, title, len);
    w->apdu.title = len == SYSTEM_TITLE_OCTETS ? title : NULL;
    return true;
}

/* An octet string of general-ciphering's header. */
static bool read_string(struct walk *w, const char *name)
{
    const uint8_t *octets;
    size_t len;

    if (!read_length(w, name, &len))
        return false;
    octets = take(w, len, name);
    note_leaf(w->n, octets, octets == NULL ? 0 : len, name, "%s", "");
    return octets != NULL;
}

static bool read_key_info(struct walk *w)
{
    const uint8_t *p = take(w, 1, "key information");

    if (p == NULL)
        return false;
    note_leaf(w->n, p, 1, "key information", "%s", *p == 0 ? "none" : "follows");
    if (*p == 0)
        return true;
    p = take(w, 2, "key information");
    if (p == NULL)
        return false;
    if (p[0] != 0) {
        note_wrong(w->n, p, 2, "key information", "a session key: not known here");
        return false;
    }
    note_leaf(w->n, p, 2, "identified key", "%s", p[1] == 0 ? "unicast" : "broadcast");
    return true;
}

static bool read_general_header(struct walk *w)
{
    w->apdu.header = w->in.at;
    if (!read_string(w, "transaction id") || !read_title(w) || !read_string(w, "recipient") ||
        !read_string(w, "date-time") || !read_string(w, "other information"))
        return false;
    w->apdu.header_len = (size_t)(w->in.at - w->apdu.header);
    return read_key_info(w);
}

static void describe_security(const struct walk *w, const uint8_t *at)
{
    uint8_t sc = *at;

    char text[96];

    snprintf(text, sizeof text, "suite %d, %sencrypted, %sauthenticated, %s key%s", sc & 0x0F,
             (sc & SC_ENCRYPTED) != 0 ? "" : "not ", (sc & SC_AUTHENTICATED) != 0 ? "" : "not ",
             (sc & 0x40) != 0 ? "broadcast" : "unicast", (sc & 0x80) != 0 ? ", compressed" : "");
    if ((sc & ~(SC_AUTHENTICATED | 0x01)) == SC_ENCRYPTED)
        note_leaf(w->n, at, 1, "security control", "%s", text);
    else
        note_wrong(w->n, at, 1, "security control", "%s: not one that meters here use", text);
}

/* length | SC | counter, and where ciphertext and tag lie. */
static bool read_service(struct walk *w)
{
    const uint8_t *from = w->in.at, *p;
    size_t len = cursor_length(&w->in), left = cursor_left(&w->in);

    if (w->in.err != 0 || (w->whole ? len != left : len < left)) {
        w->in.err = 0;
        note_wrong(w->n, from, (size_t)(w->in.at - from), "length", "%zu, but %zu octets are there",
                   len, left);
    } else {
        note_leaf(w->n, from, (size_t)(w->in.at - from), "length", "%zu", len);
    }
    p = take(w, 1, "security control");
    if (p == NULL)
        return false;
    describe_security(w, p);
    w->apdu.security_control = *p;
    p = take(w, 4, "invocation counter");
    if (p == NULL)
        return false;
    w->apdu.counter = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    note_leaf(w->n, p, 4, "invocation counter", "%u", w->apdu.counter);
    w->apdu.body = w->in.at;
    w->apdu.body_len = cursor_left(&w->in);
    if (w->whole && (*(p - 1) & SC_AUTHENTICATED) != 0 && w->apdu.body_len >= TAG_OCTETS) {
        w->apdu.body_len -= TAG_OCTETS;
        w->apdu.tag = w->apdu.body + w->apdu.body_len;
    }
    return true;
}

static void describe_tag(const struct walk *w, const struct decode_keys *keys, int rc)
{
    const uint8_t *tag = w->apdu.tag;
    const char *text = rc == 0 ? "holds" : "not checked: no authentication key";

    if (tag != NULL && rc == -EBADMSG)
        note_wrong(w->n, tag, TAG_OCTETS, "authentication tag", "does not hold");
    else if (tag != NULL)
        note_leaf(w->n, tag, TAG_OCTETS, "authentication tag", "%s", keys == NULL ? "" : text);
}

/* The key stream alone: what there is to read of a beginning, or without an authentication key. */
static int decrypt_unchecked(struct gcm *gcm, struct apdu a, const uint8_t *key, uint8_t *plain)
{
    a.security_control &= (uint8_t)~SC_AUTHENTICATED;
    a.tag = NULL;
    return gcm_decrypt(gcm, &a, key, NULL, plain);
}

/* The plaintext is explained even where the tag does not hold: the verdict says that. */
static void open_body(const struct walk *w, struct gcm *gcm, const struct decode_keys *keys)
{
    const struct apdu *a = &w->apdu;
    uint8_t plain[APDU_MAX];
    struct notes n = *w->n;
    int rc = -EINVAL;

    note_leaf(w->n, a->body, a->body_len, "ciphertext", "%zu octets", a->body_len);
    if (keys != NULL && w->whole && keys->has_authentication_key)
        rc = gcm_decrypt(gcm, a, keys->key, keys->authentication_key, plain);
    describe_tag(w, keys, rc);
    if (keys == NULL)
        note_complaint(w->n, "plaintext", "not readable without the key");
    if (keys == NULL || (rc == -EINVAL && decrypt_unchecked(gcm, *a, keys->key, plain) != 0) ||
        rc == -EIO)
        return;
    n.space = NOTE_PLAIN;
    n.base = plain;
    n.depth--;
    note_heading(&n, plain, a->body_len, "plaintext", "%zu octets", a->body_len);
    n.depth++;
    annotate_plain(&n, plain, a->body_len, w->whole);
    explicit_bzero(plain, sizeof plain);
}

static void ciphered(struct walk *w, struct gcm *gcm, decode_lookup *lookup, void *lookup_arg)
{
    const struct decode_keys *keys;

    if (!(w->in.at[-1] == APDU_GENERAL_CIPHERING ? read_general_header(w) : read_title(w)) ||
        !read_service(w)) {
        rest(w, "not explained", "");
        return;
    }
    if (w->apdu.title == NULL || w->apdu.body_len > APDU_MAX ||
        (w->apdu.security_control & SC_ENCRYPTED) == 0) {
        rest(w, "not explained", "");
        return;
    }
    keys = lookup(lookup_arg, w->apdu.title);
    open_body(w, gcm, keys != NULL && keys->has_key ? keys : NULL);
}

void annotate_apdu(const struct notes *n,
                   struct gcm *gcm,
                   const uint8_t *octets,
                   size_t len,
                   bool whole,
                   decode_lookup *keys,
                   void *keys_arg)
{
    struct walk w = {.n = n, .in = cursor_make(octets, len), .whole = whole};
    uint8_t tag = len > 0 ? *octets : 0;

    w.apdu.ciphered = true;
    if (tag == APDU_DATA_NOTIFICATION) {
        annotate_plain(n, octets, len, whole);
    } else if (tag == APDU_GENERAL_GLO_CIPHERING || tag == APDU_GENERAL_CIPHERING) {
        note_leaf(n, cursor_take(&w.in, 1), 1, "tag", "%s",
                  tag == APDU_GENERAL_CIPHERING ? "general-ciphering" : "general-glo-ciphering");
        ciphered(&w, gcm, keys, keys_arg);
    } else {
        rest(&w, "not explained", "the tag is not DB, DD or 0F");
    }
}
