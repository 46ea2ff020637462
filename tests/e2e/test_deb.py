"""The Debian package in a machine with systemd: installed, set up, upgraded, removed and purged; and what packages.sh leaves running."""

import json
import os
import re
import shutil
import subprocess

import machine
from frames import ROOT
from harness import Case, wait_until
from machine import Machine

DATABASE = "/var/lib/zaehlwerk/zaehlwerk.sqlite"
RUNNING = [f"zaehlwerk-{name}" for name in ("mqtt-ingest", "decryptor", "debouncer", "db-writer", "publisher", "dashboard")]
SIMULATOR = "/usr/libexec/zaehlwerk/meter-sim --seed 5 --topic sensors/smartmeter --interval 1"


class Deb(Case):
    """One machine, one story: its tests go in the order of their letters."""

    @classmethod
    def setUpClass(cls):
        machine.needs()
        super().setUpClass()

    @classmethod
    def prepare(cls):
        made = subprocess.run(["make", "-s", "WERROR=1", "deb"], cwd=ROOT, capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stdout + made.stderr
        cls.deb = ROOT / made.stdout.split()[-1]
        cls.folder = cls.world.path / "packages"
        cls.folder.mkdir()
        shutil.copy(cls.deb, cls.folder / "old.deb")
        cls.newer()
        cls.machine = Machine(cls.world, "machine", cls.folder)

    @classmethod
    def newer(cls):
        """The same as a later version, with another server.env."""
        tree = cls.world.path / "newer"
        subprocess.run(["dpkg-deb", "-R", cls.deb, tree], check=True)
        control = tree / "DEBIAN/control"
        control.write_text(re.sub(r"(?m)^Version: .*", "Version: 99", control.read_text(encoding="utf-8")), encoding="utf-8")
        with open(tree / "etc/zaehlwerk/server.env", "a", encoding="utf-8") as f:
            f.write("\n# New in version 99.\n#NEW_SETTING=\n")
        subprocess.run(["dpkg-deb", "-b", "--root-owner-group", tree, cls.folder / "new.deb"], check=True, capture_output=True)

    def failed(self):
        return self.machine.sh("systemctl --failed --plain --no-legend | cut -d' ' -f1").split()

    def active(self):
        return sorted(line.removesuffix(".service") for line in self.machine.sh(
            "systemctl list-units --plain --no-legend --state=active 'zaehlwerk-*.service' | cut -d' ' -f1").split())  # fmt: skip

    def pid(self, service):
        return int(self.machine.show(f"zaehlwerk-{service}", "MainPID")[0])

    def rows(self):
        return int(self.machine.run("sqlite3", "-readonly", DATABASE, "SELECT count(*) FROM history", check=False).stdout or 0)

    def state(self):
        return json.loads(self.machine.run("curl", "-sf", "http://127.0.0.1:8080/api/state", check=False).stdout or "{}")

    def test_a_lintian(self):
        said = subprocess.run(["lintian", "--fail-on", "error,warning", self.deb], capture_output=True, text=True, check=False)
        self.assertEqual((said.returncode, said.stdout), (0, ""))

    def test_b_installed_and_nothing_is_started(self):
        self.machine.sh(f"dpkg -i {self.folder}/old.deb")
        self.assertEqual((self.active(), self.failed()), ([], []))
        self.assertEqual(self.machine.sh("stat -c '%a %U %G' /etc/zaehlwerk/server.env"), "640 root root")
        self.assertEqual(self.machine.run("systemctl", "is-enabled", "zaehlwerk.target", check=False).stdout.strip(), "disabled")
        verified = self.machine.run("systemd-analyze", "verify", "--man=no", "zaehlwerk.target", *(f"{name}.service" for name in RUNNING), check=False)
        self.assertEqual((verified.returncode, verified.stdout + verified.stderr), (0, ""))

    def test_c_without_a_key_it_says_so_once(self):
        self.machine.sh("systemctl start zaehlwerk.target zaehlwerk-decryptor")
        wait_until(lambda: self.machine.show("zaehlwerk-decryptor", "ActiveState") == ["failed"], "the decryptor has ended")
        self.assertEqual(self.machine.show("zaehlwerk-decryptor", "ExecMainStatus", "NRestarts"), ["78", "0"])
        lines = self.machine.sh("journalctl -q -o cat -t zaehlwerk-decryptor").splitlines()
        self.assertEqual(["variable=SMARTMETER_KEY" in line for line in lines], [True], lines)
        self.machine.sh("systemctl stop zaehlwerk.target; systemctl reset-failed")

    def test_d_set_up_and_started(self):
        m = self.machine
        keys = m.sh(f"{SIMULATOR} --print --count 1 --speed 0 --keys /tmp/keys.csv >/tmp/frame; cat /tmp/keys.csv")
        key = keys.splitlines()[1].split(",")[1]
        m.sh(f"sed -i 's/^SMARTMETER_KEY=.*/SMARTMETER_KEY={key}/' /etc/zaehlwerk/server.env; systemctl enable -q --now zaehlwerk.target")
        wait_until(lambda: self.active() == sorted(RUNNING), "all run")
        m.sh("mosquitto_sub -W 60 -C 1 -t sensors/smartmeter/values >/tmp/values 2>&1 &")
        wait_until(lambda: m.run("zaehlwerk-admin", "check", check=False).returncode == 0, "broker and database answer")
        m.sh(f"{SIMULATOR} --count 5")
        wait_until(lambda: self.rows() == 5, "five readings are stored")
        wait_until(lambda: '"WIn"' in m.sh("cat /tmp/values"), "a value on MQTT")
        wait_until(lambda: self.state().get("database", {}).get("up") and self.state()["meters"], "the dashboard reads the database")
        self.assertEqual(self.failed(), [])

    def test_e_a_secret_as_a_credential(self):
        """What deploy/native/README.md tells: a keys file that root alone may read."""
        m = self.machine
        text = (ROOT / "deploy/native/README.md").read_text(encoding="utf-8")
        drop_in = re.search(r"    \[Service\]\n(?:    .*\n)+", text)[0]
        m.sh("install -m 600 /tmp/keys.csv /etc/zaehlwerk/keys.csv; mkdir /etc/systemd/system/zaehlwerk-decryptor.service.d; "
             "cat >/etc/systemd/system/zaehlwerk-decryptor.service.d/keys.conf; systemctl daemon-reload; systemctl restart zaehlwerk-decryptor", text=drop_in)  # fmt: skip
        wait_until(lambda: self.active() == sorted(RUNNING), "all run")
        self.assertIn("SMARTMETER_KEYS_FILE=/run/credentials/", m.sh(f"tr '\\0' '\\n' </proc/{self.pid('decryptor')}/environ"))
        m.sh(f"{SIMULATOR} --count 1")
        wait_until(lambda: self.rows() == 6, "one more reading")
        m.sh("rm -r /etc/systemd/system/zaehlwerk-decryptor.service.d; systemctl daemon-reload; systemctl restart zaehlwerk-decryptor")

    def test_f_confined(self):
        m = self.machine
        uids = {}
        for unit in RUNNING:
            pid = self.pid(unit.removeprefix("zaehlwerk-"))
            status = dict(line.split(":\t", 1) for line in m.sh(f"cat /proc/{pid}/status").splitlines() if ":\t" in line)
            self.assertEqual((status["NoNewPrivs"], status["Seccomp"], status["CapBnd"]), ("1", "2", "0" * 16), unit)
            uids[unit] = status["Uid"].split()[0]
            secret = "SMARTMETER_KEY=" in m.sh(f"tr '\\0' '\\n' </proc/{pid}/environ")
            self.assertEqual(secret, unit == "zaehlwerk-decryptor", unit)
        self.assertEqual(len(set(uids.values())), len(uids), uids)
        self.assertNotIn("0", uids.values())
        self.assertEqual(m.sh(f"stat -L -c '%u %G' {DATABASE}"), f"{uids['zaehlwerk-db-writer']} zaehlwerk")
        # As the dashboard sees it: to be read, and nothing else; the journal of the ingest is not there.
        inside = f"nsenter --target {self.pid('dashboard')} --mount --setuid {uids['zaehlwerk-dashboard']} --setgid $(stat -L -c %g {DATABASE})"
        self.assertEqual(m.sh(f"{inside} head -c 15 {DATABASE}"), "SQLite format 3")
        for forbidden in (f"touch {DATABASE}", "touch /var/lib/zaehlwerk/x", "ls /var/lib/zaehlwerk-mqtt-ingest/", "cat /etc/zaehlwerk/server.env"):
            self.assertNotEqual(m.run("sh", "-c", f"{inside} {forbidden}", check=False).returncode, 0, forbidden)
        # A stranger on this machine cannot listen to the streams.
        self.assertEqual(m.sh("stat -c '%a %G' /run/zaehlwerk"), "2770 zaehlwerk")

    def test_g_logs_have_a_name_and_a_priority(self):
        m = self.machine
        self.assertIn("event=start", m.sh("journalctl -q -o cat -u zaehlwerk-decryptor"))
        self.assertIn("event=start", m.sh("journalctl -q -o cat -t zaehlwerk-decryptor -p info"))
        m.sh("systemctl stop mosquitto")
        wait_until(lambda: "event=down what=broker" in m.sh("journalctl -q -o cat -u zaehlwerk-mqtt-ingest -p warning"), "the ingest warns")
        self.assertNotIn("event=start", m.sh("journalctl -q -o cat -u 'zaehlwerk-*' -p warning"))
        m.sh("systemctl start mosquitto")

    def test_h_restarted_when_it_dies_and_read_while_nobody_writes(self):
        m, before = self.machine, self.pid("decryptor")
        m.sh("systemctl kill --signal=KILL zaehlwerk-decryptor; systemctl stop zaehlwerk-db-writer; systemctl restart zaehlwerk-dashboard")
        wait_until(lambda: self.state().get("database", {}).get("up"), "the dashboard reads what db-writer has left")
        self.assertEqual(len(self.state()["meters"]), 1)
        wait_until(lambda: self.pid("decryptor") not in (0, before), "the decryptor runs again")
        m.sh("systemctl start zaehlwerk-db-writer")
        m.sh(f"{SIMULATOR} --count 3")
        wait_until(lambda: self.rows() == 9, "three more readings")

    def test_i_upgraded(self):
        m = self.machine
        before = {name: self.pid(name.removeprefix("zaehlwerk-")) for name in RUNNING}
        settings = m.sh("cat /etc/zaehlwerk/server.env")
        m.sh(f"dpkg --force-confold -i {self.folder}/new.deb")
        wait_until(lambda: self.active() == sorted(RUNNING), "all run again")
        self.assertEqual([n for n in RUNNING if self.pid(n.removeprefix("zaehlwerk-")) == before[n]], [])
        self.assertEqual(m.sh("cat /etc/zaehlwerk/server.env"), settings)
        m.sh(f"{SIMULATOR} --count 2")
        wait_until(lambda: self.rows() == 11, "the readings before and after")
        self.assertEqual(self.failed(), [])

    def test_j_removed_and_purged(self):
        m = self.machine
        m.sh("dpkg -r zaehlwerk")
        self.assertEqual((self.active(), self.failed()), ([], []))
        self.assertEqual(self.rows(), 11)
        self.assertIn("SMARTMETER_KEY=", m.sh("cat /etc/zaehlwerk/server.env"))
        m.sh("dpkg --purge zaehlwerk")
        left = m.sh("find / -xdev \\( -path /proc -o -path /sys -o -path /tmp -o -path /var/log -o -path /run/systemd \\) -prune -o -iname '*zaehlwerk*' -print").split()
        self.assertEqual([path for path in left if not path.startswith(str(self.world.path))], [])


class Packages(Case):
    """deploy/native/packages.sh, as `make run` calls it."""

    @classmethod
    def setUpClass(cls):
        machine.needs()
        super().setUpClass()

    @classmethod
    def prepare(cls):
        cls.machine = Machine(cls.world, "machine", ROOT / "deploy/native")

    def test_nothing_is_left_running(self):
        """A broker that was there stays; a database and a broker that come with packages.sh do not run, now or after a boot."""
        m, packages = self.machine, ROOT / "deploy/native/packages.sh"

        def says(unit):
            return [m.run("systemctl", question, unit, check=False).stdout.strip() for question in ("is-enabled", "is-active")]

        self.assertEqual(says("mosquitto"), ["enabled", "active"])
        m.sh(f"{packages} only mosquitto postgresql")
        self.assertEqual(says("mosquitto"), ["enabled", "active"])
        self.assertEqual(says("postgresql"), ["disabled", "inactive"])
        self.assertEqual(m.sh("systemctl list-units --plain --no-legend --state=active 'postgresql*'; pg_lsclusters -h"), "")
        m.sh("apt-get purge -y -qq mosquitto")
        m.sh(f"{packages} only mosquitto")
        self.assertEqual(says("mosquitto"), ["disabled", "inactive"])
        self.assertEqual(m.sh("ls /usr/sbin/policy-rc.d /etc/postgresql-common/createcluster.d/* 2>/dev/null || true"), "")
