"""Topics of single values: what they hold, when they are said, and who is online."""

import base64
import hashlib
import json
import pathlib
import time

import frames
from harness import Case, wait_until
from pipeline import Broker, paused
from values import Stage, is_time, retained, texts

FULL = {"WIn": 10069016, "WOut": 219, "PIn": 366, "POut": 0, "U1": 233.8, "U2": 234.1, "U3": 234.8,
        "I1": 0.33, "I2": 0.46, "I3": 1.41, "PF": 0.943}  # fmt: skip
EXPORT = FULL | {"PIn": 0, "POut": 1250}
SINGLE = {"WIn": 1000, "WOut": 0, "PIn": 5, "POut": 0, "U1": 230.0, "I1": 0.1}
PUBLISHER = "zaehlwerk/publisher/status"


def meter(name="x"):
    return frames.Meter(name, utc=int(time.time()) - 3600)


class Fields(Case):
    @classmethod
    def prepare(cls):
        cls.stage = Stage(cls.world).start()

    def exactly(self, telegram):
        found = self.stage.last(telegram)
        self.assertTrue(is_time(found.pop("last_seen")))
        self.assertEqual((found.pop("status"), found.pop("rejects")), ("online", "0"))
        found.pop("totals", None)
        self.assertEqual(found, texts(telegram))

    def test_three_phases(self):
        m = meter("three")
        t = self.stage.through(m.telegram(values=FULL))
        self.exactly(t)
        self.assertEqual(self.stage.listener.payloads(self.stage.topic(t)), [t.text])
        found = self.stage.last(t)
        self.assertEqual((found["power"], found["energy_import_kwh"], found["energy_export_kwh"], found["l1_current"]),
                         ("366", "10069.016", "0.219", "0.33"))  # fmt: skip

    def test_export_is_negative(self):
        t = self.stage.through(meter("export").telegram(values=EXPORT))
        self.exactly(t)
        self.assertEqual(self.stage.last(t)["power"], "-1250")

    def test_what_a_meter_does_not_send_has_no_topic(self):
        t = self.single("single")
        self.stage.through(t)
        self.exactly(t)
        self.assertNotIn("l2_voltage", self.stage.last(t))
        self.assertEqual(self.stage.listener.payloads(self.stage.topic(t)), [t.text])

    def single(self, name):
        t = meter(name).telegram(values=FULL)
        t.values = SINGLE
        t.text = frames.values_text(SINGLE, t.time)
        return t

    def test_a_meter_without_clock_has_no_time(self):
        t = meter("clockless").telegram(values=FULL)
        self.stage.through(t, time=None)
        self.assertNotIn("time", self.stage.last(t))

    def test_every_reading_counts_even_when_unchanged(self):
        m = meter("unchanged")
        telegrams = [self.stage.through(m.telegram(values=FULL)) for _ in range(3)]
        for name in texts(telegrams[0]):
            found = self.stage.below(telegrams[0], name)
            self.assertEqual(found, [texts(t)[name] for t in telegrams], name)
        self.assertEqual(self.stage.below(telegrams[0], "status"), ["online"])

    def test_values_are_neither_retained_nor_acknowledged(self):
        t = self.stage.through(meter("plain").telegram(values=FULL))
        found = [(q, r) for topic, q, r, _ in self.stage.listener.messages() if topic == f"{self.stage.topic(t)}/power"]
        self.assertEqual(found, [(0, False)])
        self.assertNotIn(f"{self.stage.topic(t)}/power", retained(self.stage.broker))

    def test_a_suspect_reading_is_never_published(self):
        m = meter("suspect")
        first = self.stage.through(m.telegram(values=FULL))
        self.stage.send(m.telegram(values=FULL | {"PIn": 99999}), suspect="energy-falls")
        last = self.stage.through(m.telegram(values=EXPORT))
        self.assertEqual(self.stage.below(first, "power_import"), ["366", "0"])
        self.assertEqual(self.stage.listener.payloads(self.stage.topic(first)), [first.text, last.text])

    def test_a_stale_one_is_never_shown_as_now(self):
        m = meter("stale")
        old, first = m.telegram(values=FULL | {"PIn": 1}), m.telegram(values=FULL)
        self.stage.through(first)
        self.stage.send(old)
        self.stage.send(m.telegram(values=FULL | {"PIn": 2}), attempt=1)
        self.stage.send(m.telegram(values=FULL | {"PIn": 3}), arrival=int(time.time() * 1000) - 61000)
        self.stage.through(m.telegram(values=EXPORT))
        self.assertEqual(self.stage.below(first, "power_import"), ["366", "0"])


class Status(Case):
    """Two meters, patience of 2 seconds."""

    @classmethod
    def prepare(cls):
        cls.stage = Stage(cls.world, OFFLINE_SECONDS="2").start()

    def test_offline_after_silence_and_online_again(self):
        m, other = meter("silent"), meter("talker")
        t = self.stage.through(m.telegram())
        self.assertEqual(retained(self.stage.broker)[f"{self.stage.topic(t)}/status"], "online")

        def offline():
            self.stage.send(other.telegram())
            return self.stage.status(t) == "offline"

        wait_until(offline, "the silent meter is offline")
        power = self.stage.below(t, "power")
        self.assertEqual(retained(self.stage.broker)[f"{self.stage.topic(t)}/status"], "offline")
        self.assertEqual(self.stage.status(other.telegram()), "online")
        self.assertEqual(self.stage.below(other.telegram(), "status"), ["online"])
        self.assertEqual(len(power), 1, "silence says nothing")
        self.stage.through(m.telegram())
        self.assertEqual(self.stage.below(t, "status"), ["online", "offline", "online"])
        qos = {(q, r) for topic, q, r, _ in self.stage.listener.messages() if topic.endswith("/status")}
        self.assertEqual(qos, {(1, False)}, "QoS 1; not retained for one who was there")

    def test_suspects_do_not_keep_it_online(self):
        m = meter("doubtful")
        t = self.stage.through(m.telegram())

        def offline():
            self.stage.send(m.telegram(), suspect="energy-falls")
            return self.stage.status(t) == "offline"

        wait_until(offline, "it is offline")


class Ends(Case):
    """How a publisher ends is told: by itself, or by the broker for it."""

    def test_stop_kill_and_return(self):
        stage = Stage(self.world).start()
        kept, silent = meter("kept"), meter("silent")
        t, s = stage.through(kept.telegram()), stage.through(silent.telegram())
        state = retained(stage.broker)
        self.assertEqual([state[PUBLISHER], state[f"{stage.topic(t)}/status"]], ["online", "online"])
        wait_until(lambda: stage.below(s, "totals") and stage.below(t, "totals"), "totals are saved")
        stage.publisher.kill()
        wait_until(lambda: stage.listener.last(PUBLISHER) == "offline", "the last will")
        stage.start()
        stage.through(kept.telegram())
        wait_until(lambda: stage.status(s) == "offline", "one that does not come back is offline")
        self.assertEqual(retained(stage.broker)[PUBLISHER], "online")
        self.assertEqual(stage.status(t), "online")
        stage.publisher.stop()
        state = retained(stage.broker)
        self.assertEqual([state[PUBLISHER], state[f"{stage.topic(t)}/status"]], ["offline", "offline"])


class OneMeter(Case):
    """Without a placeholder the meter's own status is the last will."""

    def test_stop_kill_and_return(self):
        stage = Stage(self.world, SMARTMETER_VALUES_MQTT_TOPIC="sensors/smartmeter/values")
        stage.start()
        m, status = meter("alone"), "sensors/smartmeter/values/status"
        wait_until(lambda: stage.listener.last(status) == "offline", "offline before the first reading")
        t = stage.through(m.telegram())
        self.assertEqual(stage.listener.payloads("sensors/smartmeter/values"), [t.text])
        self.assertEqual(stage.last(t)["power"], texts(t)["power"])
        self.assertEqual(retained(stage.broker)[status], "online")
        stage.publisher.kill()
        wait_until(lambda: stage.listener.last(status) == "offline", "the last will")
        self.assertEqual([topic for topic, _, _, _ in stage.listener.messages() if topic.startswith("zaehlwerk/")], [])
        stage.start()
        stage.through(m.telegram())
        self.assertEqual(retained(stage.broker)[status], "online")
        stage.publisher.stop()
        self.assertEqual(retained(stage.broker)[status], "offline")


class Replaced(Case):
    """Without a placeholder the topic is the first live meter's."""

    def test_what_is_left_of_the_old_meter_takes_no_topic(self):
        stage = Stage(self.world, SMARTMETER_VALUES_MQTT_TOPIC="sensors/smartmeter/values").start()
        old, new = meter("old"), meter("new")
        stage.send(old.telegram(), attempt=1)
        t = stage.through(new.telegram())
        self.assertEqual(stage.listener.payloads("sensors/smartmeter/values"), [t.text])
        stage.send(old.telegram())
        t = stage.through(new.telegram())
        self.assertEqual(stage.listener.payloads("sensors/smartmeter/values")[1:], [t.text])


class OneName(Case):
    """Two meters of one name would mix their values: the first that is live has the topic."""

    def test_the_first_has_the_topic(self):
        stage = Stage(self.world, SMARTMETER_VALUES_MQTT_TOPIC="home/{name}").start()
        first, second, sent = meter("first"), meter("second"), []

        def shown():
            return stage.listener.payloads("home/house")

        def through():  # the connection comes up in its own time
            sent.append(first.telegram())
            stage.send(sent[-1], name="house")
            return shown()

        wait_until(through, "the first meter's line")
        stage.send(second.telegram(), name="house")
        wait_until(lambda: stage.publisher.lines("event=topic", "another meter of this name", second.id), "the log says it")
        last = first.telegram()
        stage.send(last, name="house")
        wait_until(lambda: last.text in shown(), "the first meter's next line")
        self.assertLessEqual(set(shown()), {t.text for t in [*sent, last]})


class BrokerForgets(Case):
    """A broker that comes back with an empty memory is told everything again."""

    def test_all_is_announced_again(self):
        broker = Broker(self.world, replace=("persistence true", "persistence false"))
        stage = Stage(self.world, broker).start()
        m = meter("again")
        t = stage.through(m.telegram())
        wait_until(lambda: stage.below(t, "totals") and stage.listener.last(PUBLISHER), "all is said")
        before = retained(broker)
        broker.process.stop()
        broker.start()
        wait_until(stage.publisher.ready, "the publisher is back")
        wait_until(lambda: retained(broker).keys() == before.keys(), "the same topics are retained")
        self.assertEqual(retained(broker), before)
        self.assertEqual(sorted(before), sorted([PUBLISHER, f"{stage.topic(t)}/status", f"{stage.topic(t)}/totals",
                         f"homeassistant/device/zaehlwerk_{t.meter.lower()}/config"]))  # fmt: skip


class When(Case):
    """PUBLISH_WHEN, PUBLISH_MIN_SECONDS, PUBLISH_TOPICS: one publisher after the other."""

    @classmethod
    def prepare(cls):
        cls.stage = Stage(cls.world)

    def tearDown(self):
        self.stage.publisher.stop()

    def published(self, telegram):
        before = self.stage.publisher.metric("published_total")
        self.stage.send(telegram)
        wait_until(lambda: self.stage.publisher.metric("published_total") == before + 1, "the reading is handed over")
        return telegram

    def test_on_change_with_a_heartbeat(self):
        self.stage.start(PUBLISH_WHEN="change", OFFLINE_SECONDS="600")
        m = meter("change")
        first = self.published(m.telegram(values=FULL))
        self.published(m.telegram(values=FULL))
        last = self.published(m.telegram(values=FULL | {"PIn": 367}))
        wait_until(lambda: self.stage.below(first, "power") == ["366", "367"], "the change")
        self.assertEqual(self.stage.below(first, "l1_voltage"), ["233.8"])
        wait_until(lambda: len(self.stage.below(first, "time")) == 3, "the time with every reading")
        self.assertEqual(self.stage.listener.payloads(self.stage.topic(first)), [first.text, last.text])
        self.stage.publisher.stop()
        self.stage.start(PUBLISH_WHEN="change", OFFLINE_SECONDS="4")
        m = meter("heartbeat")
        t = self.published(m.telegram(values=FULL))

        def again():
            self.published(m.telegram(values=FULL))
            return len(self.stage.below(t, "power")) == 3

        begun = time.monotonic()
        wait_until(again, "an unchanged value is said again, and again")
        self.assertGreater(time.monotonic() - begun, 2 * (2 - 0.5) - 0.1)
        self.assertGreater(len(self.stage.below(t, "time")), 3)

    def test_least_time_between_two(self):
        self.stage.start(PUBLISH_MIN_SECONDS="3600")
        m, marker = meter("rare"), meter("marker")
        first = self.stage.through(m.telegram(values=FULL))
        for _ in range(3):
            self.stage.send(m.telegram(values=EXPORT))
        self.stage.through(marker.telegram())
        self.assertEqual(self.stage.below(first, "power"), ["366"])
        self.assertEqual(self.stage.listener.payloads(self.stage.topic(first)), [first.text])

    def test_json_alone(self):
        self.stage.start(PUBLISH_TOPICS="json")
        t = self.stage.send(meter("json").telegram())
        wait_until(lambda: self.stage.listener.payloads(self.stage.topic(t)) == [t.text], "the JSON line")
        wait_until(lambda: self.stage.status(t) == "online", "its status")
        self.assertEqual(set(self.stage.last(t)), {"status"})
        self.assertEqual([x for x in self.stage.listener.messages() if t.meter.lower() in x[0]], [], "Home Assistant has no topics")

    def test_fields_alone(self):
        self.stage.start(PUBLISH_TOPICS="fields")
        t = self.stage.through(meter("fields").telegram())
        self.assertEqual(self.stage.listener.payloads(self.stage.topic(t)), [])
        self.assertEqual(self.stage.last(t)["power"], texts(t)["power"])


class How(Case):
    """PUBLISH_QOS, PUBLISH_RETAIN, both MQTT versions."""

    @classmethod
    def prepare(cls):
        cls.stage = Stage(cls.world)

    def tearDown(self):
        self.stage.publisher.stop()

    def how(self, telegram):
        topics = {self.stage.topic(telegram), f"{self.stage.topic(telegram)}/power"}
        return {(t, q) for t, q, _, _ in self.stage.listener.messages() if t in topics}

    def test_quality_of_service(self):
        for version in ("5", "3.1.1"):
            for qos in (1, 2):
                with self.subTest(version=version, qos=qos):
                    self.stage.start(PUBLISH_QOS=str(qos), MQTT_PROTOCOL=version)
                    t = self.stage.through(meter(f"qos {version} {qos}").telegram())
                    self.assertEqual(self.how(t), {(self.stage.topic(t), qos), (f"{self.stage.topic(t)}/power", qos)})
                    self.stage.publisher.stop()
        self.stage.start()

    def test_retained_values_are_forgotten_when_they_are_old(self):
        self.stage.start(PUBLISH_RETAIN="1", OFFLINE_SECONDS="3")
        t = self.stage.through(meter("kept").telegram())
        found = retained(self.stage.broker)
        self.assertEqual((found[self.stage.topic(t)], found[f"{self.stage.topic(t)}/power"]), (t.text, texts(t)["power"]))
        power = f"{self.stage.topic(t)}/power"
        wait_until(lambda: power not in retained(self.stage.broker), "the broker has forgotten the old value")
        status = f"{self.stage.topic(t)}/status"
        wait_until(lambda: retained(self.stage.broker)[status] == "offline", "the meter is told to be offline")

    def test_retained_over_the_old_version(self):
        self.stage.start(PUBLISH_RETAIN="1", MQTT_PROTOCOL="3.1.1")
        t = self.stage.through(meter("old version").telegram())
        self.assertEqual(retained(self.stage.broker)[f"{self.stage.topic(t)}/power"], texts(t)["power"])
        self.stage.publisher.kill()
        wait_until(lambda: self.stage.listener.last(PUBLISHER) == "offline", "the last will")
        self.stage.start(MQTT_PROTOCOL="3.1.1")


class Hung(Case):
    """A broker that takes nothing: memory is bounded, what was held back is counted, nothing old comes later."""

    def test_with_acknowledgements(self):
        stage = Stage(self.world, Broker(self.world, replace=("autosave_on_changes true", "")), PUBLISH_QOS="1").start()
        m = meter("hung")
        t = stage.through(m.telegram())
        sent = 0
        with paused(stage.broker.process):
            while not stage.publisher.metric("held_back_total", reason="broker"):
                self.assertLess(sent, 1000, "1000 in flight and 10000 in the queue are all that wait")
                for _ in range(100):
                    stage.send(m.telegram())
                    sent += 1
                wait_until(lambda: stage.publisher.metric("readings_total") == sent + 1, "all are read")
        self.assertLess(stage.publisher.metric("published_total"), sent)

        def newest():
            last = stage.send(m.telegram())
            time.sleep(0.3)  # more often, and the queue never becomes empty
            return stage.below(t, "power")[-1] == texts(last)["power"]

        wait_until(newest, "the newest value is the last one there")
        self.assertTrue(stage.publisher.ready())


class Forbidden(Case):
    """A broker that lets the publisher subscribe to nothing: that costs what it would hear, no value."""

    def rules(self):
        """mosquitto's dynamic security: everybody may do everything, the user `deaf` not subscribe."""
        salt = b"saltsaltsalt"
        secret = hashlib.pbkdf2_hmac("sha512", b"secret", salt, 101)
        deaf = {"username": "deaf", "password": base64.b64encode(secret).decode(), "salt": base64.b64encode(salt).decode(), "iterations": 101}
        return {
            "defaultACLAccess": {"publishClientSend": True, "publishClientReceive": True, "subscribe": False, "unsubscribe": True},
            "roles": [{"rolename": "hears", "acls": [{"acltype": "subscribePattern", "topic": "#", "allow": True}]}],
            "groups": [{"groupname": "anybody", "roles": [{"rolename": "hears"}]}],
            "clients": [deaf], "anonymousGroup": "anybody"}  # fmt: skip

    def test_values_go_out(self):
        broker = Broker(self.world)
        broker.process.stop()
        plugin = next(pathlib.Path("/usr/lib").glob("*/mosquitto_dynamic_security.so"))
        rules = self.world.write("rules.json", json.dumps(self.rules()))
        with open(broker.conf, "a", encoding="utf-8") as conf:
            conf.write(f"plugin {plugin}\nplugin_opt_config_file {rules}\n")
        broker.start()
        for version in ("5", "3.1.1"):
            with self.subTest(version=version):
                env = {"MQTT_PROTOCOL": version, "MQTT_USER": "deaf", "MQTT_PASSWORD": "secret"}
                stage = Stage(self.world, broker, name=f"readings-{version}", **env).start()
                t = stage.through(meter(f"forbidden {version}").telegram())
                self.assertEqual(stage.last(t)["power"], texts(t)["power"])
                self.assertEqual(stage.status(t), "online")
                self.assertIn("refuses the subscription", stage.publisher.get("/readyz")[1])
                self.assertEqual(stage.below(t, "totals"), [], "what could not be read is not replaced")
                stage.publisher.stop()
