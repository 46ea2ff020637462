"""serial-ingest on a pseudo-terminal: real frames at the pace of 2400 baud, unplugged, killed."""

import os
import time
import tty

import frames
from harness import BIN, Case, wait_until
from pipeline import Pipeline
from stores import Sqlite

BAUD = 240  # octets a second at 2400 baud: 10 bits each without parity, which a pseudo-terminal cannot have
GAP = 0.16  # seconds between the fragments of a telegram


class Line:
    """A meter's line; its slave side is the device, under a name that goes when it is unplugged."""

    def __init__(self, path):
        self.path = path
        self.plug()

    def plug(self):
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        os.symlink(os.ttyname(self.slave), self.path)

    def unplug(self):
        os.unlink(self.path)
        os.close(self.master)
        os.close(self.slave)

    def write(self, octets):
        """At the meter's pace."""
        for at in range(0, len(octets), 12):
            piece = octets[at : at + 12]
            os.write(self.master, piece)
            time.sleep(len(piece) / BAUD)

    def send(self, telegram):
        for place, frame in enumerate(telegram.frames):
            if place:
                time.sleep(GAP)
            self.write(frame)


class Serial(Case):
    @classmethod
    def prepare(cls):
        cls.real = [v for v in frames.mbus_vectors() if v["values"]]
        cls.meter = frames.Meter("serial")
        cls.db = Sqlite(cls.world)
        stream = f"ipc://{cls.world.path}/telegrams.serial"
        cls.pipeline = Pipeline(cls.world, cls.db, [cls.meter, *cls.real])
        cls.pipeline.extra["decryptor"] = {"TELEGRAMS_CONNECT": f"{cls.pipeline.endpoints('telegrams')},{stream}"}
        cls.device = f"{cls.world.path}/meter"
        cls.env = {"SERIAL_DEVICE": cls.device, "SERIAL_PARITY": "none", "TELEGRAMS_BIND": stream, "REASSEMBLY_MS": "3000",
                   "ACKS_CONNECT": cls.pipeline.endpoints("acks-db", "acks-d"), "JOURNAL_PATH": f"{cls.world.path}/serial-journal"}  # fmt: skip
        cls.line = Line(cls.device)
        cls.pipeline.start()
        cls.start()

    @classmethod
    def start(cls):
        cls.ingest = cls.world.service("serial-ingest", cls.env)
        wait_until(cls.ingest.ready, "serial-ingest is ready")

    def telegram(self):
        self.meter.utc += 300
        return self.meter.telegram()

    def drained(self):
        return self.ingest.metric("journal_telegrams") == 0

    def test_real_frames(self):
        """Beside mqtt-ingest: both streams come out of the same tables."""
        before = len(self.db.rejects())
        telegrams = [frames.telegram_of(v) for v in self.real]
        self.assertGreater(len(telegrams), 4)
        for t in telegrams:
            self.line.send(t)
        self.pipeline.flow()
        for t in telegrams:
            self.pipeline.wait_for(t, live=False)
        self.assertEqual(len(self.db.rejects()), before)
        wait_until(self.drained, "the journal is empty")

    def test_unplugged_and_plugged_in_again(self):
        t = self.telegram()
        self.line.send(t)
        self.pipeline.wait_for(t)
        before = self.ingest.metric("serial_connects_total")
        half, octets = self.telegram().frames[0][:100], self.ingest.metric("serial_bytes_total")
        self.line.write(half)
        wait_until(lambda: self.ingest.metric("serial_bytes_total") == octets + len(half), "it has read the half")
        self.line.unplug()
        wait_until(lambda: not self.ingest.ready(), "serial-ingest misses the device")
        self.assertIn("device", self.ingest.get("/readyz")[1])
        wait_until(lambda: any(r["payload"] == half for r in self.db.rejects()), "its rest is not waited for")
        self.line.plug()
        wait_until(self.ingest.ready, "serial-ingest has found the device")
        self.assertEqual(self.ingest.metric("serial_connects_total"), before + 1)
        after = [self.telegram() for _ in range(3)]
        for t in after:
            self.line.send(t)
        for t in after:
            self.pipeline.wait_for(t)
        wait_until(self.drained, "the journal is empty")

    def test_killed(self):
        """At every part of a telegram; what comes while it is away waits in the device."""
        cuts = [0, 50, 200, 256, 260, 281]
        before = len(self.db.rejects())
        sent = []
        for cut in cuts:
            t = self.telegram()
            sent.append(t)
            self.line.write(t.octets[:cut])
            time.sleep(0.1)  # so that what has come so far is in the journal, by itself
            self.ingest.kill()
            self.line.write(t.octets[cut:])
            self.start()
        for t in sent:
            self.pipeline.wait_for(t, live=False)
        rows = [(r["counter"], r["time"]) for r in self.db.readings() if r["meter"] == self.meter.id]
        self.assertEqual(len(rows), len(set(rows)), "doubled")
        self.assertEqual(len(self.db.rejects()), before)
        wait_until(self.drained, "the journal is empty")

    def test_nobody_there(self):
        """Without a decryptor all is kept, over a kill and an unplugging."""
        self.pipeline.service["decryptor"].stop()
        sent = [self.telegram() for _ in range(3)]
        for t in sent:
            self.line.send(t)
        wait_until(lambda: self.ingest.metric("journal_telegrams") == 3, "the journal holds them")
        self.ingest.kill()
        self.line.unplug()
        self.ingest = self.world.service("serial-ingest", self.env)
        type(self).ingest = self.ingest
        wait_until(lambda: self.ingest.metric("journal_telegrams") == 3, "the journal still holds them")
        self.pipeline.start("decryptor")
        for t in sent:
            self.pipeline.wait_for(t, live=False)
        self.line.plug()
        wait_until(self.ingest.ready, "serial-ingest is ready")

    def test_pieces_that_look_like_hex_text(self):
        """Cut where two octets of a telegram are digits: alone they would read as one octet in hex."""
        digits = b"0123456789ABCDEFabcdef"
        before = len(self.db.rejects())
        at = None
        while at is None:
            t = self.telegram()
            at = next((i for i in range(20, 240) if t.octets[i] in digits and t.octets[i + 1] in digits), None)
        for piece in (t.octets[:at], t.octets[at : at + 2], t.octets[at + 2 :]):
            self.line.write(piece)
            time.sleep(0.3)  # a silence
        self.pipeline.wait_for(t)
        self.assertEqual(len(self.db.rejects()), before)

    def test_wrong_octets_are_rejects(self):
        t = self.telegram()
        damaged = bytearray(t.octets)
        damaged[100] ^= 0x80
        self.line.write(bytes(damaged))
        good = self.telegram()
        self.line.send(good)
        self.pipeline.wait_for(good)
        found = wait_until(lambda: self.db.rejects("reason = 'checksum' AND topic = 'sensors/smartmeter/serial'"), "a reject")
        self.assertIn(bytes(damaged), [r["payload"] for r in found])


class Settings(Case):
    def refused(self, variable, *args, **env):
        result = self.world.tool(
            BIN / "serial-ingest", *args,
            env={"SERIAL_DEVICE": "/dev/ttyUSB0", "HTTP_LISTEN": "off", "TELEGRAMS_BIND": f"ipc://{self.world.path}/t", **env})  # fmt: skip
        self.assertEqual(result.returncode, 78, result.stderr)
        self.assertIn(f"variable={variable}", result.stderr.decode().splitlines()[-1])

    def test_wrong_ones(self):
        self.refused("SERIAL_DEVICE", "--check-config", SERIAL_DEVICE="")
        self.refused("SERIAL_BAUD", "--check-config", SERIAL_BAUD="2401")
        self.refused("SERIAL_PARITY", "--check-config", SERIAL_PARITY="8E1")
        self.refused("SERIAL_TOPIC", "--check-config", SERIAL_TOPIC="a/+")
        self.refused("SERIAL_TOPIC", "--check-config", SERIAL_TOPIC="x" * 256)
        self.refused("JOURNAL_MAX_BYTES", "--check-config", JOURNAL_MAX_BYTES="7")

    def test_a_folder_that_will_not_do(self):
        self.refused("JOURNAL_PATH", JOURNAL_PATH="/nowhere/at/all")
        self.refused("JOURNAL_PATH", JOURNAL_PATH=self.world.write("file", "no folder"))

    def test_a_journal_that_another_has(self):
        env = {"SERIAL_DEVICE": f"{self.world.path}/none", "TELEGRAMS_BIND": f"ipc://{self.world.path}/first"}
        first = self.world.service("serial-ingest", env)
        wait_until(lambda: "device" in first.get("/readyz")[1], "the first one runs, and waits for its device")
        self.refused("JOURNAL_PATH", JOURNAL_PATH=f"{self.world.path}/serial-ingest-journal")
