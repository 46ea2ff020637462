#include "fw_words.h"

#include <stddef.h>
#include <string.h>

/* NOLINTBEGIN(bugprone-suspicious-missing-comma): long texts are of several literals. */
/* Umlauts as HTML entities: the source stays plain, the page needs no particular encoding. */
const char *const fw_words[FW_LANGUAGES][FW_WORDS] = {
    [FW_GERMAN] =
        {
            [FW_WORD_LANG] = "de",
            [FW_WORD_OTHER] = "en",
            [FW_WORD_OTHER_NAME] = "English",
            [FW_WORD_TITLE] = "Z&auml;hlwerk einrichten",
            [FW_WORD_INTRO] =
                "Dieses Ger&auml;t schickt, was der Stromz&auml;hler sendet, an Ihren "
                "MQTT-Broker. Der Schl&uuml;ssel des Z&auml;hlers bleibt am Server.",
            [FW_WORD_SAVE] = "Speichern und verbinden",
            [FW_WORD_MORE] = "Weitere Einstellungen",
            [FW_WORD_KEPT] = "gespeichert; leer lassen zum Behalten",
            [FW_WORD_WRONG] = "Bitte pr&uuml;fen:",
            [FW_WORD_NOT_SAVED] = "Speichern ist fehlgeschlagen. Bitte noch einmal versuchen.",
            [FW_WORD_SAVED_TITLE] = "Gespeichert",
            [FW_WORD_SAVED] =
                "Das Ger&auml;t startet neu und verbindet sich. Leuchtet die LED alle "
                "paar Sekunden kurz auf, kommen Telegramme an. Blinkt sie schnell, "
                "l&auml;sst sich das WLAN nicht erreichen: dann &ouml;ffnet sich dieses "
                "Netz nach drei Minuten wieder.",
            [FW_WORD_NETWORK] = "WLAN",
            [FW_WORD_BROKER] = "MQTT-Broker",
            [FW_WORD_CA] = "CA-Zertifikat (PEM), oder das selbst unterschriebene des Brokers",
            [FW_WORD_CA_KEPT] = "Ein Zertifikat ist gespeichert; leer lassen zum Behalten.",
            [FW_WORD_AUTO] = "automatisch erkennen",
        },
    [FW_ENGLISH] =
        {
            [FW_WORD_LANG] = "en",
            [FW_WORD_OTHER] = "de",
            [FW_WORD_OTHER_NAME] = "Deutsch",
            [FW_WORD_TITLE] = "Set up Z&auml;hlwerk",
            [FW_WORD_INTRO] =
                "This device sends what the electricity meter says to your MQTT broker. "
                "The meter's key stays on the server.",
            [FW_WORD_SAVE] = "Save and connect",
            [FW_WORD_MORE] = "More settings",
            [FW_WORD_KEPT] = "stored; leave empty to keep it",
            [FW_WORD_WRONG] = "Please check:",
            [FW_WORD_NOT_SAVED] = "Saving failed. Please try again.",
            [FW_WORD_SAVED_TITLE] = "Saved",
            [FW_WORD_SAVED] =
                "The device restarts and connects. When its LED lights up briefly every "
                "few seconds, telegrams are coming in. When it blinks fast, the Wi-Fi "
                "cannot be reached: this network opens again after three minutes.",
            [FW_WORD_NETWORK] = "Wi-Fi",
            [FW_WORD_BROKER] = "MQTT broker",
            [FW_WORD_CA] = "CA certificate (PEM), or the broker's self-signed one",
            [FW_WORD_CA_KEPT] = "A certificate is stored; leave this empty to keep it.",
            [FW_WORD_AUTO] = "detect",
        },
};

/* NOLINTEND(bugprone-suspicious-missing-comma) */

static const struct {
    const char *name;
    const char *label[FW_LANGUAGES], *hint[FW_LANGUAGES];
} fields[] = {
    {"ssid", {"Name des Netzes", "Network name"}, {"2,4 GHz", "2.4 GHz"}},
    {"wifi_password",
     {"WLAN-Passwort", "Wi-Fi password"},
     {"mindestens 8 Zeichen, 64 nur als Hex-Ziffern; leer bei offenem Netz; neu einzugeben, wenn "
      "sich "
      "CA-Zertifikat oder Update-Adresse &auml;ndern",
      "8 characters or more, 64 only as hex digits; empty if it is open; to be typed again when CA "
      "certificate or address of updates change"}},
    {"broker",
     {"Adresse des Brokers", "Address of the broker"},
     {"ein Name oder eine IP-Adresse, ohne mqtt://; mit CA-Zertifikat der Name, der im Zertifikat "
      "des "
      "Brokers steht",
      "a name or an IP address, without mqtt://; with a CA certificate the name that is in the "
      "broker's certificate"}},
    {"port", {"Port", "Port"}, {"1883, mit TLS meist 8883", "1883, with TLS mostly 8883"}},
    {"user", {"Benutzer", "User"}, {"leer, wenn keiner n&ouml;tig ist", "empty if none is needed"}},
    {"password",
     {"Passwort", "Password"},
     {"neu einzugeben, wenn sich Broker, Port, TLS, Zertifikat oder Update-Adresse &auml;ndern, "
      "ohne "
      "TLS auch mit dem WLAN",
      "to be typed again when broker, port, TLS, certificate or address of updates change, without "
      "TLS also with the Wi-Fi"}},
    {"topic",
     {"Topic der Telegramme", "Topic of the telegrams"},
     {"ohne + und #; am Server SMARTMETER_RAWDATA_MQTT_TOPIC",
      "without + and #; on the server SMARTMETER_RAWDATA_MQTT_TOPIC"}},
    {"status_topic",
     {"Topic des Zustands", "Topic of the status"},
     {"ein anderes als das der Telegramme", "another than that of the telegrams"}},
    {"name",
     {"Name des Ger&auml;ts", "Name of the device"},
     {"am Broker und im Netz; ohne / + #", "at the broker and in the network; without / + #"}},
    {"tls", {"TLS verwenden", "Use TLS"}, {"", ""}},
    {"ca",
     {"CA-Zertifikat", "CA certificate"},
     {"von -----BEGIN CERTIFICATE----- bis -----END CERTIFICATE-----, h&ouml;chstens 3072 Zeichen; "
      "mit TLS n&ouml;tig, wenn kein Fingerabdruck da ist",
      "from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----, 3072 characters at most; "
      "needed with TLS when there is no fingerprint"}},
    {"fingerprint",
     {"Fingerabdruck des Broker-Zertifikats (SHA-256)",
      "Fingerprint of the broker's certificate (SHA-256)"},
     {"64 Hex-Ziffern, mit oder ohne Doppelpunkte; gilt statt des CA-Zertifikats",
      "64 hex digits, with or without colons; counts instead of the CA certificate"}},
    {"update_url",
     {"Adresse f&uuml;r Updates", "Address of updates"},
     {"https://..., leer: keine", "https://..., empty: none"}},
    {"line_mode", {"Baudrate und Parit&auml;t", "Baud rate and parity"}, {"", ""}},
    {"swap_pins",
     {"Z&auml;hler an D7 (GPIO13), USB f&uuml;r Meldungen", "Meter at D7 (GPIO13), USB for logs"},
     {"", ""}},
    {"damaged",
     {"Auch besch&auml;digte Telegramme senden (h&ouml;chstens eines je Minute)",
      "Send damaged telegrams too (one a minute at most)"},
     {"", ""}},
    {"discovery", {"In Home Assistant anmelden", "Announce to Home Assistant"}, {"", ""}},
};
enum { FIELDS = sizeof fields / sizeof fields[0] };

static size_t find(const char *name)
{
    size_t i = 0;

    while (i + 1 < FIELDS && strcmp(fields[i].name, name) != 0)
        i++;
    return i;
}

const char *fw_label(enum fw_language language, const char *name)
{
    return fields[find(name)].label[language];
}

const char *fw_hint(enum fw_language language, const char *name)
{
    return fields[find(name)].hint[language];
}
