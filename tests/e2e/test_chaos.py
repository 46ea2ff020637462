"""Whatever is killed, stopped, filled or away: every reading that the broker has acknowledged is stored once.

CHAOS_SECONDS and CHAOS_SEED as in `make test-chaos`.
"""

import contextlib
import random
import signal
import sqlite3
import time
from collections import Counter

import chaos
import quarters
from frames import Meter, header_of
from harness import Case, wait_until
from mqtt import Client
from pipeline import Broker, Pipeline, paused
from stores import Postgres, Sqlite


class Chaos:
    STORE, SECONDS, CONF, COPIES, REFUSE = None, 0, "", {}, ""

    def test_nothing_lost_nothing_doubled(self):
        seed, length = chaos.seed(), chaos.seconds(self.SECONDS)
        print(f"{self.STORE.kind}: CHAOS_SEED={seed} CHAOS_SECONDS={length}", flush=True)
        town = chaos.Town(self.world, self.STORE(self.world), random.Random(seed), self.CONF, self.COPIES)
        town.begin()
        town.db.write(self.REFUSE.format(chaos.REFUSED_POUT))
        try:
            town.run(length)
        finally:
            print("\n".join(town.told))
        wanted = {chaos.key(r): r for r in town.client.acked}
        rows = [{k: v for k, v in r.items() if k != "received_at"} for r in town.db.readings()]
        have = Counter(chaos.key(r) for r in rows)
        lost, doubled = wanted.keys() - have.keys(), {k: n for k, n in have.items() if n > 1}
        print(f"figures: memory {self.STORE.kind}, MiB of {chaos.MEMORY_MIB}: " + ", ".join(f"{n} {m:.0f}" for n, m in sorted(town.peak.items())))
        print(f"{town.crashes} crashes by the poison, {town.client.again} payloads sent again by the publisher")
        print(f"figures: chaos {self.STORE.kind}: seed {seed}, seconds {length}, kills {town.kills}, published {len(wanted)}, "
              f"redelivered {sum(town.redelivered.values())}, lost {len(lost)}, doubled {len(doubled)}", flush=True)  # fmt: skip
        with self.subTest("history"):
            self.assertEqual(lost, set())
            self.assertEqual(doubled, {})
            self.assertEqual(have.keys() - wanted.keys(), set(), "never published")
            self.assertEqual([r for r in rows if r != wanted[chaos.key(r)]], [])
        with self.subTest("historydebounced"):
            self.check_windows(town, chaos.earliest(wanted.values()))
        with self.subTest("quarters"):
            self.check_quarters(town)
        with self.subTest("rejects"):
            self.check_rejects(town)
        with self.subTest("processes"):
            self.assertEqual(town.wrong, [])
            self.assertEqual({n: m for n, m in town.peak.items() if m > chaos.MEMORY_MIB}, {}, "MiB of memory")
        full = (self.world.path / "mqtt-ingest-1.log").read_text(errors="replace")
        self.assertIn('what=journal detail="' if town.disk.mounted else 'what="journal room"', full, "no full disk was seen")
        with self.subTest("journals"):
            self.assertEqual(town.journals(), {c: (0, 0, 0) for c in town.copies("mqtt-ingest")})

    def check_windows(self, town, want):
        have = {}
        for r in town.db.debounced():
            have[r["meter"], r["window_start"]] = {k: v for k, v in r.items() if k not in ("received_at", "window_start")}
        self.assertEqual(want.keys() - have.keys(), set(), "windows lost")
        self.assertEqual(have.keys() - want.keys(), set(), "windows of nothing")
        wrong = {k: (have[k], w) for k, w in want.items() if have[k] != w}
        self.assertEqual(wrong, {}, f"{len(wrong)} windows do not hold their earliest reading")

    def check_quarters(self, town):
        have = town.db.quarters()
        want = quarters.edges(town.db.readings())
        self.assertEqual({k: v for k, v in have.items() if v}, want)
        for meter in {m for m, _ in want}:
            starts = sorted(s for m, s in have if m == meter)
            self.assertEqual(starts, list(range(starts[0], starts[-1] + 1, 900)), "a hole without rows")

    def check_rejects(self, town):
        def told(reason, meter, octets):
            if reason in ("no-key", "poison"):
                meter, counter = header_of(octets)
                return reason, f"{meter} {counter}"
            return reason, meter or octets.decode()

        found = sorted(told(r["reason"], r["meter"], r["payload"]) for r in town.db.rejects())
        self.assertEqual(found, sorted(told(*r) for r in town.rejects))


class OnPostgres(Chaos, Case):
    STORE, SECONDS, CONF = Postgres, 45, "fleet.conf"
    COPIES = {"decryptor": 3, "debouncer": 3, "db-writer": 3}  # the third comes and goes
    REFUSE = "ALTER TABLE history_compact ADD CONSTRAINT chaos CHECK (pout <> {})"


class OnSqlite(Chaos, Case):
    STORE, SECONDS, CONF = Sqlite, 30, "home.conf"
    COPIES = {"decryptor": 3, "debouncer": 3, "db-writer": 1}
    REFUSE = ("CREATE TRIGGER chaos BEFORE INSERT ON history_compact WHEN new.pout = {} "
              "BEGIN SELECT raise(ABORT, 'refused by the test'); END")  # fmt: skip


class BrokerKilled(Case):
    """SIGKILL of the broker: what it had acknowledged and not saved is its loss. What it has handed on is ours."""

    KILLS, CONF = 4, "home.conf"

    def test_what_ingest_took_is_stored(self):
        meters = [Meter(f"broker {i}") for i in range(50)]
        pipeline = Pipeline(self.world, Sqlite(self.world), meters, broker=Broker(self.world, conf=self.CONF))
        pipeline.start("mqtt-ingest", "decryptor", "debouncer")  # no db-writer: the journal keeps all it takes
        ingest, broker = pipeline.service["mqtt-ingest"], pipeline.broker
        client = Client(broker.port, "publisher")
        self.world.closing.callback(client.close)
        feeder = chaos.Feeder(
            meters, lambda _, t: client.publish(pipeline.topic(t.meter), t.hex.encode(), t), every=1)  # fmt: skip
        self.world.closing.callback(feeder.close)
        broker.process.send_signal(signal.SIGUSR1)  # it saves: ingest's session is older than any autosave
        feeder.start()
        for i in range(self.KILLS):
            time.sleep(random.uniform(2, 3))
            with paused(ingest) if i % 2 else contextlib.nullcontext():  # so that some waits with the broker
                time.sleep(2)
                broker.process.kill()
            broker.start()
        wait_until(ingest.ready, "ingest is back at the broker")
        time.sleep(2)
        feeder.close()
        wait_until(lambda: not client.waiting, "the broker has acknowledged everything")
        wait_until(lambda: self.quiet(ingest), "nothing more comes from the broker")
        payloads = ingest.metric("payloads_total")
        ingest.stop()
        with contextlib.closing(sqlite3.connect(self.world.path / "mqtt-ingest-journal/slot-0/journal")) as db:
            entries = [bytes(payload).decode() for (payload,) in db.execute("SELECT payload FROM entries")]
        published = {t.hex: t for t in client.acked}
        taken = [published[e] for e in set(entries)]
        print(f"figures: broker killed {self.KILLS} times ({self.CONF}): published {len(published)}, lost by the broker "
              f"{len(published) - len(taken)}, taken twice {len(entries) - len(taken)}, lost by us "
              f"{payloads - len(entries)}", flush=True)  # fmt: skip
        self.assertEqual(payloads, len(entries), "taken from the broker, and in the journal")
        pipeline.start("mqtt-ingest", "db-writer")
        ingest = pipeline.service["mqtt-ingest"]
        wait_until(lambda: ingest.metric("journal_telegrams") == 0 and pipeline.db.readings(), "the journal is empty", 120)
        rows = pipeline.db.readings()
        self.assertEqual(sorted(map(chaos.key, rows)), sorted(chaos.key(t.row) for t in taken))

    def quiet(self, ingest):
        before = ingest.metric("payloads_total")
        time.sleep(3)
        return ingest.metric("payloads_total") == before


class BrokerOfAFleetKilled(BrokerKilled):
    CONF = "fleet.conf"
