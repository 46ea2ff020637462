"""A broker and the five services around a database, wired over ipc:// in the World's folder."""

import contextlib
import os
import signal

from frames import ROOT, Meter, keys_csv
from harness import free_port, wait_until

SERVICES = ["mqtt-ingest", "decryptor", "db-writer", "debouncer", "publisher"]
VALUES = "sensors/smartmeter/values/{meter}"


class Broker:
    """mosquitto with the configuration that the project ships, for one home unless told."""

    login = ()  # of mosquitto_pub and mosquitto_sub

    def __init__(self, world, port=None, replace=("", ""), conf="home.conf"):
        self.world, self.port = world, port or free_port()
        shipped = (ROOT / "deploy/mosquitto" / conf).read_text(encoding="utf-8").replace(*replace)
        (world.path / "broker").mkdir()
        user = "user root\n" if os.getuid() == 0 else ""
        self.conf = world.write(
            "mosquitto.conf",
            f"{shipped}\nlistener {self.port} 127.0.0.1\nallow_anonymous true\n{user}"
            f"persistence_location {world.path}/broker/\nlog_dest stderr\n",
        )
        self.start()

    def start(self):
        self.process = self.world.start("mosquitto", ["mosquitto", "-c", self.conf])
        wait_until(lambda: self.pub("e2e/ready", b"yes", retain=True, check=False), "mosquitto answers")

    def pub(self, topic, payload, retain=False, check=True):
        """One message, acknowledged by the broker."""
        how = ["-n"] if not payload else ["-s"]
        result = self.world.tool(
            "mosquitto_pub", "-h", "127.0.0.1", "-p", self.port, *self.login, "-q", "1", "-t", topic,
            *how, *(["-r"] if retain else []), stdin=payload, check=check)  # fmt: skip
        return result.returncode == 0

    def pub_lines(self, topic, lines):
        """One message a line, over one connection."""
        self.world.tool(
            "mosquitto_pub", "-h", "127.0.0.1", "-p", self.port, *self.login, "-q", "1", "-t", topic, "-l",
            stdin="".join(f"{line}\n" for line in lines).encode(), check=True)  # fmt: skip


class Subscriber:
    """mosquitto_sub: every message as (topic, length, payload)."""

    def __init__(self, broker, topic, name="mosquitto_sub"):
        self.process = broker.world.start(
            name, ["mosquitto_sub", "-h", "127.0.0.1", "-p", broker.port, *broker.login, "-q", "1", "-t", topic,
                   "-t", "e2e/ready", "-F", "%t\t%l\t%p"])  # fmt: skip
        self.process.ends |= {-15, 15}  # it knows no orderly end
        wait_until(lambda: "e2e/ready\t" in self.process.log(), "mosquitto_sub has subscribed")

    def messages(self):
        found = [line.split("\t", 2) for line in self.process.log().splitlines() if line.count("\t") == 2]
        return [(t, int(n), p) for t, n, p in found if t != "e2e/ready"]

    def payloads(self, topic):
        return [p for t, _, p in self.messages() if t == topic]


class Pipeline:
    """All of it. `env` holds extra settings by service; `replicas` how many of each."""

    def __init__(self, world, db, keys, env=None, replicas=None, broker=None, values=VALUES, raw="sensors/smartmeter/raw/+"):
        self.world, self.db, self.values_topic = world, db, values
        self.probe_meter = Meter("probe", utc=1700000000)
        self.broker = broker or Broker(world)
        self.keys = [*keys, self.probe_meter]
        self.keys_file = world.write("keys.csv", keys_csv(self.keys))
        self.extra, self.replicas = env or {}, replicas or {}
        self.env = {
            "MQTT_HOST": "127.0.0.1", "MQTT_PORT": str(self.broker.port),
            "SMARTMETER_RAWDATA_MQTT_TOPIC": raw, "SMARTMETER_VALUES_MQTT_TOPIC": values,
            "SMARTMETER_KEYS_FILE": self.keys_file, "REASSEMBLY_MS": "700", "LIVE_SKEW_SECONDS": "0", **db.env}  # fmt: skip
        self.service = {}
        self.subscribe()

    def subscribe(self, name="mosquitto_sub"):
        """Watch the values topic; again after the broker has forgotten this one."""
        self.sub = Subscriber(self.broker, self.values_topic.replace("{meter}", "+").replace("{name}", "+"), name)

    def copies(self, name):
        return [name] if self.replicas.get(name, 1) == 1 else [f"{name}-{i}" for i in range(self.replicas[name])]

    def endpoints(self, *streams):
        """Where the producers of these streams bind, one endpoint a replica."""
        makers = {"telegrams": "mqtt-ingest", "acks-db": "db-writer", "store-d": "debouncer", "acks-d": "debouncer"}
        return ",".join(
            f"ipc://{self.world.path}/{stream}.{copy}"
            for stream in streams for copy in self.copies(makers.get(stream, "decryptor")))  # fmt: skip

    def wiring(self, copy):
        name = copy.rstrip("-0123456789")

        def bind(stream):
            return f"ipc://{self.world.path}/{stream}.{copy}"

        return {
            "mqtt-ingest": lambda: {"TELEGRAMS_BIND": bind("telegrams"), "ACKS_CONNECT": self.endpoints("acks-db", "acks-d")},
            "decryptor": lambda: {
                "TELEGRAMS_CONNECT": self.endpoints("telegrams"), "STORE_BIND": bind("store"),
                "DEBOUNCE_BIND": bind("debounce"), "READINGS_BIND": bind("readings")},
            "debouncer": lambda: {
                "DEBOUNCE_CONNECT": self.endpoints("debounce"), "STORE_BIND": bind("store-d"),
                "ACKS_BIND": bind("acks-d"), "ACKS_CONNECT": self.endpoints("acks-db")},
            "db-writer": lambda: {"STORE_CONNECT": self.endpoints("store", "store-d"), "ACKS_BIND": bind("acks-db")},
            "publisher": lambda: {"READINGS_CONNECT": self.endpoints("readings")},
        }[name]()  # fmt: skip

    def start(self, *names):
        """Start these services (all when none is named) and wait until each is ready."""
        copies = names or [c for s in SERVICES for c in self.copies(s)]
        for copy in copies:
            name = copy.rstrip("-0123456789")
            env = self.env | self.wiring(copy) | self.extra.get(name, {})
            process = self.world.service(name, env, copy)
            self.service[copy] = process
        for copy in copies:
            wait_until(self.service[copy].ready, f"{copy} is ready")
        return self

    # --- in and out ---

    def topic(self, meter):
        return f"sensors/smartmeter/raw/{meter}"

    def send(self, telegram, topic=None):
        self.broker.pub(topic or self.topic(telegram.meter), telegram.hex.encode())

    def shown(self, telegram):
        return self.sub.payloads(self.values_topic.format(meter=telegram.meter)).count(telegram.text)

    def stored(self, telegram, rows=None):
        """The telegram's row in history, less its arrival, or None."""
        for r in self.db.readings() if rows is None else rows:
            if r["meter"] == telegram.meter and r["counter"] == telegram.counter and r["time"] == telegram.time:
                return {k: v for k, v in r.items() if k not in ("received_at", "window_start")}
        return None

    def debounced(self, telegram):
        return self.stored(telegram, self.db.debounced())

    def wait_for(self, telegram, live=True, history=True, debounced=True):
        """Wait until a telegram has come out everywhere, with exact values."""
        if live:
            wait_until(lambda: self.shown(telegram), f"{telegram.text} on the values topic")
        if history:
            wait_until(lambda: self.stored(telegram) == telegram.row, f"{telegram.row} in history")
        if debounced:
            wait_until(lambda: self.debounced(telegram) == telegram.row, f"{telegram.row} in historydebounced")

    def probe(self):
        """A telegram of the probe meter in a debounce window of its own."""
        self.probe_meter.utc += 300
        return self.probe_meter.telegram()

    def sent(self, n):
        """Send n probes; the last of them."""
        probes = [self.probe() for _ in range(n)]
        self.broker.pub_lines(self.topic(probes[0].meter), [t.hex for t in probes])
        return probes[-1]

    def flow(self):
        """The stream goes on. Connections between services come up in their own time, and this
        issue's services keep nothing over a restart: so send until one telegram has come through
        everywhere. The next one must, too."""
        sent = []

        def through():
            if not sent or len(sent) < 200:
                sent.append(self.probe())
                self.send(sent[-1])
            return any(self.shown(t) and self.stored(t) and self.debounced(t) for t in sent[-8:])

        wait_until(through, "a telegram comes through to the values topic and both tables")
        last = self.probe()
        self.send(last)
        self.wait_for(last)

    def count_rejects(self, reason):
        return len(self.db.rejects(f"reason = '{reason}'"))

    def log_lines(self, *words):
        return [line for p in self.service.values() for line in p.lines(*words)]


@contextlib.contextmanager
def paused(process):
    """SIGSTOP for a while."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)
