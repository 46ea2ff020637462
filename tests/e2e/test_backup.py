"""A backup of the running system, the database lost, the backup restored (deploy/BACKUP.md), on both stores."""

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
        """What the backup holds and what was owed when the database was lost is there, once; rejects of the backup can be replayed."""
        pipe = self.pipe
        before = [self.meter.telegram() for _ in range(40)]
        unknown = self.stranger.telegram()
        for t in (*before, unknown):
            pipe.send(t)
        for t in before:
            pipe.wait_for(t, live=False, debounced=False)
        wait_until(lambda: pipe.count_rejects("no-key") == 1, "the stranger's telegram is a reject")
        self.back_up()
        between = self.meter.telegram()
        pipe.send(between)
        pipe.wait_for(between, debounced=False)
        wait_until(lambda: pipe.service["mqtt-ingest"].metric("journal_telegrams") == 0, "it has left the journal")
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
        rows = [r["counter"] for r in self.db.readings() if r["meter"] == self.meter.id]
        self.assertEqual(sorted(rows), sorted(t.counter for t in before + after), "each once; what came between is the gap of the backup")
        self.assertEqual(pipe.count_rejects("no-key"), 1)
        self.world.write("keys.csv", frames.keys_csv([*pipe.keys, self.stranger]))
        out = wait_until(lambda: self.replay() and pipe.stored(unknown), "the replayed reject is a reading")
        self.assertEqual(out, unknown.row)
        pipe.flow()

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
