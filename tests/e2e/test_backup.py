"""A backup of the running system, the database lost, the backup restored (deploy/BACKUP.md), on both stores."""

import time

import frames
from harness import BIN, Case, wait_until
from pipeline import Pipeline
from stores import Postgres, Sqlite


class Backup:
    store = None

    @classmethod
    def prepare(cls):
        cls.db = cls.store(cls.world)
        cls.meter, cls.stranger = frames.Meter("one"), frames.Meter("stranger")
        cls.pipe = Pipeline(cls.world, cls.db, [cls.meter]).start()
        cls.pipe.flow()

    def test_restore_while_the_rest_runs(self):
        """What the backup holds, what was stored after it and what was owed when the database was lost is there, once; rejects, too."""
        pipe = self.pipe
        before = [self.meter.telegram() for _ in range(40)]
        unknown = self.stranger.telegram()
        for t in (*before, unknown):
            pipe.send(t)
        for t in before:
            pipe.wait_for(t, live=False, debounced=False)
        wait_until(lambda: pipe.count_rejects("no-key") == 1, "the stranger's telegram is a reject")
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.back_up()
        between = [self.meter.telegram() for _ in range(3)]
        for t in between[:2]:
            pipe.send(t)
        for part in (between[2].hex[:200], between[2].hex[200:]):
            pipe.broker.pub(pipe.topic(self.meter.id), part.encode())
        late = frames.Meter("late").telegram()
        pipe.send(late)
        for t in between:
            pipe.wait_for(t, live=False, debounced=False)
        wait_until(lambda: pipe.count_rejects("no-key") == 2, "a second stranger's telegram is a reject")
        wait_until(lambda: pipe.service["mqtt-ingest"].metric("journal_telegrams") == 0, "nothing is owed")
        windows = sorted(map(repr, self.db.debounced()))
        pipe.service["db-writer"].kill()
        self.lose()
        after = [self.meter.telegram() for _ in range(40)]
        for t in after:
            pipe.send(t)
        wait_until(lambda: pipe.service["mqtt-ingest"].metric("journal_telegrams") == len(after), "the journal holds what is owed")
        self.restore()
        pipe.start("db-writer")
        for t in after:
            pipe.wait_for(t, live=False, debounced=False)
        self.assertEqual(self.counters(), sorted(t.counter for t in before + after), "what came between is the gap of the backup")
        self.assertEqual(pipe.count_rejects("no-key"), 1)
        pipe.extra["mqtt-ingest"] = {"JOURNAL_REFILL_SINCE": since}
        for name in ("debouncer", "mqtt-ingest"):
            pipe.service[name].stop()
            pipe.start(name)
        for t in between:
            pipe.wait_for(t, live=False, debounced=False)
        wait_until(lambda: pipe.count_rejects("no-key") == 2, "the reject is there again")
        wait_until(lambda: pipe.service["mqtt-ingest"].metric("journal_telegrams") == 0, "all is stored")
        self.assertEqual(self.counters(), sorted(t.counter for t in before + between + after), "each once")
        self.assertLessEqual(set(windows), set(map(repr, self.db.debounced())))
        pipe.service["mqtt-ingest"].stop()
        pipe.start("mqtt-ingest")
        self.assertEqual(pipe.service["mqtt-ingest"].metric("journal_telegrams"), 0, "the same setting once more changes nothing")
        self.world.write("keys.csv", frames.keys_csv([*pipe.keys, self.stranger]))
        out = wait_until(lambda: self.replay() and pipe.stored(unknown), "the replayed reject is a reading")
        self.assertEqual(out, unknown.row)
        pipe.flow()

    def counters(self):
        return sorted(r["counter"] for r in self.db.readings() if r["meter"] == self.meter.id)

    def replay(self):
        env = self.db.env | {k: self.pipe.env[k] for k in ("MQTT_HOST", "MQTT_PORT")}
        return self.world.tool(BIN / "zaehlwerk", "replay", "--reason", "no-key", env=env, check=True)


class OnSqlite(Backup, Case):
    store = Sqlite

    def back_up(self):
        self.world.tool("sqlite3", self.db.path, f"VACUUM INTO '{self.world.path}/backup.sqlite'", check=True)

    def lose(self):
        for path in self.world.path.glob("test.sqlite*"):
            path.unlink()

    def restore(self):
        (self.world.path / "backup.sqlite").rename(self.db.path)


class OnPostgres(Backup, Case):
    store = Postgres

    def run_client(self, program, *argv):
        self.world.tool(self.db.bin / program, "-h", "127.0.0.1", "-p", self.db.port, "-U", "zw", *argv, check=True)

    def back_up(self):
        self.run_client("pg_dump", "-Fc", "-f", self.world.path / "backup.dump", "smartmeter")

    def lose(self):
        self.run_client("dropdb", "--force", "smartmeter")

    def restore(self):
        self.run_client("createdb", "smartmeter")
        self.run_client("pg_restore", "-d", "smartmeter", "--exit-on-error", self.world.path / "backup.dump")
