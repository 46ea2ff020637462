"""Neighbours that go away for a while."""

import os
import signal

from harness import Case, outlast, wait_until
from pipeline import SERVICES, Pipeline, paused
from stores import Postgres, Sqlite


class DatabaseAway(Case):
    @classmethod
    def prepare(cls):
        cls.db = Postgres(cls.world)
        cls.pipeline = Pipeline(cls.world, cls.db, []).start()
        cls.pipeline.flow()

    def check(self, stop, start):
        writer = self.pipeline.service["db-writer"]
        seen = len(writer.lines("event=down"))
        stop()
        wait_until(lambda: writer.get("/readyz")[0] == 503, "db-writer is not ready")
        self.assertEqual(writer.get("/healthz")[0], 200)
        telegrams = [self.pipeline.probe() for _ in range(12)]
        for t in telegrams:
            self.pipeline.send(t)
            self.pipeline.wait_for(t, history=False, debounced=False)
        self.assertTrue(self.pipeline.service["publisher"].ready())
        start()
        wait_until(writer.ready, "db-writer is ready")
        for t in telegrams:
            self.pipeline.wait_for(t)
        self.pipeline.flow()
        down = [line.partition("event=down")[2] for line in writer.lines("event=down")[seen:]]
        self.assertEqual(len(set(down)), len(down), "the same trouble was logged twice")
        self.assertEqual(len(down), 1, down)

    def test_orderly_restart(self):
        self.check(self.db.stop, self.db.start)

    def test_crash(self):
        self.check(self.db.process.kill, self.db.start)

    def test_hangs(self):
        """A server that answers nothing: live values go on, and all comes when it wakes."""
        self.pipeline.flow()
        telegrams = [self.pipeline.probe() for _ in range(5)]
        backend = int(self.db.psql("SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'zaehlwerk%'").stdout)
        os.kill(backend, signal.SIGSTOP)
        try:
            for t in telegrams:
                self.pipeline.send(t)
                self.pipeline.wait_for(t, history=False, debounced=False)
            self.assertEqual(self.pipeline.service["db-writer"].get("/healthz")[0], 200)
        finally:
            os.kill(backend, signal.SIGCONT)
        for t in telegrams:
            self.pipeline.wait_for(t)

    def test_away_under_load(self):
        """All streams are full while the database is away, for longer than any heartbeat."""
        pids = {name: p.pid for name, p in self.pipeline.service.items()}
        self.db.stop()
        outlast(lambda: self.pipeline.wait_for(self.pipeline.sent(20), history=False, debounced=False))
        self.db.start()
        wait_until(self.pipeline.service["db-writer"].ready, "db-writer is ready")
        self.pipeline.flow()
        self.assertEqual(pids, {name: p.pid for name, p in self.pipeline.service.items() if p.alive()})

    def test_writer_away_under_load(self):
        """The debouncer and the decryptor find no db-writer for longer than any heartbeat."""
        self.pipeline.service["db-writer"].kill()
        outlast(lambda: self.pipeline.wait_for(self.pipeline.sent(20), history=False, debounced=False))
        self.pipeline.start("db-writer")
        self.pipeline.flow()
        self.assertTrue(all(p.alive() for p in self.pipeline.service.values()))

    def test_connection_cut(self):
        """An administrator ends db-writer's session: it comes back by itself."""
        writer = self.pipeline.service["db-writer"]
        self.pipeline.flow()
        ups = len(writer.lines("event=up", "what=database"))
        self.db.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'zaehlwerk%'")
        wait_until(lambda: len(writer.lines("event=up", "what=database")) > ups, "db-writer has connected again")
        self.pipeline.flow()


class BrokerAway(Case):
    @classmethod
    def prepare(cls):
        cls.pipeline = Pipeline(cls.world, Sqlite(cls.world), []).start()
        cls.pipeline.flow()

    def test_restart(self):
        broker, ingest, publisher = (self.pipeline.broker, *map(self.pipeline.service.get, ("mqtt-ingest", "publisher")))
        before = {s: len(s.lines("what=broker")) for s in (ingest, publisher)}
        broker.process.stop()
        for service in (ingest, publisher):
            wait_until(lambda s=service: s.get("/readyz")[0] == 503, f"{service.name} is not ready")
        broker.start()
        self.pipeline.subscribe("mosquitto_sub-2")
        waiting = self.pipeline.probe()  # perhaps before ingest is back: its session waits at the broker
        self.pipeline.send(waiting)
        for service in (ingest, publisher):
            wait_until(service.ready, f"{service.name} is ready")
        self.pipeline.wait_for(waiting, live=False)
        self.pipeline.flow()
        for service in (ingest, publisher):
            told = service.lines("what=broker")[before[service] :]
            self.assertEqual(sum("event=up" in line for line in told), 1, told)
            down = [line.partition("event=down")[2] for line in told if "event=down" in line]
            self.assertEqual(len(set(down)), len(down), "the same trouble was logged twice")
            self.assertEqual(len(down), 1, down)

    def test_connection_refused_for_a_while(self):
        """A broker that is killed and stays away for several attempts."""
        broker, ingest = self.pipeline.broker, self.pipeline.service["mqtt-ingest"]
        seen = len(ingest.lines("event=down"))
        broker.process.kill()
        wait_until(lambda: len(ingest.lines("event=down")) > seen, "the loss is noted")
        broker.start()
        self.pipeline.subscribe("mosquitto_sub-3")
        wait_until(ingest.ready, "ingest is ready")
        self.pipeline.flow()


class Hung(Case):
    """A process that does nothing for a while (SIGSTOP), for longer than any heartbeat."""

    @classmethod
    def prepare(cls):
        cls.pipeline = Pipeline(cls.world, Sqlite(cls.world), []).start()
        cls.pipeline.flow()

    def test_debouncer(self):
        """History and live values go on."""
        last = []
        with paused(self.pipeline.service["debouncer"]):
            outlast(lambda: last.append(self.pipeline.sent(20)) or self.pipeline.wait_for(last[-1], debounced=False))
        rows, sent = self.pipeline.db.readings(), 20 * len(last)
        counters = [r["counter"] for r in rows if r["meter"] == last[-1].meter][-sent:]
        self.assertEqual(counters, list(range(last[-1].counter - sent + 1, last[-1].counter + 1)))
        self.assertTrue(all(self.pipeline.shown(t) == 1 for t in last))
        self.pipeline.flow()

    def test_each_comes_back(self):
        pids = {name: p.pid for name, p in self.pipeline.service.items()}
        for name in SERVICES:
            with self.subTest(name):
                with paused(self.pipeline.service[name]):
                    outlast(lambda: self.pipeline.sent(20))
                self.pipeline.flow()
                self.assertEqual(pids, {n: p.pid for n, p in self.pipeline.service.items() if p.alive()})

    def test_no_debouncer(self):
        self.pipeline.service["debouncer"].kill()
        for _ in range(3):
            self.pipeline.wait_for(self.pipeline.sent(1), debounced=False)
        self.pipeline.start("debouncer")
        self.pipeline.flow()
