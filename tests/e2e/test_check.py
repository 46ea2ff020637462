"""zaehlwerk check: is this configuration sound, and do broker and database answer?"""

import time
from concurrent.futures import ThreadPoolExecutor

import frames
from harness import BIN, Case, free_port
from pipeline import Broker
from stores import Postgres
from test_settings import mysql_greeting

KEY = frames.Meter("check").key.hex()


class Check(Case):
    @classmethod
    def prepare(cls):
        path = cls.world.path
        cls.broker, cls.postgres = Broker(cls.world), Postgres(cls.world)
        cls.mysql = cls.world.closing.enter_context(mysql_greeting())
        cls.closed = str(free_port())
        cls.strict_port = str(free_port())
        conf = cls.world.write("strict.conf", f"listener {cls.strict_port} 127.0.0.1\nallow_anonymous false\n")
        cls.world.start("mosquitto-strict", ["mosquitto", "-c", conf])
        cls.narrow_port, cls.forbidding_port = str(free_port()), str(free_port())
        conf = f"listener {cls.narrow_port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 1\nmax_inflight_messages 1\nsys_interval 1\n"
        cls.world.start("mosquitto-narrow", ["mosquitto", "-c", cls.world.write("narrow.conf", conf)])
        acl = cls.world.write("acl", "topic readwrite sensors/#\n")
        conf = f"listener {cls.forbidding_port} 127.0.0.1\nallow_anonymous true\nacl_file {acl}\n"
        cls.world.start("mosquitto-forbidding", ["mosquitto", "-c", cls.world.write("forbidding.conf", conf)])
        cls.world.write("keys.csv", frames.keys_csv([frames.Meter("a"), frames.Meter("b")]))
        cls.world.write("bad.csv", "nothing\n")
        cls.sound = {
            "MQTT_HOST": "127.0.0.1", "MQTT_PORT": str(cls.broker.port), "SMARTMETER_KEY": KEY,
            "DB_URL": f"sqlite:{path}/check.sqlite"}  # fmt: skip

    def check(self, **env):
        result = self.world.tool(BIN / "zaehlwerk", "check", env=self.sound | env)
        return result.returncode, (result.stdout + result.stderr).decode()

    def check_all(self, rows):
        """All at the same time, since a broker that does not answer costs its patience: (row, status, text)."""
        with ThreadPoolExecutor(4) as pool:
            for row, found in zip(rows, pool.map(lambda r: self.check(**r[1]), rows)):
                yield *row, *found

    def test_sound(self):
        rows = (
            ("sqlite", {}, "sqlite"), ("postgresql", self.postgres.env, "postgresql"),
            ("a keys file", {"SMARTMETER_KEY": "", "SMARTMETER_KEYS_FILE": str(self.world.path / "keys.csv")}, "2 meters"),
            ("parts", {"DB_URL": "", "DB_HOST": "127.0.0.1", "DB_PORT": str(self.postgres.port), "DB_USER": "zw"}, "postgresql"))  # fmt: skip
        for why, _, told, status, text in self.check_all(rows):
            with self.subTest(why):
                self.assertEqual(status, 0, text)
                self.assertEqual(text.count(" ok"), 3, text)
                self.assertIn(told, text)
                self.assertNotIn(KEY, text)
        self.assertFalse((self.world.path / "check.sqlite").exists(), "check writes nothing")

    def test_what_does_not_answer(self):
        rows = (
            ("broker", {"MQTT_PORT": self.closed}, "broker +FAILED"),
            ("broker refuses", {"MQTT_PORT": self.strict_port}, "broker +FAILED.*Not authorized"),
            ("broker refuses, MQTT 3.1.1", {"MQTT_PORT": self.strict_port, "MQTT_PROTOCOL": "3.1.1"}, "broker +FAILED.*not authorized"),
            ("postgresql", {"DB_URL": f"postgresql://zw@127.0.0.1:{self.closed}/x"}, "database +FAILED"),
            ("no such database", {"DB_URL": f"postgresql://zw@127.0.0.1:{self.postgres.port}/nothing"}, "database +FAILED.*nothing"),
            ("no such folder", {"DB_URL": "sqlite:/nowhere/x.sqlite"}, "database +FAILED.*/nowhere"))  # fmt: skip
        for why, _, line, status, text in self.check_all(rows):
            with self.subTest(why):
                self.assertEqual(status, 69, text)
                self.assertRegex(text, line)
                self.assertEqual(text.count(" ok"), 2, text)

    def test_what_is_wrong(self):
        rows = (
            ("no key", {"SMARTMETER_KEY": ""}, "SMARTMETER_KEY"),
            ("a short key", {"SMARTMETER_KEY": "12"}, "SMARTMETER_KEY"),
            ("16 characters", {"SMARTMETER_KEY": "ThisIsMyMeterKey"}, "SMARTMETER_KEY"),
            ("a keys file that is none", {"SMARTMETER_KEYS_FILE": str(self.world.path / "bad.csv")}, "SMARTMETER_KEYS_FILE"),
            ("a port", {"MQTT_PORT": "x"}, "MQTT_PORT"),
            ("a URL", {"DB_URL": "mysql://x"}, "DB_URL"),
            ("MariaDB's port", {"DB_URL": "", "DB_HOST": "127.0.0.1", "DB_PORT": "3306"}, "DB_PORT"),
            ("a MySQL server", {"DB_URL": "", "DB_HOST": "127.0.0.1", "DB_PORT": str(self.mysql)}, "DB_HOST"),
            ("a table's name", {"SMARTMETER_DB_TABLE": "x-y"}, "SMARTMETER_DB_TABLE"))  # fmt: skip
        for why, _, variable, status, text in self.check_all(rows):
            with self.subTest(why):
                self.assertEqual(status, 78, text)
                self.assertEqual(text.count(f"variable={variable} "), 1, text)
                self.assertNotIn("ThisIsMyMeterKey", text)

    def test_what_the_broker_can(self):
        narrow, forbidding = {"MQTT_PORT": self.narrow_port}, {"MQTT_PORT": self.forbidding_port}
        old, shared = {"MQTT_PROTOCOL": "3.1.1"}, {"INGEST_SHARED": "1"}
        sound = "shared subscriptions: yes .*each message to one member.*a part waits for it; not tested: a restart"
        rows = (
            ("all of it", {}, sound, 0),
            ("all of it, MQTT 3.1.1", old, sound, 0),
            ("all of it, and it is needed", shared, sound, 0),
            ("loses what is for others", narrow, r"shared subscriptions: no \(\d+ of 16 messages are lost when members are away\)\n", 0),
            ("and shared ones are needed", narrow | shared, r"shared subscriptions: no .*FAILED, needed by INGEST_SHARED=1\n", 69),
            ("forbids the topic", forbidding | shared, r"shared subscriptions: not tested .*forbidden\?", 0),
            ("forbids the topic, MQTT 3.1.1", forbidding | shared | old, r"shared subscriptions: not tested .*forbidden\?", 0))  # fmt: skip
        for why, env, line, status, text in self.check_all([r[:3] for r in rows]):
            with self.subTest(why):
                self.assertEqual(status, next(r[3] for r in rows if r[0] == why), text)
                self.assertRegex(text, line)
                found = "not tested" if env.get("MQTT_PORT") == self.forbidding_port else r"yes \(a message of QoS 1 waits"
                self.assertRegex(text, f"sessions: {found}")
        self.assertEqual(self.clients(self.narrow_port), 1, "nothing is left at the broker")

    def clients(self, port):
        """How many clients a broker knows now, those with a session only among them; our question is one."""
        time.sleep(1.5)  # its sys_interval
        answer = self.world.tool("mosquitto_sub", "-h", "127.0.0.1", "-p", port, "-t", "$SYS/broker/clients/total", "-W", "3",
                                 "-F", "%p").stdout.split()  # fmt: skip
        return int(answer[-1])

    def test_usage(self):
        self.assertEqual(self.world.tool(BIN / "zaehlwerk", "check", "--help").returncode, 0)
        self.assertEqual(self.world.tool(BIN / "zaehlwerk", "check", "all").returncode, 64)
