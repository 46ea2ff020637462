#include "apdu.h"

#include "cursor.h"
#include "notification.h"

static enum verdict fail(const char **detail, enum verdict v, const char *phrase)
{
    *detail = phrase;
    return v;
}

static const uint8_t *octet_string(struct cursor *in, size_t *len)
{
    *len = cursor_length(in);
    return cursor_take(in, *len);
}

/* The fields between DD and the ciphered service. */
static enum verdict general_header(struct cursor *in, struct apdu *out, const char **detail)
{
    const uint8_t *title;
    size_t len, title_len;

    out->header = in->at;
    octet_string(in, &len); /* transaction-id */
    title = octet_string(in, &title_len);
    octet_string(in, &len); /* recipient system title */
    octet_string(in, &len); /* date-time */
    octet_string(in, &len); /* other information */
    out->header_len = (size_t)(in->at - out->header);
    out->title = title_len == SYSTEM_TITLE_OCTETS ? title : NULL;
    if (cursor_u8(in) != 0) { /* key-info present: only the identified key (unicast, broadcast) */
        if (cursor_u8(in) != 0)
            return fail(detail, VERDICT_UNKNOWN_LAYOUT, "general-ciphering with a session key");
        cursor_u8(in);
    }
    if (in->err == 0 && title_len != SYSTEM_TITLE_OCTETS)
        return fail(detail, VERDICT_UNKNOWN_LAYOUT, "the system title has not 8 octets");
    return VERDICT_OK;
}

static enum verdict glo_header(struct cursor *in, struct apdu *out, const char **detail)
{
    size_t title_len;
    const uint8_t *title = octet_string(in, &title_len);

    out->title = title_len == SYSTEM_TITLE_OCTETS ? title : NULL;
    if (in->err == 0 && title_len != SYSTEM_TITLE_OCTETS)
        return fail(detail, VERDICT_UNKNOWN_LAYOUT, "the system title has not 8 octets");
    return VERDICT_OK;
}

/* length | SC | counter | ciphertext | [tag], to the last octet. */
static enum verdict ciphered_service(struct cursor *in, struct apdu *out, const char **detail)
{
    size_t len = cursor_length(in);
    size_t tag_len;

    if (in->err != 0 || len != cursor_left(in))
        return fail(detail, VERDICT_LOST_OCTETS, "the APDU is not as long as its header says");
    out->security_control = cursor_u8(in);
    out->counter = (uint32_t)cursor_be(in, 4);
    if (in->err != 0)
        return fail(detail, VERDICT_LOST_OCTETS, "the APDU is shorter than its own header");
    if ((out->security_control & ~(SC_AUTHENTICATED | 0x01)) != SC_ENCRYPTED)
        return fail(detail, VERDICT_UNKNOWN_LAYOUT, "security control is not 20, 21, 30 or 31");
    tag_len = (out->security_control & SC_AUTHENTICATED) != 0 ? TAG_OCTETS : 0;
    if (cursor_left(in) < tag_len)
        return fail(detail, VERDICT_LOST_OCTETS, "the APDU is shorter than its own header");
    out->body_len = cursor_left(in) - tag_len;
    out->body = cursor_take(in, out->body_len);
    out->tag = tag_len > 0 ? cursor_take(in, tag_len) : NULL;
    return VERDICT_OK;
}

enum verdict apdu_parse(const uint8_t *octets, size_t len, struct apdu *out, const char **detail)
{
    struct cursor in = cursor_make(octets, len);
    uint8_t tag = cursor_u8(&in);
    enum verdict v;

    *out = (struct apdu){.ciphered = true};
    *detail = "";
    if (tag == APDU_DATA_NOTIFICATION) {
        *out = (struct apdu){.body = octets, .body_len = len};
        return VERDICT_OK;
    }
    if (tag == APDU_GENERAL_GLO_CIPHERING)
        v = glo_header(&in, out, detail);
    else if (tag == APDU_GENERAL_CIPHERING)
        v = general_header(&in, out, detail);
    else
        return fail(detail, VERDICT_UNKNOWN_LAYOUT, "the APDU's tag is not DB, DD or 0F");
    return v == VERDICT_OK ? ciphered_service(&in, out, detail) : v;
}

bool apdu_is_whole(const uint8_t *octets, size_t len)
{
    struct apdu apdu;
    const char *detail;

    if (len == 0 || apdu_parse(octets, len, &apdu, &detail) != VERDICT_OK)
        return false;
    return apdu.ciphered || notification_is_whole(octets, len);
}
