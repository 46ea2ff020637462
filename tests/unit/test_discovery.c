/* What Home Assistant is told; the whole of it is held against its documentation end to end
 * (tests/e2e/test_homeassistant.py). */
#include "tools.h"

#include <jansson.h>

#include "discovery.h"
#include "fields.h"

static const struct discovery plain = {
    .meter = "5341475E40F89D93",
    .name = "",
    .number = "178290335021",
    .topic = "sensors/smartmeter/values",
    .publisher_topic = "",
    .fields = UINT32_C(1) << FIELDS_POWER | UINT32_C(1) << FIELDS_ENERGY_IMPORT |
              UINT32_C(1) << FIELDS_LAST_SEEN,
    .expire_seconds = 60,
};

static json_t *told(const struct discovery *d)
{
    char *text = discovery_payload(d);
    json_t *root;

    assert_non_null(text);
    root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    free(text);
    return root;
}

static const char *text_of(const json_t *root, const char *object, const char *key)
{
    return json_string_value(json_object_get(json_object_get(root, object), key));
}

static void the_payload_octet_for_octet(void **state)
{
    char *text = discovery_payload(&plain);

    (void)state;
    assert_string_equal(
        text,
        "{\"device\":{\"identifiers\":[\"zaehlwerk_5341475e40f89d93\"],\"name\":\"Smart meter "
        "178290335021\",\"manufacturer\":\"Sagemcom\",\"serial_number\":\"178290335021\"},"
        "\"origin\":{\"name\":\"Zählwerk\",\"sw_version\":\"" ZW_VERSION "\"},"
        "\"availability\":[{\"topic\":\"sensors/smartmeter/values/status\"}],"
        "\"availability_mode\":\"all\",\"qos\":0,\"components\":{"
        "\"power\":{\"platform\":\"sensor\",\"name\":\"Power\",\"unique_id\":"
        "\"zaehlwerk_5341475e40f89d93_power\",\"default_entity_id\":"
        "\"sensor.smart_meter_5341475e40f89d93_power\",\"state_topic\":"
        "\"sensors/smartmeter/values/power\",\"device_class\":\"power\",\"state_class\":"
        "\"measurement\",\"unit_of_measurement\":\"W\",\"suggested_display_precision\":0,"
        "\"expire_after\":60},"
        "\"energy_import_kwh\":{\"platform\":\"sensor\",\"name\":\"Energy import\",\"unique_id\":"
        "\"zaehlwerk_5341475e40f89d93_energy_import_kwh\",\"default_entity_id\":"
        "\"sensor.smart_meter_5341475e40f89d93_energy_import_kwh\",\"state_topic\":"
        "\"sensors/smartmeter/values/energy_import_kwh\",\"device_class\":\"energy\","
        "\"state_class\":\"total_increasing\",\"unit_of_measurement\":\"kWh\","
        "\"suggested_display_precision\":3,\"expire_after\":10800},"
        "\"last_seen\":{\"platform\":\"sensor\",\"name\":\"Last seen\",\"unique_id\":"
        "\"zaehlwerk_5341475e40f89d93_last_seen\",\"default_entity_id\":"
        "\"sensor.smart_meter_5341475e40f89d93_last_seen\",\"state_topic\":"
        "\"sensors/smartmeter/values/last_seen\",\"device_class\":\"timestamp\","
        "\"entity_category\":\"diagnostic\",\"availability\":[]}}}");
    free(text);
}

static void makers_and_names(void **state)
{
    static const struct row {
        const char *why, *meter, *name, *number, *maker, *device, *entity;
    } rows[] = {
        {"a name", "4B464D2D3281D0BF",
         "K\xC3\xBC"
         "che +1",
         "1", "Kaifa",
         "K\xC3\xBC"
         "che +1",
         "sensor.k_che_1_power"},
        {"neither name nor number", "5341475E40F89D93", "", "", "Sagemcom",
         "Smart meter 5341475E40F89D93", "sensor.smart_meter_5341475e40f89d93_power"},
        {"letters of a maker that is not known", "5858580000000001", "", "7", "XXX",
         "Smart meter 7", "sensor.smart_meter_5858580000000001_power"},
        {"a hash", "00F1A70000000001", "", "7", NULL, "Smart meter 7",
         "sensor.smart_meter_00f1a70000000001_power"},
        {"no id of ours", "x/+", "", "7", NULL, "Smart meter 7", "sensor.smart_meter_x__power"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct discovery d = plain;
        const char *maker, *entity;
        json_t *root;

        d.meter = rows[i].meter;
        d.name = rows[i].name;
        d.number = rows[i].number;
        root = told(&d);
        maker = text_of(root, "device", "manufacturer");
        entity = text_of(json_object_get(root, "components"), "power", "default_entity_id");
        if ((maker == NULL) != (rows[i].maker == NULL) ||
            (maker != NULL && strcmp(maker, rows[i].maker) != 0))
            fail_msg("%s: %s", rows[i].why, maker);
        assert_string_equal(text_of(root, "device", "name"), rows[i].device);
        assert_string_equal(entity, rows[i].entity);
        assert_int_equal(text_of(root, "device", "serial_number") == NULL, *d.number == '\0');
        json_decref(root);
    }
}

static void every_field_has_an_entity(void **state)
{
    struct discovery d = plain;
    json_t *root, *components;

    (void)state;
    d.fields = UINT32_MAX;
    d.publisher_topic = "zaehlwerk/publisher/status";
    d.qos = 2;
    d.expire_seconds = 20000;
    root = told(&d);
    components = json_object_get(root, "components");
    assert_int_equal(json_object_size(components), FIELDS_COUNT);
    assert_int_equal(json_array_size(json_object_get(root, "availability")), 2);
    assert_int_equal(json_integer_value(json_object_get(root, "qos")), 2);
    for (int place = 0; place < FIELDS_COUNT; place++) {
        const json_t *c = json_object_get(components, fields_name((enum fields_place)place));
        const json_t *expires = json_object_get(c, "expire_after");

        assert_non_null(json_string_value(json_object_get(c, "name")));
        assert_true(expires == NULL || json_integer_value(expires) == 20000);
        assert_int_equal(expires == NULL, json_object_get(c, "availability") != NULL);
    }
    json_decref(root);
}

static void topics(void **state)
{
    char topic[64];

    (void)state;
    discovery_topic("homeassistant", "5341475E40F89D93", topic, sizeof topic);
    assert_string_equal(topic, "homeassistant/device/zaehlwerk_5341475e40f89d93/config");
    discovery_topic("ha", "x/+#", topic, sizeof topic);
    assert_string_equal(topic, "ha/device/zaehlwerk_x_/config");
    discovery_topic("ha", "5341475E40F89D93", topic, 8);
    assert_string_equal(topic, "ha/devi");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_payload_octet_for_octet),
        cmocka_unit_test(makers_and_names),
        cmocka_unit_test(every_field_has_an_entity),
        cmocka_unit_test(topics),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
