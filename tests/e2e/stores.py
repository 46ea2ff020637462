"""The databases that db-writer writes to, read with other means than it uses."""

import fcntl
import os
import pathlib
import pwd
import signal
import sqlite3
import subprocess

import psycopg2
from harness import free_port, wait_until

EDGES = "m.meter, first_s, first_win, first_wout, last_s, last_win, last_wout"
COLUMNS = "meter, counter, suspect, win, wout, pin, pout, u1, u2, u3, i1, i2, i3, pf"


def edges_of(rows):
    """quarters as (meter, start): [(time, win, wout) of the first reading, of the last], or [] of none."""
    return {
        (r["meter"], r["start"]): [] if r["first_s"] is None else [
            (r["start"] + r[f"{e}_s"], r[f"{e}_win"], r[f"{e}_wout"]) for e in ("first", "last")]
        for r in rows
    }  # fmt: skip


class Sqlite:
    kind = "sqlite"

    def __init__(self, world, name="test.sqlite"):
        self.path = world.path / name
        self.env = {"DB_URL": f"sqlite:{self.path}"}

    def query(self, sql):
        if not self.path.exists():
            return []
        db = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=10)
        try:
            db.row_factory = sqlite3.Row
            return [dict(r) for r in db.execute(sql)]
        except sqlite3.OperationalError as e:  # not migrated yet
            if "no such table" in str(e):
                return []
            raise
        finally:
            db.close()

    def write(self, sql):
        with sqlite3.connect(self.path, timeout=10) as db:
            db.executescript(sql)
        db.close()

    def readings(self, table="history", extra=""):
        """All rows of a view, times as seconds since 1970, in order."""
        return self.query(f"SELECT {COLUMNS}, time, received_at {extra} FROM {table} ORDER BY meter, time, counter")

    def debounced(self):
        return self.readings("historydebounced", ", window_start")

    def quarters(self):
        return edges_of(self.query(f"SELECT {EDGES}, start FROM quarters q JOIN meters m ON m.id = q.meter"))

    def quarter_hours(self):
        return {(r["meter"], r["time"]): (r["win"], r["wout"], r["quality"]) for r in self.query("SELECT * FROM quarter_hour")}

    def rejects(self, where="1 = 1"):
        rows = self.query(f"SELECT digest, time, meter, topic, reason, detail, payload FROM rejects WHERE {where}")
        return [r | {"digest": r["digest"].hex(), "payload": bytes(r["payload"])} for r in rows]


class Postgres:
    """A server of its own on a free port, run by an ordinary user when we are root."""

    kind = "postgresql"

    def __init__(self, world, settings=""):
        self.world, self.port = world, free_port()
        installed = os.environ.get("E2E_POSTGRESQL", "/usr/lib/postgresql")  # one with TimescaleDB, perhaps
        self.bin = max(pathlib.Path(installed).glob("*/bin"), key=lambda p: int(p.parent.name))
        self.data = world.path / "pgdata"
        self.run_as = self._ordinary_user()
        self.env = {"DB_URL": f"postgresql://zw@127.0.0.1:{self.port}/smartmeter"}
        self.data.mkdir()
        if self.run_as:
            os.chown(self.data, *self._ids())
        self._make()
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as conf:
            conf.write(
                f"listen_addresses = '127.0.0.1'\nport = {self.port}\nunix_socket_directories = ''\n"
                f"fsync = off\nlog_statement = 'none'\nmax_connections = 30\n{settings}\n"
            )
        self.process, self.sessions = None, {}
        self.start()
        self.psql("CREATE DATABASE smartmeter", database="postgres")

    @staticmethod
    def _ids():
        for name in ("postgres", "nobody"):
            try:
                user = pwd.getpwnam(name)
                return user.pw_uid, user.pw_gid
            except KeyError:
                pass
        raise AssertionError("neither a user postgres nor a user nobody")

    def _ordinary_user(self):
        if os.getuid() != 0:
            return []
        uid, gid = self._ids()
        return ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--"]

    def _own(self, *argv):
        subprocess.run([*self.run_as, *argv], check=True, capture_output=True)

    def _make(self):
        """A cluster; run.py's jobs copy the one that the first of them has made."""
        shared = pathlib.Path(os.environ.get("E2E_SHARED") or self.world.path)
        with open(shared / "pgdata.lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            made, new = shared / "pgdata.made", shared / "pgdata.new"
            if not made.exists():
                new.mkdir(exist_ok=True)
                if self.run_as:
                    os.chown(new, *self._ids())
                self._own(self.bin / "initdb", "-N", "-D", new, "-A", "trust", "-U", "zw", "-E", "UTF8", "--no-locale")
                new.rename(made)
        self._own("cp", "-a", f"{made}/.", self.data)

    def start(self):
        self.process = self.world.start(
            "postgres", [self.bin / "postgres", "-D", self.data], {}, run_as=self.run_as)  # fmt: skip
        wait_until(self.answers, "PostgreSQL answers")

    def stop(self):
        self.process.send_signal(signal.SIGINT)  # fast shutdown
        self.process.wait(30)

    def restart(self, settings):
        """With more settings."""
        self.stop()
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as conf:
            conf.write(f"{settings}\n")
        self.start()

    def answers(self):
        return self.world.tool(self.bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", self.port).returncode == 0

    def psql(self, sql, database="smartmeter", check=True):
        result = self.world.tool(
            self.bin / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", self.port,
            "-U", "zw", "-d", database, stdin=b"SET search_path = smartmeter, public;\n" + sql.encode())  # fmt: skip
        if check and result.returncode != 0:
            raise AssertionError(f"psql: {result.stderr.decode()}")
        return result

    def query(self, sql, database="smartmeter"):
        """Rows as dicts, in JSON's types."""
        for fresh in (False, True):  # a session of before may have ended with the server
            session = self._session(database, fresh)
            try:
                with session.cursor() as cursor:
                    cursor.execute(f"SELECT coalesce(json_agg(q), '[]') FROM ({sql}) q")
                    return cursor.fetchone()[0]
            except (psycopg2.errors.UndefinedTable, psycopg2.errors.InvalidSchemaName):  # not migrated yet
                return []
            except (psycopg2.OperationalError, psycopg2.InterfaceError):
                if fresh:
                    raise

    def _session(self, database, fresh):
        if fresh or database not in self.sessions:
            session = psycopg2.connect(host="127.0.0.1", port=self.port, user="zw", dbname=database, options="-c search_path=smartmeter,public")
            session.autocommit = True
            self.world.connections.append(session)
            self.sessions[database] = session
        return self.sessions[database]

    def write(self, sql):
        self.psql(sql)

    def readings(self, table="history", extra=""):
        return self.query(
            f"SELECT {COLUMNS}, extract(epoch FROM time)::float8 AS time, "
            f"extract(epoch FROM received_at)::float8 AS received_at {extra} FROM {table} ORDER BY meter, time, counter")  # fmt: skip

    def debounced(self):
        return self.readings("historydebounced", ", extract(epoch FROM window_start)::float8 AS window_start")

    def quarters(self):
        return edges_of(self.query(
            f"SELECT {EDGES}, extract(epoch FROM start)::bigint AS start FROM quarters q JOIN meters m ON m.id = q.meter"))  # fmt: skip

    def quarter_hours(self):
        rows = self.query("SELECT meter, extract(epoch FROM time)::bigint AS time, win, wout, quality FROM quarter_hour")
        return {(r["meter"], r["time"]): (r["win"], r["wout"], r["quality"]) for r in rows}

    def rejects(self, where="1 = 1"):
        rows = self.query(
            "SELECT encode(digest, 'hex') AS digest, extract(epoch FROM time)::float8 AS time, meter, topic, reason, "
            f"detail, encode(payload, 'hex') AS payload FROM rejects WHERE {where}")  # fmt: skip
        return [r | {"payload": bytes.fromhex(r["payload"])} for r in rows]
