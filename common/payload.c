#include "payload.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#include "hex.h"
#include "utf8.h"

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_hex_text(const uint8_t *text, size_t len)
{
    size_t digits = 0;

    for (size_t i = 0; i < len; i++) {
        if (hex_digit(text[i]) >= 0)
            digits++;
        else if (!is_space(text[i]))
            return false;
    }
    return digits >= 2;
}

static int add_hex(const uint8_t *text, size_t len, struct buf *out)
{
    int high = -1;

    if (buf_reserve(out, len / 2) != 0)
        return -ENOMEM;
    for (size_t i = 0; i < len; i++) {
        int digit = hex_digit(text[i]);

        if (digit >= 0 && high < 0) {
            high = digit;
        } else if (digit >= 0) {
            out->data[out->len++] = (uint8_t)(high << 4 | digit);
            high = -1;
        }
    }
    return 0;
}

static int add_json(const json_t *object, struct buf *out, const char **detail)
{
    static const char *const keys[] = {"SSerialReceived", "data", "payload", "raw"};

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const json_t *value = json_object_get(object, keys[i]);
        const uint8_t *text = (const uint8_t *)json_string_value(value);

        if (text == NULL)
            continue;
        if (!is_hex_text(text, json_string_length(value))) {
            *detail = "the JSON object's string is not hex";
            return -EPROTO;
        }
        return add_hex(text, json_string_length(value), out);
    }
    *detail = "a JSON object without a string under SSerialReceived, data, payload or raw";
    return -EPROTO;
}

/* JSON objects one after another. */
static int add_objects(const uint8_t *text, size_t len, struct buf *out, const char **detail)
{
    size_t before = out->len;
    int rc = 0;

    while (rc == 0 && len > 0) {
        json_error_t error;
        json_t *object = json_loadb((const char *)text, len, JSON_DISABLE_EOF_CHECK, &error);

        if (!json_is_object(object)) {
            *detail = "begins like JSON but cannot be read as JSON";
            rc = -EPROTO;
        } else {
            rc = add_json(object, out, detail);
        }
        json_decref(object);
        if (rc != 0)
            break;
        text += error.position;
        len -= (size_t)error.position;
        while (len > 0 && is_space(*text)) {
            text++;
            len--;
        }
    }
    if (rc != 0)
        out->len = before;
    return rc;
}

int payload_octets(const uint8_t *payload,
                   size_t len,
                   struct buf *out,
                   enum payload_form *form,
                   const char **detail)
{
    size_t at = 0;

    *detail = "";
    while (at < len && is_space(payload[at]))
        at++;
    /* a raw piece of a frame may begin with a brace too */
    if (at < len && payload[at] == '{' && utf8_is_text(payload + at, len - at)) {
        *form = PAYLOAD_JSON;
        return add_objects(payload + at, len - at, out, detail);
    }
    if (is_hex_text(payload, len)) {
        *form = PAYLOAD_HEX;
        return add_hex(payload, len, out);
    }
    *form = PAYLOAD_RAW;
    return buf_add(out, payload, len);
}
