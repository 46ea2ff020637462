"""The example consumers, in each language: they switch a load at surplus, by live readings alone."""

import fcntl
import itertools
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time
import unittest

import zmq

import records
from frames import ROOT, Meter
from harness import BIN, Case, wait_until
from pipeline import Pipeline
from stores import Sqlite

EXAMPLES = ROOT / "deploy/examples"
LINES = 40  # of code, that each of them may have
SETTINGS = {"SURPLUS_ON_WATTS": "1000", "SURPLUS_OFF_WATTS": "100", "SURPLUS_SECONDS": "0",
            "SILENCE_SECONDS": "5", "SWITCH_REPEAT_SECONDS": "600", "HTTP_LISTEN": "127.0.0.1:0"}  # fmt: skip


def node_modules():
    """The packages of deploy/examples, under build/; installed anew when the lock file is another one."""
    folder, lock = ROOT / "build/examples", "package-lock.json"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w", encoding="utf-8") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = folder / "installed.json"
        if not done.exists() or done.read_bytes() != (EXAMPLES / lock).read_bytes():
            done.unlink(missing_ok=True)
            for name in ("package.json", lock):
                shutil.copyfile(EXAMPLES / name, folder / name)
            npm = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder,
                                 stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240)  # fmt: skip
            if npm.returncode != 0:
                raise AssertionError(f"npm ci ended with status {npm.returncode}:\n{npm.stderr}")
            shutil.copyfile(folder / lock, done)
    return folder / "node_modules"


def c(_world):
    return [BIN / "example-consumer"]


def python(_world):
    return ["/usr/bin/python3", "-B", EXAMPLES / "consumer.py"]


def node(world):
    """Packages are looked for beside the program: so a copy of it, and a link to them."""
    if not (world.path / "node_modules").exists():
        (world.path / "node_modules").symlink_to(node_modules())
    return ["node", shutil.copy(EXAMPLES / "consumer.mjs", world.path)]


def runs(pid):
    """A process that has ended may wait for a parent that asks."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


class Switch:
    """A command that notes what it is told; then it does what `more` says."""

    def __init__(self, world, name, more=""):
        self.notes = world.path / f"{name}.notes"
        self.path = world.write(f"{name}.sh", f'#!/bin/sh\necho "$1" >>"{self.notes}"\n{more}\n')
        os.chmod(self.path, 0o755)

    def words(self):
        return self.notes.read_text(encoding="utf-8").split() if self.notes.exists() else []

    def told(self):
        """The words, repeated ones left out."""
        return " ".join(word for word, _ in itertools.groupby(self.words()))


class Readings:
    """A decryptor's end of the readings stream."""

    def __init__(self, world, name):
        self.wires, self.name, self.seq = records.Wires(world), f"readings-{name}", 0
        self.endpoint = self.wires.endpoint(self.name)
        self.bind()

    def bind(self):
        self.socket = self.wires.open(zmq.PUB)
        self.socket.bind(self.endpoint)

    def restart(self):
        """As a decryptor that is killed and started again."""
        self.socket.close(linger=0)
        self.bind()

    def send(self, meter, watts, /, **more):
        """One live reading of now, import positive; or what `more` makes of it."""
        self.seq += 1
        values = meter.values(1) | {"PIn": max(watts, 0), "POut": max(-watts, 0)}
        telegram = meter.telegram(utc=int(time.time()), values=values)
        record = records.reading(telegram, self.wires.origin, self.seq, **more)
        self.send_parts(record["meter"], records.pack(record))

    def send_parts(self, meter, *parts):
        self.socket.send_multipart([f"reading.{meter}".encode(), *parts])


class Consumer:
    """One consumer a test; `argv` is its program."""

    def begin(self, name, more="", **settings):
        self.meter = Meter(f"{type(self).__name__}-{name}")
        self.readings, self.switch = Readings(self.world, name), Switch(self.world, name, more)
        env = SETTINGS | {"READINGS_CONNECT": self.readings.endpoint, "METER": self.meter.id, "SWITCH_COMMAND": self.switch.path} | settings
        self.process = self.world.start(name, type(self).argv(self.world), env)
        wait_until(lambda: self.switch.told() == "off", "off at the start")

    def feed(self, watts, until):
        """Live readings of this power until the command was told these words, over all."""

        def told():
            self.readings.send(self.meter, watts)
            return self.switch.told() == until

        wait_until(told, f"{until!r} was told")

    def feed_for(self, seconds, watts, **more):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.readings.send(self.meter, watts, **more)
            time.sleep(0.05)

    def connected(self):
        """On and off again: it hears us."""
        self.feed(-5000, "off on")
        self.feed(500, "off on off")


class Decisions(Consumer):
    """When each of them switches."""

    def test_on_at_surplus_and_off_at_import(self):
        self.begin("surplus", SURPLUS_SECONDS="2")
        self.connected()
        begun = time.monotonic()
        self.feed(-5000, "off on off on")
        self.assertGreaterEqual(time.monotonic() - begun, 2, "not before the surplus has lasted two seconds")
        for watts in (-900, 0, 100):  # the load takes its share
            self.feed_for(0.3, watts)
        self.assertEqual(self.switch.told(), "off on off on")
        self.feed(101, "off on off on off")
        for _ in range(5):  # never two seconds of it
            self.feed_for(0.4, -5000)
            self.feed_for(0.1, -1000)
        self.feed_for(2.5, -1000)  # and never above it
        self.feed(500, "off on off on off")
        self.feed(-1001, "off on off on off on")

    def test_only_live_readings_count(self):
        """Each of these alone would switch at once, and what is balanced would leave it so."""
        self.begin("live")
        self.connected()
        now = int(time.time())
        not_live = [{"suspect": "energy-jumps"}, {"attempt": 1}, {"attempt": 7, "replays": bytes(32)}, {"arrival": (now - 61) * 1000},
                    {"time": now - 4 * 3600}, {"time": now + 4 * 3600}, {"time": now - 60}, {"type": "debounced", "window": 0}, {"v": 2}, {"meter": Meter("neighbour").id}]  # fmt: skip
        for more in (*not_live, {"values": {"POut": [5000, 0]}}):
            self.readings.send(self.meter, -5000, **more)
        self.feed_for(1.5, 50)
        self.assertEqual(self.switch.told(), "off on off")
        for wrong in ([b""], [b"\xC1"], [b"\x93\1\2\3"], [b"\x81"], [bytes(range(256))], [],
                      [records.pack({"v": 1, "type": "reading", "attempt": 0})], [b"\xA0", b"a part more"]):  # fmt: skip
            self.readings.send_parts(self.meter.id, *wrong)
        self.feed(-5000, "off on off on")
        for more in (*not_live, {"values": {"PIn": [5000, 0]}}):
            self.readings.send(self.meter, 5000, **more)
        self.feed_for(1.5, 50)
        self.assertEqual(self.switch.told(), "off on off on")
        self.assertRegex(self.process.log(), "unreadable|TypeError|not a reading", "a line about what is malformed")
        self.feed(500, "off on off on off")

    def test_silence_is_off(self):
        """Nothing live is silence, whatever else comes."""
        self.begin("silence", SILENCE_SECONDS="3")
        self.feed(-5000, "off on")
        begun = time.monotonic()

        def off():
            self.readings.send(self.meter, -5000, attempt=1)
            return self.switch.told() == "off on off"

        wait_until(off, "off though only redelivered readings come")
        self.assertGreaterEqual(time.monotonic() - begun, 2.5)
        self.feed(-5000, "off on off on")
        wait_until(lambda: self.switch.told() == "off on off on off", "off though nothing comes")

    def test_the_decryptor_starts_again(self):
        self.begin("restart")
        self.feed(-5000, "off on")
        self.readings.restart()
        self.feed(500, "off on off")
        self.readings.restart()
        self.feed(-5000, "off on off on")


class Commands(Consumer):
    """How each of them runs its command."""

    signals = {signal.SIGTERM: 0, signal.SIGINT: 0}  # and the status that it ends with
    hang = 'echo "$1 $$" >>"$0.pids"; exec sleep 1000'

    def test_ends_in_order_and_off(self):
        for number, status in self.signals.items():
            with self.subTest(number.name):
                self.begin(number.name)
                self.feed(-5000, "off on")
                self.process.ends = {status}
                self.process.send_signal(number)
                self.assertEqual(self.process.wait(), status)
                self.assertEqual(self.switch.told(), "off on off")

    def test_the_command_is_told_again(self):
        self.begin("again", SWITCH_REPEAT_SECONDS="1")
        self.feed(-5000, "off on")
        wait_until(lambda: self.feed_for(0.1, -5000) or self.switch.words()[-3:] == ["on"] * 3, "on, three times")

    def test_a_command_that_fails(self):
        self.begin("fails", more="exit 3", SWITCH_REPEAT_SECONDS="1")
        wait_until(lambda: len(self.switch.words()) >= 2, "it is run again")
        wait_until(lambda: self.process.lines("status", "3"), "its status is told")
        self.feed(-5000, "off on")

    def test_a_command_that_hangs(self):
        """It is ended after a while, and holds up neither readings nor the end."""
        self.begin("hangs", more=self.hang, SWITCH_REPEAT_SECONDS="2")
        notes = self.world.path / "hangs.sh.pids"

        def pids(word):
            return [line.split()[1] for line in notes.read_text(encoding="utf-8").splitlines() if line.startswith(f"{word} ")]

        self.feed(-5000, "off on")
        wait_until(lambda: pids("on"), "the command waits")
        self.process.stop()
        self.assertEqual(self.switch.words()[-1], "off")
        for pid in pids("on"):
            wait_until(lambda p=pid: not runs(p), f"process {pid} was ended")
        for pid in filter(runs, pids("off")):  # what the last one has left is nobody's any more
            os.kill(int(pid), signal.SIGKILL)


class InC(Decisions, Case):
    argv = c

    def test_health(self):
        self.begin("health")
        wait_until(lambda: self.process.get("/readyz") == (503, "meter: down, no live reading\n"), "it waits for a reading")
        self.feed(-5000, "off on")
        wait_until(self.process.ready, "ready with a live reading")
        self.readings.send(self.meter, 0, attempt=1)
        wait_until(lambda: self.process.metric("readings_total", verdict="redelivered") == 1, "it is counted")


class CommandsInC(Commands, Case):
    argv = c
    hang = 'sleep 1000 & echo "$1 $!" >>"$0.pids"; wait'  # what it waits for is ended, too

    def test_the_command_hears_signals(self):
        """What a service blocks or ignores is not handed on."""
        for name in ("TERM", "PIPE"):
            self.begin(name.lower(), more=f"kill -{name} $$; echo deaf >>$0.deaf")
            wait_until(lambda: self.process.lines("event=switch", "killed"), "it was ended by its signal")
            self.process.stop()
            self.assertEqual(list(self.world.path.glob("*.deaf")), [])


class InPython(Decisions, Case):
    argv = python


class CommandsInPython(Commands, Case):
    argv = python


class InNode(Decisions, Case):
    argv = node


class CommandsInNode(Commands, Case):
    argv = node


class Length(unittest.TestCase):
    """Each is short enough to be read before it is copied."""

    def code(self, text, comment):
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
        return [line for line in text.splitlines() if line.strip() and not re.match(rf"\s*{comment}|#!", line)]

    def test_lines(self):
        for path, comment in (
            (ROOT / "services/example-consumer/main.c", "//"), (EXAMPLES / "consumer.py", "#"), (EXAMPLES / "consumer.mjs", "//")):  # fmt: skip
            with self.subTest(path.name):
                text = path.read_text(encoding="utf-8")
                self.assertLessEqual(len(self.code(text, comment)), LINES)
                self.assertLessEqual(max(map(len, text.splitlines())), 110)

    def test_what_is_counted(self):
        self.assertEqual(len(self.code("/*\n * no\n */\n#include <a.h>\n\nint a; /* yes */\n// no\n", "//")), 2)
        self.assertEqual(len(self.code("#!/usr/bin/python3\n# no\n\nimport a  # yes\n    # no\n", "#")), 1)


class WithDecryptors(Case):
    """All three behind real services; a decryptor is killed meanwhile."""

    @classmethod
    def prepare(cls):
        cls.home = Meter("consumers")
        cls.pipeline = Pipeline(cls.world, Sqlite(cls.world), [cls.home], replicas={"decryptor": 2}).start()
        cls.switches = []
        for program in (c, python, node):
            switch = Switch(cls.world, program.__name__)
            env = SETTINGS | {"READINGS_CONNECT": cls.pipeline.endpoints("readings"), "METER": cls.home.id, "SWITCH_COMMAND": switch.path}
            cls.world.start(f"consumer-{program.__name__}", program(cls.world), env)
            cls.switches.append(switch)
        wait_until(lambda: {s.told() for s in cls.switches} == {"off"}, "off at the start")

    def feed(self, watts, until):
        def told():
            values = self.home.values(1) | {"PIn": max(watts, 0), "POut": max(-watts, 0)}
            self.pipeline.send(self.home.telegram(utc=int(time.time()), values=values))
            return {s.told() for s in self.switches} == {until}

        wait_until(told, f"{until!r} was told to all")

    def test_a_killed_decryptor(self):
        self.feed(-5000, "off on")
        self.pipeline.service["decryptor-0"].kill()
        self.feed(500, "off on off")
        self.pipeline.start("decryptor-0")
        self.pipeline.service["decryptor-1"].kill()
        self.feed(-5000, "off on off on")


class Durable(Case):
    """proto/README.md: a consumer that must miss nothing, with a stream name of its own."""

    @classmethod
    def prepare(cls):
        cls.acks = f"ipc://{cls.world.path}/acks-mine"
        cls.home = Meter("durable")
        cls.pipeline = Pipeline(cls.world, Sqlite(cls.world), [cls.home])
        ingest = cls.pipeline.wiring("mqtt-ingest")
        cls.pipeline.extra["mqtt-ingest"] = {
            "DURABLE_STREAMS": "history,debounced,mine", "ACKS_CONNECT": f"{ingest['ACKS_CONNECT']},{cls.acks}"}  # fmt: skip
        cls.pipeline.start()

    def test_it_was_away(self):
        ingest = self.pipeline.service["mqtt-ingest"]
        telegrams = [self.home.telegram() for _ in range(20)]
        for t in telegrams:
            self.pipeline.send(t)
        for t in telegrams:
            self.pipeline.wait_for(t, live=False, debounced=False)
        wait_until(lambda: ingest.metric("journal_telegrams") == 20, "all are in the journal")
        wires = records.Wires(self.world)
        readings, acks, committed = wires.subscribe("readings.decryptor", b"reading."), wires.open(zmq.PUB), {}
        acks.bind(self.acks)

        def nothing_is_owed():
            for _, r in records.take(readings, 100):
                self.assertIn("mine", r["streams"].split(","))
                committed[r["meter"], r["counter"]] = r["attempt"]
                ack = {"v": 1, "type": "ack", "origin": r["origin"], "stream": "mine", "ranges": [[r["seq"], r["seq"], r["index"]]]}
                acks.send_multipart([r["origin"], records.pack(ack)])
            return ingest.metric("journal_telegrams") == 0

        wait_until(nothing_is_owed, "the journal owes nothing any more")
        self.assertEqual(set(committed), {(t.meter, t.counter) for t in telegrams})
        self.assertTrue(all(attempt > 0 for attempt in committed.values()), committed)
        self.assertEqual(len(self.pipeline.db.readings()), 20)
