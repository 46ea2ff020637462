"""Several ingests on one folder: each a slot, a session and filters of its own; others notice nothing."""

import contextlib
import re
import socket
import threading
import time

from frames import Meter
from harness import BIN, Case, wait_until
from pipeline import Pipeline
from stores import Sqlite

FILTERS = ["sensors/smartmeter/raw/+", "house/b/+"]
OTHERS = ["decryptor", "db-writer", "debouncer", "publisher"]
INGESTS = ["mqtt-ingest-0", "mqtt-ingest-1"]


def slot_of(process):
    """The slot that an ingest has taken, by its log."""
    return int(wait_until(lambda: re.search(r"event=slot number=(\d+)", process.log()), "it has a slot")[1])


class Slots(Case):
    """A pipeline with two ingests on one folder."""

    SLOTS = {"INGEST_SLOTS": "2"}

    @classmethod
    def prepare(cls):
        cls.folder = cls.world.path / "slots"
        cls.env = {"JOURNAL_PATH": str(cls.folder)} | cls.SLOTS
        cls.pipeline = Pipeline(
            cls.world, Sqlite(cls.world), [], env={"mqtt-ingest": cls.env}, replicas={"mqtt-ingest": 2},
            raw=",".join(FILTERS)).start()  # fmt: skip

    def ingest(self, slot):
        return next(s for s in map(self.pipeline.service.get, INGESTS) if s.alive() and slot_of(s) == slot)

    def copy(self, slot):
        return next(c for c in INGESTS if self.pipeline.service[c] is self.ingest(slot))

    def owed(self):
        return sum(self.pipeline.service[c].metric("journal_telegrams") for c in INGESTS if self.pipeline.service[c].alive())

    def publish(self, n):
        """n telegrams on the topics of both filters in turn."""
        telegrams = [self.pipeline.probe() for _ in range(n)]
        for i, filter_ in enumerate(FILTERS):
            self.pipeline.broker.pub_lines(filter_.replace("+", "m"), [t.hex for t in telegrams[i::2]])
        return telegrams

    def once(self, telegrams):
        wait_until(lambda: all(self.pipeline.stored(t, rows) for rows in [self.pipeline.db.readings()] for t in telegrams),
                   f"{len(telegrams)} in history")  # fmt: skip
        rows = [(r["counter"], r["time"]) for r in self.pipeline.db.readings()]
        self.assertEqual(len(rows), len(set(rows)), "doubled")

    def start_extra(self, name, **env):
        """One more ingest beside the pipeline's."""
        wiring = {"TELEGRAMS_BIND": f"ipc://{self.world.path}/{name}", "ACKS_CONNECT": self.pipeline.endpoints("acks-db", "acks-d")}
        return self.world.service("mqtt-ingest", self.pipeline.env | wiring | self.env | env, name)

    def retire(self, slot, place, *options, **env):
        """zaehlwerk retire in the place of an ingest: status and log."""
        settings = self.pipeline.env | self.pipeline.wiring(place) | self.env | {"HTTP_LISTEN": "127.0.0.1:0"} | env
        result = self.world.tool(BIN / "zaehlwerk", "retire", slot, "--quiet", "2", *options, env=settings)
        return result.returncode, result.stderr.decode()

    @contextlib.contextmanager
    def nobody_restarts(self):
        before = {n: self.pipeline.service[n].pid for n in OTHERS}
        yield
        for n in OTHERS:
            self.assertEqual((self.pipeline.service[n].pid, self.pipeline.service[n].alive()), (before[n], True))
            self.assertEqual(self.pipeline.service[n].lines("level=error"), [])

    def keep_session(self, client, topic):
        self.world.tool(
            "mosquitto_sub", "-h", "127.0.0.1", "-p", self.pipeline.broker.port, "-i", client, "-c", "-q", "1", "-V", "5",
            "-x", "60", "-t", topic, "-E", check=True)  # fmt: skip

    def queued(self, client, topic):
        """Does the broker keep messages for this client? One is published and asked for."""
        self.pipeline.broker.pub(topic, b"for whom?")
        result = self.world.tool(
            "mosquitto_sub", "-h", "127.0.0.1", "-p", self.pipeline.broker.port, "-i", client, "-c", "-q", "1", "-V", "5",
            "-t", "e2e/ready", "-x", "60", "-W", "3", "-F", "%t")  # fmt: skip
        return topic in result.stdout.decode().split()


class Two(Slots):
    def test_each_has_its_own(self):
        self.assertEqual(sorted(slot_of(self.pipeline.service[c]) for c in INGESTS), [0, 1])
        for slot, client in enumerate(["zaehlwerk-ingest", "zaehlwerk-ingest-1"]):
            self.assertEqual(len(self.ingest(slot).lines("event=slot", f"session={client} ")), 1)
            self.assertTrue((self.folder / f"slot-{slot}/journal").exists())
            wait_until((self.folder / f"slot-{slot}/subscribed").exists, "the filters are noted")
            self.assertEqual((self.folder / f"slot-{slot}/subscribed").read_text(), FILTERS[slot] + "\n")
        before = [self.ingest(slot).metric("payloads_total") for slot in (0, 1)]
        with self.nobody_restarts():
            self.once(self.publish(40))
        self.assertEqual([self.ingest(s).metric("payloads_total") - before[s] for s in (0, 1)], [20, 20])

    def test_killed_and_started_again(self):
        """Same slot, same session, same journal: what was owed and what the broker queued both come."""
        self.pipeline.service["decryptor"].kill()
        telegrams = self.publish(20)
        wait_until(lambda: self.owed() == 20, "the journals hold them")
        copy = self.copy(1)
        self.pipeline.service[copy].kill()
        telegrams += self.publish(20)
        self.pipeline.start(copy)
        self.assertEqual(slot_of(self.pipeline.service[copy]), 1)
        wait_until(lambda: self.owed() == 40, "the journals hold all of them")
        self.pipeline.start("decryptor")
        self.once(telegrams)
        wait_until(lambda: self.owed() == 0, "the journals are empty")

    def test_one_too_many(self):
        third = self.start_extra("third")
        third.ends = {69}
        self.assertEqual(third.wait(40), 69)
        line = third.lines("level=error")
        self.assertEqual(len(line), 1, third.log())
        self.assertRegex(line[0], r'variable=INGEST_SLOTS wrong="all 2 slots in \S+ are taken" right=".*less"')
        fixed = self.start_extra("fixed", INGEST_SLOT="mqtt-ingest-1")
        fixed.port()
        fixed.stop()  # it waits for the slot: a signal ends that, too
        self.assertEqual(fixed.lines("level=error"), [])
        with self.nobody_restarts():
            self.once(self.publish(10))

    def test_a_successor_waits(self):
        """A replica that starts while its predecessor is there takes over when that one ends."""
        copy = self.copy(0)
        successor = self.start_extra("successor")
        wait_until(lambda: successor.lines("event=slot", "waiting"), "it waits")
        self.pipeline.service[copy].stop()
        self.assertEqual(slot_of(successor), 0)
        wait_until(successor.ready, "it is ready")
        successor.stop()
        self.pipeline.start(copy)
        self.once(self.publish(10))


class Orphan(Slots):
    """A slot that nobody serves is seen, and can be closed."""

    def test_seen_and_retired(self):
        pipeline = self.pipeline
        pipeline.service["decryptor"].kill()
        first = self.publish(10)
        wait_until(lambda: self.owed() == 10, "the journals hold them")
        place, client = self.copy(1), "zaehlwerk-ingest-1"
        pipeline.service[place].kill()
        queued = self.publish(10)
        neighbour = self.ingest(0)
        wait_until(lambda: neighbour.metric("orphan_slots") == 1, "the neighbour counts it")
        self.assertEqual(neighbour.metric("unserved_slots"), 1)
        line = wait_until(lambda: neighbour.lines("level=warn", "event=orphan"), "the neighbour warns")
        self.assertRegex(line[0], r"slot=1 payloads=5 ")
        self.assertEqual(self.retire(0, place, INGEST_SLOT="0")[0], 69, "slot 0 is served")

        status, log = self.retire(1, place, "--seconds", "8")
        self.assertEqual(status, 75, log)
        self.assertRegex(log, r'event=retire slot=1 reason="telegrams wait for acknowledgement" left=10')
        pipeline.start("decryptor")
        with self.nobody_restarts():
            status, log = self.retire(1, place)
        self.assertEqual(status, 0, log)
        self.assertIn(f"event=retired slot=1 session={client}", log)
        self.once(first + queued)
        self.assertFalse((self.folder / "slot-1").exists())
        self.assertFalse(self.queued(client, "house/b/m"), "the session is gone")
        self.keep_session("a-control", "house/b/m")
        self.assertTrue(self.queued("a-control", "house/b/m"), "the question is a good one")
        wait_until(lambda: neighbour.metric("orphan_slots") == 0, "the neighbour counts none")
        self.assertEqual(len(neighbour.lines("event=orphan")), 1)


class Fewer(Slots):
    """From two slots to one and back: no filter is without a session for a moment."""

    def test_filters_move(self):
        pipeline, place = self.pipeline, self.copy(1)
        own = self.copy(0)
        wait_until((self.folder / "slot-1/subscribed").exists, "slot 1 has noted its own")
        pipeline.service[own].stop()
        pipeline.extra["mqtt-ingest"] = self.env | {"INGEST_SLOTS": "1"}
        pipeline.start(own)
        filters = self.folder / "slot-0/subscribed"
        wait_until(filters.exists, "slot 0 has noted them")
        wait_until(lambda: filters.read_text().split() == FILTERS, "slot 0 has both filters")
        telegrams = self.publish(10)  # house/b to both
        pipeline.service[place].stop()
        telegrams += self.publish(10)
        wait_until(lambda: pipeline.service[own].metric("unserved_slots") == 1, "slot 0 sees that slot 1 is left")
        status, log = self.retire(1, place, INGEST_SLOTS="1")
        self.assertEqual(status, 0, log)
        telegrams += self.publish(10)
        self.once(telegrams)

        pipeline.extra["mqtt-ingest"] = self.env
        pipeline.service[own].stop()
        pipeline.start(own)
        telegrams = self.publish(10)
        time.sleep(8)  # it has looked at its neighbours once
        self.assertEqual(filters.read_text().split(), FILTERS, "it keeps what nobody has taken over")
        pipeline.start(place)
        wait_until(lambda: filters.read_text().split() == FILTERS[:1], "and lets go when somebody has")
        telegrams += self.publish(10)
        self.once(telegrams)
        self.assertEqual(self.ingest(0).lines("level=error"), [])


class Shared(Slots):
    """INGEST_SHARED=1: the broker deals each payload to one of them."""

    SLOTS = {"INGEST_SLOTS": "4", "INGEST_SHARED": "1"}

    def test_each_payload_once(self):
        telegrams = self.publish(60)
        self.once(telegrams)
        counts = [self.pipeline.service[c].metric("payloads_total") for c in INGESTS]
        self.assertEqual(sum(counts), 60)
        self.assertGreater(min(counts), 10)
        for slot in (0, 1):
            self.assertEqual((self.folder / f"slot-{slot}/subscribed").read_text().split(),
                             [f"$share/zaehlwerk/{f}" for f in FILTERS])  # fmt: skip

    def test_killed_and_started_again(self):
        copy = self.copy(1)
        self.pipeline.service[copy].kill()
        telegrams = self.publish(20)
        self.pipeline.start(copy)
        self.once(telegrams)

    def test_retired(self):
        """What the broker has given to the one that is away comes, too; the other goes on alone."""
        copy, other = self.copy(1), self.ingest(0)
        self.pipeline.service[copy].stop()
        telegrams = self.publish(20)
        status, log = self.retire(1, copy)
        self.assertEqual(status, 0, log)
        self.assertRegex(log, "event=retired slot=1 session=zaehlwerk-ingest-1 received=([5-9]|1[0-9])\n")
        before = other.metric("payloads_total")
        telegrams += self.publish(20)
        self.once(telegrams)
        self.assertEqual(other.metric("payloads_total") - before, 20)
        self.pipeline.start(copy)
        self.assertEqual(slot_of(self.pipeline.service[copy]), 1)


class Retire(Slots):
    def test_usage(self):
        for arguments in ([], ["x"], ["256"], ["0", "1"], ["0", "--seconds", "0"], ["0", "--quiet", "x"], ["0", "--nonsense"]):
            with self.subTest(arguments):
                self.assertEqual(self.world.tool(BIN / "zaehlwerk", "retire", *arguments).returncode, 64)
        out = self.world.tool(BIN / "zaehlwerk", "retire", "--help").stdout.decode()
        self.assertIn("usage: zaehlwerk retire SLOT", out)
        self.assertIn("JOURNAL_PATH", out)

    def test_while_messages_keep_coming(self):
        """MQTT 3.1.1: publishers do not stop, so the subscriptions end after half of the time."""
        place = self.copy(1)
        self.pipeline.service[place].stop()
        meter = Meter("keeps on coming")
        pub = self.world.start("publisher", [
            "mosquitto_pub", "-h", "127.0.0.1", "-p", self.pipeline.broker.port, "-q", "1", "-t", "house/b/x",
            "-m", meter.telegram().hex, "--repeat", "10000", "--repeat-delay", "0.2"])  # fmt: skip
        pub.ends |= {-15}
        status, log = self.retire(1, place, "--seconds", "16", MQTT_PROTOCOL="3.1.1")
        self.assertEqual(status, 0, log)
        self.assertRegex(log, "event=retire slot=1 now=unsubscribed received=[1-9]")
        self.assertFalse(self.queued("zaehlwerk-ingest-1", "house/b/m"))


class Refused(Case):
    """A broker without shared subscriptions refuses one filter of several: that is no readiness."""

    def serve(self, server, codes, v5):
        """CONNACK, then SUBACK with these codes, to each client."""
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            with client, contextlib.suppress(OSError):
                client.recv(1024)
                client.sendall(bytes.fromhex("2003000000" if v5 else "20020000"))
                packet = client.recv(1024)
                answer = packet[2:4] + (b"\0" if v5 else b"") + codes
                client.sendall(bytes([0x90, len(answer)]) + answer)
                client.recv(1024)

    def test_not_ready(self):
        for version, codes, told in (("5", b"\x01\x9E", "Shared subscriptions not supported"),
                                     ("3.1.1", b"\x01\x80", r"\$share/zaehlwerk/b")):  # fmt: skip
            with self.subTest(version), socket.create_server(("127.0.0.1", 0)) as server:
                threading.Thread(target=self.serve, args=(server, codes, version == "5"), daemon=True).start()
                ingest = self.world.service("mqtt-ingest", {
                    "MQTT_HOST": "127.0.0.1", "MQTT_PORT": str(server.getsockname()[1]), "MQTT_PROTOCOL": version,
                    "INGEST_SHARED": "1", "SMARTMETER_RAWDATA_MQTT_TOPIC": "a,b",
                    "TELEGRAMS_BIND": f"ipc://{self.world.path}/t", "ACKS_CONNECT": f"ipc://{self.world.path}/a"}, f"refused-{version}")  # fmt: skip
                wait_until(lambda: ingest.lines("what=broker", "refuses the subscription"), "the refusal is told")
                self.assertRegex(ingest.lines("refuses the subscription")[0], told)
                status, text = ingest.get("/readyz")
                self.assertEqual(status, 503)
                self.assertRegex(text, "broker: down.*refuses the subscription")
                self.assertFalse((self.world.path / f"refused-{version}-journal/slot-0/subscribed").exists())
                ingest.stop()
                server.close()
