"""Many meters, several replicas, any order of arrival: everything once, and the earliest of each window."""

import frames
import records
from harness import BIN, Case, seeded, wait_until
from pipeline import Pipeline
from stores import Postgres, Sqlite


class Fleet:
    """A run of meter-sim, and what it must have led to."""

    def __init__(self, world, *options):
        self.world, self.options = world, [BIN / "meter-sim", "--start", "2026-06-21T10:58:30Z", *options]
        self.keys = world.path / "sim-keys.csv"
        printed = world.tool(
            *self.options, "--payload", "hex", "--speed", "0", "--keys", self.keys, "--print", check=True).stdout  # fmt: skip
        self.sent = [frames.header_of(bytes.fromhex(line)) for line in printed.decode().split()]

    def publish(self, pipeline, speed):
        """The same telegrams again, through the broker."""
        env = {"MQTT_HOST": "127.0.0.1", "MQTT_PORT": str(pipeline.broker.port)}
        self.world.tool(*self.options, "--speed", speed, env=env, check=True)


def earliest(rows):
    """By (meter, window): the row that historydebounced must hold."""
    best = {}
    for r in rows:
        key = (r["meter"], r["time"] // 300 * 300)
        if key not in best or (r["time"], r["counter"]) < (best[key]["time"], best[key]["counter"]):
            best[key] = r
    return best


def plain(rows, *less):
    return sorted(({k: v for k, v in r.items() if k not in less} for r in rows), key=repr)


class Sent:
    """What each run must satisfy."""

    def check_fleet(self, fleet, pipeline):
        meters = {meter for meter, _ in fleet.sent}

        def ours():
            return [r for r in pipeline.db.readings() if r["meter"] in meters]

        wait_until(lambda: len(ours()) >= len(fleet.sent), f"{len(fleet.sent)} rows in history")
        rows = ours()
        self.assertEqual(sorted((r["meter"], r["counter"]) for r in rows), sorted(fleet.sent))
        want = earliest(rows)

        def windows():
            return {(r["meter"], r["window_start"]): r for r in pipeline.db.debounced() if r["meter"] in meters}

        wait_until(lambda: plain(windows().values(), "window_start") == plain(want.values()), "the earliest of each window")
        self.assertEqual(set(windows()), set(want))
        for p in pipeline.service.values():
            self.assertNotIn("zaehlwerk_dropped_total{", p.get("/metrics")[1])
        self.assertEqual(pipeline.db.rejects(), [])
        return rows


class Simulated(Sent, Case):
    def test_eight_meters_of_all_models(self):
        fleet = Fleet(self.world, "--meters", "8", "--model", "mixed", "--count", "5", "--seed", "3")
        pipeline = Pipeline(self.world, Sqlite(self.world), [])
        pipeline.env["SMARTMETER_KEYS_FILE"] = str(fleet.keys)
        with open(fleet.keys, "a", encoding="utf-8") as keys:  # the probe's beside them
            keys.write(frames.keys_csv([pipeline.probe_meter]).split("\n", 1)[1])
        pipeline.start().flow()
        fleet.publish(pipeline, "0")
        rows = self.check_fleet(fleet, pipeline)
        self.assertEqual((len(fleet.sent), len({m for m, _ in fleet.sent})), (40, 8))
        for r in rows:
            with self.subTest(r["meter"]):
                self.assertTrue(190 < r["u1"] < 260, r)
                self.assertTrue(0 <= r["pin"] < 50000 and 0 <= r["pout"] < 50000 and r["pin"] * r["pout"] == 0, r)
                self.assertTrue(0 <= r["i1"] < 80 and r["win"] > 0 and r["wout"] >= 0, r)
                self.assertTrue(r["pf"] is None or 0 <= r["pf"] <= 1, r)
                self.assertTrue(r["u2"] is None or 190 < r["u2"] < 260, r)
        for meter in {r["meter"] for r in rows}:
            energy = [(r["time"], r["counter"], r["win"]) for r in rows if r["meter"] == meter]
            self.assertEqual(energy, sorted(energy), "time, counter and energy grow together")
            self.assertEqual(len({t for t, _, _ in energy}), 5)


    def test_exit_statuses(self):
        for why, status, arguments, env in (
            ("argument", 64, ["--meters", "0"], {}), ("argument", 64, ["--topic", "a/#"], {}), ("keys file", 73, ["--keys", "/nowhere/k"], {}),
            ("setting", 78, [], {"MQTT_PORT": "x"}), ("version", 0, ["--version"], {}), ("help", 0, ["--help"], {})):  # fmt: skip
            with self.subTest(why, arguments=arguments):
                self.assertEqual(self.world.tool(BIN / "meter-sim", "--count", "1", *arguments, env=env).returncode, status)


class Replicas(Sent, Case):
    def test_two_of_each(self):
        """Two decryptors, two debouncers, two db-writers share the work; nothing is lost or doubled."""
        fleet = Fleet(self.world, "--meters", "8", "--interval", "20", "--count", "40", "--seed", "5", "--payload", "frames")
        pipeline = Pipeline(self.world, Postgres(self.world), [],
                            replicas={"decryptor": 2, "debouncer": 2, "db-writer": 2})  # fmt: skip
        pipeline.env["SMARTMETER_KEYS_FILE"] = str(fleet.keys)
        with open(fleet.keys, "a", encoding="utf-8") as keys:
            keys.write(frames.keys_csv([pipeline.probe_meter]).split("\n", 1)[1])
        pipeline.start().flow()

        def all_work():  # each connection must be up before its share can be counted on
            pipeline.flow()
            return all(p.metric(m) > 0 for n, p in pipeline.service.items() for m in [
                {"decryptor": "readings_total", "debouncer": "readings_total", "db-writer": "batches_total"}.get(n[:-2])] if m)  # fmt: skip

        wait_until(all_work, "every replica has its share")
        before = {n: p.metric("readings_total") for n, p in pipeline.service.items() if n.startswith("decryptor")}
        fleet.publish(pipeline, "150")
        rows = self.check_fleet(fleet, pipeline)
        self.assertEqual(len(rows), 320)
        for name, n in before.items():
            self.assertGreater(pipeline.service[name].metric("readings_total"), n + 50, name)


class AnyOrder:
    """Readings of some meters in random order through debouncers and db-writer."""

    store, debouncers = None, 1

    @classmethod
    def prepare(cls):
        cls.db = cls.store(cls.world)
        cls.wires = records.Wires(cls.world)
        cls.debounce, cls.history = cls.wires.push("debounce"), cls.wires.push("store")
        names = [f"debouncer-{i}" for i in range(cls.debouncers)]
        for name in names:
            cls.world.service("debouncer", {
                "DEBOUNCE_CONNECT": cls.wires.endpoint("debounce"), "STORE_BIND": cls.wires.endpoint(name),
                "ACKS_BIND": cls.wires.endpoint(f"acks-{name}"), "ACKS_CONNECT": cls.wires.endpoint("acks")}, name).port()  # fmt: skip
        cls.writer = cls.world.service("db-writer", {
            **cls.db.env, "ACKS_BIND": cls.wires.endpoint("acks"),
            "STORE_CONNECT": ",".join(map(cls.wires.endpoint, ["store", *names]))})  # fmt: skip
        wait_until(cls.writer.ready, "db-writer is ready")

    def test_earliest_wins(self):
        chance = seeded(f"{self.store.kind}, {self.debouncers} debouncers")
        items = []
        for name in "abc":
            meter = frames.Meter(f"any order {name}")
            for counter in range(80):
                t = meter.telegram(counter=4294967200 + counter if name == "c" else counter,
                                   utc=1700000100 + chance.randrange(1800))  # fmt: skip
                clock = chance.random() < 0.9  # without a clock the arrival is the time
                items.append(records.reading(t, self.wires.origin, len(items) + 1, arrival=t.time * 1000 + 999,
                                             time=t.time if clock else None))  # fmt: skip
        again = [r | {"attempt": 1} for r in chance.sample(items, 40)]  # redelivered ones among them
        items = chance.sample(items, len(items)) + again
        chance.shuffle(items)
        for at in range(0, len(items), 7):
            octets = records.pack(*items[at : at + 7])
            self.history.send(octets)
            self.debounce.send(octets)
        wait_until(lambda: len(self.db.readings()) >= 240, "240 rows in history")
        rows = self.db.readings()
        self.assertEqual(len(rows), 240)
        self.assertEqual({(r["meter"], r["counter"], r["time"]) for r in rows},
                         {(r["meter"], r["counter"], r["arrival"] // 1000) for r in items})  # fmt: skip
        want = plain(earliest(rows).values())
        wait_until(lambda: plain(self.db.debounced(), "window_start") == want, "the earliest of each window")
        self.assertEqual({r["window_start"] for r in self.db.debounced()}, {r["time"] // 300 * 300 for r in rows})


class AnyOrderSqlite(AnyOrder, Case):
    store = Sqlite


class AnyOrderSqliteTwoDebouncers(AnyOrder, Case):
    store, debouncers = Sqlite, 2


class AnyOrderPostgres(AnyOrder, Case):
    store = Postgres


class AnyOrderPostgresTwoDebouncers(AnyOrder, Case):
    store, debouncers = Postgres, 2
