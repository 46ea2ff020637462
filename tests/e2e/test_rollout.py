"""Rolling updates as Kubernetes does them, with the settings of deploy/kubernetes, while meters send: nothing is lost.

No cluster is needed: the pods are processes with networks of their own, and the test is the controller, the kubelet, the
nodes and the name service.
"""

import time

import chaos
import kubernetes
import pods
from chaos import Feeder
from frames import Meter, keys_csv
from harness import NO_ROOT, Case, wait_until
from mqtt import Client
from pipeline import Broker
from stores import Postgres

REPLICAS = {"mqtt-ingest": 2, "decryptor": 2, "debouncer": 2, "dashboard": 2, "publisher": 1, "db-writer": 2}
METERS, WINDOW = 24, 10


class Rollout(Case):
    def test_nothing_is_lost(self):
        why = pods.Network.missing()
        if why:
            self.skipTest(NO_ROOT + why)
        self.begin()
        self.roll_everything()
        self.names_fail()
        self.one_hangs()
        self.node_is_lost()
        self.all_are_found()
        self.count()

    # --- the cluster ---

    def begin(self):
        """Each is ready with nobody there who would read from it: those who read come last."""
        pods.Network(self.world)
        self.db = Postgres(self.world, "listen_addresses = '*'")
        self.addCleanup(self.db.stop)
        # A thread that ends inside a look-up that nobody answers: glibc frees that with the thread, LeakSanitizer looks before.
        self.lsan = self.world.write("lsan", "leak:res_context_send\n")
        with open(self.db.data / "pg_hba.conf", "a", encoding="utf-8") as hba:
            hba.write("host all all 10.77.0.0/16 trust\n")
        self.db.psql("SELECT pg_reload_conf()")
        self.broker = Broker(self.world, conf="fleet.conf", replace=("persistence true", f"listener 1883 {pods.GATEWAY}\npersistence true"))
        self.meters = [Meter(f"rollout {i}", utc=0) for i in range(METERS)]
        self.keys = self.world.write("keys.csv", keys_csv(self.meters))
        objects = kubernetes.build(kubernetes.FOLDER / "overlays/fleet")
        self.manifests = {p.program: p for p in kubernetes.pods(objects)}
        self.cluster = pods.Cluster(self.world, self.settings)
        for service, number in REPLICAS.items():
            self.cluster.wait_ready(*(self.cluster.start(service, n) for n in range(number)))
        self.client = Client(self.broker.port, "meters")
        self.world.closing.callback(self.client.close)
        self.watcher = Client(self.broker.port, "watcher", "sensors/smartmeter/values/+")
        self.world.closing.callback(self.watcher.close)
        self.feeder = Feeder(self.meters, self.send, every=2)
        self.world.closing.callback(self.feeder.close)
        self.feeder.start()
        self.flows("at the start")

    def settings(self, service, name):
        """As the pod would have them, but for what is elsewhere here: broker, database, files."""
        env = dict(self.manifests[service].env)
        for key in [k for k in env if k.endswith("_FILE") or k.startswith("PGSSL") or k == "MQTT_USER"]:
            del env[key]
        here = {
            "MQTT_HOST": "broker", "MQTT_PORT": "1883", "MQTT_TLS": "0", "DB_HOST": "database", "DB_PORT": str(self.db.port),
            "DB_USER": "zw", "DASHBOARD_PASSWORD": "a password", "SMARTMETER_KEYS_FILE": self.keys, "INGEST_SLOT": name,
            "JOURNAL_PATH": f"{self.world.path}/{name}", "DEBOUNCE_SECONDS": str(WINDOW), "LOG_FORMAT": "text",
            "STREAM_KEY": "k" * 40}  # fmt: skip
        known = kubernetes.settings_of(service)
        return env | {"LSAN_OPTIONS": f"suppressions={self.lsan}:print_suppressions=0"} | {k: v for k, v in here.items() if k in known}

    def send(self, n, telegram):
        self.client.publish(f"sensors/smartmeter/{n % 8}/{telegram.meter}", telegram.hex.encode(), telegram.row)

    # --- what happens to it ---

    def flows(self, when):
        """What is sent from now on comes out: in the database, and live."""
        sent, shown = len(self.client.acked), len(self.watcher.heard)
        wait_until(lambda: len(self.client.acked) > sent + METERS, "meters send")
        wanted = {chaos.key(r) for r in self.client.acked[sent:]}
        wait_until(lambda: wanted <= {chaos.key(r) for r in self.db.readings()}, f"readings are stored {when}")
        wait_until(lambda: len(self.watcher.heard) > shown + METERS, f"values are shown {when}")

    def roll_everything(self):
        """Each with the address leaving the name service before the drain, or after the end."""
        self.cluster.roll_deployment("decryptor", named=True)
        self.cluster.roll_in_place("mqtt-ingest")
        self.cluster.roll_deployment("db-writer", named=True)
        self.cluster.roll_deployment("debouncer")
        self.cluster.roll_deployment("dashboard")
        self.cluster.roll_in_place("publisher")
        self.flows("after the update")

    def names_fail(self):
        """All decryptors are replaced, and nobody can find the new ones."""
        self.cluster.names.trouble = pods.SERVFAIL
        self.cluster.roll_deployment("decryptor")
        for trouble in (pods.SERVFAIL, "empty", "silent"):
            self.cluster.names.trouble = trouble
            asked = self.cluster.names.asked
            wait_until(lambda a=asked: self.cluster.names.asked > a + 20, "they ask again and again")
        self.cluster.names.trouble = None
        self.flows("after the names are back")

    def one_hangs(self):
        """It does not hear SIGTERM and is killed after the grace."""
        pod = self.cluster.pods["db-writer", 0]
        pod.process.send_signal(19)
        self.cluster.wait_ready(self.cluster.start("db-writer", 0))
        pod.end(2, named=True)

    def node_is_lost(self):
        """One of each at once, without a word, db-writer in the middle of a transaction whose locks the others need; their
        addresses stay for a while, other pods come meanwhile."""
        self.world.start("lock", [
            self.db.bin / "psql", "-X", "-q", "-h", "127.0.0.1", "-p", self.db.port, "-U", "zw", "-d", "smartmeter", "-c",
            "BEGIN; LOCK TABLE smartmeter.historydebounced_compact IN EXCLUSIVE MODE; SELECT pg_sleep(6)"])  # fmt: skip
        waiting = "SELECT 1 FROM pg_stat_activity WHERE application_name LIKE '%writer%' AND wait_event_type = 'Lock' AND client_addr = '{}'"
        writer = self.cluster.pods["db-writer", 1].address
        wait_until(lambda: self.db.query(waiting.format(writer)), "db-writer waits in its transaction")
        lost = [self.cluster.pods[service, 1] for service in ("mqtt-ingest", "decryptor", "debouncer", "db-writer")]
        for pod in lost:
            pod.lose()
        until = time.monotonic() + 8
        for pod in lost:
            self.cluster.start(pod.service, 1)
        self.cluster.wait_ready()
        wait_until(lambda: time.monotonic() > until, "the node controller has noticed")
        for pod in lost:
            pod.leave_names()
        self.flows("after the loss of a node")

    def all_are_found(self):
        """Whoever is there now gets its part of what is sent."""
        for (service, _), pod in self.cluster.pods.items():
            metric = {"decryptor": "readings_total", "debouncer": "readings_total", "db-writer": "batches_total"}.get(service)
            if metric:
                wait_until(lambda p=pod, m=metric: p.metric(m) > 0, f"{pod.name} gets something")

    # --- and what came of it ---

    def drained(self):
        """Only a later one that is acknowledged tells that an earlier one was lost: so a meter of each slot goes on."""
        for n in range(REPLICAS["mqtt-ingest"]):
            self.send(n, self.meters[n].telegram(utc=int(time.time())))
        wait_until(lambda: not self.client.waiting, "the broker has acknowledged them")
        until = time.monotonic() + 2
        while time.monotonic() < until:
            time.sleep(0.1)
            if not sum(self.cluster.pods["mqtt-ingest", n].metric("journal_telegrams") for n in range(REPLICAS["mqtt-ingest"])):
                return True
        return False

    def count(self):
        self.feeder.close()
        wait_until(self.drained, "the journals are empty", 120)
        wait_until(lambda: not self.client.waiting, "the broker has acknowledged everything")
        wanted = {chaos.key(r): r for r in self.client.acked}
        wait_until(lambda: len(self.db.readings()) >= len(wanted), f"{len(wanted)} rows")
        rows = [{k: v for k, v in r.items() if k != "received_at"} for r in self.db.readings()]
        lost = wanted.keys() - {chaos.key(r) for r in rows}
        print(f"figures: rollout: {pods.Running.count} pods, published {len(wanted)}, lost {len(lost)}, doubled {len(rows) - len({chaos.key(r) for r in rows})}",
              flush=True)  # fmt: skip
        self.assertEqual(lost, set())
        self.assertEqual(sorted(map(chaos.key, rows)), sorted(wanted))
        self.assertEqual([r for r in rows if r != wanted[chaos.key(r)]], [])
        self.assertEqual(self.db.rejects(), [])
