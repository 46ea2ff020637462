"""zaehlwerk export: what the database holds, whole, in order and in pages, as CSV and JSON."""

import csv
import io
import json
import signal
import subprocess
from datetime import datetime, timezone

import frames
import records
from harness import BIN, ENVIRONMENT, SANITIZER_ENV, Case, wait_until
from stores import Postgres, Sqlite

T0 = int(datetime(2026, 3, 28, 20, tzinfo=timezone.utc).timestamp())
MANY = 4100  # readings of one second: more than two pages of 2000
DAY = 86400
HEADER = "time,meter,counter,received_at,suspect,win,wout,pin,pout,u1,u2,u3,i1,i2,i3,pf"


def rfc3339(utc):
    return datetime.fromtimestamp(utc, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Export:
    store = None

    @classmethod
    def prepare(cls):
        cls.db = cls.store(cls.world)
        wires = records.Wires(cls.world)
        push = wires.push("store")
        writer = cls.world.service(
            "db-writer", {**cls.db.env, "STORE_CONNECT": wires.endpoint("store"), "ACKS_BIND": wires.endpoint("acks"), "REJECTS_KEEP_DAYS": "0"})  # fmt: skip
        wait_until(writer.ready, "db-writer is ready")
        meter = cls.meter = frames.Meter("export")
        cls.telegrams = [frames.Meter(f"export {i}").telegram(7, T0, meter.values(i)) for i in range(MANY)]
        # One meter over four days, with both sides of the night of the change to summer time.
        cls.telegrams += [meter.telegram(100 + i, T0 + 1 + i * 60, meter.values(i)) for i in range(2 * 24 * 60)]
        made = [records.reading(t, wires.origin, 1 + i) for i, t in enumerate(cls.telegrams)]
        made[-1]["suspect"] = "energy-jumps"
        made += [records.debounced(t, wires.origin, 10**6 + i) for i, t in enumerate(cls.telegrams) if t.meter == meter.id and t.counter % 5 == 0]
        for i in range(0, len(made), 64):
            push.send(records.pack(*made[i : i + 64]))
        rows = len(made)
        count = "SELECT (SELECT count(*) FROM history) + (SELECT count(*) FROM historydebounced) AS n"
        wait_until(lambda: cls.db.query(count) and cls.db.query(count)[0]["n"] == rows, "all rows are stored")

    def export(self, *arguments, status=0, env=None):
        result = self.world.tool(BIN / "zaehlwerk", "export", *arguments, env=self.db.env | (env or {}))
        self.assertEqual(result.returncode, status, result.stderr)
        return result.stdout.decode(), result.stderr.decode()

    def rows(self, *arguments, **how):
        return list(csv.DictReader(io.StringIO(self.export(*arguments, **how)[0], newline="")))

    def keys(self, telegrams):
        return [(rfc3339(t.time), t.meter, str(t.counter)) for t in sorted(telegrams, key=lambda t: (t.time, t.meter, t.counter))]

    def of(self, rows):
        return [(r["time"], r["meter"], r["counter"]) for r in rows]

    def test_every_row_once_and_in_order(self):
        self.assertEqual(self.of(self.rows()), self.keys(self.telegrams))

    def test_values(self):
        text, _ = self.export("--meter", self.meter.id, "--to", rfc3339(T0 + 2))
        t = self.telegrams[MANY]
        (stored,) = [r for r in self.db.readings() if (r["meter"], r["counter"]) == (t.meter, t.counter)]
        arrival = datetime.fromtimestamp(round(stored["received_at"] * 1000) / 1000, timezone.utc).isoformat(timespec="milliseconds")
        v = t.values
        self.assertEqual(text, f"{HEADER}\r\n{rfc3339(T0 + 1)},{t.meter},100,{arrival[:-6]}Z,,{v['WIn']},{v['WOut']},{v['PIn']},"
                               f"{v['POut']},{v['U1']},{v['U2']},{v['U3']},{v['I1']},{v['I2']},{v['I3']},{v['PF']}\r\n")  # fmt: skip
        self.assertEqual(self.rows()[-1]["suspect"], "energy-jumps")

    def test_json(self):
        lines = self.export("--meter", self.meter.id.lower(), "--format", "json", "--from", rfc3339(T0 + DAY))[0].splitlines()
        want = self.rows("--meter", self.meter.id, "--from", rfc3339(T0 + DAY))
        self.assertEqual(len(lines), len(want))
        for line, row in zip(lines, want):
            got = json.loads(line)
            self.assertEqual(list(got), list(row))
            self.assertEqual({k: "" if x is None else str(x) for k, x in got.items()}, row)
        self.assertIn('"u1":233.8,', lines[0])
        self.assertIn('"suspect":null,', lines[0])

    def test_ranges(self):
        for why, arguments, first, end in (
            ("from on", ["--from", rfc3339(T0 + 61)], T0 + 61, None),
            ("before to", ["--to", rfc3339(T0 + 61)], None, T0 + 61),
            ("an offset", ["--from", "2026-03-29T10:00:00+02:00", "--to", "2026-03-29T08:30:00Z"], T0 + 12 * 3600, T0 + 12 * 3600 + 1800),
            ("a fraction begins later", ["--from", rfc3339(T0 + 1)[:-1] + ".5Z"], T0 + 2, None)):  # fmt: skip
            with self.subTest(why):
                want = [t for t in self.telegrams if (first or 0) <= t.time < (end or 1 << 40)]
                self.assertEqual(self.of(self.rows(*arguments)), self.keys(want))

    def test_a_day_is_local(self):
        """29 March 2026 has 23 hours in Vienna, from 23:00 UTC of the day before."""
        day = ["--from", "2026-03-29", "--to", "2026-03-30", "--meter", self.meter.id]
        for zone, start, hours in (("", T0 + 3 * 3600, 23), ("Europe/Vienna", T0 + 3 * 3600, 23), ("UTC", T0 + 4 * 3600, 24), ("Asia/Tokyo", T0 - 5 * 3600, 24)):
            with self.subTest(zone):
                rows = self.rows(*day, env={"TIMEZONE": zone} if zone else {})
                want = [t for t in self.telegrams[MANY:] if start <= t.time < start + hours * 3600]
                self.assertEqual(self.of(rows), self.keys(want))

    def test_debounced(self):
        rows = self.rows("--table", "debounced", "--meter", self.meter.id)
        want = [t for t in self.telegrams[MANY:] if t.counter % 5 == 0]
        self.assertEqual(self.of(rows), self.keys(want))
        self.assertEqual([r["window_start"] for r in rows], [rfc3339(t.time - t.time % 300) for t in want])

    def test_quarter_hours(self):
        """Each of the view's rows, once: most of them begin at the same second."""
        epoch = "time" if self.db.kind == "sqlite" else "extract(epoch FROM time)::bigint"
        stored = self.db.query(f"SELECT {epoch} AS time, meter, win, wout, quality FROM quarter_hour")
        self.assertGreater(len(stored), MANY + 100)
        want = [[rfc3339(r["time"]), r["meter"], *("" if r[k] is None else str(r[k]) for k in ("win", "wout", "quality"))]
                for r in sorted(stored, key=lambda r: (r["time"], r["meter"]))]  # fmt: skip
        rows = self.rows("--table", "quarter_hour")
        self.assertEqual(list(rows[0]), ["time", "meter", "win", "wout", "quality"])
        self.assertEqual([list(r.values()) for r in rows], want)
        (own,) = self.rows("--table", "quarter_hour", "--meter", self.meter.id, "--from", rfc3339(T0 + 3600), "--to", rfc3339(T0 + 4500))
        self.assertEqual((own["win"], own["quality"]), ("15", "ok"))  # 1 Wh a minute

    def test_none(self):
        for arguments in (["--meter", "0" * 16], ["--to", "2001-01-01"]):
            out, told = self.export(*arguments)
            self.assertEqual((out, told), (HEADER + "\r\n", "zaehlwerk export: no rows\n"))
        self.assertEqual(self.export("--to", "2001-01-01", "--format", "json")[0], "")

    def test_output_file(self):
        path = self.world.path / "out.csv"
        path.write_text("old", encoding="utf-8")
        out, _ = self.export("--output", "out.csv")
        self.assertEqual(out, "")
        self.assertEqual(path.read_text(encoding="utf-8").count("\n"), 1 + len(self.telegrams))
        self.assertEqual(oct(path.stat().st_mode & 0o777), "0o644")
        self.export("--output", "nowhere/out.csv", status=73)
        self.export("--output", "out.csv", "--table", "history", status=69, env={"DB_URL": "postgresql://127.0.0.1:1/x"})
        self.assertEqual([p.name for p in self.world.path.glob("out.csv*")], ["out.csv"], "nothing half is left")

    def test_output_that_takes_nothing(self):
        _, told = self.export("--output", "/dev/full", status=74)
        self.assertIn("No space left", told)
        for word, end in (("full", 74), ("closed", -signal.SIGPIPE)):
            with self.subTest(word), open("/dev/full", "wb") as full:
                process = subprocess.Popen(
                    [BIN / "zaehlwerk", "export"], env=ENVIRONMENT | SANITIZER_ENV | self.db.env, cwd=self.world.path,
                    stdout=full if word == "full" else subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
                if word == "closed":
                    process.stdout.read(100)
                    process.stdout.close()
                told = process.stderr.read().decode()
                process.stderr.close()
                self.assertEqual(process.wait(60), end, told)

    def test_wrong_arguments(self):
        for arguments, word in (
            (["--table", "rejects"], "--table"), (["--format", "xml"], "--format"), (["--meter", "12"], "16 hex digits"),
            (["--from", "yesterday"], "--from"), (["--to", "2026-13-01"], "--to"), (["--from", "2026-03-30", "--to", "2026-03-30"], "not before"),
            (["out.csv"], "no arguments"), (["--nonsense"], "no such option")):  # fmt: skip
            with self.subTest(arguments):
                out, told = self.export(*arguments, status=64)
                self.assertEqual(out, "")
                self.assertIn(word, told)
        self.assertIn("TIMEZONE", self.export(status=78, env={"TIMEZONE": "Vienna/Europe"})[1])
        self.assertIn("usage: zaehlwerk export", self.export("--help")[0])


class OnSqlite(Export, Case):
    store = Sqlite

    def test_no_database(self):
        self.export(status=69, env={"DB_URL": f"sqlite:{self.world.path}/nowhere.sqlite"})


class OnPostgres(Export, Case):
    store = Postgres
