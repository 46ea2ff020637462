"""The firmware's set-up page in headless Chromium, served by a host build of its HTTP handler."""

import json
import re
import subprocess

from frames import ROOT
from harness import Case, wait_until

SCENES = ["languages", "networks", "missing", "wrong", "tooLarge", "saved", "again"]


class Portal(Case):
    @classmethod
    def prepare(cls):
        cls.device = cls.world.start("portal", [ROOT / "build/san/test/portal_host"], stdin=subprocess.PIPE)
        cls.world.closing.callback(cls.device.popen.stdin.close)
        cls.device.ends |= {-15}  # it ends with its input, or like this
        port = wait_until(lambda: re.search(r"^port (\d+)", cls.device.log(), re.M), "the page is served")[1]
        env = {"CHROMIUM": "/usr/bin/chromium", "SCREENSHOTS": str(ROOT / "build/screenshots"), "HOME": str(cls.world.path)}
        cls.told = cls.world.tool("node", ROOT / "tests/browser/portal.mjs", f"http://127.0.0.1:{port}/", env=env, seconds=240)
        cls.lines = cls.told.stdout.decode()
        cls.saved = [json.loads(line[6:]) for line in cls.device.log().splitlines() if line.startswith("saved ")]

    def test_scenes(self):
        for name in SCENES:
            with self.subTest(name):
                self.assertIn(f"ok - {name}", self.lines.splitlines(), self.lines + self.told.stderr.decode())

    def test_what_was_saved(self):
        """Octet for octet what was typed; and what was left empty the second time stays."""
        self.assertEqual(len(self.saved), 2, self.lines)
        first, second = self.saved
        want = {"ssid": 'Café <free> "WLAN"', "wifi_password": "gehe&im=+%41 ä", "broker": "broker.local", "port": "8883",
                "user": "zähler", "password": 'p"w\\', "topic": "sensors/smartmeter", "status_topic": "status/smartmeter",
                "name": "Zaehlwerk-A1B2C3", "tls": "1", "fingerprint": "", "update_url": "", "line_mode": "1", "swap_pins": "1", "damaged": "1",
                "discovery": "0"}  # fmt: skip
        self.assertEqual({k: v for k, v in first.items() if k != "ca"}, want)
        self.assertEqual(len(first["ca"]), 3072)
        self.assertTrue(first["ca"].endswith("\n-----END CERTIFICATE-----\n"))
        self.assertEqual(second, first | {"broker": "10.0.0.7", "password": "new"})
