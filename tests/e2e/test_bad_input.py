"""What cannot become a reading: one reject, one log line, one count; then on as if nothing had been."""

import hashlib
import json
import re

import frames
from harness import Case, wait_until
from pipeline import Broker, Pipeline
from stores import Postgres, Sqlite

INGEST, DECRYPTOR = "mqtt-ingest", "decryptor"


def flipped(octets, at):
    return octets[:at] + bytes([octets[at] ^ 0x10]) + octets[at + 1 :]


def without(octets, at):
    return octets[:at] + octets[at + 1 :]


class Bad:
    """One kind: its payload, the octets that the reject must hold, reason, meter, who finds it."""

    def __init__(self, reason, found_by, payload, octets=None, meter=None):
        self.reason, self.found_by, self.payload, self.meter = reason, found_by, payload, meter
        self.octets = payload if octets is None else octets


def as_hex(reason, found_by, octets, meter=None):
    return Bad(reason, found_by, octets.hex().encode(), octets, meter)


def kinds(known, wrong, unknown):
    """By name, made afresh from new telegrams at each call."""
    w, u, broken = wrong.telegram(), unknown.telegram(), frames.vector(frames.BROKEN)
    first = len(known.telegram().frames[0])

    def octets():
        return known.telegram().octets

    layout = frames.mbus(frames.cipher(known.title, known.key, known.counter, b"\x0F\x80\x00\x00\x01\x00\x02\x01\x11\x05"), 0x10)
    return {
        "garbage": Bad("not-a-frame", INGEST, b"\x01\x02\xFEno meter says this"),
        "text": Bad("not-a-frame", INGEST, "Zählerstand: 12 kWh bezogen".encode()),
        "larger than 256 KiB": Bad("not-a-frame", INGEST, octets().hex().encode() * 480),
        "broken JSON": Bad("not-a-frame", INGEST, json.dumps({"SSerialReceived": octets().hex()}).encode()[:-30]),
        "JSON of another kind": Bad("not-a-frame", INGEST, b'{"temperature": 21.5}'),
        "JSON with other text": Bad("not-a-frame", INGEST, b'{"data": "closed"}'),
        "first frame only": as_hex("truncated", INGEST, octets()[:first]),
        "first frame cut": as_hex("truncated", INGEST, octets()[:100]),
        "second frame cut": as_hex("truncated", INGEST, octets()[:-9]),
        "a bit of the first frame": as_hex("checksum", INGEST, flipped(octets(), 60)),
        "a bit of the second frame": as_hex("checksum", INGEST, flipped(octets(), first + 10)),
        "an octet of the first frame": as_hex("lost-octets", INGEST, without(octets(), 60)),
        "second fragment only": as_hex("sequence", INGEST, octets()[first:]),
        "a fragment to other SAPs": as_hex("sequence", INGEST, bytes.fromhex("".join(broken["frames"]))),
        "wrong key": as_hex("wrong-key", DECRYPTOR, w.octets, w.meter),
        "unknown meter": as_hex("no-key", DECRYPTOR, u.octets, u.meter),
        "unknown layout": as_hex("unknown-layout", DECRYPTOR, layout, known.id),
    }


class BadInput:
    store = None

    @classmethod
    def prepare(cls):
        cls.known = frames.Meter("known")
        cls.wrong, cls.unknown = frames.Meter("its key is another"), frames.Meter("in no file")
        mistaken = frames.Meter("its key is another")
        mistaken.key = frames.Meter("some other").key
        cls.db = cls.store(cls.world)
        broker = Broker(cls.world, replace=("message_size_limit 262144", "message_size_limit 1048576"))
        cls.pipeline = Pipeline(cls.world, cls.db, [cls.known, mistaken], broker=broker).start()
        cls.secrets = [m.key for m in (cls.known, mistaken, cls.wrong, cls.pipeline.probe_meter)]
        cls.pipeline.flow()

    def counted(self, bad):
        return [self.pipeline.service[s].metric("rejects_total", reason=bad.reason) for s in (INGEST, DECRYPTOR)]

    def good_one_follows(self):
        t = self.pipeline.probe()
        self.pipeline.send(t)
        self.pipeline.wait_for(t)

    def check(self, name, bad):
        topic = "sensors/smartmeter/raw/" + name.replace(" ", "-")
        before = self.counted(bad)
        self.pipeline.broker.pub(topic, bad.payload)
        rows = [{"reason": bad.reason, "topic": topic, "meter": bad.meter, "payload": bad.octets,
                 "digest": hashlib.sha256(bad.octets).hexdigest()}]  # fmt: skip

        def look():
            return [{k: r[k] for k in rows[0]} for r in self.db.rejects(f"topic = '{topic}'")]

        wait_until(look, f"a reject for {name}")
        self.good_one_follows()
        self.assertEqual(look(), rows)
        self.assertEqual(self.counted(bad), [before[0] + (bad.found_by == INGEST), before[1] + 1])
        lines = self.pipeline.log_lines("event=reject", f"topic={topic} ")
        self.assertEqual(len(lines), 1, lines)
        self.assertRegex(lines[0], f"level=warn svc={bad.found_by} .*reason={bad.reason} ")
        if bad.meter:
            self.assertIn(f"meter={bad.meter} ", lines[0])

    def test_each_kind(self):
        for name, bad in kinds(self.known, self.wrong, self.unknown).items():
            with self.subTest(name):
                self.check(name, bad)

    def test_nothing_is_no_reject(self):
        """No octets, or those of an idle line: nothing is lost, so nothing is rejected."""
        ingest, n = self.pipeline.service[INGEST], len(self.db.rejects())
        for payload in (b"", b"  \r\n", b"\x00\xFF\x00\r\n"):
            before = ingest.metric("payloads_total")
            self.pipeline.broker.pub("sensors/smartmeter/raw/nothing", payload)
            wait_until(lambda: ingest.metric("payloads_total") > before, "the payload is counted")
            self.good_one_follows()
        self.assertEqual(len(self.db.rejects()), n)

    def test_valid_frame_twice(self):
        t, writer = self.pipeline.probe(), self.pipeline.service["db-writer"]
        self.pipeline.send(t)
        self.pipeline.wait_for(t)
        before = writer.metric("duplicates_total")
        self.pipeline.send(t)
        wait_until(lambda: writer.metric("duplicates_total") > before, "the duplicate is counted")
        self.good_one_follows()
        self.assertEqual(writer.metric("duplicates_total"), before + 1)
        same = [r for r in self.db.readings() if (r["meter"], r["counter"]) == (t.meter, t.counter)]
        self.assertEqual(len(same), 1)
        self.assertEqual(self.pipeline.shown(t), 1)
        lines = writer.lines("event=duplicate", f"meter={t.meter} ", f"counter={t.counter} ", f"topic={self.pipeline.topic(t.meter)}")
        self.assertEqual(len(lines), 1, lines)

    def test_fifty_of_a_kind(self):
        for name, found_by in (("checksum", INGEST), ("no-key", DECRYPTOR)):
            with self.subTest(name):
                topic = f"sensors/smartmeter/raw/fifty-{name}"
                telegrams = [self.unknown.telegram() for _ in range(50)]
                octets = [flipped(t.octets, 60) if name == "checksum" else t.octets for t in telegrams]
                bad = Bad(name, found_by, b"")
                before = self.counted(bad)
                self.pipeline.broker.pub_lines(topic, [o.hex() for o in octets])
                wait_until(lambda: len(self.db.rejects(f"topic = '{topic}'")) >= 50, f"50 rejects for {name}")
                self.good_one_follows()
                rows = self.db.rejects(f"topic = '{topic}'")
                self.assertEqual(sorted(r["payload"] for r in rows), sorted(octets))
                self.assertEqual(self.counted(bad)[1], before[1] + 50)
                lines = self.pipeline.log_lines("event=reject", f"topic={topic} ")
                self.assertEqual(len(lines), 1, lines)

    @classmethod
    def tearDownClass(cls):
        """No key in any log, in any spelling."""
        written = "".join(p.read_text(errors="replace") for p in cls.world.path.glob("*.log"))
        digits = re.sub(r"[^0-9A-F]", "", written.upper())
        for key in cls.secrets:
            assert key.hex().upper() not in digits, "a key is in a log"
            assert repr(key)[2:-1] not in written, "a key is in a log, as text"


class OnSqlite(BadInput, Case):
    store = Sqlite


class OnPostgres(BadInput, Case):
    store = Postgres
