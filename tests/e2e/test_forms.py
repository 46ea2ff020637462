"""Every form in which a telegram may arrive, and what a foreign consumer sees of it."""

import json

import frames
import records
from harness import Case, wait_until
from pipeline import Pipeline
from stores import Sqlite


def spaced(text):
    return " ".join(text[i : i + 2] for i in range(0, len(text), 2))


def cut(telegram, *places):
    """The octets in pieces, as hex."""
    edges = [0, *places, len(telegram.octets)]
    return [telegram.octets[a:b].hex().encode() for a, b in zip(edges, edges[1:])]


ONE_PAYLOAD = {
    "hex, upper case": lambda t: t.hex.encode(),
    "hex, lower case": lambda t: t.hex.lower().encode(),
    "hex, octets apart": lambda t: spaced(t.hex).encode(),
    "hex in lines with CR LF": lambda t: b"\r\n".join(f.hex().encode() for f in t.frames) + b"\r\n",
    "hex with tabs and mixed case": lambda t: (t.hex[:100].lower() + "\t" + t.hex[100:]).encode(),
    "raw": lambda t: t.octets,
    "raw, idle octets around": lambda t: b"\x00\xFF" + t.frames[0] + b"\r\n" + t.frames[1] + b"\x00",
    "Tasmota": lambda t: json.dumps({"SSerialReceived": t.hex}).encode(),
    "Tasmota, spaced": lambda t: json.dumps({"SSerialReceived": spaced(t.hex)}, indent=2).encode(),
    "object data": lambda t: json.dumps({"id": 7, "data": t.hex.lower()}).encode(),
    "object payload": lambda t: json.dumps({"payload": t.hex, "rssi": -71.5}).encode(),
    "object raw": lambda t: json.dumps({"raw": t.hex, "nested": {"data": 1}}).encode(),
    "objects one after another": lambda t: b"\n".join(json.dumps({"raw": f.hex()}).encode() for f in t.frames),
}

TWO_PAYLOADS = {
    "each link frame its own": lambda t: [f.hex().encode() for f in t.frames],
    "cut in the middle of the first frame": lambda t: cut(t, 100),
    "cut in the middle of the second frame": lambda t: cut(t, len(t.frames[0]) + 7),
    "cut after one octet": lambda t: cut(t, 1),
    "cut before the last octet": lambda t: cut(t, len(t.octets) - 1),
    "in five pieces": lambda t: cut(t, 3, 90, 200, len(t.frames[0]) + 1),
    "the first raw, the second Tasmota": lambda t: [t.frames[0], json.dumps({"SSerialReceived": t.frames[1].hex()}).encode()],
}  # fmt: skip


class Forms(Case):
    @classmethod
    def prepare(cls):
        cls.meter = frames.Meter("forms")
        cls.bare = frames.vector("netznoe-sagemcom-t210d-olddoc")
        cls.pipeline = Pipeline(cls.world, Sqlite(cls.world), [cls.meter, cls.bare]).start()
        cls.wires = records.Wires(cls.world)
        cls.pipeline.flow()

    def tearDown(self):
        self.assertEqual(self.pipeline.db.rejects(), [])

    def telegram(self):
        self.meter.utc += 300
        return self.meter.telegram()

    def test_one_payload(self):
        for why, form in ONE_PAYLOAD.items():
            with self.subTest(why):
                t = self.telegram()
                self.pipeline.broker.pub(self.pipeline.topic("x"), form(t))
                self.pipeline.wait_for(t)

    def test_spread_over_payloads(self):
        for why, form in TWO_PAYLOADS.items():
            with self.subTest(why):
                t = self.telegram()
                for piece in form(t):
                    self.pipeline.broker.pub(self.pipeline.topic("x"), piece)
                self.pipeline.wait_for(t)

    def test_pieces_of_two_topics_interleaved(self):
        """Reassembly is per topic."""
        a, b = self.telegram(), self.telegram()
        for place in (0, 1):
            for topic, t in (("a", a), ("b", b)):
                self.pipeline.broker.pub(self.pipeline.topic(topic), t.frames[place].hex().encode())
        self.pipeline.wait_for(a, live=False)
        self.pipeline.wait_for(b)

    def test_ten_telegrams_in_one_payload(self):
        self.meter.utc += 300 - self.meter.utc % 300
        ten = [self.meter.telegram() for _ in range(10)]
        self.pipeline.broker.pub(self.pipeline.topic("x"), "".join(t.hex for t in ten).encode())
        for t in ten:
            self.pipeline.wait_for(t, debounced=t is ten[0])
        rows = [r for r in self.pipeline.db.debounced() if r["meter"] == self.meter.id and r["time"] >= ten[0].time]
        self.assertEqual([r["time"] for r in rows], [ten[0].time])

    def test_apdu_without_link_frames(self):
        t = frames.telegram_of(self.bare)
        self.pipeline.broker.pub(self.pipeline.topic("x"), t.octets)
        self.pipeline.wait_for(t)

    def test_foreign_consumer(self):
        """Any program that speaks ZeroMQ and msgpack reads the readings stream."""
        stream = self.wires.subscribe("readings.decryptor", b"reading." + self.meter.id.encode())
        seen = []

        def arrives():
            t = self.telegram()
            self.pipeline.send(t)
            seen.extend((topic, r) for topic, r in records.take(stream, 300) if r["counter"] == t.counter)
            return seen and (t, *seen[-1])

        t, topic, r = wait_until(arrives, "a reading on the stream")
        self.assertEqual(topic, b"reading." + self.meter.id.encode())
        want = {"v": 1, "type": "reading", "meter": t.meter, "counter": t.counter, "time": t.time, "attempt": 0,
                "number": "181241675397", "topic": self.pipeline.topic(t.meter), "streams": "history,debounced"}  # fmt: skip
        self.assertEqual({k: r[k] for k in want}, want)
        self.assertEqual(records.values_of(r), t.values)
        self.assertEqual(len(r["origin"]), 16)
