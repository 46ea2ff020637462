"""make run: everything starts, is supervised, and ends with its terminal."""

import contextlib
import json
import os
import re
import select
import shutil
import signal
import subprocess
import time

import frames
from harness import BIN, ENVIRONMENT, SANITIZER, SANITIZER_ENV, Case, free_port, http_get, wait_until
from pipeline import SERVICES as PIPELINE, Broker, Subscriber
from records import Wires
from stores import Sqlite

SERVICES = [*PIPELINE, "dashboard"]
# In a pipe with its date and the meter's id; on a terminal with the time alone and the meter's name.
READING = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ [0-9A-F]{16}|\d\d:\d\d:\d\dZ) .*WIn +\d+ Wh", re.M)


class Run:
    """One `make run` in a tree of its own, on a terminal of its own."""

    def __init__(self, world, name, server_env=None, make=False):
        self.folder = world.path / name
        tree, self.var = self.folder / "tree", self.folder / "var"
        (self.folder / "tmp").mkdir(parents=True)
        shutil.copytree(frames.ROOT / "deploy", tree / "deploy")
        if server_env is not None:
            (tree / "server.env").write_text(server_env, encoding="utf-8")
        self.env = ENVIRONMENT | SANITIZER_ENV | {
            "ZAEHLWERK_VAR": str(self.var), "ZAEHLWERK_BIN": str(BIN), "TMPDIR": str(self.folder / "tmp"),
            "DASHBOARD_LISTEN": f"127.0.0.1:{free_port()}"}  # fmt: skip
        self.script, self.written = tree / "deploy/native/run.sh", b""
        command = [self.script]
        if make:  # the last two lines of the real one: what has to be installed and built is
            (tree / "Makefile").write_text("run:\n\t@deploy/native/run.sh\n", encoding="utf-8")
            command = ["make", "-C", tree, "run"]
        self.terminal, slave = os.openpty()
        self.popen = subprocess.Popen(
            ["setsid", "-c", "setpriv", "--pdeathsig", "KILL", "--", *command],
            stdin=slave, stdout=slave, stderr=slave, env=self.env, cwd=self.folder)  # fmt: skip
        os.close(slave)
        world.closing.callback(self.end)
        self.db = Sqlite(world, f"{name}/var/db/" + ("zaehlwerk.sqlite" if server_env else "demo.sqlite"))

    def end(self):
        """Whatever a failed test has left."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.popen.wait(10)

    def text(self):
        """What the terminal has shown so far."""
        while self.terminal is not None and select.select([self.terminal], [], [], 0)[0]:
            try:
                self.written += os.read(self.terminal, 65536)
            except OSError:  # nobody has it open any more
                break
        return self.written.decode(errors="replace").replace("\r\n", "\n")

    def hang_up(self):
        self.text()
        os.close(self.terminal)
        self.terminal = None

    def processes(self, program=None):
        """Those that carry this run's folder in their command line or environment; zombies do not count."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                with open(f"/proc/{pid}/environ", "rb") as f:
                    environment = f.read()
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    words = f.read().split(b"\0")
                with open(f"/proc/{pid}/stat", "rb") as f:
                    state = f.read().rpartition(b")")[2].split()[0]
                ours = bytes(self.folder) in environment or any(bytes(self.folder) in w for w in words)
                if ours and state != b"Z" and (program is None or words[0].rpartition(b"/")[2] == program.encode()):
                    found.append(int(pid))
        return found

    def logs(self):
        return {p.parent.name: p.read_text(errors="replace") for p in self.var.glob("log/*/current")}


class MakeRun(Case):
    @classmethod
    def prepare(cls):
        cls.runs = {name: Run(cls.world, name, make=name == "make") for name in ("int", "term", "hup", "make")}

    def run_up(self, run):
        """Readings on the terminal, rows in both tables."""

        def check(condition, what):
            try:
                wait_until(condition, what)
            except AssertionError as e:
                raise AssertionError(f"{e}\n--- terminal\n{run.text()}\n--- logs\n{run.logs()}") from None

        check(lambda: len(READING.findall(run.text())) >= 8, "eight readings on the terminal")
        check(lambda: len({r["meter"] for r in run.db.readings()}) == 4, "four meters in history")
        check(lambda: len({r["meter"] for r in run.db.debounced()}) == 4, "four meters in historydebounced")
        check(lambda: self.page_shows_all(run), "the page shows four live meters and five services that are up")
        return run

    def page_shows_all(self, run):
        """What stands behind the address that the terminal shows."""
        found = re.search(r"^  page +http://127\.0\.0\.1:(\d+)$", run.text(), re.M)
        if not found:
            return False
        with contextlib.suppress(OSError):
            status, text = http_get(int(found[1]), "/api/state")
            state = json.loads(text)
            return (status, sum(m["live"] for m in state["meters"]), [(s["name"], s["state"]) for s in state["services"]]) == (
                200, 4, [(name, "up") for name in ("mqtt-ingest", "decryptor", "debouncer", "db-writer", "publisher")])  # fmt: skip
        return False

    def gone(self, run):
        """Nothing is left within 20 s, and nothing went wrong before."""

        def left():
            if run.terminal is not None:
                run.text()
            return run.processes()

        wait_until(lambda: not left(), "all processes have ended", 20)
        run.popen.wait(1)
        self.assertEqual(os.listdir(run.folder / "tmp"), [], "a temporary folder is left")
        for name, log in run.logs().items():
            self.assertIsNone(SANITIZER.search(log), log)
            self.assertNotIn("level=error", log)
            if name in SERVICES:
                self.assertIn("event=stop status=0", log.splitlines()[-1], name)

    def test_sigterm_and_supervision(self):
        run = self.run_up(self.runs["term"])
        text = run.text()
        for told in (str(run.var / "db"), str(run.var / "log"), "localhost:", *SERVICES):
            self.assertIn(told, text)
        self.assertNotIn(next(iter((run.var / "demo-keys.csv").read_text().split()[1:])).split(",")[1], text)
        second = self.world.tool(run.script, env=run.env)
        self.assertEqual(second.returncode, 69, "one run for each folder")
        pids = {name: run.processes(name) for name in (*SERVICES, "mosquitto", "meter-sim")}
        self.assertEqual({name: 1 for name in pids}, {name: len(p) for name, p in pids.items()})
        for name in pids:
            os.kill(pids[name][0], signal.SIGKILL)
            wait_until(lambda n=name: run.processes(n) not in ([], pids[n]), f"{name} is started again")
        seen = {(r["meter"], r["counter"]) for r in run.db.readings()}
        shown = len(READING.findall(run.text()))
        wait_until(lambda: len({(r["meter"], r["counter"]) for r in run.db.readings()} - seen) >= 4, "new rows")
        wait_until(lambda: len(READING.findall(run.text())) > shown, "new readings on the terminal")
        os.kill(run.popen.pid, signal.SIGTERM)
        self.gone(run)

    def test_ctrl_c(self):
        run = self.run_up(self.runs["int"])
        os.write(run.terminal, b"\x03")
        self.gone(run)

    def test_closed_terminal(self):
        run = self.run_up(self.runs["hup"])
        run.hang_up()
        self.gone(run)


    def test_closed_terminal_that_only_make_hears_of(self):
        """A window that is closed signals the session's leader alone; make ends and tells nobody."""
        run = self.run_up(self.runs["make"])
        run.hang_up()
        self.gone(run)


class OwnSettings(Case):
    """With a server.env: the broker, the key and the database that it names."""

    @classmethod
    def prepare(cls):
        cls.broker = Broker(cls.world)

    def test_server_env(self):
        broker, meter = self.broker, frames.Meter("at home", utc=int(time.time()) - 600)
        sub, wires = Subscriber(broker, "home/values"), Wires(self.world)
        readings = wires.subscribe("readings", b"reading.")  # a consumer from outside
        run = Run(self.world, "own", (
            f"# my own meter\r\nMQTT_HOST=127.0.0.1\nMQTT_PORT='{broker.port}'\nexport SMARTMETER_KEY=\"{meter.key.hex(':')}\"\n\n"
            "SMARTMETER_RAWDATA_MQTT_TOPIC=home/raw\nSMARTMETER_VALUES_MQTT_TOPIC=home/values\nHTTP_LISTEN=127.0.0.1:0\n"
            f"READINGS_BIND={wires.endpoint('readings')}\n"))  # fmt: skip

        def through():
            t = meter.telegram()
            broker.pub("home/raw", t.hex.encode())
            return [p for p in sub.payloads("home/values") if run.db.readings() and f"{meter.id} " in run.text()]

        wait_until(through, "a reading on the values topic, in history and on the terminal")
        self.assertEqual({r["meter"] for r in run.db.readings()}, {meter.id})
        wait_until(lambda: through() and readings.poll(0), "a reading comes to a consumer from outside")
        listed = self.world.tool("sh", "-c", f". {run.var}/env && exec {BIN}/zaehlwerk export --table history --from 2000-01-01 --to 2100-01-01")
        self.assertIn(meter.id.encode(), listed.stdout, "commands beside it know its settings")
        self.assertEqual((run.var / "env").stat().st_mode & 0o077, 0, "a key stands in it")
        self.assertEqual(run.processes("mosquitto"), [], "no broker of its own")
        self.assertNotIn(meter.key.hex(), run.text())
        os.kill(run.popen.pid, signal.SIGTERM)
        wait_until(lambda: run.text() and not run.processes(), "all processes have ended", 20)
        run.popen.wait(1)

    def test_silent_and_closed(self):
        """No reading ever comes, so no line is written that would tell of a closed terminal."""
        run = Run(self.world, "silent", (
            f"MQTT_HOST=127.0.0.1\nMQTT_PORT={self.broker.port}\nSMARTMETER_KEY={frames.Meter('silent').key.hex()}\n"
            "HTTP_LISTEN=127.0.0.1:0\n"), make=True)  # fmt: skip
        wait_until(lambda: len(run.logs()) >= len(SERVICES), "every service has started")
        run.hang_up()
        wait_until(lambda: not run.processes(), "all processes have ended", 20)
        run.popen.wait(1)

    def test_wrong_setting_ends_the_start(self):
        run = Run(self.world, "wrong", "MQTT_HOST=127.0.0.1\nSMARTMETER_KEY=12\n")
        self.assertEqual(run.popen.wait(20), 78)
        self.assertIn("SMARTMETER_KEY", run.text())
        self.assertEqual(run.processes(), [])

    def test_broken_server_env(self):
        run = Run(self.world, "broken", "MQTT HOST is where\n")
        self.assertEqual(run.popen.wait(20), 78)
        self.assertIn("server.env: not NAME=value", run.text())
        self.assertEqual(run.processes(), [])
