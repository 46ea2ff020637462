"""Rejects: listed, sent through again, marked when they have become readings, and bounded."""

import json
import time
from datetime import datetime, timedelta, timezone

import frames
import records
from harness import BIN, Case, wait_until
from pipeline import Pipeline
from stores import Postgres, Sqlite

ARRIVAL = (int(time.time()) - 10 * 86400) * 1000 + 123  # what is stated shows as nothing else


def rfc3339(utc_ms, offset=0):
    t = datetime.fromtimestamp(utc_ms // 1000, timezone(timedelta(hours=offset)))
    return t.replace(microsecond=utc_ms % 1000 * 1000).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Commands:
    """zaehlwerk with this class's broker and database."""

    def command(self, *argv, status=0, env=None):
        settings = self.db.env | {"MQTT_HOST": "127.0.0.1", "MQTT_PORT": str(self.pipeline.broker.port)} | (env or {})
        result = self.world.tool(BIN / "zaehlwerk", *argv, env=settings)
        self.assertEqual(result.returncode, status, (argv, result.stdout, result.stderr))
        return result.stdout.decode(), result.stderr.decode()

    def listed(self, *filters):
        return [json.loads(line) for line in self.command("rejects", "--format", "json", *filters)[0].splitlines()]

    def replayed(self, *filters, **how):
        """The numbers of the summary."""
        out, _ = self.command("replay", *filters, **how)
        return {line[:17].strip(): int(line[17:].split()[0]) for line in out.splitlines()}


class Replay(Commands):
    store = None

    @classmethod
    def prepare(cls):
        cls.db = cls.store(cls.world)
        cls.late, cls.missing, cls.live = frames.Meter("key comes late"), frames.Meter("key is missing"), frames.Meter("live")
        mistaken = frames.Meter("key comes late")
        mistaken.key = frames.Meter("some other").key
        # Long enough for what the test does between two fragments.
        env = {"mqtt-ingest": {"REASSEMBLY_MS": "30000"}}
        cls.pipeline = Pipeline(cls.world, cls.db, [cls.live, mistaken], env).start()
        cls.pipeline.flow()

    def publish(self, topic, octets, arrival):
        """As a replay does it, by another program."""
        self.world.tool(
            "mosquitto_pub", "-V", "5", "-h", "127.0.0.1", "-p", self.pipeline.broker.port, "-q", "1", "-t", topic, "-s",
            "-D", "publish", "user-property", "zaehlwerk-arrival", str(arrival), stdin=octets, check=True)  # fmt: skip

    def reject(self, octets, arrival, topic):
        self.publish(topic, octets, arrival)
        wait_until(lambda: self.db.rejects(f"topic = '{topic}' AND payload = {self.literal(octets)}"), f"a reject on {topic}")

    def literal(self, octets):
        return f"x'{octets.hex()}'" if self.db.kind == "sqlite" else f"'\\x{octets.hex()}'"

    def arrival_of(self, telegram):
        rows = [r for r in self.db.readings() if (r["meter"], r["counter"]) == (telegram.meter, telegram.counter)]
        self.assertEqual(len(rows), 1)
        return rows[0]["received_at"]

    def resolved(self):
        return len(self.db.query("SELECT digest FROM rejects WHERE resolved_at IS NOT NULL" if self.db.kind == "sqlite" else
                                 "SELECT 1 AS x FROM rejects WHERE resolved_at IS NOT NULL"))  # fmt: skip

    def test_replay(self):
        late = [self.late.telegram() for _ in range(3)]
        missing = [self.missing.telegram() for _ in range(2)]
        broken = bytearray(self.live.telegram().octets)
        broken[60] ^= 16
        for i, t in enumerate(late + missing):
            self.reject(t.octets, ARRIVAL + 1000 * i, self.pipeline.topic(t.meter))
        self.reject(bytes(broken), ARRIVAL + 9000, "sensors/smartmeter/raw/broken")
        self.db.write(
            "INSERT INTO rejects (digest, time, topic, reason, detail, payload, meter) VALUES "
            f"({self.literal(bytes(31) + b'x')}, {ARRIVAL // 1000 + 50 if self.db.kind == 'sqlite' else f'to_timestamp({ARRIVAL // 1000 + 50})'}, "
            f"'sensors/smartmeter/raw/x', 'refused', 'by the test', {self.literal(b'a record')}, '{self.missing.id}')")  # fmt: skip

        with self.subTest("listed"):
            all_of_them = self.listed()
            self.assertEqual([r["reason"] for r in all_of_them], ["wrong-key"] * 3 + ["no-key"] * 2 + ["checksum", "refused"])
            first = all_of_them[0]
            self.assertEqual((first["meter"], first["counter"], first["time"], first["octets"], first["topic"], first["resolved_at"]),
                             (self.late.id, late[0].counter, rfc3339(ARRIVAL), len(late[0].octets),
                              self.pipeline.topic(self.late.id), None))  # fmt: skip
            self.assertEqual((all_of_them[5]["meter"], all_of_them[5]["counter"]), (None, None))
            table = self.command("rejects")[0].splitlines()
            self.assertEqual(len(table), 8)
            self.assertRegex(table[1], rf"^{rfc3339(ARRIVAL)} +{self.late.id} +wrong-key +{len(late[0].octets)} +{first['digest'][:12]} ")

        with self.subTest("filters"):
            for filters, n in (
                (("--meter", self.late.id.lower()), 3), (("--reason", "no-key"), 2), (("--meter", self.late.id, "--reason", "no-key"), 0),
                (("--since", rfc3339(ARRIVAL + 3000, offset=1)), 4), (("--since", rfc3339(ARRIVAL + 2 * 86400000)[:10]), 0), (("--since", "1d"), 0),
                (("--limit", "2"), 2), (("--limit", "0"), 7), (("--all",), 7)):  # fmt: skip
                self.assertEqual(len(self.listed(*filters)), n, filters)
            self.assertEqual([r["reason"] for r in self.listed("--limit", "2")], ["checksum", "refused"])

        with self.subTest("dry run"):
            self.assertEqual(self.replayed("--dry-run"), {"wrong-key": 3, "no-key": 2, "checksum": 1, "would publish": 6, "left out": 1})
            self.assertEqual(self.pipeline.service["mqtt-ingest"].metric("rejects_total", reason="checksum"), 1)

        decryptor = self.pipeline.service["decryptor"]
        keys = decryptor.metric("keys")
        self.world.write("keys.csv", frames.keys_csv([*self.pipeline.keys[:1], self.late, self.missing, self.pipeline.probe_meter]))
        wait_until(lambda: decryptor.metric("keys") == keys + 1, "the keys file is read again")

        with self.subTest("one meter, while a telegram of its topic is under way"):
            under_way = self.live.telegram()
            topic = self.pipeline.topic(self.late.id)
            self.pipeline.broker.pub(topic, under_way.frames[0].hex().encode())
            self.assertEqual(self.replayed("--meter", self.late.id), {"wrong-key": 3, "published": 3})
            wait_until(lambda: self.resolved() == 3, "three rejects are resolved")
            self.pipeline.broker.pub(topic, under_way.frames[1].hex().encode())
            self.pipeline.wait_for(under_way, debounced=False)
            for i, t in enumerate(late):
                self.assertEqual(self.pipeline.stored(t), t.row)
                self.assertAlmostEqual(self.arrival_of(t), (ARRIVAL + 1000 * i) / 1000, 4)
            self.assertEqual([r["reason"] for r in self.listed()], ["no-key"] * 2 + ["checksum", "refused"])
            self.assertEqual([r["resolved_at"] is None for r in self.listed("--all")], [False] * 3 + [True] * 4)

        with self.subTest("the rest: what is rejected again stays as it is"):
            before = self.db.rejects("reason = 'checksum'")
            self.assertEqual(self.replayed(), {"no-key": 2, "checksum": 1, "published": 3, "left out": 1})
            wait_until(lambda: self.resolved() == 5, "two more are resolved")
            ingest = self.pipeline.service["mqtt-ingest"]
            wait_until(lambda: ingest.metric("rejects_total", reason="checksum") == 2, "it is rejected again")
            self.assertEqual(self.db.rejects("reason = 'checksum'"), before)
            self.assertEqual([r["reason"] for r in self.listed()], ["checksum", "refused"])

        with self.subTest("nothing of it was live"):
            last = self.live.telegram()
            self.pipeline.send(last)
            self.pipeline.wait_for(last, debounced=False)
            self.assertEqual([self.pipeline.shown(t) for t in late + missing], [0] * 5)
            self.assertEqual(self.pipeline.service["db-writer"].metric("rejects_resolved_total"), 5)
            self.assertEqual(len(self.db.rejects()), 7)

        with self.subTest("the broker refuses one that is too large for it"):
            sqlite = self.db.kind == "sqlite"
            self.db.write(
                "INSERT INTO rejects (digest, time, topic, reason, detail, payload, meter) VALUES "
                f"({self.literal(bytes(31) + b'y')}, {1 if sqlite else 'to_timestamp(1)'}, 'sensors/smartmeter/raw/x', 'poison', '', "
                f"{'zeroblob(300000)' if sqlite else self.literal(bytes(300000))}, '{self.live.id}')")  # fmt: skip
            out, _ = self.command("replay", "--meter", self.live.id, status=69)
            # mosquitto 2.0.11 with max_queued_messages 0 closes the connection behind such a PUBACK.
            self.assertRegex(out, r"^poison +1\npublished +0\nnot taken +1 \((Packet too large|connection lost)\)\n$")

        with self.subTest("a young one is not live either"):
            young = self.missing.telegram()
            self.publish(self.pipeline.topic(young.meter), young.octets, int(time.time() * 1000) - 2000)
            self.pipeline.wait_for(young, live=False, debounced=False)
            self.pipeline.flow()
            self.assertEqual(self.pipeline.shown(young), 0)

    def test_property_that_is_none(self):
        """A stated arrival that cannot be is no replay."""
        for text in ("soon", "0", "-5", "1e12", str(int(time.time() * 1000) + 3600000), ""):
            with self.subTest(text):
                t = self.live.telegram()
                self.publish(self.pipeline.topic(t.meter), t.octets, text)
                self.pipeline.wait_for(t, debounced=False)
                self.assertAlmostEqual(self.arrival_of(t), time.time(), delta=60)

    def test_journal_keeps_a_replay(self):
        """db-writer is away: the replay waits in the journal, over a restart of mqtt-ingest too."""
        t = self.live.telegram()
        self.pipeline.service["db-writer"].stop()
        self.publish(self.pipeline.topic(t.meter), t.octets, ARRIVAL)
        ingest = self.pipeline.service["mqtt-ingest"]
        wait_until(lambda: ingest.metric("journal_telegrams") >= 1, "it is in the journal")
        ingest.stop()
        self.pipeline.start("mqtt-ingest", "db-writer")
        self.pipeline.wait_for(t, live=False, debounced=False)
        self.assertAlmostEqual(self.arrival_of(t), ARRIVAL / 1000, 4)
        self.pipeline.flow()
        self.assertEqual(self.pipeline.shown(t), 0)

    def test_errors(self):
        self.assertIn("MQTT_PROTOCOL", self.command("replay", status=78, env={"MQTT_PROTOCOL": "3.1.1"})[1])
        self.assertIn("broker", self.command("replay", status=69, env={"MQTT_PORT": "1"})[1])
        for command in ("rejects", "replay"):
            self.assertIn("DB_URL", self.command(command, status=78, env={"DB_URL": "mysql://x"})[1])
            self.assertIn("database", self.command(command, status=69, env={"DB_URL": "postgresql://zw@127.0.0.1:1/x"})[1])
            self.assertIn("database", self.command(command, status=69, env={"DB_URL": "sqlite:/nowhere/x"})[1])
            empty = self.world.write("empty.sqlite", "")
            self.assertIn("tables", self.command(command, status=65, env={"DB_URL": f"sqlite:{empty}"})[1])
            for wrong in (("--since", "yesterday"), ("--meter", "12"), ("--reason", "bad"), ("--nonsense",), ("word",)):
                self.command(command, *wrong, status=64)
            self.assertIn("DB_URL", self.command(command, "--help")[0])
        self.command("rejects", "--limit", "x", status=64)
        self.command("replay", "--topic", "a/#", status=64)


class OnSqlite(Replay, Case):
    store = Sqlite


class OnPostgres(Replay, Case):
    store = Postgres


class Bounds:
    """db-writer alone: rejects beyond the bounds go, the oldest first."""

    store = None

    @classmethod
    def prepare(cls):
        cls.db = cls.store(cls.world)
        cls.wires = records.Wires(cls.world)
        cls.push = cls.wires.push("store")
        cls.env = cls.db.env | {"STORE_CONNECT": cls.wires.endpoint("store"), "ACKS_BIND": cls.wires.endpoint("acks")}
        cls.day = 86400000
        cls.now = int(time.time() * 1000)

    def writer(self, **settings):
        writer = self.world.service("db-writer", self.env | settings)
        wait_until(writer.ready, "db-writer is ready")
        return writer

    def count(self):
        return self.db.query("SELECT count(*) AS n FROM rejects")[0]["n"]

    def test_bounds(self):
        writer = self.writer(REJECTS_KEEP_DAYS="0", REJECTS_MAX_BYTES="0")
        # 3000 of 100 octets: one every 2 hours, the newest now.
        for n in range(3000):
            octets = n.to_bytes(100, "big")
            self.push.send(records.pack(records.reject(self.wires.origin, n + 1, octets, arrival=self.now - n * self.day // 12)))
        wait_until(lambda: self.count() == 3000, "3000 rejects")
        wait_until(lambda: writer.metric("rejects_kept_bytes") == 300000, "they are reckoned with")
        writer.stop()
        self.assertEqual(writer.lines("event=dropped"), [])

        writer = self.writer()  # 90 days
        wait_until(lambda: self.count() == 1080, "those of 90 days stay")
        wait_until(lambda: writer.lines("event=dropped"), "it is logged")
        writer.stop()
        self.assertEqual(len(writer.lines("level=info", "event=dropped", "setting=REJECTS_KEEP_DAYS", "rows=1920 ", "left=1080 ")), 1)
        self.assertEqual(len(writer.lines("event=dropped")), 1)

        writer = self.writer(REJECTS_MAX_BYTES="30000")
        wait_until(lambda: self.count() == 300, "30000 octets stay")
        wait_until(lambda: writer.metric("rejects_kept") == 300, "the rest is known")
        self.assertEqual(writer.metric("rejects_dropped_total", reason="size"), 780)
        self.assertEqual(len(writer.lines("level=warn", "event=dropped", "setting=REJECTS_MAX_BYTES", "rows=780 ")), 1)
        kept = sorted(int.from_bytes(r["payload"], "big") for r in self.db.rejects())
        self.assertEqual(kept, list(range(300)))
        writer.stop()


class BoundsOnSqlite(Bounds, Case):
    store = Sqlite


class BoundsOnPostgres(Bounds, Case):
    store = Postgres
