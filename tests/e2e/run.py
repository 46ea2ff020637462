"""Run all tests, as many jobs at a time as the processors have room for: the delivery model, the firmware, each integration test class, each unit test program.

run.py             everything; ends with "N passed, N failed", and ", N skipped" where no Docker engine can be had
run.py WORD...     only the jobs whose name holds one of these words
run.py --class C   one integration test class, in this process, results in TAP
"""

import importlib
import os
import pathlib
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
import unittest

from frames import ROOT
from harness import ENVIRONMENT, NO_ENGINE, NO_ROOT, NO_TIMESCALE, SANITIZER, SANITIZER_ENV

HERE = pathlib.Path(__file__).parent
UNIT = ROOT / "build/san/test"
SECONDS = 600 + int(os.environ.get("CHAOS_SECONDS") or 0)  # on a quiet machine no job takes a quarter of the first
LONG = {"test_compose": 2400}  # seconds; builds all images
# So many jobs at a time at least; another one as long as a fifth of the processors has nothing to do, since much of the time a
# job waits.
LEAST = int(os.environ.get("E2E_JOBS") or os.cpu_count() or 1)
MOST = LEAST if os.environ.get("E2E_JOBS") else 3 * LEAST
# The long ones first, so that the end is not one job alone.
FIRST = ["test_compose", "test_import.OnPostgres", "test_import.OnSqlite", "test_chaos", "test_browser", "test_run", "test_rollout", "test_slots.Orphan", "test_check", "test_deb", "test_journal.DiskFull", "test_outages.DatabaseAway", "test_outages.Hung",
         "test_fleet.Replicas", "test_life", "test_settings", "test_bad_input.OnPostgres"]
FIGURES = []  # lines that the jobs print as "figures: ..."


class Tap(unittest.TestResult):
    """One line a test; what a failure has to say follows at the end of the class."""

    def addSuccess(self, test):
        print(f"ok - {test.id()}", flush=True)

    def addSkip(self, test, reason):
        word = "ok" if reason.startswith((NO_ENGINE, NO_TIMESCALE, NO_ROOT)) else "not ok"
        print(f"{word} - {test.id()} # SKIP {reason}", flush=True)

    def done(self):
        for test, text in self.errors + self.failures:
            print(f"not ok - {test.id()}\n{text}", flush=True)
            why = next((line for line in text.splitlines() if line[:1].isalpha() and not line.startswith("Traceback")), "")
            print(f"failed: {test.id()}: {why[:300]}", flush=True)  # said again at the very end


def run_class(name):
    result = Tap()
    tests = unittest.defaultTestLoader.loadTestsFromName(name)
    print(f"1..{tests.countTestCases()}", flush=True)
    tests.run(result)
    result.done()
    return 0 if result.wasSuccessful() else 1


def classes():
    for path in sorted(HERE.glob("test_*.py")):
        module = importlib.import_module(path.stem)
        for name, value in vars(module).items():
            if isinstance(value, type) and issubclass(value, unittest.TestCase) and value.__module__ == path.stem:
                if unittest.defaultTestLoader.getTestCaseNames(value):
                    yield f"{path.stem}.{name}"


def processors():
    """Seconds that all processes have worked that have ended and been waited for, and theirs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class Room:
    """Whether the processors have room for one more, asked at any time, looked at every three seconds."""

    def __init__(self):
        self.since, self.before, self.free = time.monotonic(), self.ticks(), False

    @staticmethod
    def ticks():
        """Of all processors since the machine's start: idle, and all (proc(5), /proc/stat)."""
        with open("/proc/stat", encoding="ascii") as stat:
            ticks = list(map(int, stat.readline().split()[1:9]))
        return ticks[3], sum(ticks)

    def is_free(self):
        if time.monotonic() - self.since >= 3:
            idle, everything = (now - before for now, before in zip(self.ticks(), self.before))
            self.since, self.before, self.free = time.monotonic(), self.ticks(), idle * 5 > everything
        return self.free

    def take(self):
        """It is used: look anew."""
        self.since, self.before, self.free = time.monotonic(), self.ticks(), False


class Job:
    def __init__(self, name, argv):
        self.name, self.argv = name, argv
        self.seconds = next((s for word, s in LONG.items() if name.startswith(word)), SECONDS)

    def start(self):
        self.output, self.begun = tempfile.TemporaryFile(), time.monotonic()
        self.popen = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *map(str, self.argv)], stdin=subprocess.DEVNULL,
            stdout=self.output, stderr=self.output, cwd=ROOT,
            env=os.environ | ENVIRONMENT | SANITIZER_ENV | {"CMOCKA_MESSAGE_OUTPUT": "TAP"})  # fmt: skip
        return self

    def ended(self):
        before = processors()
        if self.popen.poll() is None:
            if time.monotonic() - self.begun <= self.seconds:
                return False
            self.popen.kill()
            self.popen.wait()
        self.worked = processors() - before
        return True

    def judge(self):
        """Passed, failed, skipped, and the output when there is something to see in it."""
        self.output.seek(0)
        text = self.output.read().decode(errors="replace")
        skips = re.findall(r"^ok\b.*# SKIP (.*)", text, re.M)
        passed = len(re.findall(r"^ok\b", text, re.M)) - len(skips)
        failed = len(re.findall(r"^not ok\b", text, re.M))
        planned = sum(map(int, re.findall(r"^1\.\.(\d+)$", text, re.M)))
        status, seconds = self.popen.returncode, time.monotonic() - self.begun
        if failed == 0 and (status != 0 or not skips and (passed == 0 or passed < planned) or SANITIZER.search(text)):
            failed, text = 1, text + f"\nended with status {status}" + (", it took too long" if seconds > self.seconds else "")
        FIGURES.extend(re.findall(r"^(?:figures: |(?=compose: ))(.*)", text, re.M))
        print(f"{'not ok' if failed else 'ok':6} {self.name}: {passed} passed, {failed} failed, {seconds:.1f} s ({self.worked:.1f} s of a processor)", flush=True)
        for reason in skips:
            print(f"SKIPPED {self.name}: {reason}", flush=True)
        return passed, failed, len(skips), f"\n=== {self.name}\n{text}" if failed else ""


def figures():
    """What the jobs have measured; the sum of the chaos runs last."""
    chaos = [re.findall(r"(\w+) (\d+)", line) for line in FIGURES if line.startswith("chaos ")]
    sums = {}
    for name, number in sum(chaos, []):
        sums[name] = sums.get(name, 0) + int(number)
    if chaos:
        sums["seed"] = os.environ["CHAOS_SEED"]
        print("chaos: " + ", ".join(f"{name} {number}" for name, number in sums.items()))


def place(name):
    return next((i for i, word in enumerate(FIRST) if name.startswith(word)), len(FIRST))


def jobs():
    for name in sorted(classes(), key=place):
        yield Job(name, [sys.executable, HERE / "run.py", "--class", name])
    yield Job("model", [ROOT / "tests/model.sh"])  # beside the short ones: the chaos would take its processors
    yield Job("firmware on an emulated chip", [ROOT / "tests/firmware/run.sh"])
    for name in ("firmware", "import"):
        yield Job(f"{name} fuzz corpus", [UNIT / f"fuzz_{name}", ROOT / f"tests/fuzz/{name}.hex"])
    sources = {p.stem for p in (ROOT / "tests/unit").glob("test_*.c")}  # a program without a source is an old one
    for path in sorted(UNIT.glob("test_*")):
        if path.name in sources and os.access(path, os.X_OK):
            sources.remove(path.name)
            yield Job(f"unit {path.name}", [path])
    for name in sorted(sources):
        yield Job(f"unit {name}", ["sh", "-c", "echo not built; exit 1"])


def run_all(words, folder):
    os.chmod(folder, 0o755)
    os.environ["TMPDIR"] = os.environ["E2E_SHARED"] = folder
    if not os.environ.get("CHAOS_SEED"):  # one for all
        os.environ["CHAOS_SEED"] = str(random.SystemRandom().randrange(1 << 32))
    waiting = [j for j in jobs() if not words or any(w in j.name for w in words)]
    running, passed, failed, skipped, told, room = [], 0, 0, 0, "", Room()
    while waiting or running:
        while waiting and (len(running) < LEAST or len(running) < MOST and room.is_free()):
            running.append(waiting.pop(0).start())
            room.take()
        for job in [j for j in running if j.ended()]:
            running.remove(job)
            p, f, s, text = job.judge()
            passed, failed, skipped, told = passed + p, failed + f, skipped + s, told + text
        time.sleep(0.05)
    print(told, *FIGURES, sep="\n")
    figures()
    print(*re.findall(r"^failed: .*|^not ok (?!- test_).*|^=== .*", told, re.M), sep="\n", end="\n" if told else "")
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""), flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    sys.dont_write_bytecode = True
    if sys.argv[1:2] == ["--class"]:
        sys.exit(run_class(sys.argv[2]))
    with tempfile.TemporaryDirectory(prefix="zw.") as everything:  # also what a killed job has left
        sys.exit(run_all(sys.argv[1:], everything))
