"""deploy/postgresql/roles.sql: what each role may, and that each service needs no more."""

import time

import frames
import records
import yaml
from browser import Dashboard
from harness import BIN, ROOT, Case, wait_until
from stores import Postgres

SCRIPT = ROOT / "deploy/postgresql/roles.sql"
WRITER, READER = "zaehlwerk_writer", "zaehlwerk_dashboard"


COMPONENT = ROOT / "deploy/kubernetes/components/cloudnative-pg/cluster.yaml"


class CloudNativePG(Case):
    """What the operator runs once, without psql, leaves the rights that the script leaves."""

    @classmethod
    def prepare(cls):
        cls.db = Postgres(cls.world)

    def rights(self, database):
        """Of the database, its schemas, tables to come, and the roles' settings; by whom granted does not count."""
        return self.db.psql(f"""
            SELECT 'database', array(SELECT regexp_replace(a::text, '/.*', '') FROM unnest(datacl) a WHERE a::text LIKE 'zaehlwerk%' OR a::text LIKE '=%' ORDER BY 1)
              FROM pg_database WHERE datname = '{database}';
            SELECT nspname, pg_get_userbyid(nspowner), nspacl FROM pg_namespace WHERE nspname IN ('public', 'smartmeter') ORDER BY 1;
            SELECT pg_get_userbyid(defaclrole), defaclnamespace::regnamespace, defaclobjtype, defaclacl FROM pg_default_acl;
            SELECT setrole::regrole, setconfig FROM pg_db_role_setting s JOIN pg_database d ON d.oid = setdatabase WHERE datname = '{database}'""",
                            database).stdout.decode().splitlines()  # fmt: skip

    def test_same_rights(self):
        cluster = next(o for o in yaml.safe_load_all(COMPONENT.read_text(encoding="utf-8")) if o["kind"] == "Cluster")
        initdb = cluster["spec"]["bootstrap"]["initdb"]
        self.db.psql(f"CREATE ROLE postgres SUPERUSER; CREATE ROLE {initdb['owner']} LOGIN; ALTER DATABASE smartmeter OWNER TO {initdb['owner']}")
        there = self.db.psql("SELECT count(*) FROM pg_available_extensions WHERE name = 'timescaledb'").stdout.strip() == b"1"
        statements = [s for s in initdb["postInitApplicationSQL"] if there or "EXTENSION" not in s]
        self.assertEqual(len(initdb["postInitApplicationSQL"]) - len(statements), 0 if there else 1)
        for statement in statements:
            self.db.psql(statement)
        self.world.tool(self.db.bin / "psql", "-X", "-h", "127.0.0.1", "-p", self.db.port, "-U", "zw", "-d", "postgres", "-f", SCRIPT,
                        "-v", "database=other", check=True)  # fmt: skip
        mine, script = self.rights("smartmeter"), self.rights("other")
        self.assertEqual(mine, script)
        self.assertEqual(len(mine), 5)
        self.assertEqual(self.db.psql("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'smartmeter'").stdout, b"postgres\n")


class Roles(Case):
    @classmethod
    def prepare(cls):
        cls.db = Postgres(cls.world)
        (cls.db.data / "pg_hba.conf").write_text("host all zw 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        cls.db.psql("ALTER SYSTEM SET log_statement = 'ddl'")
        cls.db.psql("SELECT pg_reload_conf()")
        # A database as an earlier version left it: made by a superuser, with rows in it.
        cls.world.write("writer", "write'r\n")
        cls.meter = frames.Meter("one")
        cls.wires = records.Wires(cls.world)
        cls.push = cls.wires.push("store")
        cls.fill("before", cls.db.env, [cls.meter.telegram(1, int(time.time()) - 400)])
        cls.run_script(cls.world.path / "writer", "-v", "dashboard_password=re ader")
        cls.run_script(cls.world.path / "writer", "-v", "dashboard_password=re ader")

    @classmethod
    def run_script(cls, writer_file, *more, check=True):
        return cls.world.tool(
            cls.db.bin / "psql", "-X", "-h", "127.0.0.1", "-p", cls.db.port, "-U", "zw", "-d", "postgres", "-f", SCRIPT, *more,
            env={"WRITER_PASSWORD_FILE": str(writer_file)}, check=check)  # fmt: skip

    @classmethod
    def role(cls, name):
        password = cls.world.write("secret-" + name, {WRITER: "write'r", READER: "re ader"}[name] + "\n")
        return {"DB_HOST": "127.0.0.1", "DB_PORT": str(cls.db.port), "DB_USER": name, "DB_PASSWORD_FILE": password}

    @classmethod
    def fill(cls, name, env, telegrams):
        writer = cls.world.service("db-writer", env | {
            "STORE_CONNECT": cls.wires.endpoint("store"), "ACKS_BIND": cls.wires.endpoint("acks")}, f"db-writer-{name}")  # fmt: skip
        wait_until(writer.ready, "db-writer is ready")
        cls.push.send(records.pack(*[make(t, cls.wires.origin, t.counter) for t in telegrams for make in (records.reading, records.debounced)]))
        for t in telegrams:
            wait_until(lambda t=t: any(r["counter"] == t.counter for r in cls.db.readings()), f"{t.counter} is stored")
        writer.stop()
        return writer

    def ask(self, role, sql, options=""):
        """What psql says to a role's statement: its answer, or its complaint."""
        password = {WRITER: "write'r", READER: "re ader"}[role]
        result = self.world.tool(
            self.db.bin / "psql", "-X", "-q", "-A", "-t", "-h", "127.0.0.1", "-p", self.db.port, "-U", role, "-d", "smartmeter", "-c", sql,
            env={"PGPASSWORD": password, "PGOPTIONS": options})  # fmt: skip
        return (result.stdout if result.returncode == 0 else result.stderr).decode().strip()

    def test_writer_takes_over_what_is_there(self):
        """All objects are the writer's; db-writer goes on with them, and the command line reads as the dashboard's role."""
        now = int(time.time())
        self.fill("after", self.role(WRITER), [self.meter.telegram(2, now - 300), self.meter.telegram(3, now - 1)])
        self.assertEqual(sorted(r["counter"] for r in self.db.readings()), [1, 2, 3])
        owners = self.db.query("SELECT DISTINCT tableowner AS o FROM pg_tables WHERE schemaname = 'smartmeter'")
        self.assertEqual(owners, [{"o": WRITER}])
        env = self.role(READER)
        for command in (["export", "--table", "history"], ["export", "--table", "quarter_hour"], ["rejects"], ["replay", "--dry-run"]):
            result = self.world.tool(BIN / "zaehlwerk", *command, env=env)
            self.assertEqual(result.returncode, 0, result.stderr)

    def test_fresh_database(self):
        """The writer migrates from nothing; the dashboard reads what it makes, by every address of its own."""
        self.run_script(self.world.path / "writer", "-v", "database=fresh", "-v", "schema=other", "-v", "dashboard_password=re ader")
        where = {"DB_NAME": "fresh", "SMARTMETER_DB_SCHEMA": "other"}
        now = int(time.time())
        writer = self.world.service("db-writer", self.role(WRITER) | where | {
            "STORE_CONNECT": self.wires.endpoint("store"), "ACKS_BIND": self.wires.endpoint("acks-fresh")}, "db-writer-fresh")  # fmt: skip
        wait_until(writer.ready, "db-writer is ready")
        telegrams = [self.meter.telegram(n, now - 1000 + 5 * n) for n in range(1, 100)]
        self.push.send(records.pack(*[records.reading(t, self.wires.origin, t.counter) for t in telegrams]))
        self.push.send(records.pack(records.reject(self.wires.origin, 1000, b"nothing", arrival=now * 1000)))
        wait_until(lambda: writer.metric("rows_total", table="history") == 99 and writer.metric("rows_total", table="rejects") == 1, "it is stored")
        dash = Dashboard(self.world, self.role(READER) | where | {"READINGS_CONNECT": self.wires.endpoint("readings")})
        wait_until(lambda: len(dash.state()["meters"]) == 2, "the dashboard has seen meter and reject")
        self.assertEqual(dash.state()["database"], {"up": True, "why": ""})
        _, series = dash.get(f"/api/series?meter={self.meter.id}&range=hour")
        self.assertEqual(len(series["at"]), 99)
        _, energy = dash.get(f"/api/energy?meter={self.meter.id}&from={now - 7200}&to={now + 900}&step=hour")
        self.assertTrue(energy["rows"])
        status, _, octets = dash.ask("GET", f"/api/export.csv?meter={self.meter.id}&table=history&from={now - 7200}&to={now + 900}")
        self.assertEqual((status, octets.count(b"\r\n")), (200, 100))
        writer.stop()

    def test_dashboard_only_reads(self):
        for sql in (
            "INSERT INTO smartmeter.meters (meter, number) VALUES ('x', 'y')", "UPDATE smartmeter.history_compact SET win = 0",
            "DELETE FROM smartmeter.rejects", "TRUNCATE smartmeter.quarters", "DROP VIEW smartmeter.history",
            "CREATE TABLE smartmeter.mine (x int)", "CREATE TABLE public.mine (x int)", "CREATE SCHEMA mine", "CREATE TEMP TABLE mine (x int)",
        ):  # fmt: skip
            with self.subTest(sql):
                # default_transaction_read_only alone would be no wall: it is the role's own to turn off
                self.assertRegex(self.ask(READER, sql, "-c default_transaction_read_only=off"), "permission denied|must be owner")
        self.assertRegex(self.ask(READER, "DELETE FROM smartmeter.rejects"), "read-only")
        self.assertEqual(self.ask(READER, "SELECT count(*) > 0 FROM smartmeter.history"), "t")

    def test_roles_are_no_more_than_that(self):
        rows = self.db.query(f"SELECT rolname, rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls AS more, rolcanlogin AS login "
                             f"FROM pg_roles WHERE rolname IN ('{WRITER}', '{READER}') ORDER BY 1")  # fmt: skip
        self.assertEqual(rows, [{"rolname": n, "more": False, "login": True} for n in (READER, WRITER)])
        for sql in ("CREATE DATABASE mine", "CREATE ROLE mine", "ALTER SYSTEM SET port = 1", "CREATE SCHEMA mine", "CREATE TABLE public.mine (x int)"):
            with self.subTest(sql):
                self.assertRegex(self.ask(WRITER, sql), "permission denied|must be")
        self.db.psql("CREATE ROLE stranger LOGIN PASSWORD 'x'")
        result = self.world.tool(self.db.bin / "psql", "-X", "-h", "127.0.0.1", "-p", self.db.port, "-U", "stranger", "-d", "smartmeter",
                                 "-c", "SELECT 1", env={"PGPASSWORD": "x"})  # fmt: skip
        self.assertIn(b"permission denied", result.stderr)

    def test_passwords(self):
        """Not in the server's log; an unreadable file ends the script before it changes anything."""
        log = self.db.process.log()
        self.assertIn("CREATE SCHEMA smartmeter", log, "statements are logged")
        self.assertNotIn("re ader", log)
        self.assertNotIn("write'", log)
        result = self.run_script("/nowhere", check=False)
        self.assertEqual(result.returncode, 3)
        self.assertIn(b"/nowhere", result.stderr)
        self.assertEqual(self.ask(WRITER, "SELECT current_user"), WRITER)
