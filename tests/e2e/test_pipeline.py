"""Real frames from MQTT to the values topic and both tables."""

import hashlib
import json
import time

import frames
from harness import Case, wait_until
from pipeline import Pipeline
from stores import Postgres, Sqlite

# What the original application wrote for the captured frame below.
ORIGINAL_LINE = (
    '{"WIn": {"value": 10069016, "unit": "Wh"}, "WOut": {"value": 219, "unit": "Wh"}, "PIn": {"value": 366, "unit": "W"}, '
    '"POut": {"value": 0, "unit": "W"}, "U1": {"value": 233.8, "unit": "V"}, "U2": {"value": 234.1, "unit": "V"}, '
    '"U3": {"value": 234.8, "unit": "V"}, "I1": {"value": 0.33, "unit": "A"}, "I2": {"value": 0.46, "unit": "A"}, '
    '"I3": {"value": 1.41, "unit": "A"}, "PF": {"value": 0.943, "unit": "1"}, "timestamp": {"value": 1665581631, "unit": "s"}}'
)


class Vectors:
    """The tests themselves; once for each store."""

    store = None

    @classmethod
    def prepare(cls):
        cls.other = frames.Meter("not in the file yet")
        cls.older, cls.extreme = frames.Meter("original"), frames.Meter("extreme", utc=1700000000)
        cls.db = cls.store(cls.world)
        cls.pipeline = Pipeline(cls.world, cls.db, [*frames.mbus_vectors(), cls.older, cls.extreme]).start()
        cls.pipeline.flow()

    def test_published_values(self):
        for v in frames.mbus_vectors():
            t = frames.telegram_of(v)
            with self.subTest(v["id"]):
                before = time.time()
                self.pipeline.send(t)
                self.pipeline.wait_for(t)
                topic = f"sensors/smartmeter/values/{t.meter}"
                messages = [m for m in self.pipeline.sub.messages() if m[0] == topic]
                self.assertEqual(messages, [(topic, len(t.text), t.text)])
                arrival = [r["received_at"] for r in self.db.readings() if r["meter"] == t.meter]
                self.assertEqual(len(arrival), 1)
                self.assertTrue(before - 1 <= arrival[0] <= time.time() + 1, arrival)
                window = [r["window_start"] for r in self.db.debounced() if r["meter"] == t.meter]
                self.assertEqual(window, [t.time - t.time % 300])

    def test_line_of_the_design(self):
        values = {f: json.loads(ORIGINAL_LINE)[f]["value"] for f in frames.ORIGINAL}
        t = self.older.telegram(utc=1665581631, values=values, counter=7)
        self.assertEqual(t.text, ORIGINAL_LINE)
        self.pipeline.send(t)
        self.pipeline.wait_for(t)

    def test_an_older_one_is_not_shown(self):
        t = self.pipeline.probe_meter.telegram(utc=1665581631, counter=7)
        # An old telegram of a meter that has shown newer ones is stored and not shown.
        self.pipeline.send(t)
        self.pipeline.wait_for(t, live=False)
        newer = self.pipeline.probe()
        self.pipeline.send(newer)
        self.pipeline.wait_for(newer)
        self.assertEqual(self.pipeline.shown(t), 0)

    def test_counter_and_value_limits(self):
        meter = self.extreme
        extremes = {"WIn": 4294967295, "WOut": 4294967295, "PIn": 10000000, "POut": 0, "U1": 0.0, "U2": 1000.0,
                    "U3": 230.0, "I1": 655.35, "I2": 0.01, "I3": 0.1, "PF": -1.0}  # fmt: skip
        for counter in (0, 1, 2147483647, 2147483648, 4294967294):
            with self.subTest(counter=counter):
                t = meter.telegram(counter=counter, values=extremes)
                self.pipeline.send(t)
                self.pipeline.wait_for(t, debounced=False)

    def test_key_arrives_while_running(self):
        pid, topic = self.pipeline.service["decryptor"].pid, self.pipeline.topic(self.other.id)
        first, second = self.other.telegram(), self.other.telegram()
        self.pipeline.send(first)
        reject = wait_until(lambda: self.db.rejects(f"topic = '{topic}'"), "a reject")
        self.assertEqual([(r["reason"], r["meter"], r["payload"]) for r in reject], [("no-key", self.other.id, first.octets)])
        self.world.write("keys.csv", frames.keys_csv([*self.pipeline.keys, self.other]))
        meters = len(self.pipeline.keys) + 1
        decryptor = self.pipeline.service["decryptor"]
        wait_until(lambda: decryptor.metric("keys") == meters, "the keys file is read again")
        self.pipeline.send(second)
        self.pipeline.wait_for(second)
        self.assertEqual((decryptor.pid, decryptor.alive()), (pid, True))
        self.assertEqual(len(self.db.rejects(f"topic = '{topic}'")), 1)

    def test_plain_telegram(self):
        """A meter without encryption: named by a hash of its number, counter -1."""
        v = frames.vector("nordic-kaifa-se-list")
        meter = hashlib.sha256(f"zaehlwerk:{v['meter_number']}".encode()).hexdigest()[:16].upper()
        t = frames.telegram_of(v | {"system_title": meter, "frame_counter": -1, "frames": [v["plaintext"]]})
        self.pipeline.send(t)
        self.pipeline.wait_for(t)


class OnSqlite(Vectors, Case):
    store = Sqlite


class OnPostgres(Vectors, Case):
    store = Postgres


class OtherNames(Case):
    """Names of an owner's choice, the parts of a database's address instead of its URL, and MQTT 3.1.1."""

    def test_schema_table_and_topics(self):
        db = Postgres(self.world)
        v, nameless = frames.mbus_vectors()[0], frames.Meter("nameless")
        db.env = {"DB_HOST": "127.0.0.1", "DB_PORT": str(db.port), "DB_USER": "zw", "DB_NAME": "smartmeter",
                  "SMARTMETER_DB_SCHEMA": "home", "SMARTMETER_DB_TABLE": "energy", "MQTT_PROTOCOL": "3.1.1"}  # fmt: skip
        pipeline = Pipeline(self.world, db, [v, nameless], values="home/{name}/now", raw="cellar/meter, attic/#").start()
        first = frames.telegram_of(v)

        def through():
            second = nameless.telegram()
            pipeline.send(first, "cellar/meter")
            pipeline.send(second, "attic/any/depth")
            return [t for t, _, _ in pipeline.sub.messages() if t == f"home/{nameless.id}/now"]

        wait_until(through, "values of the nameless meter under its id")
        wait_until(lambda: first.text in pipeline.sub.payloads(f"home/{v['id']}/now"), "values of the named one under its name")
        for table in ("energy", "energydebounced", "energyDebounced"):
            wait_until(lambda t=table: len(db.query(f"SELECT DISTINCT meter FROM home.{t}")) == 2, f"both in {table}")
        self.assertEqual(db.query("SELECT 1 FROM pg_tables WHERE schemaname = 'smartmeter'"), [])


class OldTelegrams(Case):
    """As it is set when nothing is set: old telegrams of a meter with a good clock are stored, never shown."""

    def test_never_live(self):
        now = int(time.time())
        meter, captured = frames.Meter("good clock", utc=now - 600), frames.mbus_vectors()[0]
        pipeline = Pipeline(self.world, Sqlite(self.world), [meter, captured])
        del pipeline.env["LIVE_SKEW_SECONDS"]
        pipeline.start()

        def through():
            t = meter.telegram()
            pipeline.send(t)
            return pipeline.shown(t)

        wait_until(through, "live values")
        publisher = pipeline.service["publisher"]
        before = publisher.metric("held_back_total", reason="clock")
        old = [meter.telegram(utc=now - age, values=meter.values(1)) for age in (864000, 86400)]
        for t in old:
            pipeline.send(t)
            pipeline.wait_for(t, live=False)
        wait_until(lambda: publisher.metric("held_back_total", reason="clock") == before + 2, "they are held back")
        self.assertEqual([pipeline.shown(t) for t in old], [0, 0])
        self.assertEqual(len(publisher.lines("not live", meter.id, "LIVE_SKEW_SECONDS")), 1)
        # A captured telegram of a meter that was never seen otherwise is what people try first.
        t = frames.telegram_of(captured)
        pipeline.send(t)
        pipeline.wait_for(t)


class OneTopic(Case):
    """The defaults of one home: no placeholder in the topics, one key for all."""

    def test_one_topic_is_for_one_meter(self):
        """A topic without a placeholder never mixes two meters: the first keeps it, and the log says why."""
        a, b = frames.Meter("first"), frames.Meter("second", counter=9000)
        b.key = a.key
        pipeline = Pipeline(self.world, Sqlite(self.world), [a, b], values="sensors/smartmeter/values", raw="sensors/smartmeter")
        pipeline.env |= {"SMARTMETER_KEYS_FILE": "", "SMARTMETER_KEY": a.key.hex()}
        pipeline.start()

        def through():
            pipeline.send(a.telegram(), "sensors/smartmeter")
            return pipeline.sub.payloads("sensors/smartmeter/values")

        wait_until(through, "values of the first meter")
        other, last = b.telegram(), a.telegram()
        pipeline.send(other, "sensors/smartmeter")
        pipeline.wait_for(other, live=False)
        pipeline.send(last, "sensors/smartmeter")
        pipeline.wait_for(last, debounced=False)
        self.assertNotIn(other.text, pipeline.sub.payloads("sensors/smartmeter/values"))
        lines = pipeline.service["publisher"].lines("variable=SMARTMETER_VALUES_MQTT_TOPIC", f"meter={b.id}")
        self.assertEqual(len(lines), 1, lines)
