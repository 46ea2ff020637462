"""zaehlwerk tail: live readings as lines, in a pipe and on a terminal."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
import time

import zmq

import frames
import records
from harness import BIN, ENVIRONMENT, SANITIZER_ENV, Case, wait_until

METER, OTHER = frames.Meter("tail"), frames.Meter("tail, another")
COLOUR = re.compile(r"\033\[[0-9;]*m")


class Tail(Case):
    @classmethod
    def prepare(cls):
        cls.wires = records.Wires(cls.world)
        cls.readings = cls.wires.open(zmq.PUB)
        cls.readings.bind(cls.wires.endpoint("readings"))
        cls.env = {"READINGS_CONNECT": cls.wires.endpoint("readings")}
        cls.seq = 0

    def say(self, telegram, **more):
        self.__class__.seq += 1
        record = records.reading(telegram, self.wires.origin, self.seq, **more)
        self.readings.send_multipart([f"reading.{telegram.meter}".encode(), records.pack(record)])

    def until(self, condition, telegram, **more):
        """A subscription takes its moment: said again until it is heard."""

        def heard():
            self.say(telegram, **more)
            time.sleep(0.02)
            return condition()

        return wait_until(heard, "tail prints a reading")

    def start(self, *arguments, env=None):
        self.__class__.seq += 1
        return self.world.start(f"tail-{self.seq}", [BIN / "zaehlwerk", "tail", *arguments], self.env | (env or {}))

    def on_terminal(self, *arguments, width=120, env=None):
        """What tail draws on a terminal of so many columns, after one reading."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        process = subprocess.Popen(
            [BIN / "zaehlwerk", "tail", *arguments], env=ENVIRONMENT | SANITIZER_ENV | self.env | (env or {}), stdout=slave,
            stderr=subprocess.PIPE)  # fmt: skip
        os.close(slave)
        os.set_blocking(master, False)
        drawn = b""

        def line():
            nonlocal drawn
            try:
                drawn += os.read(master, 65536)
            except BlockingIOError:
                pass
            return drawn.count(b"W") >= 1 and drawn.endswith(b"\n")

        try:
            self.until(line, METER.telegram(values=METER.values(1) | {"PIn": 0, "POut": 34}), suspect=self.suspect)
        finally:
            process.terminate()
            told = process.stderr.read().decode()
            process.stderr.close()
            os.close(master)
        self.assertEqual((process.wait(10), told), (0, ""))
        return drawn.decode().replace("\r\n", "\n")

    suspect = ""

    def test_in_a_pipe(self):
        tail = self.start()
        t = METER.telegram()
        self.until(lambda: tail.lines(t.meter), t)
        line = " ".join(tail.lines(t.meter)[0].split())
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t.time))
        self.assertEqual(line, f"{when} {t.meter} {t.values['PIn']:+d} W WIn {t.values['WIn']} Wh WOut 219 Wh U1 233.8 V U2 234.1 V "
                               "U3 230.0 V I1 0.33 A I2 1.5 A I3 0.0 A PF 0.943")  # fmt: skip
        self.assertNotIn("\033", tail.log())
        tail.stop()

    def test_one_meter(self):
        tail = self.start("--meter", METER.id.lower())
        self.until(lambda: tail.lines(METER.id), METER.telegram())
        before = len(tail.lines(METER.id))
        self.say(OTHER.telegram())
        self.until(lambda: len(tail.lines(METER.id)) > before, METER.telegram())
        self.assertEqual(tail.lines(OTHER.id), [])
        tail.stop()

    def test_json(self):
        tail = self.start("--format", "json")
        t = METER.telegram()
        self.until(lambda: tail.lines(t.meter), t, suspect="energy-falls", name="roof")
        got = json.loads(tail.lines(t.meter)[0])
        self.assertEqual((got["meter"], got["counter"], got["name"], got["suspect"]), (t.meter, t.counter, "roof", "energy-falls"))
        self.assertEqual(got["values"], t.values)
        tail.stop()

    def test_colours(self):
        for arguments, env, coloured in (
            ([], {}, True), ([], {"NO_COLOR": "1"}, False), ([], {"NO_COLOR": ""}, True), ([], {"TERM": "dumb"}, False),
            (["--color", "never"], {}, False), (["--color", "always"], {"NO_COLOR": "1"}, True)):  # fmt: skip
            with self.subTest(arguments, env=env):
                drawn = self.on_terminal(*arguments, env={"TERM": "xterm"} | env)
                self.assertEqual("\033[32m     -34 W\033[0m" in drawn, coloured, drawn)
                self.assertEqual("\033" in drawn, coloured)
        tail = self.start("--color", "always")
        self.until(lambda: tail.lines("\033[33m"), METER.telegram())
        tail.stop()

    def test_terminal(self):
        for width in (80, 100, 120):
            with self.subTest(width):
                titles, line, *_ = COLOUR.sub("", self.on_terminal(width=width)).split("\n")
                self.assertEqual(titles.split(), ["time", "meter", "power", "import", "export"])
                self.assertRegex(line, rf"^\d\d:\d\d:\d\dZ {METER.id}      -34 W  WIn   \d{{8}} Wh  WOut        219 Wh")
                self.assertLessEqual(len(line), width)
                self.assertEqual("U1" in line, width >= 100)
        self.suspect = "energy-jumps"
        self.assertIn("\033[1;31m suspect: energy-jumps\033[0m", self.on_terminal())

    def test_reader_goes_away(self):
        process = subprocess.Popen([BIN / "zaehlwerk", "tail"], env=ENVIRONMENT | SANITIZER_ENV | self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
        os.set_blocking(process.stdout.fileno(), False)
        self.until(lambda: process.stdout.read(), METER.telegram())
        process.stdout.close()
        self.until(lambda: process.poll() is not None, METER.telegram())
        told = process.stderr.read().decode()
        process.stderr.close()
        self.assertEqual((process.returncode, told), (0, ""))

    def test_arguments(self):
        for arguments, status, word in (
            (["--meter", "12"], 64, "16 hex digits"), (["--format", "xml"], 64, "--format"), (["--color", "pink"], 64, "--color"),
            (["--nonsense"], 64, "no such option"), (["x"], 64, "no arguments")):  # fmt: skip
            result = self.world.tool(BIN / "zaehlwerk", "tail", *arguments, env=self.env)
            self.assertEqual((result.returncode, result.stdout), (status, b""))
            self.assertIn(word, result.stderr.decode())
        for argument, env, status in (("--help", {}, 0), ("--check-config", {}, 0), ("--check-config", {"READINGS_CONNECT": "x"}, 78)):
            self.assertEqual(self.world.tool(BIN / "zaehlwerk", "tail", argument, env=self.env | env).returncode, status)
