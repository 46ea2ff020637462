/* sealed: published plaintexts under their keys again. */
#ifndef SEALED_H
#define SEALED_H

#include "published.h"

#include "buf.h"
#include "gcm.h"

/** DB | 08 title | length | SC | counter | ciphertext | [tag], or nothing when not enough is
 * published. */
static inline struct buf seal(struct gcm *gcm, const json_t *vector)
{
    const char *hex = vector_text(vector, "plaintext"),
               *sc = vector_text(vector, "security_control");
    struct decode_keys keys = keys_of(vector);
    uint8_t head[] = {0xDB, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0x82, 0, 0, 0, 0, 0, 0, 0}, tag[TAG_OCTETS];
    struct buf sealed = {0};
    struct octets plain;
    struct apdu apdu = {.title = head + 2};
    size_t len, head_len = 10;

    if (!keys.has_key || hex == NULL)
        return sealed;
    plain = octets_from_hex(hex);
    assert_int_equal(hex_decode(sc, &apdu.security_control, 1), 0);
    assert_int_equal(hex_decode(vector_text(vector, "system_title"), head + 2, 8), 0);
    apdu.counter = (uint32_t)json_integer_value(json_object_get(vector, "frame_counter"));
    len = 5 + plain.len + (apdu.security_control & SC_AUTHENTICATED ? TAG_OCTETS : 0);
    if (len >= 256)
        head[head_len++] = 0x82;
    else if (len >= 128)
        head[head_len++] = 0x81;
    if (len >= 256)
        head[head_len++] = (uint8_t)(len >> 8);
    head[head_len++] = (uint8_t)len;
    head[head_len++] = apdu.security_control;
    for (int i = 24; i >= 0; i -= 8)
        head[head_len++] = (uint8_t)(apdu.counter >> i);
    assert_int_equal(gcm_encrypt(gcm, &apdu, keys.key, keys.authentication_key, plain.at, plain.len,
                                 apdu.security_control & SC_AUTHENTICATED ? tag : NULL),
                     0);
    assert_int_equal(buf_add(&sealed, head, head_len), 0);
    assert_int_equal(buf_add(&sealed, plain.at, plain.len), 0);
    if (apdu.security_control & SC_AUTHENTICATED)
        assert_int_equal(buf_add(&sealed, tag, TAG_OCTETS), 0);
    free(plain.at);
    return sealed;
}

#endif
