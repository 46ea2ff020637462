"""deploy/mosquitto for real: users, ACL, certificates, TLS; each failure says what to do about it."""

import json
import os
import re

from frames import ROOT, Meter
from harness import BIN, Case, free_port, wait_until
from pipeline import Broker, Pipeline
from stores import Sqlite

SHIPPED = ROOT / "deploy/mosquitto"
USERS = ["ingest", "publisher", "receiver", "home", "keller", "e2e"]
HERE = "/etc/mosquitto/zaehlwerk"


def password(user):
    return f"{user}'s password"


def tls_sh(world, folder, *arguments, days="825"):
    world.tool(SHIPPED / "tls.sh", world.path / folder, *arguments, env={"TLS_DAYS": days}, check=True)


class Secured(Broker):
    """The shipped files as an operator puts them together; the test's own user may do anything."""

    login = ("-u", "e2e", "-P", password("e2e"))

    def __init__(self, world, conf="home.conf"):
        self.world, self.port, self.tls_port = world, free_port(), free_port()
        self.folder = world.path / "broker"
        self.folder.mkdir()
        tls_sh(world, "broker", "server", "localhost", "127.0.0.1")
        for user in USERS:
            new = [] if (self.folder / "passwords").exists() else ["-c"]
            world.tool("mosquitto_passwd", "-b", *new, self.folder / "passwords", user, password(user), check=True)
        (self.folder / "acl").write_text((SHIPPED / "acl").read_text() + "user e2e\ntopic readwrite #\n")
        text = "".join((SHIPPED / name).read_text() for name in (conf, "access.conf", "tls.conf"))
        text = text.replace(HERE, str(self.folder))
        for shipped, ours in ((1883, self.port), (8883, self.tls_port)):
            text = re.sub(rf"(?m)^listener {shipped}$", f"listener {ours} 127.0.0.1", text)
        user = "user root\n" if os.getuid() == 0 else ""
        self.conf = world.write("mosquitto.conf", f"{text}\n{user}persistence_location {self.folder}/\nlog_dest stderr\nlog_type all\n")
        self.start()

    def env(self, user):
        return {"MQTT_HOST": "localhost", "MQTT_PORT": str(self.tls_port), "MQTT_TLS": "1", "MQTT_USER": user,
                "MQTT_CA_FILE": str(self.folder / "ca.crt"), "MQTT_PASSWORD": password(user)}  # fmt: skip

    def as_user(self, user, topic, payload, retain=False):
        """mosquitto's answer (its reason code is 0 when it denies, over MQTT 3.1.1) to a message of this user."""
        return self.world.tool("mosquitto_pub", "-h", "localhost", "-p", self.tls_port, "--cafile", self.folder / "ca.crt",
                               "-u", user, "-P", password(user), "-q", "1", "-t", topic, "-m", payload, *(["-r"] if retain else []))  # fmt: skip

    def denied(self):
        return [line for line in self.process.log().splitlines() if "Denied" in line]


class Access(Case):
    """All services as their users over TLS."""

    @classmethod
    def prepare(cls):
        cls.broker = Secured(cls.world)
        cls.late = Meter("late", utc=1700100000)
        env = {s: cls.broker.env(u) for s, u in (("mqtt-ingest", "ingest"), ("publisher", "publisher"))}
        cls.pipeline = Pipeline(cls.world, Sqlite(cls.world), [Meter("known")], env=env, broker=cls.broker)
        cls.pipeline.start()
        cls.pipeline.flow()

    def command(self, *arguments, env=None, status=0):
        env = self.pipeline.env | self.broker.env("ingest") | (env or {})
        result = self.world.tool(BIN / "zaehlwerk", *arguments, env=env)
        self.assertEqual(result.returncode, status, result)
        return result.stdout.decode() + result.stderr.decode()

    def test_everything_that_is_needed(self):
        """Values, tables, discovery, birth, totals over a restart, check, replay, a shared ingest, retire: no denial."""
        p, broker = self.pipeline, self.broker
        found = {t: v for t, _, v in self.everything("homeassistant/#")}
        config = f"homeassistant/device/zaehlwerk_{p.probe_meter.id.lower()}/config"
        self.assertIn(config, found)
        json.loads(found[config])

        values = f"sensors/smartmeter/values/{p.probe_meter.id}"
        wait_until(lambda: {t: v for t, _, v in self.everything(f"{values}/#")}.get(f"{values}/totals"), "totals are saved")
        p.service["publisher"].stop()
        self.assertEqual({t: v for t, _, v in self.everything("zaehlwerk/#")}["zaehlwerk/publisher/status"], "offline")
        p.start("publisher")
        totals = f"Sending PUBLISH to zaehlwerk-publisher (d0, q1, r1, m1, '{values}/totals'"
        wait_until(lambda: broker.process.lines(totals), "its totals come back")
        broker.pub(config, b"", retain=True)
        self.assertEqual(broker.as_user("home", "homeassistant/status", "online").returncode, 0)
        p.flow()
        wait_until(lambda: config in {t for t, _, _ in self.everything("homeassistant/#")}, "announced again after the birth message")

        told = self.command("check")
        self.assertIn("sessions: yes", told)
        self.assertIn("shared subscriptions: yes", told)
        self.assertIn("sessions: yes", self.command("check", env=broker.env("publisher")))

        reject = self.late.telegram()
        broker.as_user("receiver", p.topic("late"), reject.hex)
        wait_until(lambda: p.count_rejects("no-key") or p.count_rejects("wrong-key"), "a reject")
        self.assertIn("published", self.command("replay"))
        wait_until(lambda: broker.process.lines(f"'{p.topic('late')}'", "Received PUBLISH", "zaehlwerk-replay"), "replayed")

        shared = self.world.service("mqtt-ingest", p.env | broker.env("ingest") | {
            "INGEST_SHARED": "1", "MQTT_CLIENT_ID": "shared", "TELEGRAMS_BIND": f"ipc://{self.world.path}/shared",
            "ACKS_CONNECT": f"ipc://{self.world.path}/none"}, "shared")  # fmt: skip

        def share():
            p.flow()  # it may not have subscribed yet
            return shared.metric("payloads_total") > 0

        wait_until(share, "a share comes")
        shared.stop()

        ingest = p.service["mqtt-ingest"]
        ingest.stop()
        env = p.wiring("mqtt-ingest") | {"JOURNAL_PATH": f"{self.world.path}/mqtt-ingest-journal", "HTTP_LISTEN": "off"}
        self.command("retire", "0", "--quiet", "1", "--seconds", "30", env=env)
        p.start("mqtt-ingest")
        p.flow()
        self.assertEqual(broker.denied(), [])

    def everything(self, topic):
        """What is retained below a topic: (topic, length, payload)."""
        result = self.world.tool("mosquitto_sub", "-h", "127.0.0.1", "-p", self.broker.port, *self.broker.login, "-q", "1", "-t", topic,
                                 "--retained-only", "-W", "1", "-F", "%t\\t%l\\t%p")  # fmt: skip
        return [line.split("\t", 2) for line in result.stdout.decode().splitlines()]

    def test_what_is_forbidden(self):
        p, broker = self.pipeline, self.broker
        raw, status = "sensors/smartmeter/raw", "status/smartmeter"
        allowed = [("keller", f"{raw}/keller"), ("keller", f"{status}/keller"), ("keller", f"{status}/keller/online"),
                   ("keller", "homeassistant/sensor/keller/rssi/config"), ("receiver", f"{raw}/any"), ("receiver", "sensors/smartmeter"),
                   ("receiver", status), ("home", "homeassistant/status"), ("ingest", f"{raw}/any")]  # fmt: skip
        forbidden = [("keller", f"{raw}/other"), ("keller", "sensors/smartmeter"), ("keller", f"{raw}/keller/more"), ("keller", status),
                     ("keller", "sensors/smartmeter/values/keller"), ("keller", "homeassistant/device/zaehlwerk_X/config"),
                     ("keller", "homeassistant/sensor/other/rssi/config"), ("receiver", "sensors/smartmeter/values"),
                     ("receiver", "homeassistant/status"), ("receiver", "homeassistant/device/zaehlwerk_X/config"),
                     ("publisher", f"{raw}/any"), ("publisher", "sensors/smartmeter"), ("ingest", "sensors/smartmeter/values"),
                     ("home", f"{raw}/any"), ("home", "sensors/smartmeter/values"), ("ingest", "homeassistant/status")]  # fmt: skip
        watch = self.listen("e2e", "#")
        before = len(broker.denied())
        for user, topic in allowed + forbidden:
            self.assertEqual(broker.as_user(user, topic, f"{user} was here").returncode, 0)
        broker.pub("e2e/end", b"end")
        wait_until(lambda: "e2e/end\t" in watch.log(), "all has come")
        came = [line.split("\t") for line in watch.lines(" was here")]
        self.assertEqual(sorted(came), sorted([t, f"{u} was here"] for u, t in allowed))
        self.assertEqual(len(broker.denied()) - before, len(forbidden))
        p.flow()

    def listen(self, user, topic):
        name = f"listener-{user}"
        process = self.world.start(name, ["mosquitto_sub", "-h", "127.0.0.1", "-p", self.broker.port, "-u", user, "-P", password(user),
                                          "-i", name, "-t", topic, "-R", "-F", "%t\t%p", "-q", "1"])  # fmt: skip
        process.ends |= {-15, 15}
        wait_until(lambda: self.broker.process.lines(f"Sending SUBACK to {name}"), "it has subscribed")
        return process

    def test_who_may_read(self):
        """A receiver hears its own updates alone, whatever it subscribes to."""
        listeners = {user: self.listen(user, "#") for user in ("keller", "receiver", "home")}
        for topic in ("sensors/smartmeter/raw/keller", "sensors/smartmeter/values/M/power", "status/smartmeter/keller/update",
                      "status/smartmeter/update", "homeassistant/status", "zaehlwerk/publisher/status", "status/smartmeter/keller"):  # fmt: skip
            self.broker.pub(topic, b"look")
        wait_until(lambda: listeners["home"].lines("status/smartmeter/keller\tlook"), "the last one has come")
        heard = {user: {line.split("\t")[0] for line in p.lines("\tlook")} for user, p in listeners.items()}
        self.assertEqual(heard["keller"], {"status/smartmeter/keller/update"})
        self.assertEqual(heard["receiver"], {"status/smartmeter/update"})
        self.assertEqual(heard["home"], {"sensors/smartmeter/values/M/power", "homeassistant/status", "zaehlwerk/publisher/status",
                                         "status/smartmeter/update", "status/smartmeter/keller", "status/smartmeter/keller/update"})  # fmt: skip

    def test_nobody_without_a_password(self):
        for login in ((), ("-u", "ingest", "-P", "wrong"), ("-u", "nobody", "-P", "x")):
            result = self.world.tool("mosquitto_pub", "-h", "127.0.0.1", "-p", self.broker.port, *login, "-t", "x", "-m", "x")
            self.assertNotEqual(result.returncode, 0)
            self.assertIn(b"ot authori", result.stderr)
        told = self.command("check", env={"MQTT_PASSWORD": "wrong"}, status=69)
        self.assertRegex(told, "broker +FAILED: .*, (Not authorized|not authorized|Bad user name or password)")

    def test_the_broker_restarts(self):
        """Zero loss over TLS, as without: what was acknowledged is stored once."""
        p, sent = self.pipeline, []
        for _ in range(2):
            sent += [p.probe() for _ in range(20)]
            self.broker.pub_lines(p.topic("restart"), [t.hex for t in sent[-20:]])
            self.broker.process.stop()
            self.broker.start()
        sent.append(p.sent(20))
        wait_until(lambda: all(p.stored(t, rows) for rows in [p.db.readings()] for t in sent), "all are stored", 90)
        rows = [(r["meter"], r["counter"]) for r in p.db.readings()]
        self.assertEqual(len(rows), len(set(rows)))
        p.subscribe("mosquitto_sub-2")


class Tls(Case):
    """What goes wrong with certificates, each with its own words."""

    @classmethod
    def prepare(cls):
        tls_sh(cls.world, "good", "server", "localhost", "127.0.0.1")
        tls_sh(cls.world, "good", "client", "ingest")
        for folder, days, name in (("expired", "-1", "localhost"), ("elsewhere", "825", "broker.example")):
            (cls.world.path / folder).mkdir()
            for part in ("ca.crt", "ca.key"):  # the same authority
                (cls.world.path / folder / part).write_bytes((cls.world.path / "good" / part).read_bytes())
            tls_sh(cls.world, folder, "server", name, days=days)
        tls_sh(cls.world, "foreign", "client", "ingest")
        cls.ports, text = {"plain": free_port(), "closed": free_port()}, ""
        for name, more in (("good", ""), ("expired", ""), ("elsewhere", ""), ("asks", "require_certificate true\nuse_identity_as_username true\n")):
            folder = cls.world.path / ("good" if name == "asks" else name)
            cls.ports[name] = free_port()
            text += (f"listener {cls.ports[name]} 127.0.0.1\ncertfile {folder}/server.crt\nkeyfile {folder}/server.key\n"
                     f"cafile {folder}/ca.crt\nallow_anonymous {'true' if name != 'asks' else 'false'}\n{more}")  # fmt: skip
        user = "user root\n" if os.getuid() == 0 else ""
        conf = cls.world.write("tls.conf", f"per_listener_settings true\n{user}log_dest stderr\n"
                                           f"listener {cls.ports['plain']} 127.0.0.1\nallow_anonymous true\n{text}")  # fmt: skip
        cls.world.start("mosquitto", ["mosquitto", "-c", conf])
        cls.env = {"MQTT_HOST": "localhost", "MQTT_TLS": "1", "MQTT_CA_FILE": cls.file("good/ca.crt"), "HTTP_LISTEN": "127.0.0.1:0",
                   "SMARTMETER_KEY": Meter("tls").key.hex(), "DB_URL": f"sqlite:{cls.world.path}/x.sqlite"}  # fmt: skip
        wait_until(lambda: cls.check("good")[0] == 0, "the broker answers")

    @classmethod
    def file(cls, name):
        return str(cls.world.path / name)

    @classmethod
    def check(cls, port, **env):
        env = cls.env | {"MQTT_PORT": str(cls.ports[port])} | env
        result = cls.world.tool(BIN / "zaehlwerk", "check", env={k: v for k, v in env.items() if v is not None})
        return result.returncode, result.stdout.decode() + result.stderr.decode()

    def own(self, folder, key=None):
        return {"MQTT_CERT_FILE": self.file(f"{folder}/ingest.crt"), "MQTT_CERT_KEY_FILE": self.file(f"{key or folder}/ingest.key")}

    def test_good_ones(self):
        for port, env in (("good", {}), ("good", {"MQTT_HOST": "127.0.0.1"}), ("good", {"MQTT_PROTOCOL": "3.1.1"}),
                          ("good", {"MQTT_CA_FILE": "", "SSL_CERT_FILE": self.file("good/ca.crt")}),  # as the system's
                          ("plain", {"MQTT_CA_FILE": "", "MQTT_TLS": "0"}), ("asks", self.own("good"))):  # fmt: skip
            with self.subTest(port, **env):
                sent = self.world.tool(BIN / "meter-sim", "--count", "1", "--speed", "0",
                                       env=self.env | {"MQTT_PORT": str(self.ports[port])} | env)  # fmt: skip
                self.assertEqual(sent.returncode, 0, sent.stderr)

    def test_bad_ones(self):
        """A service says it in its log, once, and in /readyz; all of them at the same time."""
        cases = (
            ("good", {"MQTT_CA_FILE": self.file("foreign/ca.crt")}, "from nobody that MQTT_CA_FILE holds"),
            ("good", {"MQTT_CA_FILE": ""}, "from nobody that this system trusts: set MQTT_CA_FILE"),
            ("expired", {}, "certificate has expired"),
            ("elsewhere", {}, "is not for localhost: MQTT_HOST must be a name in it"),
            ("elsewhere", {"MQTT_PROTOCOL": "3.1.1"}, "is not for localhost"),
            ("asks", {}, "the broker wants MQTT_CERT_FILE"),
            ("asks", self.own("foreign"), "does not trust the authority of MQTT_CERT_FILE"),
            ("plain", {}, "hangs up on TLS: MQTT_PORT"),
            ("closed", {}, "connect failure"),
        )  # fmt: skip
        services = [self.world.service("publisher", self.env | {"MQTT_PORT": str(self.ports[port])} | env, f"publisher-{n}")
                    for n, (port, env, _) in enumerate(cases)]  # fmt: skip
        for process, (port, env, words) in zip(services, cases):
            with self.subTest(port, **env):
                wait_until(lambda p=process, w=words: p.lines("event=down", "what=broker", w), words)
                self.assertIn(words[:40], process.get("/readyz")[1])
        for process in services:
            process.stop()

    def test_check(self):
        status, told = self.check("elsewhere")
        self.assertEqual(status, 69)
        self.assertRegex(told, "broker +FAILED: .*is not for localhost")

    def test_wrong_files(self):
        self.world.write("no.pem", "no certificate\n")
        self.world.tool("openssl", "ec", "-aes256", "-passout", "pass:x", "-in", self.file("good/ingest.key"), "-out", self.file("locked.key"), check=True)
        locked = {"MQTT_CERT_FILE": self.file("good/ingest.crt"), "MQTT_CERT_KEY_FILE": self.file("locked.key")}
        for env, variable in (
            ({"MQTT_CA_FILE": "/nowhere/ca.crt"}, "MQTT_CA_FILE"), ({"MQTT_CA_FILE": self.file("no.pem")}, "MQTT_CA_FILE"),
            ({"MQTT_CERT_FILE": self.file("good/ingest.crt")}, "MQTT_CERT_KEY_FILE"), ({"MQTT_CERT_KEY_FILE": self.file("good/ingest.key")}, "MQTT_CERT_FILE"),
            (self.own("good", "foreign"), "MQTT_CERT_KEY_FILE"), (locked, "MQTT_CERT_KEY_FILE"),
            ({"MQTT_TLS": "0"}, "MQTT_TLS"), ({"MQTT_TLS": "0", "MQTT_CA_FILE": ""} | self.own("good"), "MQTT_TLS")):  # fmt: skip
            with self.subTest(variable, env=env):
                self.wrong("mqtt-ingest", "--check-config", env=env, variable=variable)
        for program in (["publisher"], ["zaehlwerk", "check"], ["zaehlwerk", "replay"], ["meter-sim", "--count", "1"]):
            with self.subTest(program):
                self.wrong(*program, env={"MQTT_CA_FILE": "/nowhere/ca.crt"}, variable="MQTT_CA_FILE")

    def wrong(self, program, *arguments, env, variable):
        """It ends with 78 and one line that names the variable."""
        result = self.world.tool(BIN / program, *arguments, env=self.env | env)
        lines = result.stderr.decode().splitlines()
        self.assertEqual((result.returncode, len(lines)), (78, 1), lines)
        self.assertIn(f"variable={variable} ", lines[0])

    def test_tls_sh_keeps_its_authority(self):
        """And the next certificate's key is whose the one before was: the broker reads it."""
        before = (self.world.path / "good/ca.crt").read_bytes()
        tls_sh(self.world, "good", "client", "another")
        key = self.world.path / "good/another.key"
        if os.getuid() == 0:
            os.chown(key, 12345, 12345)
        owner, octets = key.stat().st_uid, key.read_bytes()
        tls_sh(self.world, "good", "client", "another")
        self.assertEqual((key.stat().st_uid, key.read_bytes() == octets), (owner, False))
        self.assertEqual((self.world.path / "good/ca.crt").read_bytes(), before)
        self.assertEqual([(p.name, p.stat().st_mode & 0o077) for p in (self.world.path / "good").glob("*.key") if p.stat().st_mode & 0o077], [])
        for wrong in (["client", "ca"], ["client", "a/b"], ["server"], ["what", "x"]):
            self.assertEqual(self.world.tool(SHIPPED / "tls.sh", self.world.path / "good", *wrong).returncode, 64, wrong)
