"""STREAM_KEY: the whole pipeline under one key; strangers get nothing and send nothing."""

import os
import re
import signal

import test_consumers
import zmq
from frames import ROOT
from harness import BIN, Case, wait_until
from pipeline import SERVICES, Pipeline
from stores import Sqlite


class Keyed(Case):
    @classmethod
    def prepare(cls):
        cls.key_file = cls.world.path / "stream.key"
        cls.world.tool(BIN / "zaehlwerk", "keygen", "--output", cls.key_file, check=True)
        cls.pipeline = Pipeline(cls.world, Sqlite(cls.world), [], env={s: {"STREAM_KEY_FILE": str(cls.key_file)} for s in SERVICES}).start()
        cls.pipeline.flow()

    def at(self, stream):
        return f"ipc://{self.world.path}/{stream}"

    def once(self, sent):
        wait_until(lambda: all(self.pipeline.stored(t, rows) for rows in [self.pipeline.db.readings()] for t in sent), "all are stored")
        rows = [(r["meter"], r["counter"]) for r in self.pipeline.db.readings()]
        self.assertEqual(len(rows), len(set(rows)), "doubled")

    def send(self, n):
        probes = [self.pipeline.probe() for _ in range(n)]
        self.pipeline.broker.pub_lines(self.pipeline.topic("any"), [t.hex for t in probes])
        return probes

    def tail(self, name, **env):
        return self.world.start(name, [BIN / "zaehlwerk", "tail", "--format", "json"], {"READINGS_CONNECT": self.at("readings.decryptor")} | env)

    def test_exactly_once_while_strangers_knock(self):
        """No key, another key, the public key alone: on every kind of stream, while telegrams come."""
        key = self.key_file.read_text().strip().encode()
        context = zmq.Context()
        self.addCleanup(context.destroy, 0)
        strangers = []
        for stream, kind in (("telegrams.mqtt-ingest", zmq.PULL), ("store.decryptor", zmq.PULL), ("debounce.decryptor", zmq.PULL),
                             ("readings.decryptor", zmq.SUB), ("acks-db.db-writer", zmq.SUB)):  # fmt: skip
            for server in (None, zmq.curve_keypair()[0], zmq.curve_public(key)):
                s = context.socket(kind)
                if server:
                    s.curve_publickey, s.curve_secretkey = zmq.curve_keypair()
                    s.curve_serverkey = server
                if kind == zmq.SUB:
                    s.subscribe(b"")
                s.connect(self.at(stream))
                strangers.append(s)
        decryptor = self.pipeline.service["decryptor"]

        def refused(*reasons):
            return sum(decryptor.metric("stream_refused_total", reason=r) for r in reasons)

        # Without a key either end may be the first to hang up; three of each, some of them again and again.
        wait_until(lambda: refused("no-key", "ended") >= 3 and refused("other-key") >= 6, "they were refused")
        self.once(self.send(50))
        self.assertEqual([s.poll(0) for s in strangers], [0] * len(strangers))
        told = decryptor.lines("event=stream-refused", "advice=")
        self.assertTrue(told)
        who = rf'setting=(STORE|DEBOUNCE|READINGS)_BIND peer=("process {os.getpid()}"|unknown) '
        self.assertTrue(all(re.search(who, line) for line in told), told)
        self.assertTrue([line for line in told if "peer=unknown" not in line], told)
        for process in self.pipeline.service.values():
            self.assertNotIn(key.decode(), process.log())

    def test_a_producer_that_is_a_stranger_is_not_heard(self):
        """A PUSH socket where a consumer looks for its ingest: it cannot slip anything in."""
        at = self.at("false-ingest")
        context = zmq.Context()
        self.addCleanup(context.destroy, 0)
        false = context.socket(zmq.PUSH)
        false.curve_secretkey, false.curve_publickey = reversed(zmq.curve_keypair())
        false.curve_server = True
        false.bind(at)
        env = self.pipeline.env | self.pipeline.wiring("decryptor") | {
            "STREAM_KEY_FILE": str(self.key_file), "TELEGRAMS_CONNECT": at, "STORE_BIND": self.at("s2"), "DEBOUNCE_BIND": self.at("d2"),
            "READINGS_BIND": self.at("r2")}  # fmt: skip
        second = self.world.service("decryptor", env, "decryptor-led-astray")
        wait_until(lambda: second.lines("event=stream-refused", "setting=TELEGRAMS_CONNECT", "reason=other-key"), "it says why")
        self.assertEqual(false.poll(0, zmq.POLLOUT), 0, "somebody listens")
        second.stop()

    def test_tail(self):
        good = self.tail("tail-good", STREAM_KEY_FILE=str(self.key_file))
        without = self.tail("tail-without")

        def heard():
            self.send(1)
            return good.lines('"meter"')

        wait_until(heard, "tail prints")
        wait_until(lambda: without.lines("reason=key", "advice="), "tail says why it prints nothing")
        self.assertEqual(without.lines('"meter"'), [])
        good.stop()
        without.stop()

    def test_consumers_of_ones_own(self):
        """The lines of proto/README.md, in both languages, as they stand there."""
        text = (ROOT / "proto/README.md").read_text(encoding="utf-8")
        python = "\n".join(re.findall(r"^    (readings\.curve_.*)$", text, re.M))
        (node,) = re.findall(r"^    (const readings = new Subscriber\(\{ curve.*)$", text, re.M)
        if not (self.world.path / "node_modules").exists():
            (self.world.path / "node_modules").symlink_to(test_consumers.node_modules())
        programs = {
            "python": ["/usr/bin/python3", "-c", f"import os, zmq\nkey = open(os.environ['KEY'], 'rb').read().strip()\nreadings = zmq.Context().socket(zmq.SUB)\n{python}\n"
                       "readings.connect(os.environ['AT'])\nreadings.subscribe('reading.')\nwhile True: print('heard', readings.recv_multipart()[0].decode(), flush=True)"],
            "node": ["node", self.world.write("own.mjs", "import { readFileSync } from 'node:fs';\nimport { execFileSync } from 'node:child_process';\n"
                     "import { Subscriber } from 'zeromq';\nconst key = readFileSync(process.env.KEY, 'utf8').trim();\n"
                     f"const half = execFileSync('{BIN}/zaehlwerk', ['keygen', '--public'], {{ encoding: 'utf8' }}).trim();\n{node}\n"
                     "readings.connect(process.env.AT);\nreadings.subscribe('reading.');\nfor await (const [topic] of readings) console.log('heard', topic.toString());")],
        }  # fmt: skip
        env = {"KEY": str(self.key_file), "STREAM_KEY_FILE": str(self.key_file), "AT": self.at("readings.decryptor")}
        running = [self.world.start(f"own-{name}", argv, env) for name, argv in programs.items()]

        def heard():
            self.send(1)
            return all(p.lines("heard reading.") for p in running)

        for process in running:
            process.ends.add(-signal.SIGTERM)
        wait_until(heard, "both hear readings")

    def test_keygen(self):
        keys = {self.world.tool(BIN / "zaehlwerk", "keygen", check=True).stdout.decode() for _ in range(2)}
        self.assertEqual([len(k) for k in keys], [41, 41])
        for key in keys:
            zmq.curve_public(key.strip().encode())
        self.assertEqual(self.key_file.stat().st_mode & 0o777, 0o600)
        before = self.key_file.read_text()
        again = self.world.tool(BIN / "zaehlwerk", "keygen", "--output", self.key_file)
        self.assertEqual((again.returncode, self.key_file.read_text()), (73, before))
        self.assertIn(b"File exists", again.stderr)
        for wrong in (["more"], ["--public", "--output", "x"]):
            self.assertEqual(self.world.tool(BIN / "zaehlwerk", "keygen", *wrong).returncode, 64)
        half = self.world.tool(BIN / "zaehlwerk", "keygen", "--public", env={"STREAM_KEY_FILE": str(self.key_file)}, check=True)
        self.assertEqual(half.stdout.strip(), zmq.curve_public(before.strip().encode()))
        for env in ({}, {"STREAM_KEY": "x"}):
            result = self.world.tool(BIN / "zaehlwerk", "keygen", "--public", env=env)
            self.assertEqual((result.returncode, b"variable=STREAM_KEY " in result.stderr), (78, True))

    def test_z_a_new_key(self):
        """Another key for all, one service after the other: what comes meanwhile is stored once."""
        p = self.pipeline
        fresh = self.world.tool(BIN / "zaehlwerk", "keygen", check=True).stdout.decode()
        self.world.write("stream.key", fresh)
        sent = []
        for service in SERVICES:
            sent += self.send(5)
            p.service[service].stop()
            p.start(service)
        p.flow()
        self.once(sent)
