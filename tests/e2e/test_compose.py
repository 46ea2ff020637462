"""docker-compose.yml on a real Docker engine: a whole system in the demo's form, changed in every way while it runs.

The engine is the test's own (tests/compose/engine.sh): its data lies in a folder, its networks, ports and rules in name
spaces that nobody else sees. Images are built from the working tree. Where none can be pulled, the base is made by
debootstrap, and broker and database are Debian's (tests/compose/standins.yml).
"""

import concurrent.futures
import functools
import json
import pathlib
import re
import shutil
import subprocess
import time
import unittest

from frames import ROOT
import harness
from harness import ENVIRONMENT, NO_ENGINE, Case

ENGINE = ROOT / "tests/compose/engine.sh"
CHARTS = "build/npm/dashboard"
METERS = 20
OURS = ["mqtt-ingest", "decryptor", "db-writer", "debouncer", "publisher", "dashboard", "meter-sim"]
# Who must reach whom; everything else must be out of reach.
REACH = {
    "mqtt-ingest": {"mosquitto", "decryptor", "db-writer", "debouncer", "dashboard", "publisher"},
    "decryptor": {"mqtt-ingest", "db-writer", "debouncer", "publisher", "dashboard"},
    "db-writer": {"mqtt-ingest", "decryptor", "debouncer", "timescaledb", "dashboard"},
    "debouncer": {"mqtt-ingest", "decryptor", "db-writer", "dashboard"},
    "publisher": {"mosquitto", "decryptor", "dashboard", "mqtt-ingest"},
    "dashboard": {"mqtt-ingest", "decryptor", "db-writer", "debouncer", "publisher", "timescaledb"},
    "meter-sim": {"mosquitto", "mqtt-ingest", "publisher"},
}
PORTS = {"mosquitto": 1883, "timescaledb": 5432, "mqtt-ingest": 9101, "decryptor": 9102, "db-writer": 9103, "debouncer": 9104,
         "publisher": 9105, "dashboard": 8080}  # fmt: skip
SETTINGS = """\
SMARTMETER_KEY=36C66639E48A8CA4D6BC8B282A793BBB
SMARTMETER_RAWDATA_MQTT_TOPIC=sensors/smartmeter/raw/+
SMARTMETER_VALUES_MQTT_TOPIC=sensors/smartmeter/values/{meter}
"""
wait_until = functools.partial(harness.wait_until, pause=1)  # what is asked takes the engine a process or two
KEY = "36C66639E48A8CA4D6BC8B282A793BBB"


def compose_command():
    """Debian's docker-compose 1.29, or the plugin of now."""
    return ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]


class Engine:
    """A Docker engine in a folder, which ends with this process, however that ends."""

    def __init__(self, folder):
        self.folder = folder
        self.env = ENVIRONMENT | {
            "HOME": str(folder), "DOCKER_HOST": f"unix://{folder}/docker.sock", "DOCKER_BUILDKIT": "0", "COMPOSE_DOCKER_CLI_BUILD": "0",
            "COMPOSE_PROJECT_NAME": "zaehlwerk", "BUILD_NETWORK": "host", "EXTRA_CA": self.certificates(),
            "DEMO_METERS": str(METERS), "DEMO_INTERVAL": "1", "DEMO_TOPIC": "sensors/smartmeter/raw/{meter}"}  # fmt: skip
        self.guard = subprocess.Popen(
            ["bash", "-c", 'cat >/dev/null; exec "$0" stop "$1"', ENGINE, folder], stdin=subprocess.PIPE, start_new_session=True)  # fmt: skip

    @staticmethod
    def certificates():
        """What this machine trusts beyond Debian's: npm asks from within the build."""
        return "".join(p.read_text() for p in sorted(pathlib.Path("/usr/local/share/ca-certificates").glob("**/*.crt")))

    def script(self, verb):
        result = subprocess.run([ENGINE, verb, self.folder], capture_output=True, text=True, env=self.env, check=False)
        if result.returncode == 69:
            raise unittest.SkipTest(NO_ENGINE + result.stderr.strip())
        if result.returncode != 0:
            raise AssertionError(f"engine.sh {verb}: {result.stderr}")
        return result.stderr

    def run(self, *argv, check=True, seconds=300, cwd=None, stdin=""):
        result = subprocess.run(list(map(str, argv)), capture_output=True, text=True, env=self.env, timeout=seconds, cwd=cwd, input=stdin, check=False)
        if check and result.returncode != 0:
            raise AssertionError(f"{' '.join(map(str, argv))}: status {result.returncode}\n{result.stdout[-3000:]}{result.stderr[-3000:]}")
        return result

    def inside(self, *argv, **how):
        """A command of this machine in the engine's network, where its ports are published."""
        pid = (self.folder / "engine.pid").read_text().strip()
        return self.run("nsenter", "-t", pid, "-n", *argv, **how)

    def close(self):
        self.guard.stdin.close()
        self.guard.wait(300)  # many files


class Stack(Case):
    published, begun = 0, 0

    @classmethod
    def setUpClass(cls):
        cls.told = []
        cls.addClassCleanup(lambda: print(*cls.told, sep="\n", flush=True))
        cls.phase_begun = time.monotonic()
        super().setUpClass()

    @classmethod
    def phase(cls, what):
        now = time.monotonic()
        print(f"# {now - cls.phase_begun:5.1f} s  {what}", flush=True)
        cls.phase_begun = now

    @classmethod
    def prepare(cls):
        cls.engine = Engine(cls.world.path / "engine")
        cls.world.closing.callback(cls.engine.close)
        cls.project = cls.world.path / "project"
        cls.copy_project()
        cls.engine.script("build")
        made = "debootstrap" in cls.engine.script("base")
        cls.phase("engine and base")
        cls.files = ["-f", "docker-compose.yml", *(["-f", "tests/compose/standins.yml"] if made else [])]
        cls.compose("--profile", "demo", "build", seconds=1800)
        cls.phase("images")
        if not made:
            cls.compose("pull", "mosquitto", "timescaledb", "prometheus")
        cls.engine.script("apart")
        cls.compose("--profile", "demo", "up", "-d", "--no-build")
        cls.compose("up", "-d", "--no-build", "--no-deps", "prometheus")
        cls.phase("up")

    @classmethod
    def copy_project(cls):
        """The working tree as a person would clone it, with a server.env."""
        names = subprocess.run(
            ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True)
        for name in names.stdout.rstrip("\0").split("\0"):
            if (ROOT / name).exists():
                (cls.project / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, cls.project / name)
        if (ROOT / CHARTS).exists():  # else npm fetches them in a stage of the build, for minutes
            shutil.copytree(ROOT / CHARTS, cls.project / CHARTS)
        (cls.project / "server.env").write_text(SETTINGS)

    # --- what the tests do ---

    @classmethod
    def compose(cls, *argv, **how):
        return cls.engine.run(*compose_command(), *cls.files, *argv, cwd=cls.project, **how)

    def up(self, *argv):
        return self.compose("--profile", "demo", "up", "-d", "--no-build", *argv)

    @classmethod
    def containers(cls, service):
        return cls.engine.run(
            "docker", "ps", "-q", "--no-trunc", "--filter", f"label=com.docker.compose.service={service}").stdout.split()

    @classmethod
    def exec(cls, service, *argv, **how):
        return cls.engine.run("docker", "exec", "-i", cls.containers(service)[0], *argv, **how)

    def sql(self, text):
        result = self.exec("timescaledb", "psql", "-U", "postgres", "-d", "smartmeter", "-AtX", "-c", text, check=False)
        return result.stdout.strip() if result.returncode == 0 else ""

    def rows(self):
        return int(self.sql("SELECT count(*) FROM smartmeter.history") or 0)

    def grows(self, what):
        """Readings that were measured from now on arrive in the database."""
        now = self.sql("SELECT extract(epoch FROM now())::bigint")
        wait_until(lambda: int(self.sql(f"SELECT count(*) FROM smartmeter.history WHERE time > to_timestamp({now} + 1)") or 0) > METERS, f"readings after {what}")

    def healthy(self):
        """Every container that has a health check passes it."""
        states = self.engine.run("docker", "ps", "--format", "{{.Names}} {{.Status}}").stdout
        return "unhealthy" not in states and "starting" not in states and states.count("(healthy)") >= 8

    def end_meters(self):
        """Stop meter-sim; it says how many telegrams of it have reached the broker."""
        self.compose("--profile", "demo", "stop", "meter-sim")
        name = self.engine.run("docker", "ps", "-aq", "--filter", "label=com.docker.compose.service=meter-sim").stdout.split()[0]
        told = self.engine.run("docker", "logs", name)
        found = re.findall(r"event=stop telegrams=(\d+)", told.stdout + told.stderr)
        self.assertEqual(len(found), 1, told.stderr[-1000:])
        type(self).published += int(found[0])

    # --- in this order ---

    def test_1_it_runs(self):
        wait_until(lambda: self.rows() > 3 * METERS, "readings in the database", 120)
        wait_until(self.healthy, "every service is healthy", 120)
        users = {line.split()[1]: line.split()[2] for line in self.compose("run", "--rm", "init", "passwords").stdout.splitlines() if len(line.split()) == 3}
        got = self.engine.inside(
            "mosquitto_sub", "-h", "127.0.0.1", "-u", "home", "-P", users["home"], "-t", "sensors/smartmeter/values/+", "-C", METERS, "-W", 60).stdout
        self.assertEqual(len([line for line in got.splitlines() if "WIn" in json.loads(line)]), METERS, got)
        page = self.engine.inside(
            "/usr/bin/python3", "-c", "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8080/api/state', timeout=20).read().decode())").stdout
        state = json.loads(page)
        self.assertTrue(state["database"]["up"], state)
        self.assertEqual({s["name"]: s["state"] for s in state["services"]}, dict.fromkeys(OURS[:5], "up"))
        self.assertEqual(len(state["meters"]), METERS)
        # A receiver's user may send its telegrams and nothing else, and nobody comes in without one.
        for how in ((), ("-u", "receiver", "-P", "wrong")):
            self.assertNotEqual(self.engine.inside("mosquitto_pub", "-h", "127.0.0.1", *how, "-t", "x", "-m", "y", check=False).returncode, 0)
        self.phase("readings in database, on the values topic and on the page")

    def test_2_hardened(self):
        secrets = self.engine.run("docker", "run", "--rm", "-v", "zaehlwerk_secrets:/s:ro", "debian:bookworm-slim", "sh", "-c", "cat /s/*").stdout.split()
        self.assertGreater(len(secrets), 6)
        names = {}
        for service in [*OURS, "mosquitto", "timescaledb"]:
            about = json.loads(self.engine.run("docker", "inspect", self.containers(service)[0]).stdout)[0]
            host, config = about["HostConfig"], about["Config"]
            with self.subTest(service):
                self.assertTrue(host["ReadonlyRootfs"])
                self.assertEqual((host["CapDrop"], host["CapAdd"]), (["ALL"], None))
                self.assertIn("no-new-privileges:true", host["SecurityOpt"])
                self.assertGreater(host["Memory"], 0)
                self.assertRegex(config["User"], r"^(10001:10001|1883:1883|70:70)$")
                self.assertEqual(host["LogConfig"]["Config"]["max-size"], "10m")
                self.assertFalse([s for s in [*secrets, KEY] if s in json.dumps(about)], "a secret that inspect shows")
                inner = "grep ^CapEff /proc/1/status; (echo >/etc/x) 2>/dev/null && echo written; stat -L -c '%a %u %n' /run/zaehlwerk/*"
                caps, *files = self.exec(service, "sh", "-c", inner).stdout.splitlines()
                self.assertEqual(caps.split()[1], "0" * 16)
                self.assertTrue(files)
                names[service] = {line.rpartition("/")[2] for line in files}
                for line in files:
                    self.assertRegex(line, rf"^[46]00 {config['User'].split(':')[0]} ")
        self.assertEqual([s for s in OURS if "smartmeter_key" in names[s]], ["decryptor"])
        self.assertEqual([s for s in OURS if "db_password" in names[s]], ["db-writer", "dashboard"])
        self.assertEqual([s for s in OURS if "mqtt_password" in names[s]], ["mqtt-ingest", "publisher", "meter-sim"])
        self.phase("hardening, by inspect and from within")

    def test_3_networks(self):
        """Each service tries each address of each other."""
        addresses = {}
        for service in PORTS:
            about = json.loads(self.engine.run("docker", "inspect", self.containers(service)[0]).stdout)[0]
            addresses[service] = [n["IPAddress"] for n in about["NetworkSettings"]["Networks"].values()]

        def tried(source):
            """Names of what answers there: by its name what must, by each of its addresses what must not."""
            tries = "\n".join(
                f"(timeout {30 if at == target else 4} bash -c '</dev/tcp/{at}/{PORTS[target]}' 2>/dev/null && echo {target}) &"
                for target in PORTS if target != source
                for at in ([target] if target in REACH[source] else addresses[target]))  # fmt: skip
            return set(self.exec(source, "bash", "-c", f"{tries}\nwait").stdout.split())

        with concurrent.futures.ThreadPoolExecutor(len(OURS)) as pool:
            self.assertEqual(dict(zip(OURS, pool.map(tried, OURS))), REACH)
        self.phase("networks")

    def test_3_prometheus(self):
        """Prometheus finds each service by its name, and reaches it."""

        def reached():
            told = self.exec("prometheus", "promtool", "query", "instant", "http://127.0.0.1:9090", "up", check=False).stdout
            return sorted(re.findall(r'job="([a-z-]+)".* => 1 ', told)) == sorted([*OURS[:6], "prometheus"]) and "=> 0" not in told

        wait_until(reached, "Prometheus reaches each service")
        self.phase("Prometheus")

    def test_4_scale(self):
        self.up("--no-recreate", "--scale", "decryptor=3", "--scale", "db-writer=2")
        self.assertEqual((len(self.containers("decryptor")), len(self.containers("db-writer"))), (3, 2))

        def all_work():
            """Each decryptor has had telegrams, each db-writer has stored some."""
            counts = []
            for service, port, metric in (("decryptor", 9102, "zaehlwerk_telegrams_total"), ("db-writer", 9103, "zaehlwerk_rows_total")):
                for container in self.containers(service):
                    text = self.engine.run(
                        "docker", "exec", container, "bash", "-c",
                        f"exec 3<>/dev/tcp/127.0.0.1/{port}; printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3", check=False).stdout  # fmt: skip
                    counts.append(sum(float(n) for n in re.findall(rf"^{metric}\S* (\S+)", text, re.M)))
            return min(counts) > 0

        wait_until(all_work, "every replica works")
        self.up("--no-recreate", "--scale", "decryptor=1", "--scale", "db-writer=1")
        self.assertEqual((len(self.containers("decryptor")), len(self.containers("db-writer"))), (1, 1))
        self.grows("scaling down")
        self.phase("scaled to 3 decryptors and 2 db-writers, and back")

    def test_5_replace(self):
        for service in OURS:
            before = self.containers(service)
            if service == "meter-sim":
                self.end_meters()
            self.up("--no-deps", "--force-recreate", service)
            self.assertNotEqual(self.containers(service), before)
        self.grows("each service was replaced")
        self.phase("every service replaced, one by one")

    def test_6_restart_of_broker_and_database(self):
        for service in ("mosquitto", "timescaledb"):
            self.compose("restart", service)
            self.grows(f"a restart of {service}")
        self.phase("broker and database restarted")

    def test_7_logs(self):
        """Each line says which service it is of, when, how bad it is and what happened."""
        for service in OURS[:6]:
            lines = self.engine.run("docker", "logs", self.containers(service)[0]).stderr.splitlines()
            self.assertTrue(lines)
            for line in lines:
                self.assertRegex(line, rf"^time=\S+Z level=(info|warn|error) svc={service} event=")
        shown = self.compose("logs", "--no-color", "decryptor").stdout.splitlines()
        self.assertEqual([line for line in shown if "svc=" in line and not re.match(r"decryptor\S* +\| time=", line)], [])
        self.phase("logs")

    def test_8_every_reading_exactly_once(self):
        self.end_meters()
        count = "SELECT count(DISTINCT (meter, counter)) FROM smartmeter.history"
        try:
            wait_until(lambda: int(self.sql(count) or 0) >= self.published, "every reading is stored", 120)
        finally:
            found, rows = int(self.sql(count)), self.rows()
            self.told.append(f"compose: published {self.published}, lost {self.published - found}, doubled {rows - found}")
        self.assertEqual((found, rows), (self.published, self.published))
        self.assertEqual(self.sql("SELECT count(*) - count(DISTINCT (meter, window_start)) FROM smartmeter.historydebounced"), "0")
        self.assertEqual(self.sql("SELECT count(*) FROM smartmeter.rejects"), "0")
        self.phase("counted")

    def test_9_init_changes_nothing(self):
        """It keeps every secret; a wrong setting is said, with the status by which nothing else starts."""
        secrets = "for f in /s/*; do sha256sum $f; done"
        look = ["docker", "run", "--rm", "-v", "zaehlwerk_secrets:/s:ro", "debian:bookworm-slim", "sh", "-c", secrets]
        before = self.engine.run(*look).stdout
        self.compose("run", "--rm", "init")
        self.assertEqual(self.engine.run(*look).stdout, before)
        result = self.compose("run", "--rm", "-e", "MQTT_HOST=192.0.2.7", "init", check=False)
        self.assertIn("variable=MQTT_HOST", result.stdout + result.stderr)
        self.assertEqual(result.returncode, 78)
        self.phase("init once more")

    def test_9_the_command(self):
        """`zaehlwerk` in a container of its own reaches database and broker."""
        table = self.compose("run", "--rm", "-T", "admin", "export").stdout.splitlines()
        self.assertEqual(len(table), 1 + self.published)
        checked = self.compose("run", "--rm", "-T", "admin", "check", check=False)
        self.assertRegex(checked.stdout + checked.stderr, r"(?m)^broker .*ok")
        self.phase("export and check in a container")
