/* fw_settings: what the user has set, and how it is kept in flash. */
#ifndef FW_SETTINGS_H
#define FW_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FW_SETTINGS_MAX 768 /* octets of all settings encoded, and more */

/** Texts end with a NUL; the CA certificate is kept apart, for its size. */
struct fw_settings {
    char ssid[33];
    char wifi_password[65];
    char broker[65]; /* host name or address */
    char user[65];
    char password[65];
    char topic[65];        /* of telegrams */
    char status_topic[65]; /* retained status, and the last will below it */
    char name[33];         /* MQTT client id and host name */
    char update_url[129];  /* https://...: where updates are fetched; empty: none */
    char fingerprint[96];  /* SHA-256 of the broker's certificate, hex; empty: the CA decides */
    uint16_t port;
    uint8_t tls;       /* 1: with the fingerprint or the stored CA certificate */
    uint8_t line_mode; /* place in fw_line_modes, or FW_LINE_AUTO */
    uint8_t swap_pins; /* 1: the meter on GPIO13 (D7), so that the USB serial stays for logs */
    uint8_t damaged; /* 1: damaged telegrams are sent too, one a minute, so that the server tells */
    uint8_t discovery; /* 1: Home Assistant is told of the diagnostics */
};

#define FW_PIN_LEN 32 /* SHA-256 */

enum fw_field_kind { FW_TEXT, FW_SECRET, FW_NUMBER, FW_SWITCH, FW_CHOICE };

/** One field of it, for the codec and the portal's form. */
struct fw_field {
    const char *name; /* in the form */
    uint8_t tag;      /* in flash: never another meaning, never reused */
    uint8_t kind;
    uint16_t offset;
    uint16_t size; /* of the member */
};

#define FW_FIELDS 16

extern const struct fw_field fw_fields[FW_FIELDS];

enum fw_settings_result {
    FW_SETTINGS_READ,
    FW_SETTINGS_DAMAGED, /* cut off, or its check sequence fails */
    FW_SETTINGS_NEWER,   /* written in another form by a newer firmware */
};

/** name: what is the device's own if the user gives none, such as zaehlwerk-A1B2C3. */
void fw_settings_defaults(struct fw_settings *s, const char *name);

/** Returns the octets written, at most FW_SETTINGS_MAX. */
size_t fw_settings_encode(const struct fw_settings *s, uint8_t out[FW_SETTINGS_MAX]);

/**
 * Read what any version has written over the defaults in s: fields that it did not know stay, those
 * that are not known here are skipped. s is untouched unless FW_SETTINGS_READ is returned.
 */
enum fw_settings_result
fw_settings_decode(struct fw_settings *s, const uint8_t *octets, size_t len);

/**
 * The fingerprint as octets: 64 hex digits in either case, colons between octets or not, as OpenSSL
 * and browsers show it. False when it is anything else, "" too; out is then undefined.
 */
bool fw_settings_pin(const struct fw_settings *s, uint8_t out[FW_PIN_LEN]);

/** The form name of the first setting that cannot work, or NULL: all can. */
const char *fw_settings_wrong(const struct fw_settings *s);

/**
 * Set one field from a form's text. False when it is too long, not a number of its range, or holds
 * a control character.
 */
bool fw_settings_set(struct fw_settings *s, const struct fw_field *f, const char *text);

/** The number in a field that is no text. */
uint16_t fw_settings_number(const struct fw_settings *s, const struct fw_field *f);

#endif
