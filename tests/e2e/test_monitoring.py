"""What watches the pipeline: Prometheus' rules, Grafana's dashboards, Loki's configuration, beside what the services really export and store."""

import json
import re

import yaml

from harness import Case, wait_until
from monitoring import MONITORING, PROMTOOL, Everything, families
from frames import ROOT
from stores import Postgres

PROMETHEUS = MONITORING / "prometheus"
ALERTS = ROOT / "tests/monitoring/alerts.yml"
METRIC = re.compile(r"\b(?:zaehlwerk|process)_\w+")
ROLE = "zaehlwerk_dashboard"


def rules():
    groups = [g for p in sorted((PROMETHEUS / "rules").glob("*.yml")) for g in yaml.safe_load(p.read_text(encoding="utf-8"))["groups"]]
    return [r for g in groups for r in g["rules"]]


def dashboards():
    return {p.name: json.loads(p.read_text(encoding="utf-8")) for p in sorted((MONITORING / "grafana/dashboards").glob("*.json"))}


def targets(kind):
    """(dashboard, panel, query) of every panel that asks this kind of data source."""
    key = {"prometheus": "expr", "loki": "expr", "grafana-postgresql-datasource": "rawSql"}[kind]
    return [(name, p["title"], t[key]) for name, d in dashboards().items() for p in d["panels"] for t in p.get("targets", []) if t["datasource"]["type"] == kind]


def promql(text):
    """Grafana's variables made PromQL."""
    return text.replace("$__rate_interval", "1m")


class Rules(Case):
    def promtool(self, *argv):
        result = self.world.tool(PROMTOOL, *argv)
        self.assertEqual(result.returncode, 0, (result.stdout + result.stderr).decode())

    def test_configuration_and_rules_are_valid(self):
        self.promtool("check", "config", PROMETHEUS / "prometheus.yml")

    def test_alerts_fire_and_do_not(self):
        self.promtool("test", "rules", ALERTS)

    def test_every_alert_is_tried_both_ways(self):
        tried = {}
        for test in yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["tests"]:
            for e in test["promql_expr_test"]:
                tried.setdefault(re.search(r'alertname="(\w+)"', e["expr"])[1], set()).add(bool(e["exp_samples"]))
        self.assertEqual(tried, {r["alert"]: {True, False} for r in rules()})

    def test_every_alert_says_what_to_do(self):
        for r in rules():
            with self.subTest(r["alert"]):
                self.assertIn(r["labels"]["severity"], ("warning", "critical"))
                self.assertGreater(len(r["annotations"]["description"]), 100)
                self.assertLess(len(r["annotations"]["summary"]), 130)

    def test_every_service_is_scraped_at_its_port(self):
        """The port is the default of HTTP_LISTEN, the name the service's."""
        jobs = {j["job_name"]: j for j in yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]}
        for path in sorted((ROOT / "services").glob("*/*.c")):
            port = re.search(r'SVC_OPTIONS\([^"]*"(91\d\d)"\)', path.read_text(encoding="utf-8"))
            if not port:
                continue
            with self.subTest(path.parent.name):
                (discovery,) = jobs[path.parent.name]["dns_sd_configs"]
                self.assertEqual((discovery["names"], discovery["port"]), ([path.parent.name], int(port[1])))


class Dashboards(Case):
    @classmethod
    def prepare(cls):
        cls.db = Postgres(cls.world)
        cls.all = Everything(cls.world, cls.db)
        # as deploy/postgresql/roles.sql: it may look, and nothing else
        cls.db.psql(f"CREATE ROLE {ROLE} LOGIN; GRANT USAGE ON SCHEMA smartmeter TO {ROLE}; GRANT SELECT ON ALL TABLES IN SCHEMA smartmeter TO {ROLE};")
        # a stand-in for TimescaleDB's view (2.28): its names and types
        cls.db.psql("CREATE SCHEMA timescaledb_information; CREATE VIEW timescaledb_information.job_stats AS SELECT 'h'::name AS hypertable_name, 1000 AS job_id,"
                    " now() AS last_run_started_at, now() AS last_successful_finish, 'Success' AS last_run_status, 'Scheduled' AS job_status, interval '1 s' AS last_run_duration,"
                    " now() AS next_start, 1::bigint AS total_runs, 1::bigint AS total_successes, 0::bigint AS total_failures;"
                    f" GRANT USAGE ON SCHEMA timescaledb_information TO {ROLE}; GRANT SELECT ON timescaledb_information.job_stats TO {ROLE}")  # fmt: skip
        cls.meter = cls.all.meters[0].telegram()

    def run_sql(self, query):
        """As Grafana does it: macros replaced, by the role."""
        first = self.meter.time - 86400
        query = query.replace("$meter", self.meter.meter).replace("$zone", "Europe/Vienna").replace("$__interval", "'60s'")
        query = re.sub(r"\$__timeFilter\((\w+)\)", rf"\1 BETWEEN to_timestamp({first}) AND to_timestamp({first + 2 * 86400})", query)
        query = re.sub(r"\$__timeGroupAlias\((\w+), *'(\d+)s'\)", r'floor(extract(epoch from \1)/\2)*\2 AS "time"', query)
        self.assertNotIn("$", query)
        # what counts from now on is asked for then
        query = query.replace("now()", f"to_timestamp({self.meter.time + 60})")
        return self.db.psql(f"SET ROLE {ROLE}; SET search_path = public; {query}").stdout.decode().splitlines()

    def test_every_query_of_the_database_gives_rows(self):
        queries = targets("grafana-postgresql-datasource")
        self.assertGreater(len(queries), 10)
        for name, panel, query in queries:
            with self.subTest(name, panel=panel):
                rows = self.run_sql(query)
                self.assertTrue(rows and any(rows[0].split("|")), (rows, query))

    def test_the_list_of_meters(self):
        (variable,) = [v for v in dashboards()["energy.json"]["templating"]["list"] if v["name"] == "meter"]
        self.assertEqual(len(self.run_sql(variable["query"])), 3)

    def test_power_now_is_the_last_reading_s(self):
        (query,) = [q for _, title, q in targets("grafana-postgresql-datasource") if title.startswith("Power now")]
        rows = [r for r in self.db.readings() if r["meter"] == self.meter.meter]
        last = max(rows, key=lambda r: r["time"])
        self.assertEqual(float(self.run_sql(query)[0]), last["pin"] - last["pout"])

    def test_totals_are_the_sums_of_the_quarters(self):
        quarters = [q for (meter, _), q in self.db.quarter_hours().items() if meter == self.meter.meter]
        totals = {title: float(self.run_sql(q)[0]) for _, title, q in targets("grafana-postgresql-datasource") if title.startswith(("Import", "Export"))}
        self.assertEqual(len(totals), 4)
        for title, total in totals.items():
            with self.subTest(title):
                self.assertEqual(total, sum(q[0 if title.startswith("Import") else 1] or 0 for q in quarters))
        self.assertGreater(max(totals.values()), 0)

    def test_the_role_can_change_nothing(self):
        result = self.db.psql(f"SET ROLE {ROLE}; DELETE FROM smartmeter.history_compact", check=False)
        self.assertIn(b"permission denied", result.stderr)

    def exported(self):
        """Every sample's name."""
        return {n for text in self.all.texts().values() for f in families(text).values() for n in f.sample_names()}

    def test_expressions_name_only_what_is_exported(self):
        exported = self.exported()
        expressions = [(name, panel, q) for name, panel, q in targets("prometheus")] + [("rules", r["alert"], r["expr"]) for r in rules()]
        self.assertGreater(len(expressions), 40)
        for name, panel, query in expressions:
            with self.subTest(name, panel=panel):
                self.assertEqual([m for m in METRIC.findall(query) if m not in exported], [])

    def test_prometheus_parses_every_expression(self):
        group = {"groups": [{"name": "panels", "rules": [{"record": f"panel:{i}", "expr": promql(q)} for i, (_, _, q) in enumerate(targets("prometheus"))]}]}
        result = self.world.tool(PROMTOOL, "check", "rules", self.world.write("panels.yml", yaml.safe_dump(group)))
        self.assertEqual(result.returncode, 0, (result.stdout + result.stderr).decode())

    def test_panels_stand_beside_each_other(self):
        for name, d in dashboards().items():
            taken, ids = set(), [p["id"] for p in d["panels"]]
            self.assertEqual(len(ids), len(set(ids)), name)
            for p in d["panels"]:
                g = p["gridPos"]
                cells = {(x, y) for x in range(g["x"], g["x"] + g["w"]) for y in range(g["y"], g["y"] + g["h"])}
                self.assertTrue(g["x"] + g["w"] <= 24 and not cells & taken, (name, p["title"]))
                taken |= cells

    def test_data_sources_are_provisioned(self):
        sources = yaml.safe_load((MONITORING / "grafana/provisioning/datasources/zaehlwerk.yml").read_text(encoding="utf-8"))["datasources"]
        known = {(s["type"], s["uid"]) for s in sources}
        used = {(t["datasource"]["type"], t["datasource"]["uid"]) for d in dashboards().values() for p in d["panels"] for t in p.get("targets", [])}
        self.assertEqual(used, known)
        self.assertEqual([s["user"] for s in sources if "user" in s], [ROLE])


class Logs(Case):
    """The shipper's expressions beside lines as the services write them, in both forms."""

    def test_levels_are_found(self):
        shipper = yaml.safe_load((MONITORING / "loki/fluent-bit.yaml").read_text(encoding="utf-8"))
        patterns = [re.compile(p["regex"].replace("(?<", "(?P<")) for p in shipper["parsers"] if p["format"] == "regex"]
        self.assertEqual(len(patterns), 2)
        for form in ("text", "json"):
            process = self.world.service("debouncer", {
                "LOG_FORMAT": form, "DEBOUNCE_CONNECT": f"ipc://{self.world.path}/none", "ACKS_CONNECT": f"ipc://{self.world.path}/none",
                "STORE_BIND": f"ipc://{self.world.path}/s-{form}", "ACKS_BIND": f"ipc://{self.world.path}/a-{form}"}, f"debouncer-{form}")  # fmt: skip
            wait_until(lambda p=process: len(p.log().splitlines()) >= 2, "it has said something")
            for line in process.log().splitlines():
                levels = [m["level"] for p in patterns if (m := p.match(line))]
                self.assertEqual(levels, ["info"], line)

    def test_loki_keeps_logs_for_a_time(self):
        loki = yaml.safe_load((MONITORING / "loki/loki.yml").read_text(encoding="utf-8"))
        self.assertTrue(loki["compactor"]["retention_enabled"])
        self.assertEqual(loki["limits_config"]["retention_period"], "744h")
