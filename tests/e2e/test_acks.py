"""db-writer and debouncer between neighbours that this test plays, with records of its own making."""

import contextlib
import sqlite3

import zmq

import frames
import records
from harness import Case, seeded, wait_until
from stores import Postgres, Sqlite

METER = frames.Meter("acks")


def telegrams(n, **values):
    out = []
    for _ in range(n):
        t = METER.telegram()
        out.append(METER.telegram(values=METER.values(t.counter) | values) if values else t)
    return out


def expected(wires, items, stream):
    """The acks due for (seq, index) pairs."""
    return {(wires.origin, stream, seq, index) for seq, index in items}


class Writer:
    """db-writer, fed by a fake decryptor."""

    store = None

    @classmethod
    def prepare(cls):
        cls.db = cls.store(cls.world)
        cls.wires = records.Wires(cls.world)
        cls.push = cls.wires.push("store")
        cls.writer = cls.world.service(
            "db-writer", {**cls.db.env, "STORE_CONNECT": cls.wires.endpoint("store"), "ACKS_BIND": cls.wires.endpoint("acks")})  # fmt: skip
        cls.acks = records.Acks(cls.wires.subscribe("acks"))
        cls.seq = 0
        wait_until(cls.writer.ready, "db-writer is ready")

        def first_ack():  # the subscription takes its moment
            cls.send([records.reading(telegrams(1)[0], cls.wires.origin, cls.next())])
            return cls.acks.poll(300)

        wait_until(first_ack, "a first ack")
        wait_until(lambda: len(cls.acks.poll()) >= 1 and not cls.acks.socket.poll(500), "quiet")
        cls.acks.all.clear()

    @classmethod
    def next(cls):
        cls.seq += 1
        return cls.seq

    @classmethod
    def send(cls, items):
        cls.push.send(records.pack(*items))

    def setUp(self):
        self.acks.all.clear()
        self.acks.records.clear()

    def wait_for_acks(self, want):
        """Exactly these, and nothing more after them."""
        wait_until(lambda: self.acks.poll() >= want, f"{len(want)} acks")
        self.acks.poll(300)
        self.assertEqual(self.acks.all, want)

    def rows(self):
        return {(r["meter"], r["counter"]) for r in self.db.readings()}

    def test_exact_ranges_after_the_row(self):
        """Gaps and indexes: an ack names what was committed and nothing else; the rows are there by then."""
        base = self.seq
        self.seq += 20
        pairs = [(base + s, 0) for s in (1, 2, 3, 4, 5, 7, 9, 10)] + [(base + s, 1) for s in (2, 3, 7)] + [(base + 7, 5)]
        readings = telegrams(len(pairs))
        for t, (seq, index) in zip(readings, pairs):
            self.send([records.reading(t, self.wires.origin, seq, index)])
        want = expected(self.wires, pairs, "history")
        of = {(self.wires.origin, "history", *pair): (t.meter, t.counter) for t, pair in zip(readings, pairs)}

        def all_there():
            acked = self.acks.poll() & want
            self.assertLessEqual({of[a] for a in acked}, self.rows())
            return acked == want

        wait_until(all_there, "all acks")
        self.wait_for_acks(want)

    def test_one_message_one_record_of_ranges(self):
        first = self.seq + 1
        items = [records.reading(t, self.wires.origin, self.next()) for t in telegrams(64)]
        self.send(items)
        self.wait_for_acks(expected(self.wires, [(first + i, 0) for i in range(64)], "history"))
        self.assertEqual([r["ranges"] for r in self.acks.records], [[[first, first + 63, 0]]])
        self.assertEqual({r["stream"] for r in self.acks.records}, {"history"})

    def test_each_type_acks_its_streams(self):
        (t,) = telegrams(1)
        r, d, j = self.next(), self.next(), self.next()
        octets = b"no telegram %d" % j
        self.send([records.reading(t, self.wires.origin, r), records.debounced(t, self.wires.origin, d),
                   records.reject(self.wires.origin, j, octets, streams="history,debounced,archive")])  # fmt: skip
        want = expected(self.wires, [(r, 0)], "history") | expected(self.wires, [(d, 0)], "debounced")
        for stream in ("history", "debounced", "archive"):
            want |= expected(self.wires, [(j, 0)], stream)
        self.wait_for_acks(want)
        self.assertIn(octets, [x["payload"] for x in self.db.rejects()])

    def test_two_origins(self):
        other = bytes(16)
        a, b = telegrams(2)
        x, y = self.next(), self.next()
        self.send([records.reading(a, self.wires.origin, x), records.reading(b, other, y)])
        self.wait_for_acks({(self.wires.origin, "history", x, 0), (other, "history", y, 0)})

    def test_redelivery_is_acked_again_and_changes_nothing(self):
        (t,) = telegrams(1)
        seq = self.next()
        for attempt in (0, 1, 2):
            self.acks.all.clear()
            self.send([records.reading(t, self.wires.origin, seq, attempt=attempt)])
            self.wait_for_acks(expected(self.wires, [(seq, 0)], "history"))
        self.assertEqual(len([r for r in self.db.readings() if r["counter"] == t.counter]), 1)

    def test_unreadable_messages(self):
        """Counted, logged, skipped; what stands before them and what follows is stored."""
        before, lines = self.writer.metric("unreadable_total"), len(self.writer.lines("event=unreadable"))
        a, b, c, d = telegrams(4)
        sa, sb, sc, sd = (self.next() for _ in range(4))
        newer = records.reading(b, self.wires.origin, sb) | {"v": 2, "meter": 5}
        future = records.reading(c, self.wires.origin, sc) | {"tariff": [1, {"x": b"y"}], "zone": None}
        incomplete = {k: v for k, v in records.reading(b, self.wires.origin, sb).items() if k != "counter"}
        self.push.send(records.pack(records.reading(a, self.wires.origin, sa)) + b"\xC1\xC1 not msgpack")
        self.send([newer, future])
        self.send([incomplete, {"v": 1, "type": "weather"}, 7, records.reading(d, self.wires.origin, sd)])
        self.wait_for_acks(expected(self.wires, [(sa, 0), (sc, 0), (sd, 0)], "history"))
        self.assertEqual(self.writer.metric("unreadable_total"), before + 5)
        self.assertEqual(len(self.writer.lines("level=error", "event=unreadable")), lines + 1)  # one a minute
        self.assertNotIn((b.meter, b.counter), self.rows())

    def test_no_ack_before_the_commit(self):
        """While the database takes nothing, nothing is acked; then all is, though the streams were full meanwhile."""
        readings = telegrams(100)
        pairs = [(self.next(), 0) for _ in readings]
        with self.locked():
            for t, (seq, _) in zip(readings, pairs):
                self.send([records.reading(t, self.wires.origin, seq)])
            self.assertEqual(self.acks.poll(7000), set())  # longer than any heartbeat
            self.assertEqual(self.writer.get("/healthz")[0], 200)
        self.wait_for_acks(expected(self.wires, pairs, "history"))
        self.assertLessEqual({(t.meter, t.counter) for t in readings}, self.rows())

    def test_value_beyond_its_column(self):
        """A reading that no column can hold becomes the reject `refused`; its neighbours are stored."""
        good = telegrams(3)
        (bad,) = telegrams(1)
        record = records.reading(bad, self.wires.origin, 0)
        record["values"]["PIn"] = [1 << 40, 0]
        self.refused([records.reading(t, self.wires.origin, 0) for t in good], record, good)

    def refused(self, others, bad, good):
        batch = [*others[:1], bad, *others[1:]]
        for r in batch:
            r["seq"] = self.next()
        before, counted = len(self.db.rejects("reason = 'refused'")), self.writer.metric("rejects_total", reason="refused")
        self.send(batch)
        want = expected(self.wires, [(r["seq"], 0) for r in others], "history")
        for stream in ("history", "debounced"):
            want |= expected(self.wires, [(bad["seq"], 0)], stream)
        self.wait_for_acks(want)
        self.assertLessEqual({(t.meter, t.counter) for t in good}, self.rows())
        rejects = self.db.rejects("reason = 'refused'")
        self.assertEqual(len(rejects), before + 1)
        kept = [records.unpack(r["payload"])[0] for r in rejects if r["meter"] == bad["meter"]]
        same = [k for k in kept if k["counter"] == bad["counter"]]
        self.assertEqual([k["values"]["PIn"] for k in same], [bad["values"]["PIn"]])
        self.assertEqual((same[0]["seq"], same[0]["origin"]), (0, bytes(16)), "refused again, it is the same reject")
        self.assertEqual(self.writer.metric("rejects_total", reason="refused"), counted + 1)
        lines = self.writer.lines("event=reject", "reason=refused", f"meter={bad['meter']} ", "topic=e2e/fake")
        self.assertTrue(lines)
        return rejects


class OnSqlite(Writer, Case):
    store = Sqlite

    @contextlib.contextmanager
    def locked(self):
        """Somebody else is writing to the file, or using the table."""
        lock = sqlite3.connect(self.db.path, isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        yield
        lock.execute("ROLLBACK")
        lock.close()


class OnPostgres(Writer, Case):
    store = Postgres

    @contextlib.contextmanager
    def locked(self):
        locker = self.world.start(
            "psql-lock", [self.db.bin / "psql", "-X", "-q", "-h", "127.0.0.1", "-p", self.db.port, "-U", "zw", "smartmeter", "-c",
                          "BEGIN; LOCK TABLE smartmeter.history_compact; SELECT pg_sleep(600)"])  # fmt: skip
        locker.ends = {2}  # its session is ended
        held = "SELECT 1 AS held FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'history_compact'::regclass AND granted"
        wait_until(lambda: self.db.query(held), "the lock is held")
        yield
        self.db.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()")
        locker.wait()

    def test_row_that_the_database_refuses(self):
        self.db.write("ALTER TABLE history_compact ADD CONSTRAINT not_666 CHECK (pin <> 666)")
        self.addCleanup(self.db.write, "ALTER TABLE history_compact DROP CONSTRAINT not_666")
        good, (bad,) = telegrams(9), telegrams(1, PIn=666)
        rejects = self.refused(
            [records.reading(t, self.wires.origin, 0) for t in good], records.reading(bad, self.wires.origin, 0), good)  # fmt: skip
        self.assertTrue(any("not_666" in r["detail"] for r in rejects), [r["detail"] for r in rejects])


class Debouncer(Case):
    """debouncer between a fake decryptor and a fake db-writer."""

    @classmethod
    def prepare(cls):
        cls.wires = records.Wires(cls.world)
        cls.push = cls.wires.push("debounce")
        cls.commits = cls.wires.open(zmq.PUB)
        cls.commits.bind(cls.wires.endpoint("commits"))
        cls.debouncer = cls.world.service("debouncer", {
            "DEBOUNCE_CONNECT": cls.wires.endpoint("debounce"), "STORE_BIND": cls.wires.endpoint("store"),
            "ACKS_BIND": cls.wires.endpoint("acks"), "ACKS_CONNECT": cls.wires.endpoint("commits")})  # fmt: skip
        cls.debouncer.port()
        cls.store = cls.wires.pull("store")
        cls.acks = records.Acks(cls.wires.subscribe("acks"))
        cls.seq = 0
        warm = METER.telegram(utc=1600000000)
        first = cls.send(warm, counter=5)

        def passed():  # both subscriptions take their moment
            cls.commit(first)
            cls.push.send(records.pack(records.reading(warm, cls.wires.origin, 0, counter=6)))
            return cls.acks.poll(100)

        wait_until(passed, "a later one is passed over")

    @classmethod
    def send(cls, telegram, **more):
        """What becomes of a reading: its debounced record, or None when it is acked as passed over."""
        cls.seq += 1
        seq = cls.seq
        cls.push.send(records.pack(records.reading(telegram, cls.wires.origin, seq, **more)))
        forwarded = []

        def done():
            forwarded.extend(r for _, r in records.take(cls.store, 5) if r["seq"] == seq)
            return forwarded or (cls.wires.origin, "debounced", seq, 0) in cls.acks.poll(5)

        wait_until(done, "it is forwarded or acked")
        return forwarded[0] if forwarded else None

    @classmethod
    def commit(cls, record, reject=0):
        """As db-writer says it."""
        cls.commits.send_multipart([record["origin"], records.pack({
            "v": 1, "type": "ack", "origin": record["origin"], "stream": "debounced", "reject": reject,
            "ranges": [[record["seq"], record["seq"], record["index"]]]})])  # fmt: skip

    def test_forwards_or_acks(self):
        """Every reading is either handed on, to be acked once it is committed, or acked as passed over."""
        chance = seeded("forwards or acks")
        readings = [METER.telegram(utc=1700000000 + chance.randrange(1500)) for _ in range(200)]
        forwarded = []
        for t in readings:
            r = self.send(t)
            if r:
                self.assertEqual((r["type"], r["window"]), ("debounced", r["time"] - r["time"] % 300))
                forwarded.append((r["time"], r["counter"]))
                self.commit(r)
        for window in {t.time // 300 for t in readings}:
            first = min((t for t in readings if t.time // 300 == window), key=lambda t: (t.time, t.counter))
            self.assertIn((first.time, first.counter), forwarded)
        self.assertLess(len(forwarded), len(readings), "nothing was passed over")

    def test_a_reject_is_no_ground(self):
        """What the database refused leaves its window to the others."""
        meter = frames.Meter("refused")
        refused = self.send(meter.telegram(utc=1800000000))
        self.commit(refused, reject=1)
        for second in range(1, 4):
            self.assertIsNotNone(self.send(meter.telegram(utc=1800000000 + second)))


