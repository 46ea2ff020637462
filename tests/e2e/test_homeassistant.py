"""Home Assistant's MQTT discovery: what it is told, when, and whether it would take it."""

import copy
import json
import time

import frames
import homeassistant
import records
from harness import Case, wait_until
from pipeline import Pipeline
from stores import Sqlite
from values import Listener, Stage, retained

FULL = {"WIn": 10069016, "WOut": 219, "PIn": 366, "POut": 0, "U1": 233.8, "U2": 234.1, "U3": 234.8,
        "I1": 0.33, "I2": 0.46, "I3": 1.41, "PF": 0.943}  # fmt: skip


def config(meter, prefix="homeassistant"):
    return f"{prefix}/device/zaehlwerk_{meter.lower()}/config"


def at_midnight(name):
    """A meter whose second telegram, 10 s on, begins a month in Vienna."""
    return frames.Meter(name, utc=1764543600 - 10)


class Discovery(Case):
    @classmethod
    def prepare(cls):
        cls.stage = Stage(cls.world).start()
        cls.meter = at_midnight("everything")
        cls.telegrams = [cls.stage.through(cls.meter.telegram(values=FULL)) for _ in range(2)]
        wait_until(lambda: cls.stage.below(cls.telegrams[0], "totals"), "totals are saved")
        cls.topic = config(cls.meter.id)
        cls.payload = cls.stage.listener.last(cls.topic)
        cls.message = homeassistant.check(cls.topic, cls.payload)

    def test_the_device(self):
        m = self.message
        self.assertEqual(m["device"], {"identifiers": [f"zaehlwerk_{self.meter.id.lower()}"], "name": "Smart meter 181241675397",
                                       "manufacturer": "TST", "serial_number": "181241675397"})  # fmt: skip
        self.assertEqual((m["origin"]["name"], m["availability_mode"]), ("Zählwerk", "all"))
        self.assertRegex(m["origin"]["sw_version"], r"^\d+\.\d+\.\d+$")
        self.assertEqual([a["topic"] for a in m["availability"]], [f"home/{self.meter.id}/status", "zaehlwerk/publisher/status"])
        for a in m["availability"]:
            self.assertEqual(self.stage.listener.last(a["topic"]), "online")

    def test_it_is_retained_and_comes_before_the_first_value(self):
        self.assertEqual(retained(self.stage.broker)[self.topic], self.payload)
        order = [t for t, _, _, _ in self.stage.listener.messages()]
        self.assertLess(order.index(self.topic), order.index(f"home/{self.meter.id}/power"))
        self.assertEqual({q for t, q, _, _ in self.stage.listener.messages() if t == self.topic}, {1})

    def test_every_entity_has_a_state_that_it_can_show(self):
        states = self.stage.last(self.telegrams[0])
        for key, component in self.message["components"].items():
            self.assertEqual(component["state_topic"], f"home/{self.meter.id}/{key}")
            self.assertTrue(homeassistant.fits(component, states[key]), (key, states[key]))
        self.assertEqual(set(states) - set(self.message["components"]), {"status"} | ({"totals"} & set(states)))
        self.assertLessEqual({"power", "energy_import_kwh", "energy_export_kwh", "energy_import_today_kwh", "energy_import_month_kwh",
                              "l3_current", "power_factor", "last_seen", "rejects"}, set(states))  # fmt: skip

    def test_what_expires_and_what_does_not(self):
        c = self.message["components"]
        self.assertEqual((c["power"]["expire_after"], c["energy_import_kwh"]["expire_after"]), (60, 10800))
        for key in ("last_seen", "rejects"):
            self.assertEqual((c[key]["entity_category"], c[key]["availability"], "expire_after" in c[key]), ("diagnostic", [], False))

    def test_again_when_home_assistant_comes(self):
        def said():
            return len(self.stage.listener.payloads(self.topic))

        before = said()
        self.stage.broker.pub("homeassistant/status", b"offline")
        self.stage.broker.pub("homeassistant/status", b"online")
        wait_until(lambda: said() == before + 1, "the discovery is said again")
        self.assertEqual(self.stage.listener.last(self.topic), self.payload)
        self.assertEqual(said(), before + 1)

    def test_ids_stay_over_a_restart(self):
        before = retained(self.stage.broker)[self.topic]
        self.stage.publisher.stop()
        self.stage.start()
        self.stage.through(self.meter.telegram(values=FULL))
        self.assertEqual(retained(self.stage.broker)[self.topic], before)

    # What Home Assistant would refuse: each of these the check must find.
    MUTATIONS = [
        ("no device", lambda m: m.pop("device")),
        ("no origin", lambda m: m.pop("origin")),
        ("no components", lambda m: m.pop("components")),
        ("empty components", lambda m: m.update(components={})),
        ("an unknown key", lambda m: m.update(icon="mdi:flash")),
        ("no identifiers", lambda m: m["device"].pop("identifiers")),
        ("no name of the origin", lambda m: m["origin"].pop("name")),
        ("a support_url that is none", lambda m: m["origin"].update(support_url="zaehlwerk")),
        ("a wrong mode", lambda m: m.update(availability_mode="both")),
        ("availability without topic", lambda m: m["availability"][0].pop("topic")),
        ("no platform", lambda m: m["components"]["power"].pop("platform")),
        ("another platform", lambda m: m["components"]["power"].update(platform="number")),
        ("no unique_id", lambda m: m["components"]["power"].pop("unique_id")),
        ("a doubled unique_id", lambda m: m["components"]["power"].update(unique_id=m["components"]["l1_voltage"]["unique_id"])),
        ("object_id", lambda m: m["components"]["power"].update(object_id="power")),
        ("an entity id without domain", lambda m: m["components"]["power"].update(default_entity_id="power")),
        ("a wildcard", lambda m: m["components"]["power"].update(state_topic="home/+/power")),
        ("a unit of another class", lambda m: m["components"]["power"].update(unit_of_measurement="kWh")),
        ("no unit", lambda m: m["components"]["energy_import_kwh"].pop("unit_of_measurement")),
        ("an unknown class", lambda m: m["components"]["power"].update(device_class="watts")),
        ("energy that is measured", lambda m: m["components"]["energy_import_kwh"].update(state_class="measurement")),
        ("power that is a total", lambda m: m["components"]["power"].update(state_class="total_increasing")),
        ("a time with a unit", lambda m: m["components"]["last_seen"].update(unit_of_measurement="s")),
        ("a factor in volts", lambda m: m["components"]["power_factor"].update(unit_of_measurement="V")),
        ("a text for a number", lambda m: m["components"]["power"].update(expire_after="60")),
        ("never expires", lambda m: m["components"]["power"].update(expire_after=0)),
        ("a category of settings", lambda m: m["components"]["rejects"].update(entity_category="config")),
        ("the device's name again", lambda m: m["components"]["power"].update(name="Smart meter 181241675397 power")),
        ("null", lambda m: m["components"]["power"].update(device_class=None)),
    ]  # fmt: skip

    def test_the_check_can_fail(self):
        for why, mutate in self.MUTATIONS:
            with self.subTest(why):
                message = copy.deepcopy(self.message)
                mutate(message)
                with self.assertRaises(homeassistant.Wrong):
                    homeassistant.check(self.topic, json.dumps(message))
        for topic in ("homeassistant/device/a b/config", "homeassistant/sensor/x/config", "homeassistant/device/x", "a/device/ü/config"):
            with self.assertRaises(homeassistant.Wrong):
                homeassistant.check(topic, self.payload)
        with self.assertRaises(homeassistant.Wrong):
            homeassistant.check(self.topic, self.payload[:-1])


class Settings(Case):
    @classmethod
    def prepare(cls):
        cls.stage = Stage(cls.world)

    def tearDown(self):
        self.stage.publisher.stop()

    def test_none(self):
        self.stage.start(HA_DISCOVERY="0")
        t = self.stage.through(frames.Meter("none").telegram())
        self.assertEqual([x for x in self.stage.listener.messages() if t.meter.lower() in x[0]], [])

    def test_prefix(self):
        self.stage.start(HA_DISCOVERY_PREFIX="house/ha", PUBLISH_QOS="1", OFFLINE_SECONDS="20", PUBLISH_WHEN="change", PUBLISH_MIN_SECONDS="7")
        t = self.stage.send(frames.Meter("prefix").telegram())
        topic = config(t.meter, "house/ha")
        payload = wait_until(lambda: self.stage.listener.last(topic), "the discovery")
        message = homeassistant.check(topic.replace("house/", ""), payload)
        self.assertEqual((message["qos"], message["components"]["power"]["expire_after"]), (1, 20 + 10 + 7))
        self.stage.broker.pub("house/ha/status", b"online")
        wait_until(lambda: self.stage.listener.payloads(topic) == [payload, payload], "it is said again")

    def test_names(self):
        """The keys file's name is the device's, and may stand in the topic."""
        self.stage.start(SMARTMETER_VALUES_MQTT_TOPIC="house/{name}/now")
        t = frames.Meter("named").telegram()
        self.stage.send(t, name="Keller/Süd")
        message = homeassistant.check(config(t.meter), wait_until(lambda: self.stage.listener.last(config(t.meter)), "the discovery"))
        self.assertEqual(message["device"]["name"], "Keller/Süd")
        power = message["components"]["power"]
        self.assertEqual((power["state_topic"], power["default_entity_id"]), ("house/Keller_Süd/now/power", "sensor.keller_s_d_power"))
        wait_until(lambda: self.stage.listener.last("house/Keller_Süd/now/power"), "its state")
        t = frames.Meter("named").telegram(utc=t.time + 5, counter=t.counter + 1)
        self.stage.send(t, name="Dach")
        wait_until(lambda: self.stage.listener.last("house/Dach/now/status") == "online", "it has moved")
        self.assertEqual(self.stage.listener.last("house/Keller_Süd/now/status"), "offline")
        wait_until(lambda: '"house/Dach/now/power"' in self.stage.listener.last(config(t.meter)), "the discovery follows")


class Chain(Case):
    """From MQTT frames through ingest and decryptor: a wrong key or lost octets show as rejects."""

    def test_rejects(self):
        meter, captured = frames.Meter("chain", utc=int(time.time()) - 100), frames.mbus_vectors()[0]
        pipeline = Pipeline(self.world, Sqlite(self.world), [meter, captured])
        listener = Listener(pipeline.broker)
        pipeline.start()
        stream = records.Wires(self.world).subscribe("readings.decryptor", b"reject.")
        values = f"sensors/smartmeter/values/{meter.id}"

        def through():
            pipeline.send(meter.telegram())
            return listener.last(f"{values}/rejects")  # the last topic of a reading

        self.assertEqual(wait_until(through, "values"), "0")
        homeassistant.check(config(meter.id), listener.last(config(meter.id)))
        broken = meter.telegram().octets[:-3] + b"\x00\x00\x16"
        pipeline.broker.pub(pipeline.topic(meter.id), broken)
        wait_until(lambda: listener.last(f"{values}/rejects") == "1", "a frame with a wrong checksum on its topic")
        foreign = frames.Meter("chain", utc=meter.utc + 100, counter=5000)
        foreign.key = bytes(16)
        pipeline.send(foreign.telegram())
        wait_until(lambda: listener.last(f"{values}/rejects") == "2", "a telegram with another key")
        told = [(topic, r["type"], r["meter"], r["verdict"], r["octets"]) for topic, r in records.take(stream, 5000)]
        self.assertEqual(told, [(b"reject.", "reject", "", "checksum", b""),
                                (b"reject." + meter.id.encode(), "reject", meter.id, "wrong-key", b"")])  # fmt: skip
        pipeline.send(frames.telegram_of(captured))
        rejects = f"sensors/smartmeter/values/{captured['system_title']}/rejects"
        self.assertEqual(wait_until(lambda: listener.last(rejects), "a real meter's values"), "0")
        message = homeassistant.check(config(captured["system_title"]), listener.last(config(captured["system_title"])))
        self.assertEqual(message["device"]["name"], captured["id"])
        self.assertIn(message["device"]["manufacturer"], ("Sagemcom", "Kaifa"))
