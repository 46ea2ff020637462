"""The examples for others: each topic that they name is one that the publisher fills."""

import configparser
import json
import re

import frames
import yaml
from frames import ROOT
from harness import Case, wait_until
from values import Stage

FOLDER = ROOT / "deploy/examples"
VALUES = "sensors/smartmeter/values"
NAMED = re.compile(r"(?<![\w/])(?:sensors/smartmeter|zaehlwerk|homeassistant|victron)(?:/[\w#+]+)+")
MADE_BY_THE_FLOW = "victron/grid"


def files():
    return [p for p in sorted(FOLDER.rglob("*")) if p.suffix in (".md", ".yaml", ".json", ".ini")]


class Examples(Case):
    @classmethod
    def prepare(cls):
        cls.stage = Stage(cls.world, SMARTMETER_VALUES_MQTT_TOPIC=VALUES).start()
        meter = frames.Meter("examples", utc=1764543600 - 10)
        cls.telegrams = [cls.stage.through(meter.telegram()) for _ in range(2)]
        wait_until(lambda: cls.stage.below(cls.telegrams[0], "totals"), "totals are saved")
        several = Stage(cls.world, cls.stage.broker, name="several", MQTT_PUBLISHER_CLIENT_ID="several").start()
        several.through(frames.Meter("another").telegram())
        wait_until(lambda: cls.stage.listener.last("zaehlwerk/publisher/status"), "the publisher's own status")
        cls.seen = {t for t, _, _, _ in cls.stage.listener.messages()} | {MADE_BY_THE_FLOW}

    def filled(self, topic):
        """Whether a topic, or filter, of an example matches one that was seen; ID is any meter's."""
        topic = re.sub(r"zaehlwerk_\w+", "zaehlwerk_X", topic)
        seen = {re.sub(r"zaehlwerk_\w+", "zaehlwerk_X", t) for t in self.seen}
        if topic.endswith("/#"):
            return any(t.startswith(topic[:-1]) for t in seen)
        return topic in seen

    def test_every_topic_is_filled(self):
        found = 0
        for path in files():
            for topic in NAMED.findall(path.read_text(encoding="utf-8")):
                found += 1
                with self.subTest(path.name, topic=topic):
                    self.assertTrue(self.filled(topic), topic)
        self.assertGreater(found, 20)

    def test_the_check_can_fail(self):
        text = f"a topic {VALUES}/power_imported, {VALUES}/l4_current/# and zaehlwerk/status."
        self.assertEqual([t for t in NAMED.findall(text) if self.filled(t)], [])
        self.assertEqual(len(NAMED.findall(text)), 3)

    def test_evcc(self):
        evcc = yaml.safe_load((FOLDER / "evcc.yaml").read_text(encoding="utf-8"))
        (meter,) = evcc["meters"]
        self.assertEqual((meter["name"], meter["type"]), (evcc["site"]["meters"]["grid"], "custom"))
        sources = [meter["power"], meter["energy"], *meter["currents"]]
        self.assertEqual(len(meter["currents"]), 3)
        for source in sources:
            self.assertEqual((source["source"], source["timeout"], set(source)), ("mqtt", "30s", {"source", "timeout", "topic"}))
            self.assertTrue(self.filled(source["topic"]))
            float(self.stage.listener.last(source["topic"]))
        self.assertEqual([s["topic"].rpartition("/")[2] for s in sources],
                         ["power", "energy_import_kwh", "l1_current", "l2_current", "l3_current"])  # fmt: skip

    def test_node_red(self):
        nodes = json.loads((FOLDER / "node-red.json").read_text(encoding="utf-8"))
        by_id = {n["id"]: n for n in nodes}
        self.assertEqual(len(by_id), len(nodes))
        for node in nodes:
            for target in sum(node.get("wires", []), []):
                self.assertIn(target, by_id)
            if "broker" in node and node["type"].startswith("mqtt "):
                self.assertEqual(by_id[node["broker"]]["type"], "mqtt-broker")
                self.assertTrue(self.filled(node["topic"]))

    def run_function(self, name, *messages):
        """What a function node returns for these messages, (topic, payload, milliseconds): None or its payload."""
        nodes = json.loads((FOLDER / "node-red.json").read_text(encoding="utf-8"))
        code = next(n["func"] for n in nodes if n.get("name") == name)
        frame = """
            const [code, messages] = JSON.parse(require("fs").readFileSync(0));
            const kept = {}, context = { get: (k) => kept[k], set: (k, v) => { kept[k] = v; } };
            const run = new Function("msg", "context", "Date", code);
            console.log(JSON.stringify(messages.map(([topic, payload, ms]) =>
                run({ topic, payload }, context, { now: () => ms })).map((m) => m && m.payload)));
        """
        result = self.world.tool("node", "-e", frame, stdin=json.dumps([code, messages]).encode(), check=True)
        return json.loads(result.stdout)

    def test_the_flow_for_victron(self):
        t = self.telegrams[-1]
        (out,) = self.run_function("for Victron", [VALUES, t.text, 1])
        grid = json.loads(out)["grid"]
        self.assertEqual((grid["power"], grid["energy_forward"]), (t.values["PIn"] - t.values["POut"], t.values["WIn"] / 1000))
        self.assertEqual([grid[f"L{n}"]["voltage"] for n in (1, 2, 3)], [t.values[f"U{n}"] for n in (1, 2, 3)])
        self.assertAlmostEqual(sum(grid[f"L{n}"]["power"] for n in (1, 2, 3)), grid["power"])

    def test_the_flow_for_surplus(self):
        power, status = f"{VALUES}/power", f"{VALUES}/status"
        steps = [([power, "-2000", 1000], None), ([power, "-2000", 60999], None), ([power, "-1800", 61000], "on"),
                 ([power, "100", 66000], None), ([power, "-2000", 71000], None), ([power, "300", 76000], "off"),
                 ([power, "-2000", 200000], None), ([status, "offline", 230000], "off"), ([power, "-2000", 270000], None),
                 ([status, "online", 270001], None), ([power, "-2000", 280000], None), ([power, "-2000", 340000], "on")]  # fmt: skip
        self.assertEqual(self.run_function("surplus", *[s for s, _ in steps]), [out for _, out in steps])

    def test_victron(self):
        ini = configparser.ConfigParser()
        ini.read(FOLDER / "dbus-mqtt-grid.ini", encoding="utf-8")
        out = [n for n in json.loads((FOLDER / "node-red.json").read_text(encoding="utf-8")) if n["type"] == "mqtt out"]
        self.assertEqual([n["topic"] for n in out], [ini["MQTT"]["topic"]])
