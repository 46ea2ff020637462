"""Home Assistant's documented form of an MQTT discovery message for a device, as a check that can fail.

From its documentation: integrations/mqtt ("Device discovery payload", "Discovery topic", "Using
availability topics"), integrations/sensor.mqtt (the options of a sensor), and the sensor entity's
tables of device classes, their units and state classes. Only what a publisher of sensors may use is
listed: whatever is not in these tables is refused.
"""

import json
import re

TOPIC = re.compile(r"[^/+#]+/device/(?:[a-zA-Z0-9_-]+/)?[a-zA-Z0-9_-]+/config")
ENTITY = re.compile(r"sensor\.[a-z0-9_]+")
URL = re.compile(r"https?://[^/\s]+.*")

ROOT = {"device": dict, "origin": dict, "components": dict, "availability": list, "availability_mode": str, "qos": int,
        "state_topic": str, "encoding": str}  # fmt: skip
DEVICE = {"identifiers": list, "connections": list, "name": str, "manufacturer": str, "model": str, "model_id": str, "hw_version": str,
          "sw_version": str, "serial_number": str, "suggested_area": str, "via_device": str, "configuration_url": str}  # fmt: skip
ORIGIN = {"name": str, "sw_version": str, "support_url": str}
AVAILABILITY = {"topic": str, "payload_available": str, "payload_not_available": str, "value_template": str}
SENSOR = {"platform": str, "name": str, "unique_id": str, "default_entity_id": str, "state_topic": str, "device_class": str,
          "state_class": str, "unit_of_measurement": str, "suggested_display_precision": int, "expire_after": int, "force_update": bool,
          "entity_category": str, "enabled_by_default": bool, "icon": str, "value_template": str, "last_reset_value_template": str,
          "availability": list, "availability_mode": str, "availability_topic": str, "qos": int, "options": list}  # fmt: skip

# device class: (units, state classes); None: none given. Timestamps are no numbers.
CLASSES = {
    "power": ({"mW", "W", "kW", "MW", "GW", "TW"}, {"measurement"}),
    "energy": ({"Wh", "kWh", "MWh", "GWh", "TWh", "mWh", "J", "kJ", "MJ", "GJ"}, {"total", "total_increasing"}),
    "voltage": ({"V", "mV", "µV", "kV", "MV"}, {"measurement"}),
    "current": ({"A", "mA"}, {"measurement"}),
    "power_factor": ({"%", None}, {"measurement"}),
    "reactive_power": ({"var", "kvar", "mvar"}, {"measurement"}),
    "reactive_energy": ({"varh", "kvarh"}, {"total", "total_increasing"}),
    "timestamp": ({None}, {None}),
    None: (None, {None, "measurement", "total", "total_increasing"}),
}


class Wrong(Exception):
    """What Home Assistant would not take."""


def demand(condition, what):
    if not condition:
        raise Wrong(what)


def members(value, table, required, where):
    """An object with keys of the table alone, of their types, the required ones among them."""
    demand(isinstance(value, dict), f"{where} is an object")
    for key, member in value.items():
        demand(key in table, f"{where}: {key} is not documented")
        demand(type(member) is table[key], f"{where}: {key} is of another type")
        demand(member != "", f"{where}: {key} is empty")
    for key in required:
        demand(key in value, f"{where}: {key} is missing")


def topics(value):
    for entry in value:
        members(entry, AVAILABILITY, ["topic"], "availability")
        demand(not set("+#") & set(entry["topic"]), "an availability topic without wildcards")


def sensor(key, value):
    members(value, SENSOR, ["platform", "name", "unique_id", "state_topic"], key)
    demand(value["platform"] == "sensor", f"{key}: platform")
    demand(not set("+#") & set(value["state_topic"]), f"{key}: state_topic")
    if "default_entity_id" in value:
        demand(ENTITY.fullmatch(value["default_entity_id"]), f"{key}: default_entity_id {value['default_entity_id']}")
    device_class, unit, state_class = (value.get(k) for k in ("device_class", "unit_of_measurement", "state_class"))
    demand(device_class in CLASSES, f"{key}: device class {device_class}")
    units, state_classes = CLASSES[device_class]
    demand(units is None or unit in units, f"{key}: unit {unit} of {device_class}")
    demand(state_class in state_classes, f"{key}: state class {state_class} of {device_class}")
    demand("last_reset_value_template" not in value or state_class == "total", f"{key}: last_reset wants state class total")
    demand(value.get("entity_category", "diagnostic") == "diagnostic", f"{key}: a sensor's category is diagnostic")
    demand(value.get("expire_after", 1) > 0 and value.get("suggested_display_precision", 0) >= 0, f"{key}: a negative number")
    demand(value.get("availability_mode", "all") in ("all", "any", "latest"), f"{key}: availability_mode")
    demand(not ("availability" in value and "availability_topic" in value), f"{key}: two forms of availability")
    topics(value.get("availability", []))


def check(topic, payload):
    """The message as an object; Wrong where the documentation would not allow it."""
    demand(TOPIC.fullmatch(topic), f"the topic {topic}")
    try:
        message = json.loads(payload)
    except ValueError as e:
        raise Wrong(f"JSON: {e}") from None
    members(message, ROOT, ["device", "origin", "components"], "the message")
    members(message["device"], DEVICE, ["name"], "device")
    demand(message["device"].get("identifiers") or message["device"].get("connections"), "device: identifiers or connections")
    demand(all(isinstance(i, str) for i in message["device"].get("identifiers", [])), "device: identifiers are texts")
    members(message["origin"], ORIGIN, ["name"], "origin")
    demand(URL.fullmatch(message["origin"].get("support_url", "http://x")), "origin: support_url")
    demand(message.get("availability_mode", "all") in ("all", "any", "latest"), "availability_mode")
    demand(message.get("qos", 0) in (0, 1, 2), "qos")
    topics(message.get("availability", []))
    demand(message["components"], "components: none")
    for key, value in message["components"].items():
        sensor(key, value)
        demand(not value["name"].startswith(message["device"]["name"]), f"{key}: its name repeats the device's")
    for kind in ("unique_id", "default_entity_id"):
        ids = [c[kind] for c in message["components"].values() if kind in c]
        demand(len(set(ids)) == len(ids), f"{kind} is not unique")
    return message


def fits(component, text):
    """Whether a state is one that the entity can show."""
    if component.get("device_class") == "timestamp":
        return re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", text) is not None
    return re.fullmatch(r"-?\d+(\.\d+)?", text) is not None
