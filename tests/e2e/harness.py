"""Processes under test: started here, ended here, their logs kept and shown when a test fails.

Everything a test class starts belongs to its World: a temporary folder, the processes in it, and at
the end the check that each ended as it should and that no sanitizer complained.
"""

import contextlib
import http.client
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from frames import ROOT

BIN = pathlib.Path(os.environ.get("ZAEHLWERK_BIN", ROOT / "build/san/bin"))
PATIENCE = 120  # seconds until something that must happen has failed; never a measure of speed
# What a machine may lack: reasons that begin so are skips, told and counted. Any other is a failure.
NO_ENGINE, NO_TIMESCALE, NO_ROOT = "no Docker engine: ", "no TimescaleDB ", "not allowed here: "
SANITIZER = re.compile(r"ERROR: AddressSanitizer|ERROR: LeakSanitizer|runtime error:|LeakSanitizer has encountered")
SANITIZER_ENV = {
    "ASAN_OPTIONS": "detect_leaks=1:exitcode=99:detect_stack_use_after_return=1:allocator_may_return_null=1:quarantine_size_mb=32",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1:exitcode=99",
}
# Nothing of the caller's own settings may reach the programs under test.
ENVIRONMENT = {"PATH": os.environ.get("PATH", "") + ":/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def wait_until(condition, what, seconds=PATIENCE, pause=0.02):
    """Poll until condition() is true and return what it gave; else fail, saying what was awaited."""
    until = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > until:
            raise AssertionError(f"after {seconds} s still not: {what}")
        time.sleep(pause)
        pause = max(pause, min(0.25, pause * 1.2))  # asking costs others their processors


def outlast(work, seconds=5):
    """Go on with the work for this long: longer than the services' heartbeats (3 s)."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        work()


def seeded(name):
    """Chance with a seed that is printed and may be given again as E2E_SEED."""
    seed = int(os.environ.get("E2E_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"{name}: E2E_SEED={seed}", flush=True)
    return random.Random(seed)


def free_port():
    """A TCP port nobody uses, below the kernel's own choice for outgoing connections."""
    while True:
        port = random.SystemRandom().randrange(15000, 32000)
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            return port


def http_get(port, path):
    """Status and text."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


class Process:
    """One child: its log, its end, and for services its HTTP endpoints."""

    def __init__(self, name, argv, env, folder, stdin=None, cwd=None, run_as=()):
        self.name, self.log_path = name, folder / f"{name}.log"
        self.ends = {0}  # exit statuses that are in order
        self.log_start = self.log_path.stat().st_size if self.log_path.exists() else 0
        with open(self.log_path, "ab") as log:
            self.popen = subprocess.Popen(
                [*run_as, "setpriv", "--pdeathsig", "KILL", "--", *map(str, argv)],
                env=ENVIRONMENT | SANITIZER_ENV | env, stdin=stdin or subprocess.DEVNULL,
                stdout=log, stderr=log, cwd=cwd)  # fmt: skip
        self.pid = self.popen.pid

    def log(self):
        """What this process (not an earlier one of the same name) has written."""
        data = self.log_path.read_bytes()[self.log_start :]
        return data.decode(errors="replace")

    def lines(self, *words):
        """The log lines that hold all of these words."""
        return [line for line in self.log().splitlines() if all(w in line for w in words)]

    def alive(self):
        return self.popen.poll() is None

    def send_signal(self, number):
        self.popen.send_signal(number)

    def wait(self, seconds=10):
        """The exit status."""
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} has not ended within {seconds} s") from None

    def kill(self):
        self.ends = {-signal.SIGKILL}
        self.send_signal(signal.SIGKILL)
        return self.wait()

    def stop(self, number=signal.SIGTERM):
        """End it as an operator does: status 0 within 10 seconds."""
        self.send_signal(number)
        status = self.wait(10)
        if status != 0:
            raise AssertionError(f"{self.name} ended with status {status}, not 0")

    # --- services ---

    def port(self):
        def found():
            if not self.alive():
                raise AssertionError(f"{self.name} ended with status {self.popen.returncode}")
            return re.search(r"event=http .*port=(\d+)|\"event\":\"http\".*\"port\":(\d+)", self.log())

        match = wait_until(found, f"{self.name} listens on HTTP")
        return int(match[1] or match[2])

    def get(self, path):
        return http_get(self.port(), path)

    def ready(self):
        return self.get("/readyz")[0] == 200

    def metric(self, name, **labels):
        """The value of one series, 0 while there is none."""
        label = "{" + ",".join(f'{k}="{v}"' for k, v in labels.items()) + "}" if labels else ""
        for line in self.get("/metrics")[1].splitlines():
            if line.rpartition(" ")[0] == f"zaehlwerk_{name}{label}":
                return int(line.rpartition(" ")[2])
        return 0


class World:
    """A temporary folder and the processes of one test class."""

    def __init__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="zw-e2e."))
        self.path.chmod(0o755)
        self.processes, self.connections = [], []  # the latter end first: a server may wait for their end
        self.closing = contextlib.ExitStack()  # what else must end, last come first

    def start(self, name, argv, env=None, **how):
        process = Process(name, argv, env or {}, self.path, **how)
        self.processes.append(process)
        return process

    def service(self, name, env, log_name=None):
        """A program of ours, with HTTP on any free port."""
        own = {"HTTP_LISTEN": "127.0.0.1:0", "JOURNAL_PATH": f"{self.path}/{log_name or name}-journal"}
        return self.start(log_name or name, [BIN / name], own | env)

    def write(self, name, text):
        """A file in the folder; replaced in one step, as editors and mounted volumes do it."""
        (self.path / f".{name}").write_text(text, encoding="utf-8")
        (self.path / f".{name}").rename(self.path / name)
        return str(self.path / name)

    def tool(self, *argv, stdin=b"", env=None, seconds=PATIENCE, check=False):
        """Run a command to its end."""
        result = subprocess.run(
            list(map(str, argv)), input=stdin, capture_output=True, timeout=seconds,
            env=ENVIRONMENT | SANITIZER_ENV | (env or {}), cwd=self.path)  # fmt: skip
        told = result.stderr.decode(errors="replace")
        if SANITIZER.search(told) or (check and result.returncode != 0):
            raise AssertionError(f"{argv[0]} ended with status {result.returncode}:\n{told}")
        return result

    def logs(self):
        """All logs, for the report of a failure; long ones cut in the middle."""
        text = ""
        for path in sorted(self.path.glob("*.log")):
            lines = [line[:400] for line in path.read_text(errors="replace").splitlines()]
            most = 12 if path.name.startswith("mosquitto") else 120
            if len(lines) > most:
                lines = lines[: most // 3] + [f"... {len(lines) - most} lines ..."] + lines[-most * 2 // 3 :]
            text += f"\n--- {path.name}\n" + "\n".join(lines)
        return text + "\n"

    def close(self):
        """End all; raise when a process ended wrongly or a sanitizer found something."""
        wrong = []
        for connection in self.connections:
            connection.close()
        running = [p for p in self.processes if p.alive()]
        for process in reversed(running):
            process.send_signal(signal.SIGCONT)
            process.send_signal(signal.SIGTERM)
        until = time.monotonic() + 15
        for process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.popen.wait(max(0.1, until - time.monotonic()))
            if process.alive():
                process.kill()
                wrong.append(f"{process.name} did not end on SIGTERM")
        self.closing.close()
        for process in self.processes:
            if process.popen.returncode not in process.ends:
                wrong.append(f"{process.name} ended with status {process.popen.returncode}")
        for path in self.path.glob("*.log"):
            if SANITIZER.search(path.read_text(errors="replace")):
                wrong.append(f"a sanitizer's report in {path.name}")
        logs = self.logs() if wrong else ""
        shutil.rmtree(self.path, ignore_errors=True)
        if wrong:
            raise AssertionError("; ".join(sorted(set(wrong))) + logs)


class Case(unittest.TestCase):
    """A test class with one World for all its tests; failures come with its logs."""

    maxDiff = None
    world = None

    @classmethod
    def setUpClass(cls):
        cls.world = World()
        cls.addClassCleanup(cls.world.close)
        try:
            cls.prepare()
        except unittest.SkipTest:
            raise
        except BaseException as e:
            raise AssertionError(f"{type(e).__name__}: {e}{cls.world.logs()}") from e

    @classmethod
    def prepare(cls):
        """Start what all tests of the class need."""

    def run(self, result=None):
        def count():
            return len(result.failures) + len(result.errors)

        before = count()
        super().run(result)
        for found in (result.failures, result.errors):
            if count() > before and found and getattr(found[-1][0], "test_case", found[-1][0]) is self:
                found[-1] = (found[-1][0], found[-1][1] + self.world.logs())
        return result
