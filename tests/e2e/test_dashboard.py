"""The dashboard: every answer beside what the database holds, read by other means; live values; who may look."""

import csv
import io
import json
import os
import secrets
import signal
import time
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import frames
import records
from browser import Dashboard, Listener
from harness import BIN, Case, free_port, wait_until
from stores import Postgres, Sqlite

VIENNA = ZoneInfo("Europe/Vienna")
WORST = ["reset", "missing", "gap", "start", "open", "ok"]


def values(win, wout, pin, pout):
    return {"WIn": win, "WOut": wout, "PIn": pin, "POut": pout, "U1": 233.8, "U2": 234.1, "U3": 230.0, "I1": 0.33, "I2": 1.5, "I3": 0.0,
            "PF": 0.943}  # fmt: skip


def reading_of(row, name=""):
    """READING of a row of history."""
    pin, pout = row["pin"], row["pout"]
    return {"meter": row["meter"], "name": name, "at": row["time"], "received": row["received_at"], "counter": row["counter"],
            "suspect": row["suspect"] or "", "power": pin - pout, "win": row["win"], "wout": row["wout"], "pin": pin, "pout": pout,
            "u": [row["u1"], row["u2"], row["u3"]], "i": [row["i1"], row["i2"], row["i3"]], "pf": row["pf"]}  # fmt: skip


class Stored:
    """A database that db-writer has filled, and what the dashboard says of it."""

    store = None

    @classmethod
    def prepare(cls):
        cls.db = cls.store(cls.world)
        wires = cls.wires = records.Wires(cls.world)
        cls.push, cls.pub = wires.push("store"), wires.open(records.zmq.PUB)
        cls.pub.bind(wires.endpoint("readings"))
        cls.writer = cls.world.service("db-writer", {**cls.db.env, "STORE_CONNECT": wires.endpoint("store"), "ACKS_BIND": wires.endpoint("acks")})
        cls.seq = 0
        cls.meter, cls.other = frames.Meter("one"), frames.Meter("two")
        cls.now = int(time.time())
        cls.fill()
        cls.dash = Dashboard(cls.world, cls.db.env | {
            "READINGS_CONNECT": wires.endpoint("readings"), "PRICE_IMPORT": "0.254321", "PRICE_EXPORT": "0.07",
            "STATUS_URLS": f"db-writer=http://127.0.0.1:{cls.writer.port()}/readyz,gone=http://127.0.0.1:{free_port()}/readyz"})  # fmt: skip
        wait_until(lambda: cls.dash.state()["meters"], "the dashboard has seen the database")

    @classmethod
    def next(cls):
        cls.seq += 1
        return cls.seq

    @classmethod
    def fill(cls):
        """Three hours in steps of 15 s, two readings each second that has one; half a year of a reading each six hours before."""
        rows, win, wout, counter = [], 1000000, 500000, 0
        times = [*range(cls.now - 190 * 86400, cls.now - 12000, 21600), *range(cls.now - 10800, cls.now, 15)]
        for at in times:
            for _ in range(2 if at > cls.now - 10800 else 1):
                counter, win, wout = counter + 1, win + 3, wout + counter % 2
                rows.append((cls.meter.telegram(counter, at, values(win, wout, counter % 700, 0 if counter % 3 else 1200)), {}))
        rows.append((cls.meter.telegram(counter + 1, cls.now, values(5, 5, 1, 1)), {"suspect": "energy-falls"}))
        rows.append((cls.other.telegram(7, cls.now - 500, values(10, 20, 30, 40)), {}))
        cls.count = len(rows)
        for i in range(0, len(rows), 40):
            part = [records.reading(t, wires_origin(cls), cls.next(), arrival=t.time * 1000 + 748, **more) for t, more in rows[i : i + 40]]
            cls.push.send(records.pack(*part))
        thinned = [(t, more) for t, more in rows if t.time % 300 < 15 and not more]
        for i in range(0, len(thinned), 40):
            part = [records.debounced(t, wires_origin(cls), cls.next(), arrival=t.time * 1000 + 748) for t, _ in thinned[i : i + 40]]
            cls.push.send(records.pack(*part))
        for reason, meter, age in (("wrong-key", cls.meter.id, 100), ("wrong-key", cls.meter.id, 50), ("checksum", "", 70),
                                   ("no-key", "00112233445566AA", 60), ("tag", cls.meter.id, 8 * 86400)):  # fmt: skip
            cls.push.send(records.pack(records.reject(
                wires_origin(cls), cls.next(), secrets.token_bytes(40), reason=reason, meter=meter, arrival=(cls.now - age) * 1000)))  # fmt: skip
        wait_until(lambda: len(cls.db.readings()) == cls.count and len(cls.db.rejects()) == 5 and cls.db.debounced(), "all is stored")
        wait_until(lambda: cls.quarters(cls.meter.id), "quarter hours are there")

    @classmethod
    def quarters(cls, meter):
        at = "time" if cls.db.kind == "sqlite" else "extract(epoch FROM time)::bigint AS time"
        return cls.db.query(f"SELECT {at}, win, wout, quality FROM quarter_hour WHERE meter = '{meter}' ORDER BY 1")

    def test_state(self):
        state = wait_until(lambda: (s := self.dash.state())["services"][0]["state"] != "unknown" and s, "the services were asked")
        self.assertEqual(list(state), ["version", "now", "timezone", "prices", "login", "meters", "database", "services", "first_run"])
        self.assertEqual((state["timezone"], state["login"], state["database"]), ("Europe/Vienna", False, {"up": True, "why": ""}))
        self.assertEqual(state["prices"], {"import": 0.254321, "export": 0.07, "currency": "EUR"})
        self.assertLess(abs(state["now"] - time.time()), 30)
        first, gone = state["services"]
        self.assertEqual((first["name"], first["state"], first["why"], first["details"]), ("db-writer", "up", "", [f"database: up, {self.db.kind}"]))
        self.assertEqual((gone["name"], gone["state"]), ("gone", "down"))
        self.assertTrue(gone["why"])
        self.assertEqual(state["first_run"], {"reading": True, "mqtt_messages": None, "rejects": {"checksum": 1, "no-key": 1, "wrong-key": 2}})

    def test_meters(self):
        meters = {m["id"]: m for m in self.dash.state()["meters"]}
        meters.pop(frames.Meter("live").id, None)
        self.assertEqual(sorted(meters), sorted(["", "00112233445566AA", self.meter.id, self.other.id]))
        one, two = meters[self.meter.id], meters[self.other.id]
        self.assertEqual((one["number"], one["name"]), ("181241675397", ""))
        row = [r for r in self.db.readings() if r["meter"] == self.other.id][-1]
        self.assertEqual(two["last"], reading_of(row))
        self.assertFalse(two["live"], "500 s old")
        self.assertEqual([(r["reason"], r["count"], r["last"]) for r in one["rejects"]], [("wrong-key", 2, self.now - 50)])
        self.assertEqual(meters[""]["rejects"][0]["reason"], "checksum")
        self.assertIn("Schlüssel passt nicht", one["rejects"][0]["advice"]["de"])
        self.assertIn("does not fit this meter", one["rejects"][0]["advice"]["en"])

    def test_today_and_month(self):
        """Exactly the quarters since midnight, and since the first, in Vienna."""
        one = wait_until(lambda: (m := self.dash.meter(self.meter.id))["month"]["win"] is not None and m, "its sums were read")
        local = datetime.fromtimestamp(self.dash.state()["now"], VIENNA)
        day = local.replace(hour=0, minute=0, second=0, microsecond=0)
        for name, start in (("today", day), ("month", day.replace(day=1))):
            rows = [q for q in self.quarters(self.meter.id) if q["time"] >= start.timestamp()]
            self.assertEqual(one[name], {f: self.total(rows, f) for f in ("win", "wout")}, name)

    @staticmethod
    def total(rows, field):
        known = [r[field] for r in rows if r[field] is not None]
        return sum(known) if known else None

    def series_matches(self, series, rows):
        self.assertEqual(list(series), ["at", "power", "pin", "pout", "u1", "u2", "u3", "i1", "i2", "i3"])
        self.assertGreater(len(rows), 10)
        for field in ("pin", "pout", "u1", "u2", "u3", "i1", "i2", "i3"):
            self.assertEqual(series[field], [r[field] for r in rows], field)
        self.assertEqual(series["power"], [r["pin"] - r["pout"] for r in rows])

    def test_hour(self):
        status, series = self.dash.get(f"/api/series?meter={self.meter.id}&range=hour")
        now = self.dash.state()["now"]
        self.assertEqual(status, 200)
        rows = [r for r in self.db.readings() if r["meter"] == self.meter.id and not r["suspect"] and r["time"] >= series["at"][0]]
        self.assertLessEqual(abs(series["at"][0] - (now - 3600)), 40)
        self.assertEqual(series["at"], [r["time"] for r in rows])
        self.series_matches(series, rows)

    def test_day(self):
        for query in ("range=day", f"from={self.now - 86400}&to={self.now + 300}"):
            with self.subTest(query):
                _, series = self.dash.get(f"/api/series?meter={self.meter.id.lower()}&{query}")
                rows = [r for r in self.db.debounced() if r["meter"] == self.meter.id and r["window_start"] >= series["at"][0]]
                self.assertLess(series["at"][0], self.now - 9000)
                self.assertEqual(series["at"], [r["window_start"] for r in rows])
                self.series_matches(series, rows)

    def test_span_of_history(self):
        start = self.now - 7200
        _, series = self.dash.get(f"/api/series?meter={self.meter.id}&from={start}&to={start + 900}")
        rows = [r for r in self.db.readings() if r["meter"] == self.meter.id and start <= r["time"] < start + 900]
        self.assertEqual(series["at"], [r["time"] for r in rows])
        self.series_matches(series, rows)

    def test_nothing_there(self):
        self.assertEqual(self.dash.get("/api/series?meter=0000000000000000&range=hour"), (200, {k: [] for k in (
            "at", "power", "pin", "pout", "u1", "u2", "u3", "i1", "i2", "i3")}))  # fmt: skip
        _, energy = self.dash.get("/api/energy?meter=0000000000000000&from=0&to=900&step=quarter")
        self.assertEqual(energy, {"step": "quarter", "rows": [], "sum": {"win": None, "wout": None, "cost": None, "revenue": None}})

    @staticmethod
    def step_of(at, step):
        """First second of the step that a second belongs to, and of the next, by Python's calendar."""
        if step in ("quarter", "hour"):
            n = 900 if step == "quarter" else 3600
            return at - at % n, at - at % n + n
        local = datetime.fromtimestamp(at, VIENNA)
        start = datetime(local.year, local.month, local.day if step == "day" else 1, tzinfo=VIENNA)
        later = start.replace(tzinfo=None) + timedelta(days=1 if step == "day" else 31)
        end = datetime(later.year, later.month, later.day if step == "day" else 1, tzinfo=VIENNA)
        return int(start.timestamp()), int(end.timestamp())

    def test_energy(self):
        quarters = self.quarters(self.meter.id)
        for step, days in (("quarter", 1), ("hour", 3), ("day", 200), ("month", 200)):
            with self.subTest(step):
                start, end = self.now - days * 86400, self.now + 900
                status, energy = self.dash.get(f"/api/energy?meter={self.meter.id}&from={start}&to={end}&step={step}")
                self.assertEqual(status, 200)
                begin, until = self.step_of(start, step)[0], self.step_of(end - 1, step)[1]
                want = {}
                for q in quarters:
                    if begin <= q["time"] < until:
                        want.setdefault(self.step_of(q["time"], step), []).append(q)
                rows = [{"start": s, "end": e, "win": self.total(qs, "win"), "wout": self.total(qs, "wout"),
                         "quality": min((q["quality"] for q in qs), key=WORST.index)} for (s, e), qs in sorted(want.items())]  # fmt: skip
                self.assertGreater(len(rows), 5)
                self.assertEqual(energy["rows"], rows)
                win, wout = self.total(rows, "win"), self.total(rows, "wout")
                self.assertEqual(energy["sum"], {"win": win, "wout": wout, "cost": round(win * 254321 / 1e9, 4), "revenue": round(wout * 70000 / 1e9, 4)})

    def test_export(self):
        for table, rows in (("history", [r for r in self.db.readings() if r["meter"] == self.meter.id]),
                            ("debounced", [r for r in self.db.debounced() if r["meter"] == self.meter.id])):  # fmt: skip
            with self.subTest(table):
                status, headers, octets = self.dash.ask("GET", f"/api/export.csv?meter={self.meter.id}&table={table}&from=0&to={self.now + 1}")
                self.assertEqual((status, headers["Content-Type"]), (200, "text/csv; charset=utf-8"))
                self.assertEqual(headers["Content-Disposition"], f'attachment; filename="zaehlwerk-{self.meter.id}-{table}.csv"')
                found = list(csv.DictReader(io.StringIO(octets.decode())))
                self.assertGreater(len(rows), 2000 if table == "history" else 10)
                self.assertEqual(len(found), len(rows))
                for have, row in zip(found, rows):
                    self.assertEqual(have["time"], datetime.fromtimestamp(row["time"], timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"))
                    self.assertEqual((have["meter"], have["counter"], have["suspect"]), (row["meter"], str(row["counter"]), row["suspect"] or ""))
                    for field in ("win", "wout", "pin", "pout", "u1", "u2", "u3", "i1", "i2", "i3", "pf"):
                        self.assertEqual(float(have[field]), row[field], field)

    def test_export_of_quarters(self):
        _, _, octets = self.dash.ask("GET", f"/api/export.csv?meter={self.meter.id}&table=quarter_hour&from=0&to={self.now + 900}")
        have = [(r["time"], r["win"], r["wout"], r["quality"]) for r in csv.DictReader(io.StringIO(octets.decode()))]
        want = [(datetime.fromtimestamp(q["time"], timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"), *(
            "" if q[f] is None else str(q[f]) for f in ("win", "wout")), q["quality"]) for q in self.quarters(self.meter.id)]  # fmt: skip
        self.assertEqual(have, want)

    def test_wrong_questions(self):
        m = f"meter={self.meter.id}"
        for path in ("/api/series", f"/api/series?{m}", f"/api/series?{m}&range=year", f"/api/series?{m}&range=", "/api/series?meter=1&range=hour",
                     f"/api/series?{m}&from=5&to=5", f"/api/series?{m}&from=0&to=3456001", f"/api/series?{m}&from=a&to=b",
                     f"/api/energy?{m}&from=0&to=900", f"/api/energy?{m}&from=0&to=900&step=year", "/api/energy?from=0&to=900&step=day",
                     f"/api/energy?{m}&from=0&to=3456001&step=quarter", f"/api/energy?{m}&from=-1&to=900&step=day",
                     f"/api/export.csv?{m}&from=0&to=900", f"/api/export.csv?{m}&table=meters&from=0&to=900",
                     "/api/export.csv?table=history&from=0&to=900", "/api/series?meter=5341475E40F89D9%27&range=hour"):  # fmt: skip
            with self.subTest(path):
                status, answer = self.dash.get(path)
                self.assertEqual((status, answer["code"]), (400, "query"))
                self.assertTrue(answer["error"])

    def publish(self, telegram, attempt=0, **more):
        self.pub.send_multipart([b"reading." + telegram.meter.encode(), records.pack(
            records.reading(telegram, wires_origin(self), self.next(), attempt=attempt, **more))])  # fmt: skip

    def test_live(self):
        meter, at = frames.Meter("live"), int(time.time())
        listener = Listener(self.dash)
        self.assertIn("Content-Type: text/event-stream", listener.head())
        wait_until(lambda: ": hello\n\n" in listener.text(), "a greeting")
        first = meter.telegram(1, at - 20, values(100, 50, 300, 1500))

        def heard():
            self.publish(first, name="Küche")  # until the subscription has come; the same again is not newer
            return listener.events("reading")

        event = wait_until(heard, "a live reading")[0]
        self.assertLess(abs(event.pop("received") - time.time()), 60)
        want = reading_of(first.row | {"received_at": 0}, "Küche")
        del want["received"]
        self.assertEqual(event, want)
        self.assertEqual(event["power"], -1200)
        for telegram, how in (
            (meter.telegram(2, at - 15, values(1, 1, 1, 1)), {"suspect": "energy-falls"}),
            (meter.telegram(3, at - 14, values(101, 50, 1, 1)), {"attempt": 1}),
            (meter.telegram(4, at - 13, values(101, 50, 1, 1)), {"arrival": (at - 70) * 1000}),
            (meter.telegram(5, at - 40, values(99, 50, 1, 1)), {}),
            (meter.telegram(6, at - 90000, values(99, 50, 1, 1)), {})):  # fmt: skip
            self.publish(telegram, **how)
        last = meter.telegram(7, at - 10, values(102, 50, 7, 0))
        self.publish(last, name="Küche")
        wait_until(lambda: listener.events("reading")[-1]["counter"] == 7, "the next one")
        self.assertEqual([e["counter"] for e in listener.events("reading") if e["meter"] == meter.id], [1, 7])
        found = self.dash.meter(meter.id)
        self.assertEqual((found["live"], found["last"]["counter"], found["name"]), (True, 7, "Küche"))
        wait_until(lambda: any(m["id"] == meter.id for e in listener.events("meters") for m in e["meters"]), "event: meters")
        listener.close()

    def test_unreadable(self):
        before = self.dash.process.metric("unreadable_total")
        wait_until(lambda: (self.pub.send_multipart([b"reading.x", b"\x81nonsense"]), self.dash.process.metric("unreadable_total") > before)[1], "counted")
        self.assertEqual(self.dash.get("/api/state")[0], 200)


def wires_origin(cls):
    return cls.wires.origin


class OnSqlite(Stored, Case):
    store = Sqlite


class OnPostgres(Stored, Case):
    store = Postgres


class ManyMeters(Case):
    """As many as are shown, each with a month of quarters: the list is there at once, the sums follow in slices."""

    COUNT, QUARTERS = 500, 31 * 96

    @classmethod
    def prepare(cls):
        cls.db = Sqlite(cls.world)
        wires = records.Wires(cls.world)
        writer = cls.world.service("db-writer", {**cls.db.env, "STORE_CONNECT": wires.endpoint("store"), "ACKS_BIND": wires.endpoint("acks")})
        wait_until(lambda: cls.db.query("SELECT 1 FROM quarters UNION ALL SELECT 1"), "db-writer has made its tables")
        writer.stop()
        now = int(time.time())
        first = now - now % 900 - (cls.QUARTERS - 1) * 900
        cls.db.write(f"""
            INSERT INTO meters (meter, number, first_seen)
            WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {cls.COUNT + 19})
            SELECT printf('%016X', 4096 + i), 'number ' || i, {first} FROM n;
            DROP INDEX quarters_start;
            BEGIN;
            INSERT INTO quarters
            WITH RECURSIVE n (i) AS MATERIALIZED (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {cls.QUARTERS - 1})
            SELECT m.id, {first} + i * 900, 0, i * (m.id + 1), i, 899, (i + 1) * (m.id + 1), i + 1 FROM meters m CROSS JOIN n;
            CREATE INDEX quarters_start ON quarters (start);
            COMMIT;""")
        cls.dash = Dashboard(cls.world, cls.db.env | {"READINGS_CONNECT": wires.endpoint("readings")})

    def wanted(self, meter, start):
        return self.db.query(f"SELECT sum(win) AS win, sum(wout) AS wout FROM quarter_hour WHERE meter = '{meter}' AND time >= {start}")[0]

    def test_all_are_shown(self):
        state = wait_until(lambda: (s := self.dash.state())["meters"] and s, "the meters", 5)
        self.assertEqual([m["id"] for m in state["meters"]], [f"{4096 + i:016X}" for i in range(self.COUNT)])
        self.assertEqual(state["database"], {"up": True, "why": ""})
        self.assertTrue(all(m["last"] for m in state["meters"]))

        def summed():
            state = self.dash.state()
            self.assertTrue(state["database"]["up"], state["database"])
            return all(m["month"]["win"] is not None for m in state["meters"]) and state["meters"]

        meters = wait_until(summed, "every sum", 120)
        day = datetime.fromtimestamp(self.dash.state()["now"], VIENNA).replace(hour=0, minute=0, second=0, microsecond=0)
        for m in (meters[0], meters[250], meters[-1]):
            self.assertEqual(m["today"], self.wanted(m["id"], day.timestamp()))
            self.assertEqual(m["month"], self.wanted(m["id"], day.replace(day=1).timestamp()))
        self.assertEqual(self.dash.process.lines("event=down", "what=database"), [])
        self.assertEqual(self.dash.process.lines("event=slow"), [])


class DatabaseAway(Case):
    """The page says so, and goes on live."""

    @classmethod
    def prepare(cls):
        cls.db = Postgres(cls.world)
        wires = cls.wires = records.Wires(cls.world)
        cls.pub = wires.open(records.zmq.PUB)
        cls.pub.bind(wires.endpoint("readings"))
        cls.push = wires.push("store")
        cls.world.service("db-writer", {**cls.db.env, "STORE_CONNECT": wires.endpoint("store"), "ACKS_BIND": wires.endpoint("acks")})
        cls.dash = Dashboard(cls.world, cls.db.env | {"READINGS_CONNECT": wires.endpoint("readings")})
        wait_until(lambda: cls.dash.state()["database"]["up"], "the database is up")

    def test_away_and_back(self):
        meter, listener = frames.Meter("away"), Listener(self.dash)
        questions = [f"/api/series?meter={meter.id}&range=hour", f"/api/energy?meter={meter.id}&from=0&to=9&step=day",
                     f"/api/export.csv?meter={meter.id}&table=history&from=0&to=9"]  # fmt: skip
        self.assertEqual([self.dash.ask("GET", q)[0] for q in questions], [200] * 3)
        downs = len(self.dash.process.lines("event=down", "what=database"))  # before db-writer had made its tables
        self.db.stop()
        for q in questions:
            status, headers, octets = self.dash.ask("GET", q)
            self.assertEqual((status, json.loads(octets)["code"]), (503, "database"))
            self.assertGreater(int(headers["Retry-After"]), 0)
        state = self.dash.state()
        self.assertFalse(state["database"]["up"])
        self.assertTrue(state["database"]["why"])
        wait_until(lambda: any(not e["database"]["up"] for e in listener.events("status")), "event: status")
        at = int(time.time()) - 10

        def heard():
            t = meter.telegram(1, at, values(100, 50, 300, 0))
            self.pub.send_multipart([b"reading.x", records.pack(records.reading(t, self.wires.origin, 1))])
            return listener.events("reading")

        wait_until(heard, "live values go on")
        self.assertEqual(self.dash.meter(meter.id)["last"]["counter"], 1)
        self.assertEqual(self.dash.process.get("/readyz")[0], 200, "what is live is served: a balancer must not take it away")
        self.db.start()
        wait_until(lambda: self.dash.ask("GET", questions[0])[0] == 200, "the database is back")
        wait_until(lambda: listener.events("status")[-1]["database"]["up"], "event: status")
        self.assertEqual(len(self.dash.process.lines("event=down", "what=database")), downs + 1)
        listener.close()

    def test_hung(self):
        """A database that takes the question and never answers it: 503 in time, and nothing else waits."""
        wait_until(lambda: self.dash.state()["database"]["up"], "the database is up")
        backends = [int(p) for p in self.db.psql("SELECT pid FROM pg_stat_activity WHERE client_port IS NOT NULL").stdout.split()]
        main = self.db.process.pid
        stopped = [main, *(p for p in backends if os.path.exists(f"/proc/{p}"))]
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            begun = time.monotonic()
            status, _, octets = self.dash.ask("GET", f"/api/series?meter={self.meterless}&range=hour")
            self.assertEqual((status, json.loads(octets)["code"]), (503, "database"))
            self.assertLess(time.monotonic() - begun, 25)
            begun = time.monotonic()
            self.assertEqual(self.dash.get("/api/state")[1]["database"]["up"], False)
            self.assertLess(time.monotonic() - begun, 5)
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
        wait_until(lambda: self.dash.ask("GET", f"/api/series?meter={self.meterless}&range=hour")[0] == 200, "it goes on")

    meterless = "0000000000000000"


class Login(Case):
    @classmethod
    def prepare(cls):
        cls.env = {"DB_URL": f"sqlite:{cls.world.path}/x.sqlite", "READINGS_CONNECT": f"ipc://{cls.world.path}/readings"}
        cls.word = "Sesam, öffne dich"
        locked = cls.env | {"DASHBOARD_PASSWORD": cls.word}
        cls.dash = Dashboard(cls.world, locked)
        cls.replica = Dashboard(cls.world, locked | {"DASHBOARD_LISTEN": "0.0.0.0:0"}, "replica")
        cls.changed = Dashboard(cls.world, locked | {"DASHBOARD_PASSWORD": "another"}, "changed")

    def sign_in(self, dash, word=None, headers=None):
        return dash.post("/api/login", {"password": word or self.word}, headers)

    def cookie(self):
        status, headers, _ = self.sign_in(self.dash)
        self.assertEqual(status, 204)
        return {"Cookie": headers["Set-Cookie"].partition(";")[0]}

    def test_flow(self):
        for path in ("/api/state", "/api/events", "/api/series?meter=0&range=hour", "/api/energy", "/api/export.csv"):
            status, answer = self.dash.get(path)
            self.assertEqual((status, answer["code"]), (401, "login"), path)
        self.assertEqual(self.dash.post("/api/check", {"frame": "68"})[0], 401)
        sign_in = self.dash.ask("GET", "/")[2]
        self.assertIn(b"password", sign_in)
        self.assertEqual(self.dash.ask("GET", "/assets/style.css")[0], 200, "the sign-in's looks")
        status, headers, octets = self.sign_in(self.dash, "Sesam")
        self.assertEqual((status, json.loads(octets)["code"], headers["Set-Cookie"]), (401, "password", None))
        status, headers, _ = self.sign_in(self.dash)
        self.assertEqual(status, 204)
        self.assertRegex(headers["Set-Cookie"], r"^zaehlwerk_session=[0-9A-F.]+; Max-Age=2592000; Path=/; HttpOnly; SameSite=Strict$")
        cookie = {"Cookie": headers["Set-Cookie"].partition(";")[0]}
        self.assertIn("Secure", self.sign_in(self.dash, headers={"X-Forwarded-Proto": "https"})[1]["Set-Cookie"])
        status, state = self.dash.get("/api/state", cookie)
        self.assertEqual((status, state["login"]), (200, True))
        self.assertNotEqual(self.dash.ask("GET", "/", headers=cookie)[2], sign_in)
        self.assertEqual(self.dash.get("/api/state", {"Cookie": cookie["Cookie"][:-1] + "x"})[0], 401)
        self.assertEqual(self.dash.ask("GET", "/", headers={"Cookie": "x" * 4000})[2], sign_in)
        listener = Listener(self.dash, f"Cookie: {cookie['Cookie']}\r\n")
        self.assertIn(" 200 ", listener.head())
        listener.close()
        status, headers, _ = self.dash.post("/api/logout", b"{}", cookie)
        self.assertEqual(status, 204)
        self.assertIn("zaehlwerk_session=; Max-Age=0", headers["Set-Cookie"])

    def test_replicas_and_another_password(self):
        cookie = self.cookie()
        self.assertEqual([d.get("/api/state", cookie)[0] for d in (self.dash, self.replica, self.changed)], [200, 200, 401])

    def test_restart(self):
        dash = Dashboard(self.world, self.env | {"DASHBOARD_PASSWORD": self.word}, "restarted")
        _, headers, _ = self.sign_in(dash)
        dash.process.stop()
        again = Dashboard(self.world, self.env | {"DASHBOARD_PASSWORD_FILE": self.world.write("word", self.word + "\n")}, "restarted")
        self.assertEqual(again.get("/api/state", {"Cookie": headers["Set-Cookie"].partition(";")[0]})[0], 200)

    def test_too_many_tries(self):
        statuses = [self.sign_in(self.changed, "wrong")[0] for _ in range(7)]
        self.assertEqual(statuses, [401] * 5 + [429] * 2)
        status, headers, octets = self.sign_in(self.changed, "another")
        self.assertEqual((status, json.loads(octets)["code"]), (429, "wait"), "the right one must wait, too")
        self.assertLessEqual(int(headers["Retry-After"]), 60)
        self.assertEqual(len(self.changed.process.lines("event=login", "address=127.0.0.1")), 1)
        for word in ("wrong", "another", self.word):
            self.assertNotIn(f'"{word}"', self.changed.process.log())
        self.assertNotIn("another", self.changed.process.log())

    def test_other_sites(self):
        for headers, status in (({"Origin": "http://evil.example"}, 403), ({"Sec-Fetch-Site": "cross-site"}, 403), ({"Content-Type": "text/plain"}, 415),
                                ({"Origin": f"http://127.0.0.1:{self.replica.port}", "Sec-Fetch-Site": "same-origin"}, 400)):  # fmt: skip
            self.assertEqual(self.replica.post("/api/login", b"{}", headers)[0], status, headers)

    def test_proxy(self):
        dash = Dashboard(self.world, self.env | {"DASHBOARD_TRUSTED_HEADER": "X-Forwarded-User", "DASHBOARD_LISTEN": "0.0.0.0:0"}, "proxied")
        self.assertEqual(dash.get("/api/state")[0], 403)
        self.assertEqual(dash.ask("GET", "/")[0], 403)
        self.assertEqual(dash.get("/api/state", {"X-Forwarded-User": ""})[0], 403)
        self.assertEqual(dash.get("/api/state", {"X-Forwarded-User": "anna", "Host": "meter.example"})[0], 200)
        self.assertEqual(self.dash.get("/api/state", {"X-Forwarded-User": "anna"})[0], 401, "nobody trusts it there")

    def test_open_to_all_is_a_wrong_setting(self):
        for listen in ("0.0.0.0:0", "*:0", "[::]:0"):
            result = self.world.tool(BIN / "dashboard", env=self.env | {"DASHBOARD_LISTEN": listen, "HTTP_LISTEN": "off"})
            self.assertEqual(result.returncode, 78)
            self.assertRegex(result.stderr.decode(), "variable=DASHBOARD_LISTEN .*DASHBOARD_PASSWORD")

    def test_a_port_published_on_loopback_counts_as_loopback(self):
        dash = Dashboard(self.world, self.env | {"DASHBOARD_LISTEN": "0.0.0.0:0", "DASHBOARD_LOCAL": "1", "DASHBOARD_PASSWORD": ""}, "published")
        self.assertEqual(dash.get("/api/state", {"Host": "localhost:8080"})[0], 200)
        self.assertEqual(dash.get("/api/state", {"Host": "meter.example"})[0], 421)

    def test_rebinding(self):
        """Another site whose name points here gets nothing of an open dashboard."""
        dash = Dashboard(self.world, self.env, "open")
        self.assertEqual(dash.get("/api/state", {"Host": f"localhost:{dash.port}"})[0], 200)
        for path in ("/", "/api/state", "/api/events", "/assets/style.css", "/nothing"):
            self.assertEqual(dash.get(path, {"Host": "evil.example"})[0], 421)

    def test_port_in_use(self):
        result = self.world.tool(BIN / "dashboard", env=self.env | {"DASHBOARD_LISTEN": f"127.0.0.1:{self.dash.port}", "HTTP_LISTEN": "off"})
        self.assertEqual(result.returncode, 78)
        self.assertRegex(result.stderr.decode(), "variable=DASHBOARD_LISTEN .*in use")
