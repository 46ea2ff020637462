#include "fw_settings.h"

#include <string.h>

#include "fw_crc.h"
#include "fw_line.h"
#include "hex.h"

/*
 *   5A 57 | version | fields... | CRC-16 of all before, low octet first
 *   field: tag | length | octets (numbers: high octet first)
 * The version moves only when an older firmware could not skip what is new.
 */
enum { MAGIC_0 = 0x5A, MAGIC_1 = 0x57, VERSION = 1, HEAD = 3, CRC = 2 };

#define FIELD(n, t, k, m)                                                                          \
    {                                                                                              \
        .name = (n), .tag = (t), .kind = (k), .offset = offsetof(struct fw_settings, m),           \
        .size = sizeof((struct fw_settings *)0)->m                                                 \
    }

const struct fw_field fw_fields[FW_FIELDS] = {
    FIELD("ssid", 1, FW_TEXT, ssid),
    FIELD("wifi_password", 2, FW_SECRET, wifi_password),
    FIELD("broker", 3, FW_TEXT, broker),
    FIELD("port", 4, FW_NUMBER, port),
    FIELD("user", 5, FW_TEXT, user),
    FIELD("password", 6, FW_SECRET, password),
    FIELD("topic", 7, FW_TEXT, topic),
    FIELD("status_topic", 8, FW_TEXT, status_topic),
    FIELD("name", 9, FW_TEXT, name),
    FIELD("tls", 10, FW_SWITCH, tls),
    FIELD("update_url", 11, FW_TEXT, update_url),
    FIELD("line_mode", 12, FW_CHOICE, line_mode),
    FIELD("swap_pins", 13, FW_SWITCH, swap_pins),
    FIELD("damaged", 14, FW_SWITCH, damaged),
    FIELD("discovery", 15, FW_SWITCH, discovery),
    FIELD("fingerprint", 16, FW_TEXT, fingerprint),
};

static bool is_text(const struct fw_field *f)
{
    return f->kind == FW_TEXT || f->kind == FW_SECRET;
}

static char *text_of(struct fw_settings *s, const struct fw_field *f)
{
    return (char *)s + f->offset;
}

uint16_t fw_settings_number(const struct fw_settings *s, const struct fw_field *f)
{
    const uint8_t *at = (const uint8_t *)s + f->offset;
    uint16_t wide;

    if (f->size == 1)
        return *at;
    memcpy(&wide, at, sizeof wide);
    return wide;
}

static void set_number(struct fw_settings *s, const struct fw_field *f, uint16_t number)
{
    uint8_t narrow = (uint8_t)number;

    if (f->size == 1)
        memcpy(text_of(s, f), &narrow, 1);
    else
        memcpy(text_of(s, f), &number, sizeof number);
}

void fw_settings_defaults(struct fw_settings *s, const char *name)
{
    static const char topic[] = "sensors/smartmeter", status_topic[] = "status/smartmeter";

    memset(s, 0, sizeof *s);
    memcpy(s->topic, topic, sizeof topic);
    memcpy(s->status_topic, status_topic, sizeof status_topic);
    strncpy(s->name, name, sizeof s->name - 1);
    s->port = 1883;
    s->line_mode = FW_LINE_AUTO;
    s->swap_pins = 1;
    s->damaged = 1;
    s->discovery = 1;
}

size_t fw_settings_encode(const struct fw_settings *s, uint8_t out[FW_SETTINGS_MAX])
{
    size_t at = HEAD;
    uint16_t crc;

    out[0] = MAGIC_0;
    out[1] = MAGIC_1;
    out[2] = VERSION;
    for (const struct fw_field *f = fw_fields; f < fw_fields + FW_FIELDS; f++) {
        const char *text = (const char *)s + f->offset;
        uint16_t number = is_text(f) ? 0 : fw_settings_number(s, f);
        const uint8_t octets[2] = {(uint8_t)(number >> 8), (uint8_t)number};
        size_t len = is_text(f) ? strlen(text) : f->size;

        out[at++] = f->tag;
        out[at++] = (uint8_t)len;
        memcpy(out + at, is_text(f) ? (const void *)text : octets + 2 - len, len);
        at += len;
    }
    crc = fw_crc(out, at);
    out[at++] = (uint8_t)crc;
    out[at++] = (uint8_t)(crc >> 8);
    return at;
}

static void read_field(struct fw_settings *s, uint8_t tag, const uint8_t *octets, size_t len)
{
    const struct fw_field *f = fw_fields;

    while (f < fw_fields + FW_FIELDS && f->tag != tag)
        f++;
    if (f == fw_fields + FW_FIELDS)
        return;
    if (is_text(f) && len < f->size) {
        memset(text_of(s, f), 0, f->size);
        memcpy(text_of(s, f), octets, len);
    } else if (!is_text(f) && len == f->size) {
        set_number(s, f, (uint16_t)(len == 1 ? octets[0] : octets[0] << 8 | octets[1]));
    }
}

enum fw_settings_result fw_settings_decode(struct fw_settings *s, const uint8_t *octets, size_t len)
{
    struct fw_settings read = *s;
    size_t end = len - CRC;
    uint16_t crc;

    if (len < HEAD + CRC || octets[0] != MAGIC_0 || octets[1] != MAGIC_1)
        return FW_SETTINGS_DAMAGED;
    crc = fw_crc(octets, end);
    if (octets[end] != (uint8_t)crc || octets[end + 1] != (uint8_t)(crc >> 8))
        return FW_SETTINGS_DAMAGED;
    if (octets[2] > VERSION)
        return FW_SETTINGS_NEWER;
    for (size_t at = HEAD; at < end;) {
        if (end - at < 2 || octets[at + 1] > end - at - 2)
            return FW_SETTINGS_DAMAGED;
        read_field(&read, octets[at], octets + at + 2, octets[at + 1]);
        at += 2 + octets[at + 1];
    }
    *s = read;
    return FW_SETTINGS_READ;
}

/* Decimal digits up to 65535. */
static bool parse_number(const char *text, uint16_t *out)
{
    uint32_t number = 0;
    size_t n = 0;

    for (; text[n] >= '0' && text[n] <= '9' && n < 5; n++)
        number = number * 10 + (uint32_t)(text[n] - '0');
    if (n == 0 || text[n] != '\0' || number > UINT16_MAX)
        return false;
    *out = (uint16_t)number;
    return true;
}

bool fw_settings_set(struct fw_settings *s, const struct fw_field *f, const char *text)
{
    size_t len = strlen(text);
    uint16_t number;

    if (is_text(f)) {
        for (size_t i = 0; i < len; i++)
            if ((uint8_t)text[i] < ' ' || text[i] == 0x7F)
                return false;
        if (len >= f->size)
            return false;
        memset(text_of(s, f), 0, f->size);
        memcpy(text_of(s, f), text, len);
        return true;
    }
    if (!parse_number(text, &number) || (f->kind == FW_SWITCH && number > 1) ||
        (f->kind == FW_CHOICE && number >= FW_LINE_MODES && number != FW_LINE_AUTO))
        return false;
    set_number(s, f, number);
    return true;
}

bool fw_settings_pin(const struct fw_settings *s, uint8_t out[FW_PIN_LEN])
{
    char digits[2 * FW_PIN_LEN + 1];
    size_t n = 0;

    for (const char *at = s->fingerprint; *at != '\0'; at++) {
        if (*at == ':' && n > 0 && n % 2 == 0 && at[1] != '\0' && at[1] != ':')
            continue;
        if (n == sizeof digits - 1)
            return false;
        digits[n++] = *at;
    }
    digits[n] = '\0';
    return hex_decode(digits, out, FW_PIN_LEN) == 0;
}

/* What WPA2 takes: 8 to 63 characters, or the key itself in 64 digits; none: an open network. */
static bool is_wifi_password(const char *text)
{
    size_t len = strlen(text), digits = 0;

    while (hex_digit((unsigned char)text[digits]) >= 0)
        digits++;
    return len == 0 || (len >= 8 && len < 64) || (len == 64 && digits == len);
}

/* A topic to publish to: no wildcard, no empty one. */
static bool is_topic(const char *text)
{
    return *text != '\0' && strchr(text, '+') == NULL && strchr(text, '#') == NULL;
}

const char *fw_settings_wrong(const struct fw_settings *s)
{
    uint8_t pin[FW_PIN_LEN];

    if (s->ssid[0] == '\0')
        return "ssid";
    if (!is_wifi_password(s->wifi_password))
        return "wifi_password";
    if (s->broker[0] == '\0' || strchr(s->broker, ' ') != NULL || strchr(s->broker, '/') != NULL)
        return "broker";
    if (s->port == 0)
        return "port";
    if (!is_topic(s->topic))
        return "topic";
    if (!is_topic(s->status_topic) || strcmp(s->topic, s->status_topic) == 0)
        return "status_topic";
    if (s->name[0] == '\0' || strchr(s->name, '/') != NULL || !is_topic(s->name))
        return "name";
    if (s->update_url[0] != '\0' && strncmp(s->update_url, "https://", 8) != 0)
        return "update_url";
    if (s->fingerprint[0] != '\0' && !fw_settings_pin(s, pin))
        return "fingerprint";
    return NULL;
}
