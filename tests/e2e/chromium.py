"""One Chromium, driven by tests/browser/run.mjs, for the scenes of a test class.

A scene may ask for something of the world outside; `answers` maps each question to a function of
its arguments. What the browser does is told as JSON, a line each way.
"""

import json
import queue
import subprocess
import threading

from frames import ROOT
from harness import ENVIRONMENT, PATIENCE

PROGRAM = "/usr/bin/chromium"
SCENE_SECONDS = 2 * PATIENCE  # a scene has many waits, each with a bound of its own


class Chromium:
    def __init__(self, world):
        own = {"CHROMIUM": PROGRAM, "SCREENSHOTS": str(ROOT / "build/screenshots"), "HOME": str(world.path)}
        self.log = open(world.path / "browser.log", "ab")  # closed with the process
        self.popen = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", "node", ROOT / "tests/browser/run.mjs"], env=ENVIRONMENT | own,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True)  # fmt: skip
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        world.closing.callback(self.close)
        self._hear(PATIENCE)

    def _read(self):
        for line in self.popen.stdout:
            self.lines.put(json.loads(line))
        self.lines.put({"failed": f"the browser's driver has ended with status {self.popen.wait()}"})

    def _hear(self, seconds):
        try:
            return self.lines.get(timeout=seconds)
        except queue.Empty:
            raise AssertionError(f"the browser has said nothing for {seconds} s") from None

    def _say(self, message):
        self.popen.stdin.write(json.dumps(message) + "\n")
        self.popen.stdin.flush()

    def play(self, scene, answers=None, **settings):
        """Play one scene to its end; raises what has failed in it."""
        self._say({"scene": scene, **settings})
        while True:
            message = self._hear(SCENE_SECONDS)
            if "ask" in message:
                self._say({"answer": answers[message.pop("ask")](**message)})
            elif "failed" in message:
                raise AssertionError(message["failed"])
            else:
                if "figures" in message:
                    print(f"figures: {message['figures']}", flush=True)
                return

    def close(self):
        """End of input is the end of the browser."""
        self.popen.stdin.close()
        try:
            self.popen.wait(10)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        self.log.close()
