"""TimescaleDB: the same readings as on plain PostgreSQL, in a tenth of the octets.

Hypertables needs the extension of a server of this machine, or of one that E2E_POSTGRESQL names (a folder like
/usr/lib/postgresql); deploy/postgresql/README.md says how it is built. Without it its tests are skipped.
"""

import collections
import json
import subprocess
import time

import frames
import records
from browser import Dashboard
from harness import BIN, NO_TIMESCALE, ROOT, Case, outlast, wait_until
from stores import Postgres

DAY = 86400
BEGIN = 1767225600  # 2026-01-01
Read = collections.namedtuple("Read", "meter counter time values")
METER, VALUES = "5453540000000001", frames.Meter("any").values(1)
NOT_HERE = NO_TIMESCALE + "for this machine's PostgreSQL (deploy/postgresql/README.md)"


class Server(Case):
    """A server, and databases in it that db-writers fill as the role zaehlwerk_writer."""

    @classmethod
    def prepare(cls):
        cls.db = Postgres(cls.world)
        cls.available = bool(cls.db.query("SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'"))
        if cls.available:
            cls.db.restart("shared_preload_libraries = 'timescaledb'\ntimescaledb.telemetry_level = 'off'\nmax_locks_per_transaction = 256\n"
                           "max_worker_processes = 40\ntimescaledb.max_background_workers = 24")  # a scheduler for each database, and its jobs
        cls.wires = records.Wires(cls.world)
        cls.seq = 0

    @classmethod
    def database(cls, name, extension):
        """Made by roles.sql; without the extension if so wanted."""
        script = ROOT / "deploy/postgresql/roles.sql"
        cls.world.tool(cls.db.bin / "psql", "-X", "-h", "127.0.0.1", "-p", cls.db.port, "-U", "zw", "-d", "postgres", "-f", script,
                       "-v", f"database={name}", check=True)  # fmt: skip
        if not extension:
            cls.db.psql("DROP EXTENSION IF EXISTS timescaledb", database=name)

    @classmethod
    def env(cls, database, role="zaehlwerk_writer"):
        return {"DB_URL": f"postgresql://{role}@127.0.0.1:{cls.db.port}/{database}"}

    @classmethod
    def writer(cls, name, database, **env):
        """A db-writer of its own streams, and what it is sent on."""
        push = cls.wires.push(f"store-{name}")
        process = cls.world.service("db-writer", cls.env(database) | env | {
            "STORE_CONNECT": cls.wires.endpoint(f"store-{name}"), "ACKS_BIND": cls.wires.endpoint(f"acks-{name}")}, f"db-writer-{name}")  # fmt: skip
        wait_until(process.ready, "db-writer is ready")
        return process, push

    @classmethod
    def send(cls, push, rows):
        """Records from (telegram, make, more)."""
        for i in range(0, len(rows), 60):
            packed = []
            for telegram, make, more in rows[i : i + 60]:
                cls.seq += 1
                packed.append(make(telegram, cls.wires.origin, cls.seq, arrival=telegram.time * 1000 + 300 + telegram.counter * 7919 % 400, **more))
            octets = records.pack(*packed)
            wait_until(lambda octets=octets: cls.taken(push, octets), "db-writer takes what is sent", 120)

    @staticmethod
    def taken(push, octets):
        try:
            push.send(octets, records.zmq.DONTWAIT)
            return True
        except records.zmq.Again:
            return False

    def committed(self, process, n):
        wait_until(lambda: process.metric("records_total", type="reading") + process.metric("records_total", type="debounced") >= n,
                   f"{n} records are committed", 120)  # fmt: skip

    def ask(self, database, sql):
        return self.db.psql(sql, database=database).stdout.decode().strip()


class Plain(Server):
    """Where the extension is not in the database, though perhaps on the machine."""

    def test_says_so_and_does_without(self):
        self.database("plain", False)
        process, push = self.writer("plain", "plain")
        self.assertEqual(len(process.lines("event=timescaledb", 'state="not used"', "the extension is not in this database")), 1)
        self.send(push, [(Read(METER, 1, BEGIN, VALUES), records.reading, {})])
        self.committed(process, 1)
        self.db.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'zaehlwerk db-writer'")
        wait_until(lambda: len(process.lines("event=up", "database")) == 2, "it has connected again")
        self.assertEqual(len(process.lines("event=timescaledb")), 1, "said once")
        self.assertEqual(self.ask("plain", "SELECT relkind, relhassubclass FROM pg_class WHERE relname = 'history_compact'"), "r|f")
        self.assertEqual(process.metric("database_jobs_failing"), 0)


class Apache(Server):
    """An apache build, or a server that was told to be one."""

    @classmethod
    def prepare(cls):
        super().prepare()
        if cls.available:
            cls.db.restart("timescaledb.license = 'apache'")

    def setUp(self):
        if not self.available:
            self.skipTest(NOT_HERE)

    def test_says_what_is_missing_and_does_without(self):
        """Ordinary tables; what is too old goes in batches; the dashboard reads."""
        self.database("apache", True)
        process, push = self.writer("apache", "apache")
        self.assertEqual(len(process.lines("event=timescaledb", 'state="not used"', "its license is apache, which has no columnstore")), 1)
        rows = [(Read(METER, i, BEGIN + i * 3600, VALUES), make, {}) for i in range(600) for make in (records.reading, records.debounced)]
        self.send(push, rows)
        self.committed(process, len(rows))
        process.stop()
        process, _ = self.writer("apache-bounded", "apache", HISTORY_KEEP_DAYS="10", DEBOUNCED_KEEP_DAYS="5")
        for table, days in (("history", 10), ("debounced", 5)):
            wait_until(lambda t=table: process.metric("rows_dropped_total", table=t), f"old {table} is dropped")
            self.assertEqual(process.metric("rows_dropped_total", table=table), 599 - 24 * days)
        self.assertEqual(self.ask("apache", "SELECT (SELECT count(*) FROM history), (SELECT count(*) FROM historydebounced)"), "241|121")
        self.assertEqual(self.ask("apache", "SELECT count(*) FROM timescaledb_information.hypertables"), "0")
        self.assertEqual(process.metric("database_jobs_failing"), 0)
        dash = Dashboard(self.world, self.env("apache", "zaehlwerk_dashboard") | {"READINGS_CONNECT": self.wires.endpoint("readings")})
        wait_until(lambda: dash.state()["meters"], "the dashboard has seen the meter")
        process.stop()


class Hypertables(Server):
    @classmethod
    def prepare(cls):
        super().prepare()
        if cls.available:
            cls.database("ts", True)
            cls.database("plain", False)

    def setUp(self):
        if not self.available:
            self.skipTest(NOT_HERE)

    def policy(self, database="ts"):
        """(table, key's chunk, after, job) of both tables."""
        return self.db.query(
            "SELECT d.hypertable_name AS name, extract(epoch FROM d.time_interval) / 3600 AS chunk_hours, "
            "extract(epoch FROM (j.config->>'compress_after')::interval) / 3600 AS after_hours, j.job_id AS job "
            "FROM timescaledb_information.dimensions d JOIN timescaledb_information.jobs j USING (hypertable_schema, hypertable_name) "
            "WHERE d.hypertable_schema = 'smartmeter' ORDER BY 1", database)  # fmt: skip

    def compress(self, database="ts"):
        """As the policy does it, at once; the policy itself may be at it."""
        self.ask(database, "SELECT alter_job(job_id, scheduled => false) FROM timescaledb_information.jobs WHERE hypertable_schema = 'smartmeter'")
        wait_until(lambda: self.db.psql(
            "SELECT count(compress_chunk(c, if_not_compressed => true)) FROM unnest(ARRAY['history_compact', "
            "'historydebounced_compact']::regclass[]) t, LATERAL show_chunks(t) c", database, check=False).returncode == 0,
            "all chunks are compressed")  # fmt: skip

    def contents(self, database):
        """All that people see, as one digest for each table."""
        return {table: self.ask(database, f"SELECT count(*), md5(string_agg(h::text, ' ' ORDER BY h::text)) FROM {table} h")
                for table in ("history", "historydebounced", "quarter_hour", "rejects")}  # fmt: skip

    def test_made_once_and_changed_by_fleet(self):
        self.database("made", True)
        process, _ = self.writer("made", "made")
        self.assertTrue(process.lines("event=timescaledb", "state=used", "fleet_meters=100"))
        first = self.policy("made")
        self.assertEqual([(p["name"], p["chunk_hours"], p["after_hours"]) for p in first],
                         [("history_compact", 168, 336), ("historydebounced_compact", 672, 336)])  # fmt: skip
        indexes = self.ask("made", "SELECT string_agg(indexname, ' ' ORDER BY 1) FROM pg_indexes WHERE tablename LIKE 'history%compact'")
        self.assertEqual(indexes, "history_identity historydebounced_identity", "no default time index")
        process.stop()
        process, _ = self.writer("made-again", "made", FLEET_METERS="50000")
        again = self.policy("made")
        self.assertEqual([(p["chunk_hours"], p["after_hours"]) for p in again], [(1, 6), (72, 6)])
        self.assertEqual([p["job"] for p in again], [p["job"] for p in first], "the jobs are the same")
        process.stop()

    def simulated(self, count):
        """A household of the simulator, from BEGIN on, every 5 s."""
        keys = self.world.path / "sim-keys.csv"
        out = self.world.tool(BIN / "meter-sim", "--model", "t210d", "--start", str(BEGIN), "--count", str(count), "--print", "--speed", "0",
                              "--keys", keys, check=True).stdout  # fmt: skip
        key = keys.read_text().splitlines()[1].split(",")[1]
        told = subprocess.run([BIN / "zaehlwerk", "decode", "--key", key, "--format", "json", "-"], input=out, capture_output=True, check=True)
        for i, line in enumerate(told.stdout.splitlines()):
            r = json.loads(line)
            yield Read(r["meter"], r["counter"], BEGIN + 5 * i, r["values"])

    def test_octets_late_rows_replay(self):
        """A week of a household: at most 15 octets a reading; then everything again, later rows between, and earlier ones."""
        week = [(t, make, {}) for t in self.simulated(7 * DAY // 5) for make in (records.reading, records.debounced)
                if make is records.reading or t.time % 300 == 60]  # fmt: skip
        pairs = {name: self.writer(f"w-{name}", name) for name in ("ts", "plain")}
        for process, push in pairs.values():
            self.send(push, week)
            self.committed(process, len(week))
        self.assertEqual(self.contents("ts"), self.contents("plain"))
        self.compress()
        octets = float(self.ask("ts", "SELECT sum(after_compression_total_bytes) / (SELECT count(*) FROM history) FROM chunk_columnstore_stats('history_compact')"))
        before = float(self.ask("ts", "SELECT sum(before_compression_total_bytes) / (SELECT count(*) FROM history) FROM chunk_columnstore_stats('history_compact')"))
        print(f"figures: timescaledb {before:.0f} -> {octets:.1f} octets a reading", flush=True)
        self.assertLessEqual(octets, 15)
        meter = week[0][0].meter
        late = [Read(meter, 7 + i, BEGIN + 3 + 600 * i, t.values) for i, (t, _, _) in enumerate(week[:900])]
        first = [Read(meter, 7 + i, BEGIN + 300 * i, t.values) for i, (t, _, _) in enumerate(week[:1900])]
        more = week[::3] + [(t, records.reading, {}) for t in late] + [(t, records.debounced, {}) for t in first]
        for name, (process, push) in pairs.items():
            self.send(push, more)
        for name, (process, push) in pairs.items():
            self.committed(process, len(week) + len(more))
            self.assertEqual((process.metric("retries_total"), len(process.lines("event=reject"))), (0, 0), name)
        self.assertEqual(self.contents("ts"), self.contents("plain"))
        self.compress()
        self.assertEqual(self.contents("ts"), self.contents("plain"), "compressed again")
        for process, _ in pairs.values():
            process.stop()

    def test_earlier_readings_of_many_windows(self):
        """Each is in a batch of its own in a compressed chunk, of more rows than the extension's limit for a transaction."""
        pairs = {}
        for name in ("ts-many", "plain-many"):
            self.database(name, name.startswith("ts"))
            pairs[name] = self.writer(name, name)
            self.ask(name, "INSERT INTO meters (meter, number) SELECT 'TSTMANY' || lpad(m::text, 9, '0'), '' FROM generate_series(1, 150) m; "
                           f"INSERT INTO historydebounced_compact (window_start, time, received_at, win, meter, counter, u1) "
                           f"SELECT w, w + interval '20 s', w + interval '21 s', n, m.id, n, 230000 FROM meters m, generate_series(1, 1000) n, "
                           f"LATERAL (SELECT to_timestamp({BEGIN} + 300 * n) AS w) x")  # fmt: skip
        self.compress("ts-many")
        meters = [f"TSTMANY{m:09}" for m in range(1, 151)]
        rows = [(Read(m, 7, BEGIN + 300 * 500 + 1, VALUES), records.debounced, {}) for m in meters]
        for name, (process, push) in pairs.items():
            self.send(push, rows)
            self.committed(process, len(rows))
            self.assertEqual((process.metric("retries_total"), process.metric("rows_total", table="debounced")), (0, 150), name)
            self.send(push, rows)
            self.committed(process, 2 * len(rows))
            process.stop()
        self.assertEqual(self.contents("ts-many"), self.contents("plain-many"))

    def test_a_chunk_that_is_being_compressed_is_waited_for(self):
        """Longer than the server's own time-outs: nothing is rejected, nothing given up."""
        self.database("busy", True)
        self.db.psql("ALTER ROLE zaehlwerk_writer IN DATABASE busy SET lock_timeout = '100ms'; ALTER ROLE zaehlwerk_writer IN DATABASE busy SET statement_timeout = '200ms'")
        process, push = self.writer("busy", "busy")
        self.send(push, [(Read(METER, 1, BEGIN, VALUES), records.reading, {})])
        self.committed(process, 1)
        holder = self.world.start("psql-busy", [
            self.db.bin / "psql", "-X", "-q", "-h", "127.0.0.1", "-p", self.db.port, "-U", "zw", "-d", "busy", "-c",
            "BEGIN; DO $$ BEGIN EXECUTE format('LOCK TABLE %s IN EXCLUSIVE MODE', show_chunks('smartmeter.history_compact')); END $$; SELECT pg_sleep(600)"])  # fmt: skip
        wait_until(lambda: self.ask("busy", "SELECT count(*) FROM pg_locks WHERE mode = 'ExclusiveLock' AND granted AND relation IS NOT NULL") != "0", "the chunk is locked")
        self.send(push, [(Read(METER, 2, BEGIN + 5, VALUES), records.reading, {})])
        wait_until(lambda: self.ask("busy", "SELECT count(*) FROM pg_locks WHERE NOT granted") != "0", "db-writer waits")
        outlast(lambda: time.sleep(0.1), 1)
        self.assertEqual(self.ask("busy", "SELECT count(*) FROM history"), "1")
        self.ask("busy", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()")
        holder.ends |= {2}
        self.committed(process, 2)
        self.assertEqual((process.metric("retries_total"), process.lines("event=reject")), (0, []))
        self.assertEqual(self.ask("busy", "SELECT count(*) FROM history"), "2")
        process.stop()

    def test_retention_drops_chunks(self):
        """By the newest reading, whole chunks, what quarter hours say stays; without the setting nothing goes."""
        self.database("kept", True)
        process, push = self.writer("kept", "kept")
        rows = [(Read(METER, 100 + i, BEGIN + i * 6 * 3600, VALUES), make, {}) for i in range(240) for make in (records.reading, records.debounced)]
        clockless = Read(METER, 5, None, VALUES)
        self.send(push, rows)
        push.send(records.pack(records.reading(clockless, self.wires.origin, 99999, arrival=BEGIN * 1000)))
        self.committed(process, len(rows) + 1)
        self.compress("kept")
        quarters = self.contents("kept")["quarter_hour"]
        process.stop()
        process, _ = self.writer("kept-bounded", "kept", HISTORY_KEEP_DAYS="10", DEBOUNCED_KEEP_DAYS="1")
        wait_until(lambda: process.lines("event=dropped", "what=history"), "old readings are dropped")
        wait_until(lambda: process.lines("event=dropped", "what=debounced"), "old debounced readings are dropped")
        oldest = int(self.ask("kept", "SELECT extract(epoch FROM min(time))::bigint FROM history"))
        newest = BEGIN + 239 * 6 * 3600
        self.assertTrue(newest - 17 * DAY <= oldest <= newest - 10 * DAY, oldest)
        left = int(self.ask("kept", "SELECT count(*) FROM history"))
        self.assertEqual(process.metric("rows_dropped_total", table="history"), 241 - left)
        self.assertEqual(self.ask("kept", "SELECT count(*) FROM history_clockless"), "0", "forgotten with its reading")
        self.assertEqual(self.contents("kept")["quarter_hour"], quarters)
        self.assertEqual(self.ask("kept", "SELECT count(*) FROM timescaledb_information.jobs WHERE proc_name = 'policy_retention' AND hypertable_schema = 'smartmeter'"), "0")
        process.stop()

    def test_extension_comes_later(self):
        """Rows of before move over; the roles' rights, and what people see, stay."""
        self.database("later", False)
        process, push = self.writer("later", "later")
        self.send(push, [(Read(METER, i, BEGIN + i * 7200, VALUES | {"WIn": i}), make, {}) for i in range(500) for make in (records.reading, records.debounced)])
        self.committed(process, 1000)
        before = self.contents("later")
        self.database("later", True)
        self.db.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'zaehlwerk db-writer' AND datname = 'later'")
        wait_until(lambda: int(self.ask("later", "SELECT count(*) FROM timescaledb_information.chunks WHERE hypertable_schema = 'smartmeter'")) >= 6, "there are chunks")
        self.assertEqual(self.contents("later"), before)
        self.send(push, [(Read(METER, 9000, BEGIN + 3, VALUES), records.reading, {})])
        wait_until(lambda: self.ask("later", "SELECT count(*) FROM history") == "501", "it goes on")
        process.stop()

    def test_dashboard_and_command_read_compressed_chunks(self):
        """As the role that may only read; over hundreds of chunks the newest reading is there at once."""
        self.database("read", True)
        process, push = self.writer("read", "read", FLEET_METERS="50000")
        now = int(time.time())
        self.send(push, [(Read(METER, 10 + i, now - 3600 * i, VALUES), records.reading, {}) for i in range(300)])
        self.committed(process, 300)
        self.compress("read")
        env = self.env("read", "zaehlwerk_dashboard")
        dash = Dashboard(self.world, env | {"READINGS_CONNECT": self.wires.endpoint("readings")})
        meter = wait_until(lambda: dash.meter(METER), "the dashboard has seen the meter")
        self.assertEqual((meter["last"]["at"], meter["last"]["counter"]), (now, 10))
        out = self.world.tool(BIN / "zaehlwerk", "export", "--table", "history", env=env, check=True).stdout
        self.assertEqual(out.count(b"\r\n"), 301)
        refused = self.db.psql("SET ROLE zaehlwerk_dashboard; DELETE FROM history_compact", "read", check=False)
        self.assertIn(b"permission denied", refused.stderr)
        process.stop()

    def test_failing_jobs_are_told(self):
        """As the server counts them: on some minors each run of a job fails after it has done its work."""
        self.database("jobs", True)
        process, push = self.writer("jobs", "jobs")
        self.send(push, [(Read(METER, i, BEGIN + i * 3600, VALUES), records.reading, {}) for i in range(400)])
        self.committed(process, 400)
        process.stop()
        self.ask("jobs", "SELECT alter_job(job_id, next_start => now()) FROM timescaledb_information.jobs WHERE hypertable_name = 'history_compact'")
        wait_until(lambda: int(self.ask("jobs", "SELECT sum(total_runs) FROM timescaledb_information.job_stats WHERE hypertable_name = 'history_compact'") or 0) > 0,
                   "the policy has run")  # fmt: skip
        wait_until(lambda: "f" not in self.ask("jobs", "SELECT bool_and(is_compressed) FROM timescaledb_information.chunks WHERE range_end < now() - interval '15 days'"),
                   "old chunks are compressed")  # fmt: skip
        failed = wait_until(lambda: self.ask("jobs", "SELECT count(*) FILTER (WHERE last_run_status = 'Failed') FROM timescaledb_information.job_stats "
                                             "WHERE hypertable_schema = 'smartmeter' AND last_run_status IS NOT NULL"), "its end is noted")  # fmt: skip
        process, _ = self.writer("jobs-again", "jobs")
        wait_until(lambda: process.metric("database_jobs_failing") == int(failed), f"{failed} jobs fail")
        self.assertEqual(len(process.lines("event=jobs", "level=warn", f"failing={failed}")), min(1, int(failed)))
        process.stop()
