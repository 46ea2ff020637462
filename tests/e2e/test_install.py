"""make install and uninstall: what is put where, that it is taken away, manual pages, and how far units are confined."""

import os
import re
import subprocess

from frames import ROOT
from harness import Case

SERVICES = sorted(p.parent.name for p in ROOT.glob("services/*/main.c") if p.parent.name != "zaehlwerk")
EXPOSURE = 1.2  # of systemd-analyze security: 0 is confined altogether, 10 not at all


class Install(Case):
    @classmethod
    def prepare(cls):
        cls.to = cls.world.path / "to"
        cls.make("install")

    @classmethod
    def make(cls, goal):
        result = subprocess.run(
            ["make", "-s", goal, "SAN=1", "WERROR=1", f"DESTDIR={cls.to}", "PREFIX=/usr"],
            cwd=ROOT, capture_output=True, text=True, check=False)  # fmt: skip
        assert result.returncode == 0, result.stdout + result.stderr

    def test_z_what_is_installed_is_uninstalled(self):
        to = self.to
        theirs = to / "usr/share/doc/zaehlwerk/theirs.txt"
        for path in ["bin/zaehlwerk", "lib/systemd/system/zaehlwerk.target", "share/doc/zaehlwerk/README.md", *(f"libexec/zaehlwerk/{name}" for name in SERVICES)]:
            self.assertTrue((to / "usr" / path).is_file(), path)
        theirs.write_text("not ours", encoding="utf-8")
        self.make("uninstall")
        self.assertEqual([p for p in to.rglob("*") if p.is_file()], [theirs])
        theirs.unlink()
        self.make("uninstall")
        self.assertEqual([p for p in to.rglob("*zaehlwerk*")], [])

    def test_links_of_the_pages_lead_somewhere(self):
        doc = self.to / "usr/share/doc/zaehlwerk"
        links = [(page, link) for page in doc.rglob("*.md") for link in re.findall(r"\]\((?!\w+:)([^)#\s]+)", page.read_text(encoding="utf-8"))]
        self.assertGreater(len(links), 10)
        self.assertEqual([f"{page}: {link}" for page, link in links if not (page.parent / link).exists()], [])

    def test_manual_pages(self):
        pages = self.to / "usr/share/man/man8"
        for name in SERVICES:
            page = pages / f"zaehlwerk-{name}.8"
            lint = subprocess.run(["mandoc", "-Tlint", "-W", "warning", page], capture_output=True, text=True, check=False)
            self.assertEqual((lint.returncode, lint.stdout), (0, ""), name)
            said = subprocess.run([self.to / "usr/libexec/zaehlwerk" / name, "--help"], capture_output=True, text=True, check=True).stdout
            settings = re.findall(r"^  (--[a-z-]+|[A-Z][A-Z_]+)  ?", said, re.M)
            text = page.read_text(encoding="utf-8")
            self.assertTrue(settings, name)
            self.assertEqual([s for s in settings if s not in text and f"Fl -{s[2:]}" not in text], [], name)
        lint = subprocess.run(["mandoc", "-Tlint", "-W", "warning", pages / "zaehlwerk-admin.8"], capture_output=True, text=True, check=False)
        self.assertEqual(lint.stdout, "")

    def test_units_are_confined(self):
        to = self.to
        units = sorted(p.name for p in to.glob("usr/lib/systemd/system/zaehlwerk-*.service"))
        self.assertEqual(units, [f"zaehlwerk-{name}.service" for name in SERVICES if name != "meter-sim"])
        for unit in units:
            said = subprocess.run(
                ["systemd-analyze", "security", "--offline=yes", f"--root={to}", "--no-pager", f"--threshold={int(EXPOSURE * 10)}", unit],
                capture_output=True, text=True, check=False, env=os.environ | {"LC_ALL": "C.UTF-8"})  # fmt: skip
            self.assertEqual(said.returncode, 0, said.stdout + said.stderr)
