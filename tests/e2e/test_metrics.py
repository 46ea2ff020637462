"""/metrics of every service: Prometheus' conventions, true figures, nothing that grows with the fleet."""

import re

from frames import ROOT
from harness import Case, wait_until
from monitoring import MONITORING, PROMTOOL, Everything, families, services
from stores import Sqlite

TABLE = re.compile(r"^\| `((?:zaehlwerk|process)_\w+)` \| (\w+) \|([^|]*)\| ([^|]*) \|", re.M)
UNITS = re.compile(r"_(milliseconds|ms|minutes|hours|kilobytes|octets|kb|percent)(_|$)")


def declared_labels(name):
    """What the sources declare: a label that has had no value yet is not in /metrics."""
    sources = "".join(p.read_text(encoding="utf-8") for folder in ("common", "common/*", "services/*") for p in ROOT.glob(f"{folder}/*.[ch]"))
    return set(re.findall(rf'"{name}",\s*METRIC_\w+,\s*"(\w+)"', sources))


class Metrics(Case):
    @classmethod
    def prepare(cls):
        cls.all = Everything(cls.world, Sqlite(cls.world))
        cls.found = {name: families(text) for name, text in cls.all.texts().items()}

    def get(self, service):
        return families(self.all.process[service].get("/metrics")[1])

    def test_every_service_is_here(self):
        self.assertEqual(sorted(self.found), services(self.world))
        self.assertGreater(len(self.found), 6)

    def test_promtool_has_nothing_to_say(self):
        for name, text in self.all.texts().items():
            with self.subTest(name):
                result = self.world.tool(PROMTOOL, "check", "metrics", stdin=text.encode())
                self.assertEqual((result.returncode, result.stdout + result.stderr), (0, b""))

    def test_promtool_would_say_something(self):
        bad = b"# HELP zaehlwerk_bad A counter.\n# TYPE zaehlwerk_bad counter\nzaehlwerk_bad 1\n"
        self.assertNotEqual(self.world.tool(PROMTOOL, "check", "metrics", stdin=bad).returncode, 0)

    def test_names_and_units(self):
        for service, found in self.found.items():
            for name, family in found.items():
                with self.subTest(service, metric=name):
                    self.assertRegex(name, r"^(zaehlwerk|process)_[a-z_]+$")
                    self.assertIsNone(UNITS.search(name))
                    self.assertEqual(name.endswith("_total"), family.kind == "counter")
                    self.assertTrue(family.help.endswith("."))

    def test_every_service_tells_of_itself(self):
        for service, found in self.found.items():
            with self.subTest(service):
                (_, labels), = found["zaehlwerk_build_info"].samples
                self.assertEqual(dict(labels)["service"], service)
                for name in ("process_start_time_seconds", "process_cpu_seconds_total", "process_resident_memory_bytes"):
                    self.assertGreater(next(iter(found[name].samples.values())), 0, name)

    def test_histograms_are_cumulative_and_end_with_all(self):
        seen = 0
        for found in self.found.values():
            for family in found.values():
                if family.kind != "histogram" or not family.samples:
                    continue
                seen += 1
                buckets = [v for (name, _), v in family.samples.items() if name.endswith("_bucket")]
                count = [v for (name, _), v in family.samples.items() if name.endswith("_count")]
                self.assertEqual(buckets[: len(buckets) // len(count)], sorted(buckets[: len(buckets) // len(count)]))
                self.assertEqual(buckets[-1], count[-1])
        self.assertGreater(seen, 5)

    def test_what_they_count_is_true(self):
        """Counts of the histograms beside the rows of the database, and the drift of clocks that are years off."""
        rows = len(self.all.pipeline.db.readings())
        writer, decryptor, ingest = self.get("db-writer"), self.get("decryptor"), self.get("mqtt-ingest")

        def one(found, name, suffix="", **labels):
            return found[name].samples[(name + suffix, tuple(labels.items()))]

        self.assertGreater(rows, 6)
        committed = one(writer, "zaehlwerk_arrival_to_commit_seconds", "_count")
        self.assertEqual(committed, one(writer, "zaehlwerk_records_total", type="reading"))
        self.assertGreaterEqual(committed, rows)
        self.assertEqual(one(writer, "zaehlwerk_commit_seconds", "_count"), one(writer, "zaehlwerk_batches_total"))
        self.assertEqual(one(writer, "zaehlwerk_batch_records", "_count"), one(writer, "zaehlwerk_batches_total"))
        first = one(decryptor, "zaehlwerk_clock_offset_seconds", "_count")  # deliveries; others count as readings, too
        self.assertTrue(6 <= first <= one(decryptor, "zaehlwerk_readings_total"), first)
        self.assertEqual(one(decryptor, "zaehlwerk_clock_offset_seconds", "_bucket", le="3600.0"), 0)
        self.assertEqual(one(ingest, "zaehlwerk_journal_append_seconds", "_count"), one(ingest, "zaehlwerk_payloads_total"))
        self.assertEqual(one(ingest, "zaehlwerk_journal_limit_bytes"), 1 << 30)
        self.assertGreater(one(ingest, "zaehlwerk_journal_free_bytes"), 1 << 20)
        for stream in ("history", "debounced"):
            self.assertGreater(one(ingest, "zaehlwerk_ack_seconds", "_count", stream=stream), 0)

    def test_dependencies_and_producers(self):
        want = {"mqtt-ingest": ({"broker", "journal"}, {"acks": 2}), "db-writer": ({"database"}, {"store": 2}), "publisher": ({"broker"}, {"readings": 1}),
                "decryptor": (set(), {"telegrams": 1}), "debouncer": (set(), {"debounce": 1, "acks": 1})}  # fmt: skip
        for service, (needs, streams) in want.items():
            with self.subTest(service):

                def seen(service=service):
                    found = self.get(service)["zaehlwerk_stream_producers"].samples
                    return {dict(labels)["stream"]: int(v) for (_, labels), v in found.items()}

                wait_until(lambda s=streams, f=seen: f() == s, f"{service} is connected to {streams}")
                up = self.get(service)["zaehlwerk_dependency_up"].samples
                self.assertEqual({dict(labels)["dependency"] for (_, labels), v in up.items() if v == 1}, needs)

    def test_a_meter_s_own_series(self):
        found = self.get("publisher")
        meters = {dict(labels)["meter"] for _, labels in found["zaehlwerk_meter_last_arrival_timestamp_seconds"].samples}
        wait_until(lambda: self.get("publisher")["zaehlwerk_meters"].samples[("zaehlwerk_meters", ())] == len(meters), "they are counted")
        self.assertEqual(meters, {r["meter"] for r in self.all.pipeline.db.readings()})
        self.assertEqual({dict(labels)["meter"] for _, labels in found["zaehlwerk_meter_power_watts"].samples}, meters)
        self.assertEqual(found["zaehlwerk_meters_silent"].samples[("zaehlwerk_meters_silent", ())], 0)

    def test_the_first_reject_of_a_reason_is_seen_to_rise(self):
        reasons = {dict(labels)["reason"]: v for (_, labels), v in self.found["decryptor"]["zaehlwerk_rejects_total"].samples.items()}
        self.assertEqual((reasons["not-a-frame"], reasons["wrong-key"], reasons["tag"]), (1, 0, 0))

    def test_the_readme_s_table_is_complete(self):
        """Name, type, labels and services of every metric stand in deploy/monitoring/README.md as they are."""
        real = {}
        for service, found in self.found.items():
            for name, family in found.items():
                kind, labels, where = real.setdefault(name, (family.kind, set(), set()))
                self.assertEqual(kind, family.kind, name)
                labels |= family.labels | declared_labels(name)
                where.add(service)
        told = {}
        for name, kind, labels, where in TABLE.findall((MONITORING / "README.md").read_text(encoding="utf-8")):
            told[name] = (kind, set(re.findall(r"`(\w+)`", labels)), set(self.found) if where == "all" else set(where.split(", ")))
        self.assertEqual({n: (told.get(n), real.get(n)) for n in told.keys() | real if told.get(n) != real.get(n)}, {})

    def test_without_the_setting_no_meter_is_named(self):
        """Neither by the others, nor by a publisher without METRICS_PER_METER."""
        pipeline = self.all.pipeline
        env = {"MQTT_PUBLISHER_CLIENT_ID": "second", "SMARTMETER_VALUES_MQTT_TOPIC": "second/{meter}", "HA_DISCOVERY": "0"}
        second = self.world.service("publisher", pipeline.env | pipeline.wiring("publisher") | env, "second")
        wait_until(lambda: (pipeline.send(pipeline.probe()), second.metric("meters") == 1)[1], "it has heard a meter")
        texts = {n: text for n, text in self.all.texts().items() if n != "publisher"} | {"second": second.get("/metrics")[1]}
        meters = {r["meter"] for r in pipeline.db.readings()}
        self.assertEqual(len(meters), 3)
        self.assertEqual([(n, m) for n, text in texts.items() for m in meters if m in text], [])
