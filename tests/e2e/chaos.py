"""Many meters, and a monkey that kills, stops and fills what it finds; then the count of what is stored.

The seed decides what happens when; the scheduler of the machine decides the rest.
"""

import contextlib
import ctypes
import http.client
import os
import random
import re
import signal
import sqlite3
import subprocess
import threading
import time

from frames import Meter
from harness import BIN, http_get, wait_until
from mqtt import Client
from pipeline import Broker, Pipeline

SERVICES = ["mqtt-ingest", "decryptor", "debouncer", "db-writer", "publisher"]
METERS, EVERY, WINDOW = 200, 5, 30  # one reading a meter and 5 s; seconds of a debounce window
# Readings at once when the database goes: a receiver that was offline. (home.conf is for few messages.)
BURST = {"fleet.conf": 2000, "home.conf": 400}
DISK, JOURNAL = 24 << 20, 8 << 20  # octets of the small disk under the second ingest's journal, and for the journal
PATIENCE = 180  # seconds until all has drained after the chaos
CLONE_NEWNS = 0x20000
SANITIZED = b"__asan_init" in (BIN / "decryptor").read_bytes()
HOOK = b"ZW_CHAOS_CRASH" in (BIN / "decryptor").read_bytes()
# Greatest resident set (VmHWM) that a process of ours may ever reach. Sanitizers keep freed memory back.
MEMORY_MIB = 400 if SANITIZED else 48


def seconds(default):
    return int(os.environ.get("CHAOS_SECONDS") or default)


def seed():
    return int(os.environ.get("CHAOS_SEED") or random.SystemRandom().randrange(1 << 32))


class Feeder(threading.Thread):
    """Each meter sends its reading at its own moment, until told otherwise."""

    def __init__(self, meters, send, every=EVERY):
        super().__init__(daemon=True)
        self.meters, self.send, self.every, self.closing = meters, send, every, threading.Event()

    def run(self):
        start, n = time.monotonic(), 0
        while not self.closing.is_set():
            self.send(n % len(self.meters), self.meters[n % len(self.meters)].telegram(utc=int(time.time())))
            n += 1
            self.closing.wait(max(0, start + n * self.every / len(self.meters) - time.monotonic()))

    def close(self):
        self.closing.set()
        if self.is_alive():
            self.join(10)


class SmallDisk:
    """A file system of its own under a journal, or, where mounting is not possible, a small journal."""

    def __init__(self, world, size=DISK, journal=JOURNAL):
        self.path, self.fill_path = world.path / "disk", world.path / "disk/fill"
        self.path.mkdir()
        # In a mount namespace of this test's own, so that it goes with the test however that ends.
        self.mounted = ctypes.CDLL(None).unshare(CLONE_NEWNS) == 0 and all(
            subprocess.run(["mount", *how], capture_output=True, check=False).returncode == 0
            for how in (["--make-rprivate", "/"], ["-t", "tmpfs", "-o", f"size={size}", "tmpfs", self.path]))  # fmt: skip
        if self.mounted:
            world.closing.callback(subprocess.run, ["umount", "-l", self.path], check=True)
            self.env = {"JOURNAL_PATH": f"{self.path}/journal", "JOURNAL_MAX_BYTES": str(journal)}
        else:
            print("figures: no tmpfs can be mounted here: JOURNAL_MAX_BYTES=1 MiB instead of a full disk", flush=True)
            self.env = {"JOURNAL_PATH": f"{self.path}/journal", "JOURNAL_MAX_BYTES": str(1 << 20)}

    def fill(self):
        if self.mounted:
            with contextlib.suppress(OSError), open(self.fill_path, "wb", buffering=0) as f:
                while f.write(bytes(4096)):
                    pass

    def free(self):
        self.fill_path.unlink(missing_ok=True)


class Town(Pipeline):
    """200 meters, the services in several copies, a supervisor for them, and all that goes wrong."""

    def __init__(self, world, db, chance, conf, copies):
        self.chance, self.spares = chance, [f"{s}-2" for s, n in copies.items() if n == 3]
        self.meters = [Meter(f"chaos {i}", utc=0) for i in range(METERS)]
        self.poison, self.refused, self.offline = Meter("a poison"), Meter("refused"), Meter("offline")
        self.disk = SmallDisk(world)
        self.burst_of = BURST[conf] if self.disk.mounted else 2000  # enough for the small journal
        super().__init__(world, db, [*self.meters, self.poison, self.refused, self.offline],
                         replicas={"mqtt-ingest": 2, **copies}, broker=Broker(world, conf=conf))  # fmt: skip
        self.env |= {"DEBOUNCE_SECONDS": str(WINDOW), "ZW_CHAOS_CRASH": self.poison.title}
        self.wanted, self.due, self.killed, self.halted = [], {}, set(), None
        self.full_until, self.wrong, self.kills, self.crashes = 0, [], 0, 0
        self.peak, self.redelivered, self.sampled = {}, {}, 0
        self.client = Client(self.broker.port, "chaos-publisher")
        world.closing.callback(self.client.close)
        self.feeder = Feeder(self.meters, self.reading)
        world.closing.callback(self.feeder.close)
        self.rejects = []  # (reason, meter, octets or None) that must come
        self.told = []

    def subscribe(self, name=""):
        """Nothing is watched live."""

    def wiring(self, copy):
        own = super().wiring(copy)
        if copy.startswith("mqtt-ingest"):
            own |= {"MQTT_CLIENT_ID": copy, "SMARTMETER_RAWDATA_MQTT_TOPIC": f"sensors/smartmeter/raw/{copy[-1]}/+"}
        return own | (self.disk.env if copy == "mqtt-ingest-1" else {})

    # --- what the meters send ---

    def reading(self, n, telegram):
        self.client.publish(f"sensors/smartmeter/raw/{n % 2}/{telegram.meter}", telegram.hex.encode(), telegram.row)

    def burst(self):
        """What a receiver had kept, all for the ingest with the small disk."""
        self.offline.utc = self.offline.utc if self.offline.counter > 1000 else int(time.time()) - 100000
        for _ in range(self.burst_of):
            self.reading(1, self.offline.telegram())

    def bad(self, reason, payload, meter=None, octets=None):
        self.rejects.append((reason, meter, octets))
        self.client.publish(f"sensors/smartmeter/raw/{len(self.rejects) % 2}/bad-{len(self.rejects)}", payload)

    def bad_ones(self):
        """Rejects of all makers: the ingest, the decryptor and the database; and the poison."""
        for i in range(3):
            self.bad("not-a-frame", b"no frame, number %d" % i, None, b"no frame, number %d" % i)
            stranger = Meter(f"stranger {i}", utc=int(time.time())).telegram()
            self.bad("no-key", stranger.hex.encode(), stranger.meter, stranger.octets)
        self.refused.utc = int(time.time()) // WINDOW * WINDOW
        self.reading(0, self.refused.telegram())  # so that the refused one is not the first of its window
        odd = self.refused.telegram(values=self.refused.values(1002) | {"POut": REFUSED_POUT})
        self.bad("refused", odd.hex.encode(), odd.meter)
        if HOOK:
            poison = self.poison.telegram(utc=int(time.time()))
            self.bad("poison", poison.hex.encode(), None, poison.octets)
        else:
            print("figures: this build has no hook for a poison telegram: none was sent", flush=True)

    # --- the supervisor ---

    def spawn(self, copy):
        name = copy.rstrip("-0123456789")
        self.service[copy] = self.world.service(name, self.env | self.wiring(copy), copy)
        if name == "decryptor" and HOOK:
            self.service[copy].ends.add(-signal.SIGABRT)

    def add(self, *copies):
        for copy in copies:
            self.wanted.append(copy)
            self.due[copy] = 0

    def begin(self):
        self.add(*(c for s in SERVICES for c in self.copies(s) if c not in self.spares))
        self.tend()
        for copy in self.wanted:
            wait_until(self.service[copy].ready, f"{copy} is ready")

    def tend(self):
        """Start what has died, look at what lives."""
        now = time.monotonic()
        for copy in self.wanted:
            process = self.service.get(copy)
            if self.due.get(copy, now + 1) <= now:
                del self.due[copy]
                self.spawn(copy)
            elif copy not in self.due and process and not process.alive():
                self.judge(copy, process)
                self.due[copy] = now + self.chance.uniform(0, 1.5)
        for copy, process in self.service.items():
            if process.alive():
                self.measure(copy, process)
        if now - self.sampled > 1:
            self.sampled = now
            for copy in self.copies("mqtt-ingest"):
                self.sample(self.service[copy])

    def judge(self, copy, process):
        """An end that nobody has caused is a failure."""
        status = process.popen.returncode
        if process.pid in self.killed:
            return
        if status == -signal.SIGABRT and copy.startswith("decryptor") and HOOK:
            self.crashes += 1
        elif not (status in (70, 78) and copy == "mqtt-ingest-1" and time.monotonic() < self.full_until):
            self.wrong.append(f"{copy} ended with status {status}")
        process.ends.add(status)

    def measure(self, copy, process):
        with contextlib.suppress(OSError):
            found = re.search(r"VmHWM:\s*(\d+) kB", open(f"/proc/{process.pid}/status", encoding="ascii").read())
            name = copy.rstrip("-0123456789")
            self.peak[name] = max(self.peak.get(name, 0), int(found[1]) / 1024 if found else 0)

    def metric(self, process, name):
        """A metric, or None where it cannot be had now."""
        with contextlib.suppress(OSError, TypeError, http.client.HTTPException):
            if not hasattr(process, "http"):
                process.http = int(re.search(r"event=http .*port=(\d+)", process.log())[1])
            return int(re.search(rf"^zaehlwerk_{name} (\d+)", http_get(process.http, "/metrics")[1], re.M)[1])
        return None

    def sample(self, process):
        if process.alive():
            self.redelivered[process.pid] = self.metric(process, "redelivered_total") or self.redelivered.get(process.pid, 0)

    def kill(self, copy):
        process = self.service[copy]
        if copy.startswith("mqtt-ingest"):
            self.sample(process)
        if process.alive():
            self.killed.add(process.pid)
            process.ends.add(-signal.SIGKILL)
            process.send_signal(signal.SIGKILL)
            process.wait()
            self.kills += 1

    # --- what goes wrong ---

    def tell(self, what):
        self.told.append(f"{time.monotonic() - self.begun:.1f} {what}")

    def kill_any(self):
        able = [c for c in self.wanted if c not in self.due and c != self.halted and self.service[c].alive()]
        if able:
            copy = self.chance.choice(able)
            self.tell(f"kill {copy}")
            self.kill(copy)

    def restart_broker(self, with_ingest):
        self.tell(f"broker restarts, ingest down: {with_ingest}")
        down = self.chance.choice(self.copies("mqtt-ingest"))
        if with_ingest:
            self.wanted.remove(down)
            self.kill(down)
        self.broker.process.stop()
        self.broker.start()
        if with_ingest:
            self.at(time.monotonic() - self.begun + 2, self.add, down)

    def database(self, there):
        self.tell(f"database {'back' if there else 'away'}")
        if self.db.kind == "postgresql":
            (self.db.start if there else self.db.stop)()
        elif there:
            self.lock.close()
        else:  # a program that does not let go of the file
            self.lock = sqlite3.connect(self.db.path, timeout=20, isolation_level=None)
            self.lock.execute("BEGIN IMMEDIATE")
        if not there:
            self.burst()

    def halt(self, away):
        able = [c for c in self.wanted if c[-1] in "01" and not c.startswith("mqtt") and c not in self.due]
        self.halted = self.chance.choice(able)
        self.tell(f"stop {self.halted}")
        process = self.service[self.halted]
        process.send_signal(signal.SIGSTOP)
        self.at(time.monotonic() - self.begun + away, self.resume, process)

    def resume(self, process):
        self.tell("continue")
        process.send_signal(signal.SIGCONT)
        self.halted = None

    def disk_full(self, full):
        self.tell(f"disk {'full' if full else 'free'}")
        (self.disk.fill if full else self.disk.free)()
        self.full_until = time.monotonic() + (1e6 if full else 15)

    def take_away(self):
        self.tell("spares go")
        for copy in self.spares:
            self.wanted.remove(copy)
            process = self.service[copy]
            if self.due.pop(copy, None) is None and process.alive():
                if self.metric(process, "up") is None and not hasattr(process, "http"):
                    process.ends.add(-signal.SIGTERM)  # it does not listen, so it may not know the signal yet
                process.send_signal(signal.SIGTERM)
                process.wait()

    def at(self, when, what, *how):
        self.plan.append((when, what, how))

    def make_plan(self, length):
        rounds = max(1, round(length / 75))
        r = length / rounds
        away = min(20, r / 4)
        self.plan = []
        self.at(r * 0.1, self.bad_ones)
        for start in (i * r for i in range(rounds)):
            def near(part):
                return start + r * (part + self.chance.uniform(-0.02, 0.02))

            gone, full = near(0.08), near(0.6)
            self.at(gone, self.database, False)
            self.at(gone + away, self.database, True)
            self.at(near(0.2), self.add, *self.spares)
            self.at(near(0.72), self.take_away)
            self.at(near(0.4), self.restart_broker, False)
            self.at(near(0.85), self.restart_broker, True)
            self.at(near(0.45), self.halt, away)
            self.at(full, self.disk_full, True)
            self.at(full + 12, self.disk_full, False)
        t = 1.0
        while t < length:
            self.at(t, self.kill_any)
            t += self.chance.uniform(1, 2)

    def run(self, length):
        """Chaos for so long; then all is put right, and what is owed drains."""
        self.begun = time.monotonic()
        self.make_plan(length)
        self.feeder.start()
        while self.plan or time.monotonic() - self.begun < length:
            for step in sorted((s for s in self.plan if s[0] <= time.monotonic() - self.begun), key=lambda s: s[0]):
                self.plan.remove(step)
                step[1](*step[2])
            self.tend()
            time.sleep(0.05)
        self.tell("the end of it")
        self.deadline = time.monotonic() + PATIENCE
        wanted = {r[0] for r in self.rejects}
        self.await_("every kind of reject is stored", lambda: wanted <= {r["reason"] for r in self.db.rejects()})
        self.feeder.close()
        self.await_("the broker has acknowledged everything", lambda: not self.client.waiting)
        last = [m.telegram(utc=int(time.time())) for m in (self.refused, self.offline)]  # behind all that the broker holds
        for n, telegram in enumerate(last):
            self.reading(n, telegram)
        self.await_("the last readings are stored", lambda: all(map(self.stored, last)))
        self.await_("the journals are empty", lambda: [
            self.metric(self.service[c], "journal_telegrams") for c in self.copies("mqtt-ingest")] == [0, 0])  # fmt: skip
        self.tell("drained")

    def await_(self, what, condition):
        def tended():
            self.tend()
            time.sleep(0.2)
            return condition()

        wait_until(tended, f"{what} (wrong so far: {self.wrong})", max(0, self.deadline - time.monotonic()))

    def journals(self):
        """What the files of the ended ingests owe, what is open in them, and entries that nothing needs."""
        left = {}
        for copy in self.copies("mqtt-ingest"):
            self.wanted.remove(copy)
            self.service[copy].stop()
            folder = self.wiring(copy).get("JOURNAL_PATH", f"{self.world.path}/{copy}-journal")
            with contextlib.closing(sqlite3.connect(f"{folder}/slot-0/journal", timeout=10)) as db:
                left[copy] = db.execute(
                    "SELECT (SELECT count(*) FROM telegrams WHERE owed != 0), (SELECT count(*) FROM entries WHERE open = 1), "
                    "(SELECT count(*) FROM entries WHERE open = 0 AND seq NOT IN (SELECT seq FROM telegrams))").fetchone()
        return left


REFUSED_POUT = 7  # W that the database is told to refuse


def key(row):
    return row["meter"], row["counter"], row["time"]


def earliest(rows):
    """By (meter, window): the row that historydebounced must hold."""
    best = {}
    for r in rows:
        k = (r["meter"], r["time"] // WINDOW * WINDOW)
        if k not in best or key(r)[::-1] < key(best[k])[::-1]:
            best[k] = r
    return best
