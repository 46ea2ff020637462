"""A wrong setting ends the start with status 78 and one line that names the variable."""

import contextlib
import json
import re
import socket
import sqlite3
import threading

import frames
from frames import ROOT
from harness import BIN, Case, free_port, wait_until
from stores import Postgres

KEY = frames.Meter("settings").key.hex()
MQTT = ["MQTT_HOST", "MQTT_PORT", "MQTT_USER", "MQTT_PASSWORD", "MQTT_PROTOCOL", "MQTT_TLS", "MQTT_CA_FILE", "MQTT_CERT_FILE", "MQTT_CERT_KEY_FILE"]
DB = ["DB_URL", "DB_HOST", "DB_PORT", "DB_NAME", "DB_USER", "DB_PASSWORD", "SMARTMETER_DB_SCHEMA", "SMARTMETER_DB_TABLE"]
ALL = ["STREAM_KEY", "HTTP_LISTEN", "LOG_LEVEL", "LOG_FORMAT"]
SETTINGS = {
    "mqtt-ingest": [*MQTT, "MQTT_CLIENT_ID", "SMARTMETER_RAWDATA_MQTT_TOPIC", "SMARTMETER_VALUES_MQTT_TOPIC",
                    "DURABLE_STREAMS", "REASSEMBLY_MS", "JOURNAL_PATH", "JOURNAL_SYNC_MS", "JOURNAL_MAX_BYTES",
                    "JOURNAL_KEEP_HOURS", "JOURNAL_REFILL_SINCE",
                    "INGEST_SLOTS", "INGEST_SLOT", "INGEST_SHARED", "INGEST_WINDOW", "TELEGRAMS_BIND", "ACKS_CONNECT", *ALL],
    "decryptor": ["SMARTMETER_KEY", "SMARTMETER_AUTHENTICATION_KEY", "SMARTMETER_KEYS_FILE", "TELEGRAMS_CONNECT",
                  "STORE_BIND", "DEBOUNCE_BIND", "READINGS_BIND", *ALL],
    "db-writer": [*DB, "REJECTS_KEEP_DAYS", "REJECTS_MAX_BYTES", "HISTORY_KEEP_DAYS", "DEBOUNCED_KEEP_DAYS", "FLEET_METERS", "STORE_CONNECT", "ACKS_BIND", *ALL],
    "debouncer": ["DEBOUNCE_SECONDS", "DEBOUNCE_CONNECT", "STORE_BIND", "ACKS_BIND", "ACKS_CONNECT", *ALL],
    "publisher": [*MQTT, "MQTT_PUBLISHER_CLIENT_ID", "SMARTMETER_VALUES_MQTT_TOPIC", "PUBLISH_TOPICS", "PUBLISH_WHEN",
                  "PUBLISH_MIN_SECONDS", "PUBLISH_QOS", "PUBLISH_RETAIN", "OFFLINE_SECONDS", "PUBLISHER_STATUS_TOPIC", "TIMEZONE",
                  "HA_DISCOVERY", "HA_DISCOVERY_PREFIX", "READINGS_CONNECT", "LIVE_SKEW_SECONDS", "METRICS_PER_METER", *ALL],
    "example-consumer": ["READINGS_CONNECT", "LIVE_SKEW_SECONDS", "METER", "SURPLUS_ON_WATTS", "SURPLUS_OFF_WATTS", "SURPLUS_SECONDS",
                         "SILENCE_SECONDS", "SWITCH_COMMAND", "SWITCH_REPEAT_SECONDS", *ALL],
    "dashboard": ["DASHBOARD_LISTEN", "DASHBOARD_LOCAL", "DASHBOARD_PASSWORD", "DASHBOARD_TRUSTED_HEADER", "DASHBOARD_CLIENTS", "STATUS_URLS",
                  "PRICE_IMPORT", "PRICE_EXPORT", "PRICE_CURRENCY", "TIMEZONE", "READINGS_CONNECT", "LIVE_SKEW_SECONDS", *DB, *ALL],
    "meter-sim": MQTT,
}  # fmt: skip

# Service, environment, the variable that must be named.
WRONG = [
    ("mqtt-ingest", {"MQTT_PORT": "0"}, "MQTT_PORT"),
    ("mqtt-ingest", {"MQTT_PORT": "1883x"}, "MQTT_PORT"),
    ("mqtt-ingest", {"MQTT_PORT": "65536"}, "MQTT_PORT"),
    ("mqtt-ingest", {"MQTT_TLS": "yes"}, "MQTT_TLS"),
    ("mqtt-ingest", {"MQTT_PROTOCOL": "4"}, "MQTT_PROTOCOL"),
    ("mqtt-ingest", {"SMARTMETER_RAWDATA_MQTT_TOPIC": ", ,"}, "SMARTMETER_RAWDATA_MQTT_TOPIC"),
    ("mqtt-ingest", {"SMARTMETER_RAWDATA_MQTT_TOPIC": "sensors/#"}, "SMARTMETER_RAWDATA_MQTT_TOPIC"),
    ("mqtt-ingest", {"SMARTMETER_RAWDATA_MQTT_TOPIC": "a,sensors/+/values"}, "SMARTMETER_RAWDATA_MQTT_TOPIC"),
    ("mqtt-ingest", {"SMARTMETER_RAWDATA_MQTT_TOPIC": "a/#/b"}, "SMARTMETER_RAWDATA_MQTT_TOPIC"),
    ("mqtt-ingest", {"SMARTMETER_RAWDATA_MQTT_TOPIC": ",".join(map(str, range(65)))}, "SMARTMETER_RAWDATA_MQTT_TOPIC"),
    ("mqtt-ingest", {"SMARTMETER_RAWDATA_MQTT_TOPIC": "v/+", "SMARTMETER_VALUES_MQTT_TOPIC": "v/{meter}"}, "SMARTMETER_RAWDATA_MQTT_TOPIC"),
    ("mqtt-ingest", {"SMARTMETER_RAWDATA_MQTT_TOPIC": "v/+/x", "SMARTMETER_VALUES_MQTT_TOPIC": "v/{name}/x"}, "SMARTMETER_RAWDATA_MQTT_TOPIC"),
    ("mqtt-ingest", {"REASSEMBLY_MS": "3s"}, "REASSEMBLY_MS"),
    ("mqtt-ingest", {"INGEST_WINDOW": "-1"}, "INGEST_WINDOW"),
    ("mqtt-ingest", {"JOURNAL_PATH": "/nowhere/at/all"}, "JOURNAL_PATH"),
    ("mqtt-ingest", {"JOURNAL_PATH": "{folder}/key/x"}, "JOURNAL_PATH"),
    ("mqtt-ingest", {"JOURNAL_MAX_BYTES": "1"}, "JOURNAL_MAX_BYTES"),
    ("mqtt-ingest", {"JOURNAL_KEEP_HOURS": "1d"}, "JOURNAL_KEEP_HOURS"),
    ("mqtt-ingest", {"JOURNAL_REFILL_SINCE": "2026-11-24 03:00"}, "JOURNAL_REFILL_SINCE"),
    ("mqtt-ingest", {"JOURNAL_REFILL_SINCE": "2026-02-30T03:00:00Z"}, "JOURNAL_REFILL_SINCE"),
    ("mqtt-ingest", {"INGEST_SLOTS": "0"}, "INGEST_SLOTS"),
    ("mqtt-ingest", {"INGEST_SLOTS": "257"}, "INGEST_SLOTS"),
    ("mqtt-ingest", {"INGEST_SLOTS": "3", "SMARTMETER_RAWDATA_MQTT_TOPIC": "a,b"}, "INGEST_SLOTS"),
    ("mqtt-ingest", {"INGEST_SLOTS": "2", "SMARTMETER_RAWDATA_MQTT_TOPIC": "a/+,a/7"}, "SMARTMETER_RAWDATA_MQTT_TOPIC"),
    ("mqtt-ingest", {"INGEST_SLOT": "1"}, "INGEST_SLOT"),
    ("mqtt-ingest", {"INGEST_SLOT": "one"}, "INGEST_SLOT"),
    ("mqtt-ingest", {"INGEST_SHARED": "yes"}, "INGEST_SHARED"),
    ("mqtt-ingest", {"ACKS_CONNECT": "tcp://db-writer"}, "ACKS_CONNECT"),
    ("mqtt-ingest", {"TELEGRAMS_BIND": "telegrams"}, "TELEGRAMS_BIND"),
    ("mqtt-ingest", {"TELEGRAMS_BIND": "tcp://127.0.0.1:{used}"}, "TELEGRAMS_BIND"),
    ("mqtt-ingest", {"TELEGRAMS_BIND": "ipc:///nowhere/at/all"}, "TELEGRAMS_BIND"),
    ("mqtt-ingest", {"HTTP_LISTEN": "9101"}, "HTTP_LISTEN"),
    ("mqtt-ingest", {"HTTP_LISTEN": "127.0.0.1:{used}"}, "HTTP_LISTEN"),
    ("mqtt-ingest", {"LOG_FORMAT": "xml"}, "LOG_FORMAT"),
    ("mqtt-ingest", {"LOG_LEVEL": "loud"}, "LOG_LEVEL"),
    ("mqtt-ingest", {"STREAM_KEY": "secret"}, "STREAM_KEY"),
    ("decryptor", {"STREAM_KEY_FILE": "{folder}/key"}, "STREAM_KEY"),
    ("decryptor", {"SMARTMETER_KEY": ""}, "SMARTMETER_KEY"),
    ("decryptor", {"SMARTMETER_KEY": KEY[:-1]}, "SMARTMETER_KEY"),
    ("decryptor", {"SMARTMETER_KEY": KEY + "00"}, "SMARTMETER_KEY"),
    ("decryptor", {"SMARTMETER_KEY": "g" + KEY[1:]}, "SMARTMETER_KEY"),
    ("decryptor", {"SMARTMETER_KEY": "ThisIsMyMeterKey"}, "SMARTMETER_KEY"),
    ("decryptor", {"SMARTMETER_AUTHENTICATION_KEY": "12"}, "SMARTMETER_AUTHENTICATION_KEY"),
    ("decryptor", {"SMARTMETER_KEYS_FILE": "/nowhere/keys.csv"}, "SMARTMETER_KEYS_FILE"),
    ("decryptor", {"SMARTMETER_KEYS_FILE": "{folder}/headless.csv"}, "SMARTMETER_KEYS_FILE"),
    ("decryptor", {"SMARTMETER_KEY": "", "SMARTMETER_KEYS_FILE": "{folder}/empty.csv"}, "SMARTMETER_KEYS_FILE"),
    ("decryptor", {"SMARTMETER_KEY": "", "SMARTMETER_KEY_FILE": "/nowhere/key"}, "SMARTMETER_KEY_FILE"),
    ("decryptor", {"SMARTMETER_KEY_FILE": "{folder}/key"}, "SMARTMETER_KEY_FILE"),
    ("decryptor", {"TELEGRAMS_CONNECT": "tcp://mqtt-ingest"}, "TELEGRAMS_CONNECT"),
    ("decryptor", {"TELEGRAMS_CONNECT": "udp:x"}, "TELEGRAMS_CONNECT"),
    ("decryptor", {"STORE_BIND": "tcp://127.0.0.1:{used}"}, "STORE_BIND"),
    ("decryptor", {"DEBOUNCE_BIND": "tcp://127.0.0.1"}, "DEBOUNCE_BIND"),
    ("decryptor", {"READINGS_BIND": "x"}, "READINGS_BIND"),
    ("db-writer", {"DB_URL": "mysql://root@localhost/x"}, "DB_URL"),
    ("db-writer", {"DB_URL": "/var/lib/x.sqlite"}, "DB_URL"),
    ("db-writer", {"DB_URL": "", "DB_HOST": "127.0.0.1", "DB_PORT": "3306"}, "DB_PORT"),
    ("db-writer", {"DB_URL": "", "DB_HOST": "127.0.0.1", "DB_PORT": "x"}, "DB_PORT"),
    ("db-writer", {"DB_URL": "", "DB_HOST": "127.0.0.1", "DB_PORT": "{mysql}"}, "DB_HOST"),
    ("db-writer", {"DB_URL": "postgresql://127.0.0.1:{mysql}/x"}, "DB_URL"),
    ("db-writer", {"DB_URL": "sqlite:{folder}/newer.sqlite"}, "DB_URL"),
    ("db-writer", {"DB_URL": "postgresql://zw@127.0.0.1:{pg}/smartmeter"}, "DB_URL"),
    ("db-writer", {"SMARTMETER_DB_TABLE": "History"}, "SMARTMETER_DB_TABLE"),
    ("db-writer", {"SMARTMETER_DB_TABLE": "h; DROP TABLE meters"}, "SMARTMETER_DB_TABLE"),
    ("db-writer", {"SMARTMETER_DB_SCHEMA": 'x"y'}, "SMARTMETER_DB_SCHEMA"),
    ("db-writer", {"HISTORY_KEEP_DAYS": "7d"}, "HISTORY_KEEP_DAYS"),
    ("db-writer", {"DEBOUNCED_KEEP_DAYS": "-1"}, "DEBOUNCED_KEEP_DAYS"),
    ("db-writer", {"FLEET_METERS": "0"}, "FLEET_METERS"),
    ("db-writer", {"REJECTS_KEEP_DAYS": "-1"}, "REJECTS_KEEP_DAYS"),
    ("db-writer", {"REJECTS_MAX_BYTES": "1GB"}, "REJECTS_MAX_BYTES"),
    ("db-writer", {"STORE_CONNECT": ","}, "STORE_CONNECT"),
    ("db-writer", {"ACKS_BIND": "tcp://127.0.0.1:{used}"}, "ACKS_BIND"),
    ("debouncer", {"DEBOUNCE_SECONDS": "0"}, "DEBOUNCE_SECONDS"),
    ("debouncer", {"DEBOUNCE_CONNECT": "tcp://:5561"}, "DEBOUNCE_CONNECT"),
    ("debouncer", {"STORE_BIND": "no"}, "STORE_BIND"),
    ("debouncer", {"ACKS_BIND": "no"}, "ACKS_BIND"),
    ("publisher", {"SMARTMETER_VALUES_MQTT_TOPIC": "values/#"}, "SMARTMETER_VALUES_MQTT_TOPIC"),
    ("publisher", {"SMARTMETER_VALUES_MQTT_TOPIC": "values/+"}, "SMARTMETER_VALUES_MQTT_TOPIC"),
    ("publisher", {"SMARTMETER_VALUES_MQTT_TOPIC": "v" * 257}, "SMARTMETER_VALUES_MQTT_TOPIC"),
    ("publisher", {"READINGS_CONNECT": "tcp://x:y"}, "READINGS_CONNECT"),
    ("publisher", {"PUBLISH_TOPICS": "none"}, "PUBLISH_TOPICS"),
    ("publisher", {"PUBLISH_WHEN": "sometimes"}, "PUBLISH_WHEN"),
    ("publisher", {"PUBLISH_MIN_SECONDS": "-1"}, "PUBLISH_MIN_SECONDS"),
    ("publisher", {"PUBLISH_MIN_SECONDS": "3601"}, "PUBLISH_MIN_SECONDS"),
    ("publisher", {"PUBLISH_QOS": "3"}, "PUBLISH_QOS"),
    ("publisher", {"PUBLISH_RETAIN": "yes"}, "PUBLISH_RETAIN"),
    ("publisher", {"OFFLINE_SECONDS": "0"}, "OFFLINE_SECONDS"),
    ("publisher", {"PUBLISHER_STATUS_TOPIC": "zaehlwerk/+"}, "PUBLISHER_STATUS_TOPIC"),
    ("publisher", {"TIMEZONE": "Europe/Wien"}, "TIMEZONE"),
    ("publisher", {"TIMEZONE": "CET-1CEST"}, "TIMEZONE"),
    ("publisher", {"HA_DISCOVERY": "on"}, "HA_DISCOVERY"),
    ("publisher", {"HA_DISCOVERY_PREFIX": "homeassistant/#"}, "HA_DISCOVERY_PREFIX"),
    ("publisher", {"HA_DISCOVERY_PREFIX": "h" * 257}, "HA_DISCOVERY_PREFIX"),
    ("example-consumer", {"METER": "Keller"}, "METER"),
    ("example-consumer", {"METER": ""}, "METER"),
    ("example-consumer", {"SWITCH_COMMAND": ""}, "SWITCH_COMMAND"),
    ("example-consumer", {"SWITCH_COMMAND": "/bin/true on"}, "SWITCH_COMMAND"),
    ("example-consumer", {"SWITCH_COMMAND": "{folder}/key"}, "SWITCH_COMMAND"),
    ("example-consumer", {"SWITCH_COMMAND": "{folder}"}, "SWITCH_COMMAND"),
    ("example-consumer", {"SURPLUS_ON_WATTS": "2kW"}, "SURPLUS_ON_WATTS"),
    ("example-consumer", {"SILENCE_SECONDS": "0"}, "SILENCE_SECONDS"),
    ("example-consumer", {"READINGS_CONNECT": "tcp://x:y"}, "READINGS_CONNECT"),
    ("dashboard", {"DASHBOARD_LISTEN": "8080"}, "DASHBOARD_LISTEN"),
    ("dashboard", {"DASHBOARD_LISTEN": "0.0.0.0:8080"}, "DASHBOARD_LISTEN"),
    ("dashboard", {"DASHBOARD_LISTEN": "127.0.0.1:{used}"}, "DASHBOARD_LISTEN"),
    ("dashboard", {"DASHBOARD_PASSWORD_FILE": "/nowhere/password"}, "DASHBOARD_PASSWORD_FILE"),
    ("dashboard", {"DASHBOARD_TRUSTED_HEADER": "X User"}, "DASHBOARD_TRUSTED_HEADER"),
    ("dashboard", {"DASHBOARD_CLIENTS": "0"}, "DASHBOARD_CLIENTS"),
    ("dashboard", {"STATUS_URLS": "http://127.0.0.1:9101/readyz"}, "STATUS_URLS"),
    ("dashboard", {"STATUS_URLS": "a=file:///etc/passwd"}, "STATUS_URLS"),
    ("dashboard", {"PRICE_IMPORT": "0,25"}, "PRICE_IMPORT"),
    ("dashboard", {"PRICE_EXPORT": "0.1234567"}, "PRICE_EXPORT"),
    ("dashboard", {"PRICE_CURRENCY": "Euro"}, "PRICE_CURRENCY"),
    ("dashboard", {"TIMEZONE": "Vienna"}, "TIMEZONE"),
    ("dashboard", {"TIMEZONE": "../../etc/passwd"}, "TIMEZONE"),
    ("dashboard", {"DB_URL": "mysql://root@localhost/x"}, "DB_URL"),
    ("dashboard", {"READINGS_CONNECT": "tcp://x:y"}, "READINGS_CONNECT"),
    ("meter-sim", {"MQTT_PORT": "many"}, "MQTT_PORT"),
]  # fmt: skip


@contextlib.contextmanager
def mysql_greeting():
    """A server that speaks first, as MySQL does: its port."""
    greeting = b"\x0A8.0.36\0" + bytes(4) + b"saltsalt\0" + bytes(30)
    packet = len(greeting).to_bytes(3, "little") + b"\0" + greeting
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            while server.fileno() >= 0:
                with contextlib.suppress(OSError):
                    client, _ = server.accept()
                    with client:
                        client.sendall(packet)
                        client.recv(1024)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


class Settings(Case):
    @classmethod
    def prepare(cls):
        path = cls.world.path
        cls.base = {
            "SWITCH_COMMAND": "/bin/true", "METER": frames.Meter("settings").id,
            "SMARTMETER_KEY": KEY, "DB_URL": f"sqlite:{path}/x.sqlite", "HTTP_LISTEN": "127.0.0.1:0", "JOURNAL_PATH": f"{path}/x-journal", "MQTT_HOST": "127.0.0.1",
            "MQTT_PORT": str(free_port()), "DASHBOARD_LISTEN": "127.0.0.1:0",
            **{v: f"ipc://{path}/{v}" for v in ("TELEGRAMS_BIND", "STORE_BIND", "DEBOUNCE_BIND", "READINGS_BIND", "ACKS_BIND",
                                                "TELEGRAMS_CONNECT", "STORE_CONNECT", "DEBOUNCE_CONNECT", "READINGS_CONNECT", "ACKS_CONNECT")}}  # fmt: skip
        cls.world.write("headless.csv", f"{frames.Meter('x').id},{KEY}\n")
        cls.world.write("empty.csv", "system_title,key\n")
        cls.world.write("key", f"{KEY}\n")
        newer = "CREATE TABLE zaehlwerk_schema (version integer PRIMARY KEY); INSERT INTO zaehlwerk_schema VALUES (999);"
        with contextlib.closing(sqlite3.connect(path / "newer.sqlite")) as db:
            db.executescript(newer)
        postgres = Postgres(cls.world)
        postgres.psql("CREATE SCHEMA smartmeter;" + newer)
        used = cls.world.closing.enter_context(socket.create_server(("127.0.0.1", 0)))
        mysql = cls.world.closing.enter_context(mysql_greeting())
        cls.names = {"folder": path, "used": used.getsockname()[1], "mysql": mysql, "pg": postgres.port}

    def end(self, service, env, *arguments):
        """Status and lines of a start that should not last."""
        result = self.world.tool(BIN / service, *arguments, env=self.base | env, seconds=20)
        return result.returncode, result.stdout.decode(), result.stderr.decode().splitlines()

    def test_wrong(self):
        for service, env, variable in WRONG:
            env = {k: re.sub(r"\{(folder|used|mysql|pg)\}", lambda m: str(self.names[m[1]]), v) for k, v in env.items()}
            with self.subTest(service, env=env):
                status, _, lines = self.end(service, env)
                self.assertEqual(status, 78, lines)
                naming = [line for line in lines if f"variable={variable} " in line]
                self.assertEqual(len(naming), 1, lines)
                self.assertRegex(naming[0], r"level=error svc=\S+ event=config .*wrong=.+ right=.+")
                self.assertEqual([line for line in lines if "level=error" in line], naming)
                text = "\n".join(lines)
                self.assertNotIn(KEY, text)
                if len(env.get("SMARTMETER_KEY", "")) > 8:
                    self.assertNotIn(env["SMARTMETER_KEY"], text)

    def test_check_config_finds_what_a_start_would(self):
        """All but what only the network, a socket or the database can tell."""
        late = ("{used}", "{mysql}", "{pg}", "newer.sqlite", "ipc:///nowhere", "/nowhere/at/all", "/key/x")
        for service, env, variable in WRONG:
            if service == "meter-sim" or any(word in v for v in env.values() for word in late):
                continue
            env = {k: v.replace("{folder}", str(self.names["folder"])) for k, v in env.items()}
            with self.subTest(service, env=env):
                status, out, lines = self.end(service, env, "--check-config")
                self.assertEqual((status, out, len(lines)), (78, "", 1), lines)
                self.assertIn(f"variable={variable} ", lines[0])

    def test_sixteen_characters_get_a_hint(self):
        _, _, lines = self.end("decryptor", {"SMARTMETER_KEY": "ThisIsMyMeterKey"})
        self.assertRegex("\n".join(lines), "16 characters.*32 hex digits")

    def test_mariadb_gets_the_way_out(self):
        for env in ({"DB_PORT": "3306"}, {"DB_PORT": str(self.names["mysql"])}):
            _, _, lines = self.end("db-writer", {"DB_URL": "", "DB_HOST": "127.0.0.1"} | env)
            self.assertRegex("\n".join(lines), "(?i)mariadb.*DB_URL.*zaehlwerk import")

    def test_check_config_and_version(self):
        for service in SETTINGS:
            with self.subTest(service):
                status, out, _ = self.end(service, {}, "--version")
                self.assertEqual((status, out.split()[0]), (0, service))
                self.assertRegex(out, r"^\S+ \d+\.\d+\.\d+\n$")
                if service != "meter-sim":
                    status, out, lines = self.end(service, {}, "--check-config")
                    self.assertEqual((status, out, lines), (0, f"{service}: the settings are sound\n", []))
                    self.assertEqual(self.end(service, {"LOG_LEVEL": "x"}, "--check-config")[0], 78)
                    self.assertEqual(self.end(service, {}, "--nonsense")[0], 64)

    def test_help_lists_every_setting(self):
        for service, settings in SETTINGS.items():
            with self.subTest(service):
                status, out, _ = self.end(service, {}, "--help")
                self.assertEqual(status, 0)
                listed = re.findall(r"^  ([A-Z][A-Z0-9_]+) +\S.*\[.+\]$", out, re.M)
                self.assertEqual(sorted(listed), sorted(settings))
                self.assertNotIn(KEY, out)

    def test_readme_names_every_setting(self):
        """Its table: those of the services, and of the commands; `SURPLUS_...` stands for all that begin so, `..._BIND` for all that end so."""
        text = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## Settings\n")[2].partition("\n## ")[0]
        named = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", text))
        begin, end = tuple(re.findall(r"`([A-Z_]+_)\.\.\.`", text)), tuple(re.findall(r"`\.\.\.(_[A-Z]+)`", text))
        self.assertTrue(begin and end)
        programs = [[p.parent.name] for p in sorted((ROOT / "services").glob("*/main.c"))]
        programs += [["zaehlwerk", c] for c in re.findall(r"^  ([a-z]+) ", self.world.tool(BIN / "zaehlwerk", "--help").stdout.decode(), re.M)]
        found = set()
        for program, *command in programs:
            found |= set(re.findall(r"^  ([A-Z][A-Z0-9_]+) +\S.*\[.+\]$", self.world.tool(BIN / program, *command, "--help").stdout.decode(), re.M))
        self.assertGreater(len(found), 80)
        self.assertEqual({s for s in found - named if not s.startswith(begin) and not s.endswith(end)}, set())

    def test_value_from_a_file(self):
        env = {"SMARTMETER_KEY": "", "SMARTMETER_KEY_FILE": str(self.world.path / "key")}
        self.assertEqual(self.end("decryptor", env, "--check-config")[0], 0)
        url = self.world.write("db-url", f"sqlite:{self.world.path}/from-file.sqlite\n")
        writer = self.world.service("db-writer", self.base | {"DB_URL": "", "DB_URL_FILE": url})
        wait_until(writer.ready, "db-writer is ready")
        writer.stop()
        self.assertTrue((self.world.path / "from-file.sqlite").exists())

    def test_json_log(self):
        for service in SETTINGS:
            if service == "meter-sim":
                continue
            with self.subTest(service):
                process = self.world.service(service, self.base | {"LOG_FORMAT": "json", "LOG_LEVEL": "debug"}, f"{service}-json")
                process.port()
                process.stop()
                events = [json.loads(line) for line in process.log().splitlines()]
                self.assertEqual({(e["svc"], type(e["time"]), type(e["level"])) for e in events}, {(service, str, str)})
                self.assertLessEqual({"start", "http", "signal", "stop"}, {e["event"] for e in events})

    def test_programs_carry_the_sanitizers(self):
        """What runs here would tell of a bad memory access: else these tests prove less than they say."""
        result = self.world.tool(BIN / "decryptor", "--version", env={"ASAN_OPTIONS": "help=1"})
        self.assertIn("AddressSanitizer", result.stderr.decode() + result.stdout.decode())
