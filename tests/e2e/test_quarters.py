"""quarter_hour after a run of the whole pipeline, and after the raw rows are gone."""

import frames
import quarters
from harness import Case, seeded, wait_until
from pipeline import Pipeline
from stores import Postgres, Sqlite

T0 = 1700000100  # on a quarter


class Quarters:
    STORE, REPLICAS = None, {}

    @classmethod
    def prepare(cls):
        cls.meters = [frames.Meter(f"quarters {i}", utc=T0 + 7 * i) for i in range(3)]
        cls.newer = frames.Meter("newer", utc=T0 + 5 * 86400)
        cls.pipeline = Pipeline(cls.world, cls.STORE(cls.world), [*cls.meters, cls.newer], replicas=cls.REPLICAS).start()
        cls.pipeline.flow()
        cls.db = cls.pipeline.db

    def telegrams(self, chance):
        """Readings a minute apart, mostly; holes of a few minutes and of hours; in no order, some twice."""
        made = []
        for meter in self.meters:
            win, wout = chance.randrange(10000000), chance.randrange(1000)
            for _ in range(150):
                meter.utc += chance.choice([3600, 400, 1000]) if chance.random() < 0.05 else 60
                win, wout = win + chance.randrange(40), wout + chance.randrange(3)
                made.append(meter.telegram(utc=meter.utc, values=meter.values(0) | {"WIn": win, "WOut": wout}))
        chance.shuffle(made)
        return made + made[:50]

    def of_ours(self, table):
        return {k: v for k, v in table.items() if k[0] in {m.id for m in self.meters}}

    def test_as_computed_from_history(self):
        made = self.telegrams(seeded(type(self).__name__))
        self.pipeline.broker.pub_lines("sensors/smartmeter/raw/quarters", [t.hex for t in made])
        keys = {(t.meter, t.counter) for t in made}
        wait_until(lambda: keys <= {(r["meter"], r["counter"]) for r in self.db.readings()}, "all are in history")
        rows = self.db.readings()
        want = quarters.hours(rows)
        self.assertEqual(self.db.quarter_hours(), want)
        self.assertEqual({k: v for k, v in self.db.quarters().items() if v}, quarters.edges(rows))
        self.assertLessEqual({"start", "ok", "gap", "missing", "open"}, {q for _, _, q in self.of_ours(want).values()})

        with self.subTest("raw rows are gone"):
            ours = self.of_ours(want)
            self.pipeline.send(self.newer.telegram())
            wait_until(lambda: any(r["meter"] == self.newer.id for r in self.db.readings()), "a newer reading")
            for copy in self.pipeline.copies("db-writer"):
                self.pipeline.service[copy].stop()
            self.pipeline.extra["db-writer"] = {"HISTORY_KEEP_DAYS": "1", "DEBOUNCED_KEEP_DAYS": "1"}
            self.pipeline.start(*self.pipeline.copies("db-writer"))
            wait_until(lambda: {r["meter"] for r in self.db.readings()} == {self.newer.id}, "old readings are dropped")
            wait_until(lambda: {r["meter"] for r in self.db.debounced()} == {self.newer.id}, "old windows are dropped")
            self.assertEqual(self.of_ours(self.db.quarter_hours()), ours)
            writers = [self.pipeline.service[copy] for copy in self.pipeline.copies("db-writer")]
            wait_until(lambda: sum(w.metric("rows_dropped_total", table="history") for w in writers) == len(rows), "it is counted")
            wait_until(lambda: any(w.lines("event=dropped", "what=history", "setting=HISTORY_KEEP_DAYS") for w in writers), "it is logged")

        with self.subTest("late ones change nothing that was there"):
            self.pipeline.broker.pub_lines("sensors/smartmeter/raw/quarters", [t.hex for t in made[:50]])
            self.pipeline.flow()
            self.assertEqual(self.of_ours(self.db.quarter_hours()), ours)


class OnSqlite(Quarters, Case):
    STORE = Sqlite


class OnPostgres(Quarters, Case):
    STORE, REPLICAS = Postgres, {"decryptor": 2, "debouncer": 2, "db-writer": 2}
