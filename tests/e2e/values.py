"""A publisher between a readings stream of the test's own and a real broker, and all it says there."""

import datetime
import re

import records
import zmq
from harness import wait_until
from pipeline import Broker, Subscriber

FIELDS = {"PIn": "power_import", "POut": "power_export", "U1": "l1_voltage", "U2": "l2_voltage", "U3": "l3_voltage",
          "I1": "l1_current", "I2": "l2_current", "I3": "l3_current", "PF": "power_factor"}  # fmt: skip


def rfc3339(utc):
    return datetime.datetime.fromtimestamp(utc, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def texts(telegram):
    """What the topics of one reading must hold, without totals, last_seen and rejects."""
    v = telegram.values
    out = {FIELDS[f]: str(v[f]) for f in FIELDS if f in v} | {"time": rfc3339(telegram.time)}
    if "PIn" in v or "POut" in v:
        out["power"] = str(v.get("PIn", 0) - v.get("POut", 0))
    for field, name in (("WIn", "energy_import_kwh"), ("WOut", "energy_export_kwh")):
        if field in v:
            out[name] = f"{v[field] // 1000}.{v[field] % 1000:03}"
    return out


class Listener(Subscriber):
    """Everything on the broker: (topic, QoS, retained, payload)."""

    FORM = "%t\\t%q\\t%r\\t%p"

    def __init__(self, broker, name="listener", topic="#"):
        self.process = broker.world.start(
            name, ["mosquitto_sub", "-h", "127.0.0.1", "-p", broker.port, "-q", "2", "-t", topic, "-t", "e2e/ready", "-F", self.FORM])  # fmt: skip
        self.process.ends |= {-15, 15}
        wait_until(lambda: "e2e/ready\t" in self.process.log(), "mosquitto_sub has subscribed")

    def messages(self):
        found = [line.split("\t", 3) for line in self.process.log().splitlines() if line.count("\t") >= 3]
        return [(t, int(q), r == "1", p) for t, q, r, p in found if t != "e2e/ready"]

    def payloads(self, topic):
        return [p for t, _, _, p in self.messages() if t == topic]

    def last(self, topic):
        return (self.payloads(topic) or [None])[-1]


def retained(broker):
    """What a client that comes now is told at once."""
    result = broker.world.tool("mosquitto_sub", "-h", "127.0.0.1", "-p", broker.port, "-q", "1", "-t", "#", "--retained-only",
                               "-W", "1", "-F", "%t\\t%p")  # fmt: skip
    lines = [line.split("\t", 1) for line in result.stdout.decode().splitlines() if "\t" in line]
    return {topic: payload for topic, payload in lines if topic != "e2e/ready"}


class Stage:
    """The readings stream, the broker, a listener; start() brings a publisher up between them."""

    def __init__(self, world, broker=None, name="readings", **env):
        self.world, self.broker, self.name, self.count, self.seq = world, broker or Broker(world), name, 0, 0
        self.wires = records.Wires(world)
        self.stream = self.wires.open(zmq.XPUB)  # it hears who subscribes
        self.stream.setsockopt(zmq.XPUB_VERBOSE, 1)
        self.stream.bind(self.wires.endpoint(name))
        self.env = {"MQTT_HOST": "127.0.0.1", "MQTT_PORT": str(self.broker.port), "LIVE_SKEW_SECONDS": "0",
                    "READINGS_CONNECT": self.wires.endpoint(name),
                    "SMARTMETER_VALUES_MQTT_TOPIC": "home/{meter}", **env}  # fmt: skip
        self.listener = Listener(self.broker, f"listener-{name}")

    def start(self, ready=True, **env):
        self.count += 1
        self.publisher = self.world.service("publisher", self.env | env, f"publisher-{self.name}-{self.count}")
        wanted = {b"\x01reading.", b"\x01reject."}
        while wanted:
            assert self.stream.poll(60000), "the publisher does not subscribe to readings and rejects"
            wanted.discard(self.stream.recv())
        if ready:
            wait_until(self.publisher.ready, "the publisher is ready")
        return self

    def topic(self, telegram):
        return self.env["SMARTMETER_VALUES_MQTT_TOPIC"].replace("{meter}", telegram.meter)

    def send(self, telegram, **more):
        """The reading as a decryptor publishes it."""
        self.seq += 1
        record = records.reading(telegram, self.wires.origin, self.seq, **more)
        self.stream.send_multipart([b"reading." + telegram.meter.encode(), records.pack(record)])
        return telegram

    def reject(self, meter, **more):
        self.seq += 1
        record = records.reject(self.wires.origin, self.seq, b"", meter=meter, **more)
        self.stream.send_multipart([b"reject." + meter.encode(), records.pack(record)])

    def through(self, telegram, **more):
        """Send, and wait until its last topic is there."""
        before = len(self.below(telegram, "rejects"))
        self.send(telegram, **more)
        wait_until(lambda: len(self.below(telegram, "rejects")) > before, "the last topic of the reading")
        return telegram

    def below(self, telegram, name):
        return self.listener.payloads(f"{self.topic(telegram)}/{name}")

    def last(self, telegram):
        """The last payload of every topic below the values topic."""
        prefix = self.topic(telegram) + "/"
        return {t[len(prefix) :]: p for t, _, _, p in self.listener.messages() if t.startswith(prefix)}

    def status(self, telegram):
        return self.listener.last(f"{self.topic(telegram)}/status")


def is_time(text):
    return re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text) is not None
