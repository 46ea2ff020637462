"""All services at work, and what their /metrics say, for the tests of metrics, rules and dashboards."""

import os
import re

from frames import ROOT, Meter
from harness import BIN, free_port, wait_until
from pipeline import Pipeline

MONITORING = ROOT / "deploy/monitoring"
PROMTOOL = "promtool"
SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="([^"]*)"')
HISTOGRAM = re.compile(r"_(bucket|sum|count)$")


def services(world):
    """Every program that has /metrics."""
    names = sorted(p.parent.name for p in (ROOT / "services").glob("*/main.c"))
    return [n for n in names if b"HTTP_LISTEN" in world.tool(BIN / n, "--help").stdout]


class Family:
    """One metric of one service."""

    def __init__(self, name, kind, text):
        self.name, self.kind, self.help, self.labels, self.samples = name, kind, text, set(), {}

    def sample_names(self):
        return {f"{self.name}_{s}" for s in ("bucket", "sum", "count")} if self.kind == "histogram" else {self.name}


def families(text):
    """The families of a text in Prometheus' exposition format, by name."""
    found, helps = {}, {}
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name, _, told = line[7:].partition(" ")
            helps[name] = told
        elif line.startswith("# TYPE "):
            name, kind = line[7:].split()
            found[name] = Family(name, kind, helps[name])
        else:
            name, labels, value = SAMPLE.match(line).groups()
            family = found[name] if name in found else found[HISTOGRAM.sub("", name)]
            pairs = LABEL.findall(labels or "")
            family.labels |= {k for k, _ in pairs if k != "le"}
            family.samples[(name, tuple(pairs))] = float(value)
    return found


class Everything:
    """The pipeline, the dashboard, the example and whatever else has /metrics, with readings that have gone through."""

    def __init__(self, world, db):
        self.world, self.meters = world, [Meter("one"), Meter("two", step=7)]
        self.pipeline = Pipeline(world, db, self.meters, env={"publisher": {"METRICS_PER_METER": "1"}}).start()
        self.process = dict(self.pipeline.service)
        master, self.line = os.openpty()  # for serial-ingest
        for fd in (master, self.line):
            world.closing.callback(os.close, fd)
        for name in services(world):
            if name not in self.process:
                self.process[name] = self.start(name)
        self.pipeline.flow()
        for meter in self.meters:
            telegrams = [meter.telegram() for _ in range(3)]
            for t in telegrams:
                self.pipeline.send(t)
            self.pipeline.wait_for(telegrams[-1], debounced=False)
        self.pipeline.broker.pub("sensors/smartmeter/raw/odd", b"nonsense")
        wait_until(lambda: self.pipeline.count_rejects("not-a-frame"), "a reject is stored")

    def start(self, name):
        """One beside the pipeline: it reads what the decryptors publish, and the database."""
        env = self.pipeline.env | self.pipeline.wiring("publisher") | {
            "DASHBOARD_LISTEN": f"127.0.0.1:{free_port()}", "STATUS_URLS": "off", "SWITCH_COMMAND": "/bin/true", "METER": self.meters[0].telegram().meter,
            "SERIAL_DEVICE": os.ttyname(self.line), "JOURNAL_PATH": f"{self.world.path}/{name}-journal",
            "TELEGRAMS_BIND": f"ipc://{self.world.path}/telegrams.{name}", "ACKS_CONNECT": self.pipeline.endpoints("acks-db", "acks-d")}  # fmt: skip
        return self.world.service(name, env)

    def texts(self):
        """What each service's /metrics says now, by service."""
        return {name: process.get("/metrics")[1] for name, process in self.process.items()}
