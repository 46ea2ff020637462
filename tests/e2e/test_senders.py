"""Other senders than the project's own, each as it behaves: the original's sketch, Tasmota, ESPHome."""

import json

import frames
from harness import Case, seeded, wait_until
from pipeline import Pipeline
from stores import Sqlite

SKETCH, TASMOTA, ESPHOME = "sensors/smartmeter", "tele/meter/RESULT", "esphome/meter/telegram"


class Senders(Case):
    @classmethod
    def prepare(cls):
        cls.meter = frames.Meter("senders")
        cls.db = Sqlite(cls.world)
        cls.pipeline = Pipeline(cls.world, cls.db, [cls.meter], raw="sensors/smartmeter,tele/+/RESULT,esphome/+/telegram,probe/+").start()
        cls.pipeline.topic = lambda meter: f"probe/{meter}"
        cls.pipeline.flow()

    def telegram(self):
        self.meter.utc += 300
        return self.meter.telegram()

    def pub(self, topic, payload):
        self.pipeline.broker.pub(topic, payload if isinstance(payload, bytes) else payload.encode())

    def test_the_original_sketch(self):
        """Everything up to 500 ms of silence as one hex text, without a session: whole telegrams, and at its start a rest."""
        t = self.telegram()
        self.pub(SKETCH, self.telegram().octets[170:].hex())
        for case in (str.lower, str.upper):
            t = self.telegram()
            self.pub(SKETCH, case(t.hex))
            self.pipeline.wait_for(t)
        reasons = {r["reason"] for r in wait_until(lambda: self.db.rejects(f"topic = '{SKETCH}'"), "the rest is a reject")}
        self.assertLessEqual(reasons, {"not-a-frame", "sequence", "truncated"})

    def test_tasmota(self):
        """Its serial bridge: a JSON object a buffer, cut where the line was silent; other results come on the topic, too."""
        chatter = json.dumps({"Power1": "ON", "Wifi": {"RSSI": 78}})
        before = len(self.db.rejects(f"topic = '{TASMOTA}'"))
        for _ in range(3):
            t = self.telegram()
            for frame in t.frames:
                self.pub(TASMOTA, json.dumps({"SSerialReceived": frame.hex().upper()}))
            self.pipeline.wait_for(t)
        self.pub(TASMOTA, chatter)
        found = wait_until(lambda: self.db.rejects(f"topic = '{TASMOTA}'"), "what is no telegram is told")
        self.assertEqual([(r["reason"], r["payload"]) for r in found[before:]], [("not-a-frame", chatter.encode())])
        whole = self.telegram()
        self.pub(TASMOTA, json.dumps({"SSerialReceived": whole.hex}))
        self.pipeline.wait_for(whole)

    def test_esphome(self):
        """uart debug: hex of what has come, in pieces of any length (2 and 22 octets were seen)."""
        chance = seeded(self.id())
        for _ in range(4):
            t, at = self.telegram(), 0
            while at < len(t.octets):
                size = chance.choice([2, 22, 64, 120, 256])
                self.pub(ESPHOME, t.octets[at : at + size].hex())
                at += size
            self.pipeline.wait_for(t, live=False)
        self.assertEqual(self.db.rejects(f"topic = '{ESPHOME}'"), [])
