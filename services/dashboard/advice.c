#include "advice.h"

#include <jansson.h>

static const struct {
    const char *de, *en;
} advices[VERDICT_COUNT] = {
    [VERDICT_OK] = {"Alles in Ordnung: Das Telegramm wurde gelesen.",
                    "All is well: the telegram was read."},
    [VERDICT_CHECKSUM] = {"Unterwegs haben sich Daten verändert. Bitte Verdrahtung und Parität "
                          "(8E1 oder 8N1) des Lesegeräts prüfen.",
                          "Data changed on the way. Check the receiver's wiring and parity (8E1 or "
                          "8N1)."},
    [VERDICT_TRUNCATED] = {"Das Ende des Telegramms fehlt. Das Lesegerät hört zu früh auf zu "
                           "lesen.",
                           "The end of the telegram is missing. The receiver stops reading too "
                           "early."},
    [VERDICT_LOST_OCTETS] = {"Mitten im Telegramm fehlen Daten. Der Puffer des Lesegeräts ist zu "
                             "klein, oder sein Adapter ist ungeeignet.",
                             "Data is missing inside the telegram. The receiver's buffer is too "
                             "small, or its adapter is unfit."},
    [VERDICT_SEQUENCE] = {"Ein Teil des Telegramms ging zwischen Lesegerät und MQTT-Broker "
                          "verloren.",
                          "A part of the telegram was lost between the receiver and the MQTT "
                          "broker."},
    [VERDICT_NO_KEY] = {"Für diesen Zähler ist kein Schlüssel eingetragen. Den Schlüssel gibt der "
                        "Netzbetreiber aus.",
                        "There is no key for this meter. The grid operator hands it out."},
    [VERDICT_WRONG_KEY] = {"Der Schlüssel passt nicht zu diesem Zähler. Bitte beim Netzbetreiber "
                           "nachfragen.",
                           "The key does not fit this meter. Please ask the grid operator."},
    [VERDICT_TAG] = {"Der Schlüssel passt, aber der Authentifizierungsschlüssel nicht, oder das "
                     "Telegramm ist gefälscht.",
                     "The key fits, but the authentication key does not, or the telegram is "
                     "forged."},
    [VERDICT_UNKNOWN_LAYOUT] = {"Das Telegramm wurde entschlüsselt, aber seine Form ist noch nicht "
                                "bekannt. Bitte melden.",
                                "The telegram was decrypted, but its form is not known yet. Please "
                                "report it."},
    [VERDICT_NOT_A_FRAME] = {"Das ist kein Telegramm eines Zählers.",
                             "This is no telegram of a meter."},
    [VERDICT_IMPLAUSIBLE] = {"Das Telegramm wurde gelesen, aber kein Zähler kann solche Werte "
                             "gemessen haben: beschädigt oder gefälscht.",
                             "The telegram was read, but no meter can have measured this: damaged "
                             "or forged."},
    [VERDICT_POISON] = {"Jeder Versuch, das Telegramm zu verarbeiten, ist gescheitert. Bitte "
                        "melden.",
                        "Every attempt to process the telegram failed. Please report it."},
    [VERDICT_PARITY] =
        {"Die Daten sehen so aus, als passte die Parität nicht. Bitte am Lesegerät 8E1 "
         "statt 8N1 einstellen oder umgekehrt.",
         "The data looks as if the parity were wrong. Try 8E1 in place of 8N1 at the "
         "receiver, or the other way round."},
    [VERDICT_OTHER_INTERFACE] =
        {"Das kommt von einem Zähler, aber von einer Schnittstelle, die hier "
         "nicht gelesen wird.",
         "This is from a meter, but from an interface that is not read "
         "here."},
    [VERDICT_REFUSED] = {"Die Datenbank nimmt diese Werte nicht an. Bitte melden.",
                         "The database refuses these values. Please report it."},
};

const char *advice_de(enum verdict v)
{
    return (unsigned)v < VERDICT_COUNT && advices[v].de != NULL ? advices[v].de : "?";
}

const char *advice_en(enum verdict v)
{
    return (unsigned)v < VERDICT_COUNT && advices[v].en != NULL ? advices[v].en : "?";
}

struct json_t *advice_json(enum verdict v)
{
    return json_pack("{s:s, s:s}", "de", advice_de(v), "en", advice_en(v));
}
