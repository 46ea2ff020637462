"""Nothing that the broker was told is safe gets lost, whatever is killed."""

import contextlib
import time

import zmq

import records
from frames import Meter
from harness import Case, seeded, wait_until
from pipeline import SERVICES, Pipeline, paused
from stores import Postgres, Sqlite


class Kills(Case):
    """SIGKILL at any moment: every published telegram is in history exactly once."""

    STORE, REPLICAS, ROUNDS = Sqlite, {}, 3

    @classmethod
    def prepare(cls):
        cls.db = cls.STORE(cls.world)
        cls.pipeline = Pipeline(cls.world, cls.db, [], replicas=cls.REPLICAS).start()
        cls.ingest = cls.pipeline.service["mqtt-ingest"]

    def drained(self):
        return self.pipeline.service["mqtt-ingest"].metric("journal_telegrams") == 0

    def check(self, telegrams):
        rows = [(r["meter"], r["counter"], r["time"]) for r in self.db.readings()]
        wanted = {(t.meter, t.counter, t.time) for t in telegrams}
        self.assertEqual(wanted - set(rows), set(), "lost")
        self.assertEqual(len(rows), len(set(rows)), "doubled")
        for t in telegrams:
            self.assertEqual(self.pipeline.debounced(t), t.row)

    def test_kill_each_in_mid_stream(self):
        telegrams = []
        chance = seeded(self.id())
        for _ in range(self.ROUNDS):
            for name in chance.sample(SERVICES[:4], 4):
                for copy in self.pipeline.copies(name)[:1]:
                    batch = [self.pipeline.probe() for _ in range(30)]
                    telegrams += batch
                    self.pipeline.broker.pub_lines(
                        self.pipeline.topic(batch[0].meter), [t.hex for t in batch[:15]])
                    self.pipeline.service[copy].kill()
                    self.pipeline.broker.pub_lines(
                        self.pipeline.topic(batch[0].meter), [t.hex for t in batch[15:]])
                    self.pipeline.start(copy)
        wait_until(lambda: len(self.db.readings()) >= len(telegrams), "as many rows as were published")
        wait_until(self.drained, "the journal is empty")
        self.check(telegrams)


class KillsWithReplicas(Kills):
    STORE, ROUNDS = Postgres, 1
    REPLICAS = {"decryptor": 2, "debouncer": 2, "db-writer": 2}


class Journal(Case):
    @classmethod
    def prepare(cls):
        cls.db = Sqlite(cls.world)
        cls.pipeline = Pipeline(cls.world, cls.db, []).start()

    def ingest(self):
        return self.pipeline.service["mqtt-ingest"]

    def owed(self):
        return self.ingest().metric("journal_telegrams")

    def test_nobody_there(self):
        """Ingest alone: all is kept over its own death, and comes when the others are there."""
        others = [n for n in SERVICES if n != "mqtt-ingest"]
        self.pipeline.flow()
        for name in others:
            self.pipeline.service[name].kill()
        telegrams = [self.pipeline.probe() for _ in range(100)]
        self.pipeline.broker.pub_lines(self.pipeline.topic(telegrams[0].meter), [t.hex for t in telegrams])
        wait_until(lambda: self.owed() == 100, "the journal holds them")
        self.ingest().kill()
        self.pipeline.start("mqtt-ingest")
        wait_until(lambda: self.owed() == 100, "the journal still holds them")
        self.pipeline.start(*others)
        wait_until(lambda: self.owed() == 0, "the journal is empty", 60)
        self.assertEqual([self.pipeline.stored(t) == t.row for t in telegrams], [True] * 100)

    def first_half(self):
        """A telegram of which the journal has the first frame."""
        self.pipeline.flow()
        wait_until(lambda: self.owed() == 0, "the journal is empty")
        telegram = self.pipeline.probe()
        self.pipeline.broker.pub(self.pipeline.topic(telegram.meter), telegram.frames[0])
        wait_until(lambda: self.ingest().metric("incomplete_topics") == 1, "the first half is there")
        return telegram

    def second_half(self, telegram):
        self.pipeline.broker.pub(self.pipeline.topic(telegram.meter), telegram.frames[1])

    def test_half_a_telegram_over_a_restart(self):
        """However long it takes: the rest may wait with the broker, so patience runs only while it is heard."""
        before = len(self.db.rejects())
        telegram = self.first_half()
        self.ingest().kill()
        self.second_half(telegram)
        time.sleep(3)  # several times REASSEMBLY_MS
        self.pipeline.start("mqtt-ingest")
        self.pipeline.wait_for(telegram, live=False)
        wait_until(lambda: self.owed() == 0, "the journal is empty")
        self.assertEqual(len(self.db.rejects()), before)

    def test_half_a_telegram_over_a_broker_restart(self):
        before = len(self.db.rejects())
        telegram = self.first_half()
        self.pipeline.broker.process.stop()
        time.sleep(3)
        self.pipeline.broker.start()
        self.pipeline.subscribe("mosquitto_sub-2")
        wait_until(self.ingest().ready, "ingest is ready")
        self.second_half(telegram)
        self.pipeline.wait_for(telegram, live=False)
        self.assertEqual(len(self.db.rejects()), before)

    def test_half_a_telegram_for_ever(self):
        """Its rest never comes: a reject, which leaves the journal, too."""
        for restart in (False, True, True):
            with self.subTest(restart=restart):
                before = self.pipeline.count_rejects("truncated")
                telegram = self.first_half()
                if restart:
                    self.ingest().kill()
                    self.pipeline.start("mqtt-ingest")
                wait_until(lambda n=before: self.pipeline.count_rejects("truncated") == n + 1, "a reject")
                self.assertIn(telegram.frames[0], [r["payload"] for r in self.db.rejects("reason = 'truncated'")])
                wait_until(lambda: self.owed() == 0, "the journal is empty")

    def test_streams_with_blanks(self):
        before, self.pipeline.env = self.pipeline.env, self.pipeline.env | {"DURABLE_STREAMS": " debounced , history"}
        self.ingest().stop()
        self.pipeline.start("mqtt-ingest")
        self.pipeline.env = before
        self.pipeline.flow()
        n = len(self.db.rejects())
        self.pipeline.broker.pub("sensors/smartmeter/raw/blanks", b"no frame, with blanks in the streams")
        wait_until(lambda: len(self.db.rejects()) == n + 1, "a reject")
        wait_until(lambda: self.owed() == 0, "the journal is empty")

    def test_rejects_leave_the_journal(self):
        self.pipeline.flow()
        self.pipeline.broker.pub("sensors/smartmeter/raw/x", b"garbage that is no frame")
        self.pipeline.broker.pub("sensors/smartmeter/raw/y", Meter("unknown to the keys file").telegram().octets)
        wait_until(lambda: self.pipeline.count_rejects("no-key") == 1, "both are rejected")
        wait_until(lambda: self.owed() == 0, "the journal is empty")

    def test_wrong_acks_change_nothing(self):
        """An earlier origin, a prefix of it, more than was sent, another stream: all stay owed."""
        wires = records.Wires(self.world)
        acks = wires.open(zmq.PUB)
        acks.bind(wires.endpoint("wrong-acks"))
        taken = wires.pull("wrong-telegrams")
        env = self.pipeline.env | {
            "TELEGRAMS_BIND": wires.endpoint("wrong-telegrams"), "ACKS_CONNECT": wires.endpoint("wrong-acks"),
            "MQTT_CLIENT_ID": "wrong", "SMARTMETER_RAWDATA_MQTT_TOPIC": "wrong/+"}
        ingest = self.world.service("mqtt-ingest", env, "wrong-ingest")
        wait_until(ingest.ready, "ingest is ready")
        self.pipeline.broker.pub("wrong/a", self.pipeline.probe().octets)
        got = []

        def again():
            got.extend(r for _, r in records.take(taken, 50))
            return any(r["attempt"] > 0 for r in got)

        wait_until(lambda: again() or got, "the telegram was sent")
        origin, seq = got[0]["origin"], got[0]["seq"]

        def ack(origin, stream, first, last, index=0, topic=None):
            record = {"v": 1, "type": "ack", "origin": origin, "stream": stream, "ranges": [[first, last, index]]}
            acks.send_multipart([origin if topic is None else topic, records.pack(record)])

        for _ in range(5):  # the first ones may go before the subscription has arrived
            ack(bytes(16), "history", seq, seq, topic=origin)
            ack(origin[:8] + bytes(8), "history", seq, seq, topic=origin)
            ack(origin, "nonsense", seq, seq)
            ack(origin, "history", seq + 1, seq + 1000)
            ack(origin, "history", 0, seq, index=1)
            ack(origin, "history", seq, seq)  # right, but only one stream
            again()
        wait_until(again, "it comes again")
        wait_until(lambda: ingest.metric("journal_telegrams") == 1, "it is owed")
        ack(origin, "debounced", seq, seq)
        ack(origin, "history", seq, seq)
        wait_until(lambda: ingest.metric("journal_telegrams") == 0, "the right ones end it")


class Full:
    """A journal or a disk that is full: the broker keeps what comes, and all of it is there in the end."""

    def fill(self, pipeline, fits):
        others = ["decryptor", "db-writer", "debouncer", "publisher"]
        ingest = pipeline.service["mqtt-ingest"]
        for name in others:
            pipeline.service[name].stop()
        telegrams = []

        def full():
            batch = [pipeline.probe() for _ in range(500)]
            pipeline.broker.pub_lines(pipeline.topic(batch[0].meter), [t.hex for t in batch])
            telegrams.extend(batch)
            self.assertLess(len(telegrams), 40 * fits, "it never got full")
            return ingest.metric("journal_full") == 1

        wait_until(full, "the journal is full")
        self.assertEqual(ingest.get("/healthz")[0], 200)
        self.assertIn("journal room", ingest.get("/readyz")[1])
        late = [pipeline.probe() for _ in range(500)]  # the broker keeps these
        pipeline.broker.pub_lines(pipeline.topic(late[0].meter), [t.hex for t in late])
        ingest.kill()  # nor does a kill in this state cost anything
        pipeline.start("mqtt-ingest", *others)
        ingest = pipeline.service["mqtt-ingest"]
        wait_until(lambda: len(pipeline.db.readings()) >= len(telegrams) + 500, "all are in history", 120)
        wait_until(lambda: ingest.metric("journal_telegrams") == 0 and ingest.ready(), "the journal is empty", 60)
        rows = [(r["meter"], r["counter"]) for r in pipeline.db.readings()]
        self.assertEqual(sorted(rows), sorted((t.meter, t.counter) for t in telegrams + late))


class JournalFull(Full, Case):
    def test_at_its_bound(self):
        pipeline = Pipeline(self.world, Sqlite(self.world), [], env={"mqtt-ingest": {"JOURNAL_MAX_BYTES": "1048576"}}).start()
        self.fill(pipeline, 1500)


class DiskFull(Full, Case):
    """A file system of its own; mounting one needs root, as the tests' machine has it."""

    def pipeline_on(self, size):
        disk = self.world.path / "disk"
        disk.mkdir()
        self.world.tool("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk, check=True)
        self.world.closing.callback(self.world.tool, "umount", "-l", disk)
        env = {"mqtt-ingest": {"JOURNAL_PATH": f"{disk}/ingest"}}
        return disk, Pipeline(self.world, Sqlite(self.world), [], env=env).start()

    def test_small_disk(self):
        self.fill(self.pipeline_on("16m")[1], 1500)


class DiskFullOfOthers(DiskFull):
    """Somebody else leaves not an octet, and ingest is killed: it starts again, and drains."""

    def test_small_disk(self):
        disk, pipeline = self.pipeline_on("12m")
        pipeline.flow()
        pipeline.service["decryptor"].stop()
        telegrams = [pipeline.probe() for _ in range(200)]
        pipeline.broker.pub_lines(pipeline.topic(telegrams[0].meter), [t.hex for t in telegrams])
        wait_until(lambda: pipeline.service["mqtt-ingest"].metric("journal_telegrams") >= 200, "the journal holds them")
        with contextlib.suppress(OSError), open(disk / "others", "wb", buffering=0) as f:
            while f.write(bytes(4096)):
                pass
        pipeline.service["mqtt-ingest"].kill()
        pipeline.service["mqtt-ingest"] = self.world.service(
            "mqtt-ingest", pipeline.env | pipeline.wiring("mqtt-ingest") | pipeline.extra["mqtt-ingest"])  # fmt: skip
        pipeline.start("decryptor")
        wait_until(lambda: all(pipeline.stored(t) for t in telegrams[::20]), "they are stored")
        (disk / "others").unlink()
        wait_until(pipeline.service["mqtt-ingest"].ready, "there is room again")
        pipeline.flow()
        rows = [(r["meter"], r["counter"]) for r in pipeline.db.readings()]
        self.assertEqual({(t.meter, t.counter) for t in telegrams} - set(rows), set())


class Hung(Case):
    def test_one_of_two_decryptors_hangs(self):
        """What a stopped consumer holds comes again by way of the other."""
        db = Sqlite(self.world)
        pipeline = Pipeline(self.world, db, [], replicas={"decryptor": 2}).start()
        pipeline.flow()
        with paused(pipeline.service["decryptor-0"]):
            telegrams = [pipeline.probe() for _ in range(200)]
            pipeline.broker.pub_lines(pipeline.topic(telegrams[0].meter), [t.hex for t in telegrams])
            wait_until(lambda: all(pipeline.stored(t) for t in telegrams[::20]), "all came through", 60)
            wait_until(lambda: pipeline.service["mqtt-ingest"].metric("journal_telegrams") == 0, "and were acked")
        rows = [r["counter"] for r in db.readings() if r["meter"] == telegrams[0].meter]
        self.assertEqual(len(rows), len(set(rows)))
