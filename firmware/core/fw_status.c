#include "fw_status.h"

#include "fw_text.h"

static void member(struct fw_text *t, const char *key)
{
    fw_text_add(t, t->len == 1 ? "\"" : ",\"");
    fw_text_add(t, key);
    fw_text_add(t, "\":");
}

static void text_member(struct fw_text *t, const char *key, const char *text)
{
    member(t, key);
    fw_text_char(t, '"');
    fw_text_json(t, text);
    fw_text_char(t, '"');
}

size_t fw_status_json(const struct fw_status *s, char *out, size_t room)
{
    const struct {
        const char *key;
        uint32_t number;
    } numbers[] = {
        {"uptime_s", s->uptime_s},
        {"wifi_reconnects", s->wifi_reconnects},
        {"mqtt_reconnects", s->mqtt_reconnects},
        {"telegrams", s->telegrams},
        {"frames_good", s->frames_good},
        {"frames_bad", s->frames_bad},
        {"noise", s->noise},
        {"parity_errors", s->parity_errors},
        {"framing_errors", s->framing_errors},
        {"overruns", s->overruns},
        {"ring", s->ring},
        {"ring_octets", s->ring_octets},
        {"dropped", s->dropped},
        {"heap", s->heap},
        {"heap_least", s->heap_least},
    };
    struct fw_text t = fw_text_make(out, room);

    fw_text_char(&t, '{');
    text_member(&t, "version", s->version);
    text_member(&t, "line", s->line);
    text_member(&t, "reset", s->reset);
    member(&t, "rssi");
    fw_text_signed(&t, s->rssi_dbm);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        member(&t, numbers[i].key);
        fw_text_number(&t, numbers[i].number);
    }
    fw_text_char(&t, '}');
    return t.full ? 0 : t.len;
}

static const struct {
    const char *key, *name, *unit, *class, *state;
} diagnostics[FW_DIAGNOSTICS] = {
    {"rssi", "Wi-Fi signal", "dBm", "signal_strength", "measurement"},
    {"uptime_s", "Uptime", "s", "duration", "total_increasing"},
    {"telegrams", "Telegrams", NULL, NULL, "total_increasing"},
    {"frames_bad", "Damaged frames", NULL, NULL, "total_increasing"},
    {"ring", "Unsent telegrams", NULL, NULL, "measurement"},
    {"dropped", "Dropped telegrams", NULL, NULL, "total_increasing"},
    {"mqtt_reconnects", "MQTT reconnects", NULL, NULL, "total_increasing"},
    {"heap", "Free memory", "B", "data_size", "measurement"},
    {"line", "Line", NULL, NULL, NULL},
};

static void device_member(struct fw_text *t, const char *name, const char *version)
{
    fw_text_add(t, ",\"device\":{\"identifiers\":[\"");
    fw_text_json(t, name);
    fw_text_add(t, "\"],\"name\":\"");
    fw_text_json(t, name);
    fw_text_add(t, "\",\"manufacturer\":\"Z\xC3\xA4hlwerk\",\"model\":\"ESP8266 M-Bus receiver\","
                   "\"sw_version\":\"");
    fw_text_json(t, version);
    fw_text_add(t, "\"}");
}

/* Letters, digits, - and _ are what discovery topics and ids may hold. */
static void id_text(struct fw_text *t, const char *name)
{
    for (; *name != '\0'; name++) {
        bool fine = (*name >= '0' && *name <= '9') || (*name >= 'A' && *name <= 'Z') ||
                    (*name >= 'a' && *name <= 'z') || *name == '-';

        if (fine)
            fw_text_char(t, *name);
        else
            fw_text_char(t, '_');
    }
}

size_t fw_discovery(unsigned index,
                    const char *name,
                    const char *status_topic,
                    const char *version,
                    char *topic,
                    size_t topic_room,
                    char *payload,
                    size_t room)
{
    struct fw_text to = fw_text_make(topic, topic_room), t = fw_text_make(payload, room);
    const char *key = diagnostics[index].key;

    fw_text_add(&to, "homeassistant/sensor/");
    id_text(&to, name);
    fw_text_char(&to, '/');
    fw_text_add(&to, key);
    fw_text_add(&to, "/config");

    fw_text_char(&t, '{');
    text_member(&t, "name", diagnostics[index].name);
    member(&t, "unique_id");
    fw_text_char(&t, '"');
    id_text(&t, name);
    fw_text_char(&t, '_');
    fw_text_add(&t, key);
    fw_text_char(&t, '"');
    text_member(&t, "entity_category", "diagnostic");
    text_member(&t, "state_topic", status_topic);
    member(&t, "value_template");
    fw_text_add(&t, "\"{{ value_json.");
    fw_text_add(&t, key);
    fw_text_add(&t, " }}\"");
    member(&t, "availability_topic");
    fw_text_char(&t, '"');
    fw_text_json(&t, status_topic);
    fw_text_add(&t, "/online\"");
    if (diagnostics[index].unit != NULL)
        text_member(&t, "unit_of_measurement", diagnostics[index].unit);
    if (diagnostics[index].class != NULL)
        text_member(&t, "device_class", diagnostics[index].class);
    if (diagnostics[index].state != NULL)
        text_member(&t, "state_class", diagnostics[index].state);
    device_member(&t, name, version);
    fw_text_char(&t, '}');
    return t.full || to.full ? 0 : t.len;
}
