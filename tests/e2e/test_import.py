"""zaehlwerk import: the original program's rows, from a real MariaDB and from files of all its forms."""

import csv
import gzip
import hashlib
import io
import os
import pty
import re
import signal
import socket
import subprocess
import threading
import time
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import frames
import quarters
import records
from harness import BIN, ENVIRONMENT, SANITIZER_ENV, Case, seeded, wait_until
from mariadb import COLUMNS, MariaDB
from stores import Postgres, Sqlite

T0 = int(datetime(2026, 3, 28, 20, tzinfo=timezone.utc).timestamp())
METER = frames.Meter("original").id
VIENNA = ZoneInfo("Europe/Vienna")


def made(chance, n, start=T0, win=10069016, wout=219):
    """Rows as the original stores them: some 5 s apart, now and then two in a second, each hundredth after an hour without."""
    rows, t = [], start
    for i in range(n):
        t += 3600 if i % 100 == 99 else chance.choices([5, 0, 1, 400], [97, 1, 1, 1])[0]
        win, wout = win + chance.randrange(3), wout + chance.randrange(2)
        rows.append({"timestamp": t, "WIn": win, "WOut": wout, "PIn": chance.randrange(5000), "POut": chance.randrange(50),
                     **{f"U{p}": chance.randrange(2290, 2390) / 10 for p in (1, 2, 3)},
                     **{f"I{p}": chance.randrange(0, 1600) / 100 for p in (1, 2, 3)}, "PF": chance.randrange(-1000, 1001) / 1000})  # fmt: skip
    return rows


def thinned(rows):
    """historyDebounced as the original fills it: the first of a window, when one came before it."""
    return [b for a, b in zip(rows, rows[1:]) if a["timestamp"] // 300 != b["timestamp"] // 300]


def values(row):
    return tuple(float(row[f]) for f in frames.ORIGINAL)


def stored(rows, key="received_at"):
    """What the database holds of imported rows: arrival and values."""
    return sorted((round(r[key]), tuple(float(r[f.lower()]) for f in frames.ORIGINAL)) for r in rows)


def originals(rows):
    return sorted((r["timestamp"], values(r)) for r in rows)


def as_csv(rows, columns=tuple(COLUMNS), separator=",", head=True):
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator)
    if head:
        writer.writerow(columns)
    writer.writerows([r.get(c, "") for c in columns] for r in rows)
    return out.getvalue()


class Import:
    STORE = None

    @classmethod
    def prepare(cls):
        cls.chance = seeded(cls.__name__)
        cls.my = MariaDB(cls.world)
        cls.db = cls.STORE(cls.world)
        cls.env = cls.my.env | cls.db.env
        cls.rows = made(cls.chance, 4000)
        cls.my.fill("history", cls.rows)
        cls.my.fill("historyDebounced", thinned(cls.rows))

    def setUp(self):
        """Each test has a database of its own."""
        self.table = f"t{self.id().rsplit('.', 1)[1][5:][:20]}"
        if self.db.kind == "sqlite":
            self.db = type(self.db)(self.world, f"{self.table}.sqlite")
        else:
            self.db.psql("DROP SCHEMA IF EXISTS smartmeter CASCADE")
        self.env = self.my.env | self.db.env

    def run_import(self, *arguments, status=0, env=None, stdin=b"", meter=METER):
        of = ["--meter", meter] if meter else []
        result = self.world.tool(BIN / "zaehlwerk", "import", *of, *arguments, env=self.env | (env or {}), stdin=stdin)
        self.assertEqual(result.returncode, status, result.stderr.decode() + result.stdout.decode())
        return result.stdout.decode() + result.stderr.decode()

    def start_import(self, *arguments, stdin=subprocess.PIPE):
        process = subprocess.Popen(
            [BIN / "zaehlwerk", "import", "--meter", METER, *arguments], env=ENVIRONMENT | SANITIZER_ENV | self.env, cwd=self.world.path,
            stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def check_whole(self):
        rows = self.db.readings()
        self.assertEqual(stored(rows), originals(self.rows))
        self.assertTrue(all(r["meter"] == METER and r["counter"] == -1 and 0 <= r["time"] - r["received_at"] < 5 for r in rows))
        self.assertEqual(len({r["time"] for r in rows}), len(rows))
        self.assertEqual(self.db.quarter_hours(), quarters.hours(rows))
        return rows

    def test_server(self):
        with self.subTest("dry run"):
            self.assertIn("database", self.run_import("--dry-run", status=69 if self.db.kind == "sqlite" else 65))
        told = self.run_import()
        self.assertIn(f"history   {len(self.rows)} rows read, {len(self.rows)} new, 0 already there, 0 rejected", told)
        rows = self.check_whole()
        windows = {t["timestamp"] // 300 * 300: t for t in reversed(thinned(self.rows))}
        self.assertEqual({r["window_start"]: (round(r["received_at"]), tuple(float(r[f.lower()]) for f in frames.ORIGINAL)) for r in self.db.debounced()},
                         {w: (t["timestamp"], values(t)) for w, t in windows.items()})  # fmt: skip
        with self.subTest("the sums that the page of migration tells to compare"):
            page = (frames.ROOT / "deploy/MIGRATION.md").read_text(encoding="utf-8")
            sql = dict(re.findall(r"-- (MariaDB|SQLite|PostgreSQL)\n +(.*);", page))
            days = {tuple(map(int, line.split("\t"))) for line in self.my.sql(sql["MariaDB"]).splitlines()}
            ours = {tuple(int(v) for v in r.values()) for r in self.db.query(sql["SQLite" if self.db.kind == "sqlite" else "PostgreSQL"])}
            self.assertGreater(len(days), 1)
            self.assertEqual(ours, days)
        with self.subTest("again: the same"):
            told = self.run_import(meter=None)  # the database knows but one meter
            self.assertIn(f"history   {len(self.rows)} rows read, 0 new, {len(self.rows)} already there", told)
            self.assertEqual(self.db.readings(), rows)
        with self.subTest("dry run: more rows"):
            more = [self.rows[0] | {"timestamp": T0 - 500, "WIn": 1}]
            told = self.run_import("--dry-run", "-", stdin=as_csv(more + self.rows[:10]).encode())
            self.assertIn("11 rows read, 1 would be new, 10 already there", told)
            self.assertEqual(self.db.readings(), rows)

    def test_files(self):
        """Each form into the same database: whatever is not the same row would be doubled."""
        self.run_import("-", stdin=self.my.dump("smartmeter"))
        debounced = self.db.debounced()
        self.assertEqual(len(debounced), len({t["timestamp"] // 300 for t in thinned(self.rows)}))
        out = self.world.path / "outfile"
        out.mkdir(exist_ok=True)
        out.chmod(0o777)
        for name, how in (("plain", ""), ("quoted", "FIELDS TERMINATED BY ';' ENCLOSED BY '\"' LINES TERMINATED BY '\\r\\n'")):
            self.my.sql(f"SELECT * INTO OUTFILE '{out}/{name}-{self.db.kind}' {how} FROM history ORDER BY id")
        forms = {
            "dump in other ways": self.my.dump("--complete-insert", "--hex-blob", "--skip-extended-insert", "--compact", "smartmeter", "history"),
            "dump of data alone": self.my.dump("--no-create-info", "--replace", "smartmeter", "history"),
            "OUTFILE": (out / f"plain-{self.db.kind}").read_bytes(), "OUTFILE quoted": (out / f"quoted-{self.db.kind}").read_bytes(),
            "CSV the other way round": as_csv(self.rows[::-1], COLUMNS[::-1], ";").encode()}  # fmt: skip
        for name, octets in forms.items():
            with self.subTest(name):
                path = self.world.path / "import.file"
                path.write_bytes(octets)
                self.assertIn(f"history   {len(self.rows)} rows read, 0 new, {len(self.rows)} already there, 0 rejected", self.run_import(path))
        self.check_whole()
        self.assertEqual(self.db.debounced(), debounced)
        path.write_bytes(gzip.compress(b"x"))
        self.assertIn("zcat", self.run_import(path, status=65))

    def test_bad_rows(self):
        rows = [dict(r) for r in self.rows[:3000]]
        wrong = {5: ("WIn", ""), 100: ("timestamp", 0), 101: ("timestamp", "garbage"), 700: ("U1", 233800), 701: ("PIn", -5), 702: ("WIn", 10069.5),
                 703: ("PF", "x\x1b[2J\"y"), 2999: ("timestamp", 4102444800)}  # fmt: skip
        for i, (column, value) in wrong.items():
            rows[i][column] = value
        rows[5] = {"timestamp": rows[5]["timestamp"]}
        later = next(i for i in range(1500, 2000) if rows[i]["timestamp"] > rows[i - 1]["timestamp"])
        rows[later]["WIn"] = 0  # stored, but suspect
        told = self.run_import("-", stdin=as_csv(rows).encode(), status=65)
        self.assertIn(f"3000 rows read, {3000 - len(wrong)} new, 0 already there, {len(wrong)} rejected, 1 suspect", told)
        with open(self.world.path / "import-rejected.csv", newline="", encoding="utf-8") as f:
            rejected = {int(r["line"]) - 2: r for r in csv.DictReader(f)}
        self.assertEqual(set(rejected), set(wrong))
        self.assertEqual(rejected[700]["U1"], "233800")
        self.assertEqual(rejected[703]["PF"], "x?[2J\"y")
        self.assertEqual({i: r["reason"] for i, r in rejected.items()}, {
            5: "no value at all", 100: "timestamp: before 2010", 101: "timestamp: no time", 700: "a value that no meter measures",
            701: "a value that no meter measures", 702: "WIn: not in whole Wh", 703: "PF: no number", 2999: "timestamp: in the future"})  # fmt: skip
        have = self.db.readings()
        self.assertEqual(stored(have), originals(r for i, r in enumerate(rows) if i not in wrong))
        self.assertEqual([r["win"] for r in have if r["suspect"]], [0])
        self.assertEqual(self.db.quarter_hours(), quarters.hours(have))

    def test_killed_and_interrupted(self):
        """Rows through a pipe, so that it is known to be at work when the signal comes. A batch is 8 hours, so 800 rows at most."""
        text = as_csv(self.rows).encode()
        for number, part, status in ((signal.SIGKILL, 3, -9), (signal.SIGINT, 2, 75), (signal.SIGTERM, 1, 75)):
            process = self.start_import("-")
            process.stdin.write(text[: len(text) - len(text) * part // 4])
            process.stdin.flush()
            before = wait_until(self.db.readings, "some rows are there")
            if number != signal.SIGKILL:  # its handler is there, and it waits for more
                wait_until(lambda: len(self.db.readings()) >= len(self.rows) * (3 - part) // 4, "the rows so far")
            process.send_signal(number)
            told = b"".join(process.communicate())
            self.assertEqual(process.returncode, status, told)
            self.assertEqual(b"run again" in told, status == 75)
            self.assertLess(len(before), len(self.rows))
        self.run_import()
        self.check_whole()

    def test_beside_live_readings(self):
        """Both programs ran for a while; db-writer goes on writing while the import runs."""
        wires = records.Wires(self.world)
        push, acks = wires.push(f"store-{self.table}"), records.Acks(wires.subscribe(f"acks-{self.table}"))
        writer = self.world.service("db-writer", {**self.db.env, "STORE_CONNECT": wires.endpoint(f"store-{self.table}"),
                                                  "ACKS_BIND": wires.endpoint(f"acks-{self.table}")})  # fmt: skip
        wait_until(writer.ready, "db-writer is ready")
        seq = 0

        def send(telegram, **more):
            nonlocal seq
            seq += 1
            record = records.pack(records.reading(telegram, wires.origin, seq, **more))
            push.send(record)
            while seq == 1 and not acks.poll():  # acks are told to those who have subscribed by then
                push.send(record)

        meter, both = frames.Meter("original"), self.rows[1000:2000]
        for i, r in enumerate(both):  # the meter's clock is 3 s behind, a telegram takes half a second
            if i % 7:
                send(meter.telegram(i, r["timestamp"] - 3, {f: r[f] for f in frames.ORIGINAL}), arrival=r["timestamp"] * 1000 - 400)
        wait_until(lambda: acks.poll() and len(acks.all) >= seq, "all are stored")
        process = self.start_import(stdin=subprocess.DEVNULL)
        live, longest = 0, 0
        while process.poll() is None or live < 5:
            live += 1
            send(meter.telegram(10**6 + live, 1767225600 + 5 * live))
            begun, want = time.monotonic(), seq
            wait_until(lambda: acks.poll(5) and any(a[2] == want for a in acks.all), "a live reading is stored")
            longest = max(longest, time.monotonic() - begun)
        told = b"".join(process.communicate()).decode()
        self.assertEqual(process.returncode, 0, told)
        ours = sum(1 for i in range(len(both)) if i % 7)
        self.assertIn(f"history   {len(self.rows)} rows read, {len(self.rows) - ours} new, {ours} already there, 0 rejected", told)
        rows = self.db.readings()
        self.assertEqual(sorted(tuple(float(r[f.lower()]) for f in frames.ORIGINAL) for r in rows if r["counter"] < 10**6),
                         sorted(values(r) for r in self.rows))  # fmt: skip
        self.assertEqual(sum(r["counter"] >= 10**6 for r in rows), live)
        self.assertEqual(self.db.quarter_hours(), quarters.hours(rows))
        print(f"figures: import beside db-writer on {self.db.kind}: {live} live readings, the slowest took {longest:.2f} s", flush=True)
        with self.subTest("a shifted clock is noticed before it does harm"):
            shifted = [r | {"timestamp": round(datetime.fromtimestamp(r["timestamp"], timezone.utc).replace(tzinfo=VIENNA).timestamp())} for r in self.rows]
            text = as_csv(shifted).encode()
            self.assertIn("--clock host", self.run_import("-", stdin=text, status=65, env={"DB_URL": self.env["DB_URL"]}))
            self.run_import("-", "--clock", "host", stdin=text)
            have = {r["received_at"] for r in self.db.readings()}
            self.assertLessEqual({float(r["timestamp"]) for r in self.rows[:1000]}, have)
        writer.stop()

    def test_history_from_debounced_rows(self):
        """Whose history was thrown away may take the debounced rows for it: quarter hours come of them."""
        self.run_import("--table", "history", env={"IMPORT_DB_TABLE": "historyDebounced"})
        rows = self.db.readings()
        self.assertEqual(stored(rows), originals(thinned(self.rows)))
        self.assertEqual(self.db.quarter_hours(), quarters.hours(rows))
        self.assertEqual(self.db.debounced(), [])

    def test_other_times(self):
        """A table with DATETIME in local time over the night of 26 October, only a part; with TIMESTAMP and without id."""
        start = int(datetime(2025, 10, 25, 21, tzinfo=timezone.utc).timestamp())
        rows = [r | {"timestamp": start + 20 * i} for i, r in enumerate(self.rows[:1000])]
        name = f"night{self.db.kind}"
        for kind in ("DATETIME", "TIMESTAMP"):
            with self.subTest(kind):
                zone = VIENNA if kind == "DATETIME" else timezone.utc
                self.my.sql(f"DROP TABLE IF EXISTS {name}; CREATE TABLE {name} ({'`id` int AUTO_INCREMENT PRIMARY KEY, ' if kind == 'DATETIME' else ''}`ts` {kind} NULL, `WIn` int, `WOut` double, `U1` float)")
                stamps = [datetime.fromtimestamp(r["timestamp"], zone).strftime("%Y-%m-%d %H:%M:%S") for r in rows]
                self.my.sql(f"SET time_zone = '+00:00'; INSERT INTO {name} (ts, WIn, WOut, U1) VALUES " + ",".join(f"('{s}',{r['WIn']},NULL,{r['U1']})" for s, r in zip(stamps, rows)))
                part = ["--table", "history", "--from", "2025-10-26"] if kind == "DATETIME" else ["--table", "history"]
                self.run_import(*part, env={"IMPORT_DB_TABLE": name})
                first = start + 3600 if kind == "DATETIME" else start
                self.assertEqual([r["time"] for r in self.db.readings()], [r["timestamp"] for r in rows if r["timestamp"] >= first])
        self.assertEqual([(r["win"], r["u1"], r["wout"]) for r in self.db.readings()], [(r["WIn"], r["U1"], None) for r in rows])

    def test_errors(self):
        unlike = f"unlike{self.db.kind}"
        self.my.sql(f"DROP TABLE IF EXISTS {unlike}; CREATE TABLE {unlike} (`itemid` int, `clock` int, `value` double)")
        for why, env, status, words in (
            ("wrong password", {"IMPORT_DB_PASSWORD": "wrong"}, 77, ["Access denied", "IMPORT_DB_PASSWORD"]),
            ("no database", {"IMPORT_DB_NAME": "nowhere"}, 77, ["Access denied", "nowhere"]),
            ("no database, for one who may know", {"IMPORT_DB_NAME": "nowhere", "IMPORT_DB_USER": "root", "IMPORT_DB_PASSWORD": "", "IMPORT_DB_HOST": str(self.my.socket)}, 65,
             ["Unknown database", "IMPORT_DB_NAME"]),
            ("no table", {"IMPORT_DB_TABLE": "nothing"}, 65, ["doesn't exist", "IMPORT_DB_TABLE"]),
            ("another's table", {"IMPORT_DB_TABLE": unlike}, 65, ["no column timestamp"]),
            ("nobody there", {"IMPORT_DB_PORT": "1"}, 69, ["connect", "IMPORT_DB_HOST"]),
            ("no such host", {"IMPORT_DB_HOST": "nowhere.invalid"}, 69, ["nowhere.invalid", "IMPORT_DB_HOST"]),
            ("TLS, which it does not speak", {"IMPORT_DB_TLS": "1"}, 69, ["TLS", "IMPORT_DB_TLS"]),
            ("wrong settings", {"IMPORT_DB_PORT": "0"}, 78, ["IMPORT_DB_PORT"]),
            ("wrong zone", {"TIMEZONE": "Vienna"}, 78, ["TIMEZONE"]),
            ("our own database is MariaDB", {"DB_URL": "", "DB_HOST": "127.0.0.1", "DB_PORT": "3306"}, 78, ["DB_PORT", "zaehlwerk import"]),
            ("our own database is away", {"DB_URL": "postgresql://127.0.0.1:1/x"}, 69, ["database"])):  # fmt: skip
            with self.subTest(why):
                told = self.run_import(status=status, env=env)
                for word in words:
                    self.assertIn(word, told)
        for arguments, word in ((["--meter", "12"], "16 hex digits"), (["--table", "quarter_hour"], "--table"), (["--clock", "x"], "--clock"),
                                (["--from", "2026-03-30", "--to", "2026-03-29"], "--from"), (["a", "b"], "one file"), (["--x"], "no such option")):  # fmt: skip
            with self.subTest(arguments):
                self.assertIn(word, self.run_import(*arguments, status=64))
        self.assertIn("IMPORT_DB_HOST", self.run_import(status=64, env={"IMPORT_DB_HOST": ""}))
        self.assertIn("knows no meter", self.run_import(status=64, meter=None))
        self.assertIn("No such file", self.run_import("nowhere.csv", status=66))
        self.assertIn("usage: zaehlwerk import", self.run_import("--help"))
        for meter in ("A" * 16, "B" * 16):
            self.run_import("-", stdin=as_csv(self.rows[:3]).encode(), meter=meter)
        self.assertIn("several meters", self.run_import(status=64, meter=None))
        password = self.world.write("password", self.my.env["IMPORT_DB_PASSWORD"] + "\n")
        self.run_import("--dry-run", env={"IMPORT_DB_PASSWORD": "", "IMPORT_DB_PASSWORD_FILE": password})
        self.assertIn("/nowhere/x: No such", self.run_import("-", "--rejected", "/nowhere/x", stdin=b"timestamp,WIn\n0,0\n", status=73))

    def test_on_a_terminal(self):
        """A bar that goes, and the sums behind it."""
        leader, follower = pty.openpty()
        process = subprocess.Popen(
            [BIN / "zaehlwerk", "import", "--meter", METER], env=ENVIRONMENT | SANITIZER_ENV | self.env, cwd=self.world.path,
            stdin=subprocess.DEVNULL, stdout=follower, stderr=follower)  # fmt: skip
        os.close(follower)
        shown = b""
        try:
            while octets := os.read(leader, 4096):
                shown += octets
        except OSError:  # the other end is closed
            pass
        os.close(leader)
        self.assertEqual(process.wait(60), 0)
        self.assertRegex(shown.decode(), r"\r\x1b\[K\[#* *\] +\d+ %, \d+ rows, \d+ a second")
        self.assertIn(f"history   {len(self.rows)} rows read", shown.decode().rsplit("\x1b[K", 1)[-1])


class OnSqlite(Import, Case):
    STORE = Sqlite


class OnPostgres(Import, Case):
    STORE = Postgres


class Tls(Case):
    """A server that wants TLS, with a certificate of the test's own."""

    @classmethod
    def prepare(cls):
        path = cls.world.path
        cls.world.tool("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", path / "key.pem", "-out", path / "cert.pem", "-days", "2",
                       "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", check=True)  # fmt: skip
        (path / "key.pem").chmod(0o644)
        cls.my = MariaDB(cls.world, f"--ssl-cert={path}/cert.pem", f"--ssl-key={path}/key.pem", "--require-secure-transport=ON")
        cls.my.fill("history", made(seeded("Tls"), 10))
        cls.db = Sqlite(cls.world)

    def run_import(self, status, **env):
        result = self.world.tool(BIN / "zaehlwerk", "import", "--meter", METER, env=self.my.env | self.db.env | {"IMPORT_DB_HOST": "localhost"} | env)
        self.assertEqual(result.returncode, status, result.stderr)
        return result.stdout.decode() + result.stderr.decode()

    def test_tls(self):
        self.assertIn("10 new", self.run_import(0, IMPORT_DB_TLS="1", IMPORT_DB_CA_FILE=f"{self.world.path}/cert.pem"))
        self.assertIn("IMPORT_DB_CA_FILE", self.run_import(69, IMPORT_DB_TLS="1"))
        self.assertIn("IMPORT_DB_TLS=1", self.run_import(77, IMPORT_DB_TLS="0"))


def mixed(one, other):
    return bytes(a ^ b for a, b in zip(one, other))


class MySql8(Case):
    """caching_sha2_password, MySQL 8's default, whose plugin is a file of libmariadb3. Debian has no MySQL 8: a stand-in that speaks
    it up to the first question, which it refuses."""

    PASSWORD, SALT = b"pa;ss'\"word", bytes(range(65, 85))

    @classmethod
    def prepare(cls):
        cls.key = cls.world.path / "rsa.pem"
        cls.world.tool("openssl", "genrsa", "-out", cls.key, "2048", check=True)
        cls.half = cls.world.tool("openssl", "rsa", "-in", cls.key, "-pubout", check=True).stdout

    def serve(self, listener, cached):
        """One client. True when it has proved its password: by a digest when the server has one cached, else under the server's RSA key."""
        peer, _ = listener.accept()
        with peer, peer.makefile("rb") as stream:

            def take():
                head = stream.read(4)
                return stream.read(int.from_bytes(head[:3], "little"))

            def say(seq, octets):
                peer.sendall(len(octets).to_bytes(3, "little") + bytes([seq]) + octets)

            say(0, b"\x0a8.0.36\0" + bytes(4) + self.SALT[:8] + b"\0\x09\xa2\xff\x02\0\x08\0\x15" + bytes(10) + self.SALT[8:] + b"\0caching_sha2_password\0")
            user, _, rest = take()[32:].partition(b"\0")
            once = hashlib.sha256(self.PASSWORD).digest()
            right = user == b"reader" and rest[1:33] == mixed(once, hashlib.sha256(hashlib.sha256(once).digest() + self.SALT).digest())
            say(2, b"\x01\x03" if cached else b"\x01\x04")
            if not cached:
                right &= take() == b"\x02"  # it has no TLS, so it asks for the key
                say(4, b"\x01" + self.half)
                plain = self.world.tool("openssl", "pkeyutl", "-decrypt", "-inkey", self.key, "-pkeyopt", "rsa_padding_mode:oaep", stdin=take(), check=True).stdout
                right &= mixed(plain, self.SALT * 2) == self.PASSWORD + b"\0"
            say(3 if cached else 6, b"\0\0\0\2\0\0\0")
            right &= take().startswith(b"\x03SET time_zone")
            say(1, b"\xff\x51\x04#HY000that is enough")
            self.told.append(right)

    def test_password(self):
        for cached in (True, False):
            with self.subTest(cached=cached), socket.create_server(("127.0.0.1", 0)) as listener:
                self.told = []
                server = threading.Thread(target=self.serve, args=(listener, cached), daemon=True)
                server.start()
                result = self.world.tool(BIN / "zaehlwerk", "import", "--meter", METER, env=Sqlite(self.world).env | {
                    "IMPORT_DB_HOST": "127.0.0.1", "IMPORT_DB_PORT": str(listener.getsockname()[1]), "IMPORT_DB_USER": "reader",
                    "IMPORT_DB_PASSWORD": self.PASSWORD.decode()})  # fmt: skip
                server.join(10)
                self.assertEqual((self.told, result.returncode), ([True], 69), result.stderr)
                self.assertIn(b"that is enough", result.stderr)
