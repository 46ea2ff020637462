"""deploy/kubernetes: what kubectl makes of it is sound by the API's schemas and by what the programs say themselves."""

import copy
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import kubernetes
import yaml
from frames import ROOT
from harness import BIN, ENVIRONMENT, SANITIZER_ENV, Case, free_port, wait_until

KEYS = "system_title,key\n5341475E40F89D93,000102030405060708090A0B0C0D0E0F\n"
GIB = {"Mi": 1 << 20, "Gi": 1 << 30}
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}


def octets(quantity):
    return int(quantity[:-2]) * GIB[quantity[-2:]]


class Overlay:
    """What must hold for every overlay."""

    NAME, COMPONENTS, OPEN, SECRETS = "", (), {("dashboard", 8080)}, ""
    API = ()  # who asks the API server
    CHANGED = set()  # what the components change of the overlay
    PRIVILEGED = ()  # who needs more than "restricted"

    @classmethod
    def prepare(cls):
        folder = cls.world.path / "mine"
        folder.mkdir()
        cls.objects = kubernetes.build_with(folder, cls.NAME, *cls.COMPONENTS)
        cls.pods = kubernetes.pods(cls.objects)
        cls.ours = [p for p in cls.pods if p.program]
        cls.operated = kubernetes.operated(cls.objects)
        cls.peers = cls.pods + kubernetes.pods(cls.operated)
        cls.services = kubernetes.services(cls.objects)
        cls.policies = kubernetes.Policies(cls.objects)

    def each(self, pods=None):
        for pod in self.pods if pods is None else pods:
            with self.subTest(pod.name):
                yield pod

    def test_alone(self):
        """The overlay itself builds, and components change what they must and only add otherwise."""
        alone = kubernetes.build(kubernetes.FOLDER / "overlays" / self.NAME)
        changed = {(o["kind"], re.sub(r"-[0-9a-z]{10}$", "", o["metadata"]["name"])) for o in alone if o not in self.objects}
        self.assertEqual(changed, self.CHANGED)

    def test_schemas(self):
        self.assertEqual(kubernetes.schema_problems(self.objects), [])
        self.assertEqual({o["metadata"].get("namespace") for o in self.objects if o["kind"] != "Namespace"}, {"zaehlwerk"})
        names = [(o["kind"], o["metadata"]["name"]) for o in self.objects]
        self.assertEqual(len(names), len(set(names)))

    def test_restricted(self):
        """The Pod Security Standard "restricted", which the namespace enforces, and more."""
        labels = next(o for o in self.objects if o["kind"] == "Namespace")["metadata"]["labels"]
        levels = {k.partition("/")[2]: v for k, v in labels.items() if k.startswith("pod-security")}
        self.assertEqual(levels, {"enforce": "privileged" if self.PRIVILEGED else "restricted", "audit": "restricted", "warn": "restricted"})
        for pod in self.each([p for p in self.pods if p.name not in self.PRIVILEGED]):
            self.assertEqual({k for k in pod.spec if k.startswith("host")}, set())
            own = pod.spec["securityContext"]
            self.assertEqual((own["runAsNonRoot"], own["seccompProfile"]), (True, {"type": "RuntimeDefault"}))
            self.assertGreater(own["runAsUser"], 0)
            self.assertEqual((pod.spec["automountServiceAccountToken"], pod.spec["enableServiceLinks"]), (False, False))
            for volume in pod.volumes.values():
                self.assertLessEqual(set(volume) - {"name"}, VOLUMES)
            for container in pod.containers:
                self.assertEqual(container["securityContext"], {
                    "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}})  # fmt: skip
                self.assertFalse([p for p in container.get("ports", []) if "hostPort" in p])

    def test_images_and_resources(self):
        version = re.search(r"^VERSION := (\S+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)[1]
        for pod in self.each():
            if pod.program:
                self.assertEqual(pod.main["image"], f"zaehlwerk/{pod.program}:{version}")
                self.assertTrue((ROOT / "services" / pod.program / "main.c").exists())
                self.assertEqual(pod.spec["securityContext"]["runAsUser"], 10001)
            for container in pod.containers:
                self.assertRegex(container["image"], r"^[a-z/-]+:\d+\.\d+\.\d+[\w.-]*$")
                self.assertEqual(set(container["resources"]["requests"]), {"cpu", "memory"})
                self.assertLessEqual(octets(container["resources"]["requests"]["memory"]), octets(container["resources"]["limits"]["memory"]))

    def test_volumes(self):
        """Every mount has its volume, every volume a mount and a source that is there."""
        there = {(o["kind"], o["metadata"]["name"]) for o in self.objects + self.operated + self.secrets()}
        for pod in self.each():
            mounted = {m["name"] for c in pod.containers for m in c.get("volumeMounts", [])}
            self.assertEqual(mounted, set(pod.volumes))
            for volume in pod.volumes.values():
                if "secret" in volume:
                    self.assertIn(("Secret", volume["secret"]["secretName"]), there)
                    self.assertEqual(volume["secret"]["defaultMode"], 0o440)
                if "configMap" in volume:
                    self.assertIn(("ConfigMap", volume["configMap"]["name"]), there)

    def test_probes(self):
        for pod in self.each([p for p in self.ours if p.owner["kind"] != "Job"]):
            asked = {kind: pod.main[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
            self.assertEqual(asked, {"startup": {"path": "/healthz", "port": "http"}, "liveness": {"path": "/healthz", "port": "http"},
                                     "readiness": {"path": "/readyz", "port": "http"}})  # fmt: skip
            self.assertGreaterEqual(pod.spec["terminationGracePeriodSeconds"], 20)  # SIGTERM may take 10

    def test_ports(self):
        """A container's ports are where its program listens by its own settings."""
        for pod in self.each(self.ours):
            if pod.owner["kind"] == "Job":
                continue
            settings = kubernetes.settings_of(pod.program)
            listens = {k for k in settings if k.endswith(("_BIND", "_LISTEN"))}
            self.assertEqual(pod.ports, {int((pod.env.get(k) or settings[k]).rpartition(":")[2]) for k in listens})
            for name in listens & set(pod.env):  # where a setting is repeated, it is for the address alone
                self.assertEqual(pod.env[name], "0.0.0.0:" + settings[name].rpartition(":")[2])

    def test_settings(self):
        """Each is one that the program has, and --check-config is content with all of them."""
        for pod in self.each(self.ours):
            if pod.owner["kind"] == "Job":
                continue
            known = kubernetes.settings_of(pod.program)
            names = set(known) | {f"{k}_FILE" for k in known} | (kubernetes.LIBPQ if "DB_HOST" in known else set())
            self.assertLessEqual(set(pod.env), names)
            env = {k: self.here(pod, v) for k, v in pod.env.items()}
            self.assertEqual(self.check(pod.program, env), (0, ""))
            wrong = self.check(pod.program, env | {"LOG_LEVEL": "loud"})
            self.assertEqual((wrong[0], "LOG_LEVEL" in wrong[1]), (78, True))

    @classmethod
    def secrets(cls):
        """The Secrets as secrets.sh makes them."""
        folder = cls.world.path / "secrets"
        if not folder.exists():
            shutil.copytree(kubernetes.FOLDER / "secrets" / cls.SECRETS, folder)
            subprocess.run([kubernetes.FOLDER / "secrets.sh", cls.SECRETS, folder], input=b"00" * 16 + b"\n",
                           stdout=subprocess.DEVNULL, check=True)  # fmt: skip
        return kubernetes.build(folder)

    def here(self, pod, value):
        """A path in the container as a file of the same content on this machine."""
        if not value.startswith(("/run/", "/var/lib/zaehlwerk/keys/")):
            return value
        kind, name, key = pod.file(value)
        if kind == "secret":
            content = kubernetes.secret_files(self.operated + self.secrets())[name][key]
        elif kind == "configMap":
            content = next(o for o in self.objects if o["metadata"]["name"] == name)["data"][key].encode()
        else:
            content = KEYS.encode()
        path = self.world.path / f"{pod.name}-{name}-{key}"
        path.write_bytes(content)
        return str(path)

    @staticmethod
    def check(program, env):
        result = subprocess.run([BIN / program, "--check-config"], env=ENVIRONMENT | SANITIZER_ENV | env,
                                capture_output=True, text=True, check=False)  # fmt: skip
        return result.returncode, result.stderr

    def test_services(self):
        """Each Service has pods, with its ports; who is connected to by ZeroMQ is headless and shows all its pods."""
        for name, spec in self.services.items():
            with self.subTest(name):
                behind = [p for p in self.pods if kubernetes.matches({"matchLabels": spec["selector"]}, p.labels)]
                self.assertTrue(behind)
                for pod in behind:
                    self.assertLessEqual({s.get("targetPort", s["port"]) for s in spec["ports"]}, pod.ports)
        streams = {h for p in self.ours for k, v in p.env.items() if k.endswith("_CONNECT") for h in re.findall("tcp://([^:]+)", v)}
        self.assertEqual(streams, {"mqtt-ingest", "decryptor", "debouncer", "db-writer"} | set(self.PRIVILEGED))
        for host in streams:
            self.assertEqual((self.services[host]["clusterIP"], self.services[host]["publishNotReadyAddresses"]), ("None", True))
        for pod in self.pods:
            if pod.owner["kind"] == "StatefulSet":
                self.assertIn(pod.owner["spec"]["serviceName"], self.services)

    def needed(self):
        """(from, to, port) of every way that the settings name; hosts that are no Service stand for themselves."""
        found, reached = set(), self.services | kubernetes.services(self.operated)
        for pod in self.pods:
            for host, port in kubernetes.wants(pod):
                behind = [p.name for p in self.peers if host in reached
                          and kubernetes.matches({"matchLabels": reached[host]["selector"]}, p.labels)]  # fmt: skip
                found |= {(pod.name, other, port) for other in behind or [host]}
        return found

    def test_edges(self):
        """The policies let through what the settings need, and nothing more, on either side."""
        names = {p.name for p in self.peers}
        ports = set().union(*(p.ports for p in self.peers)) | {22, 53, 80, 443, 6443, 8883}
        inside = {e for e in self.needed() if e[1] in names}
        self.assertGreater(len(inside), 12)
        api = {(one, name, port) for one in self.API for name in names for port in (443, 6443)}
        self.assertEqual(self.policies.edges("Egress", self.peers, ports), inside | api)
        everybody = {(p.name, name, port) for p in self.peers for name, port in self.OPEN}
        self.assertEqual(self.policies.edges("Ingress", self.peers, ports), inside | everybody)

    def test_ways_out_and_in(self):
        dns = {"namespace": {"kubernetes.io/metadata.name": "kube-system"}, "labels": {"k8s-app": "kube-dns"}}
        stranger = {"namespace": {"kubernetes.io/metadata.name": "default"}, "labels": {"k8s-app": "kube-dns", "zaehlwerk/readings": "yes"}}
        prometheus = {"namespace": {"kubernetes.io/metadata.name": "monitoring"}, "labels": {}}
        outside = {(s, h, p) for s, h, p in self.needed() if h not in {p.name for p in self.peers}}
        for pod in self.each():
            for protocol in ("UDP", "TCP"):
                self.assertTrue(self.policies.allow("Egress", pod, dns, 53, protocol))
                self.assertTrue(self.policies.allow("Egress", pod, {"ip": "169.254.20.10"}, 53, protocol))
            self.assertFalse(self.policies.allow("Egress", pod, dns, 443))
            self.assertFalse(self.policies.allow("Egress", pod, stranger, 53, "UDP"))
            ways = {(ip, port) for ip in ("192.0.2.10", "192.0.2.20", "198.51.100.1") for port in (443, 1883, 5432, 8883)
                    if self.policies.allow("Egress", pod, {"ip": ip}, port)}  # fmt: skip
            self.assertEqual({port for _, port in ways}, {port for s, _, port in outside if s == pod.name})
            self.assertNotIn("198.51.100.1", {ip for ip, _ in ways})
            for port in pod.ports:
                self.assertEqual(self.policies.allow("Ingress", pod, stranger, port), (pod.name, port) in self.OPEN)
                watched = "monitoring" in self.COMPONENTS and port == self.http(pod)
                self.assertEqual(self.policies.allow("Ingress", pod, prometheus, port), watched or (pod.name, port) in self.OPEN)

    @staticmethod
    def http(pod):
        return next((p["containerPort"] for p in pod.main["ports"] if p["name"] == "http"), None)

    def test_slots(self):
        """As many slots as ingests, each with its name and a volume of its own, and room for a full journal."""
        pod = next(p for p in self.pods if p.name == "mqtt-ingest")
        spec = pod.owner["spec"]
        self.assertEqual(int(pod.env["INGEST_SLOTS"]), spec["replicas"])
        self.assertIn({"name": "INGEST_SLOT", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}, pod.main["env"])
        self.assertEqual(pod.file(kubernetes.settings_of("mqtt-ingest")["JOURNAL_PATH"])[:2], ("claim", "journal"))
        room = octets(spec["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"])
        self.assertGreaterEqual(room, 1.5 * int(pod.env["JOURNAL_MAX_BYTES"]))
        self.assertEqual(set(spec["persistentVolumeClaimRetentionPolicy"].values()), {"Retain"})

    def test_updates(self):
        """Who may have two for a moment has; who may not has not."""
        for pod in self.each([p for p in self.ours if p.owner["kind"] == "Deployment"]):
            strategy = pod.owner["spec"]["strategy"]
            if pod.name == "publisher":
                self.assertEqual((strategy, pod.owner["spec"]["replicas"]), ({"type": "Recreate"}, 1))
            else:
                self.assertEqual(strategy, {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}})


class Home(Overlay, Case):
    NAME, SECRETS, OPEN = "home", "home", {("dashboard", 8080), ("broker", 1883)}

    def test_volumes_are_of_this_machine(self):
        classes = [c["spec"]["storageClassName"] for p in self.pods for c in p.owner["spec"].get("volumeClaimTemplates", [])]
        self.assertEqual(classes, ["local-path"] * (3 + len(self.PRIVILEGED)))

    def test_broker(self):
        """The broker's configuration is the shipped one and who may come in and do what, and mosquitto takes it."""
        maps = {o["metadata"]["name"].rpartition("-")[0]: o["data"] for o in self.objects if o["kind"] == "ConfigMap"}
        folder = self.world.path / "broker"
        for name in ("shipped", "own", "run", "secrets", "data"):
            (folder / name).mkdir(parents=True)
        for name, data in (("shipped", maps["mosquitto"]), ("own", maps["broker"])):
            for key, text in data.items():
                (folder / name / key).write_text(text, encoding="utf-8")
        for key, octets_ in kubernetes.secret_files(self.secrets())["zaehlwerk-mqtt"].items():
            (folder / "secrets" / key).write_bytes(octets_)
        port = free_port()
        script = maps["broker"]["broker.sh"].replace("/etc/broker", str(folder)).replace("/run/mosquitto", str(folder / "run"))
        script = script.replace("/run/secrets/mqtt", str(folder / "secrets"))
        (folder / "broker.sh").write_text(script, encoding="utf-8")
        self.world.tool("sh", folder / "broker.sh", check=True)
        conf = (folder / "run/mosquitto.conf").read_text(encoding="utf-8")
        self.assertNotIn((folder / "secrets/ingest").read_text(encoding="utf-8"), (folder / "run/passwd").read_text(encoding="utf-8"))
        for old, new in (("/run/mosquitto", str(folder / "run")), ("/mosquitto/data", str(folder / "data")), ("listener 1883", f"listener {port} 127.0.0.1")):
            conf = conf.replace(old, new)
        (folder / "run/mosquitto.conf").write_text(conf + ("user root\n" if os.getuid() == 0 else ""), encoding="utf-8")
        self.world.start("mosquitto", ["mosquitto", "-c", folder / "run/mosquitto.conf"])

        def tool(program, user, *argv, password=None):
            password = password or (folder / "secrets" / user).read_text(encoding="utf-8")
            return self.world.tool(program, "-h", "127.0.0.1", "-p", port, "-u", user, "-P", password, "-q", "1", *argv)

        def publish(user, topic, text, **more):
            return tool("mosquitto_pub", user, "-r", "-t", topic, "-m", text, **more).returncode == 0

        wait_until(lambda: publish("receiver", "sensors/smartmeter", "frame"), "the receiver may come in")
        self.assertFalse(publish("receiver", "sensors/smartmeter", "x", password="guessed"))
        for user, topic, text in (("publisher", "sensors/smartmeter/values", "values"), ("receiver", "sensors/smartmeter/values", "forged"),
                                  ("home", "sensors/smartmeter", "forged")):  # fmt: skip
            publish(user, topic, text)
        read = {user: tool("mosquitto_sub", user, "-t", "sensors/smartmeter/#", "-W", "1", "--retained-only", "-v").stdout.decode()
                for user in ("ingest", "home")}  # fmt: skip
        self.assertEqual(read, {"ingest": "sensors/smartmeter frame\n", "home": "sensors/smartmeter/values values\n"})


class HomeWithComponents(Home):
    """The same with a meter at the machine itself, and what watches all."""

    COMPONENTS, PRIVILEGED = ("serial-ingest", "monitoring"), ("serial-ingest",)
    CHANGED = {("ConfigMap", "decryptor"), ("ConfigMap", "dashboard"), ("Deployment", "decryptor"), ("Deployment", "dashboard"), ("Namespace", "zaehlwerk")}

    def test_what_is_beyond_restricted(self):
        """The machine's devices, and the leave to open them, are all that this pod has more than the others."""
        pod, other = (next(p for p in self.pods if p.name == n) for n in ("serial-ingest", "mqtt-ingest"))
        own = dict(pod.spec["securityContext"])
        self.assertEqual(own.pop("supplementalGroups"), [20])
        self.assertEqual(own, other.spec["securityContext"])
        self.assertEqual(pod.main["securityContext"], {"privileged": True, "readOnlyRootFilesystem": True})
        self.assertEqual([v["hostPath"] for v in pod.volumes.values() if "hostPath" in v], [{"path": "/dev", "type": "Directory"}])
        (mount,) = [m for m in pod.main["volumeMounts"] if m["name"] == "devices"]
        self.assertTrue(mount["readOnly"] and pod.env["SERIAL_DEVICE"].startswith(mount["mountPath"] + "/"))
        self.assertEqual((pod.spec["automountServiceAccountToken"], pod.spec["enableServiceLinks"]), (False, False))
        self.assertFalse([k for k in pod.spec if k.startswith("host")])

    def test_device_of_ones_own(self):
        """As README.md has it: named in one's own kustomization."""
        folder = self.world.path / "named"
        folder.mkdir()
        kubernetes.build_with(folder, self.NAME, *self.COMPONENTS)
        path = folder / "kustomization.yaml"
        patch = "{apiVersion: v1, kind: ConfigMap, metadata: {name: serial-ingest}, data: {SERIAL_DEVICE: /host/dev/serial/by-id/usb-one}}"
        mine = yaml.safe_load(path.read_text(encoding="utf-8")) | {"patches": [{"patch": patch}]}
        path.write_text(yaml.safe_dump(mine), encoding="utf-8")
        pod = next(p for p in kubernetes.pods(kubernetes.build(folder)) if p.name == "serial-ingest")
        self.assertEqual(pod.env["SERIAL_DEVICE"], "/host/dev/serial/by-id/usb-one")


class Fleet(Overlay, Case):
    NAME, SECRETS = "fleet", "fleet"

    def of(self, kind):
        return {o["metadata"]["name"]: o["spec"] for o in self.objects if o["kind"] == kind}

    def test_autoscaling(self):
        """Both are scaled by their processors, and nothing else says how many they are."""
        scalers = self.of("HorizontalPodAutoscaler")
        self.assertEqual(set(scalers), {"decryptor", "db-writer"})
        for name, spec in scalers.items():
            pod = next(p for p in self.pods if p.name == name)
            self.assertEqual((spec["scaleTargetRef"]["kind"], spec["scaleTargetRef"]["name"]), (pod.owner["kind"], name))
            self.assertNotIn("replicas", pod.owner["spec"])
            self.assertIn("cpu", pod.main["resources"]["requests"])
            self.assertTrue(1 < spec["minReplicas"] < spec["maxReplicas"])

    def test_disruption(self):
        """One at a time of all that have several; a single one must not hold a node up."""
        budgets = self.of("PodDisruptionBudget")
        for pod in self.each():
            mine = [b for b in budgets.values() if kubernetes.matches(b["selector"], pod.labels)]
            self.assertEqual([b["maxUnavailable"] for b in mine], [1] * (pod.name not in ("publisher", "retire")))

    def test_spread(self):
        for pod in self.each(self.ours):
            if pod.name == "retire":
                continue
            for spread in pod.spec["topologySpreadConstraints"]:
                self.assertTrue(kubernetes.matches(spread["labelSelector"], pod.labels))
                self.assertTrue(all(k in pod.labels for k in spread["matchLabelKeys"]))
            self.assertEqual({s["topologyKey"] for s in pod.spec["topologySpreadConstraints"]}, {"kubernetes.io/hostname", "topology.kubernetes.io/zone"})

    def test_encrypted_ways_out(self):
        for pod in self.each(self.ours):
            if "MQTT_HOST" in pod.env:
                self.assertEqual((pod.env["MQTT_TLS"], pod.env["MQTT_PORT"]), ("1", "8883"))
            if "DB_HOST" in pod.env:
                self.assertEqual(pod.env["PGSSLMODE"], "verify-full")
                self.assertIn("BEGIN CERTIFICATE", open(self.here(pod, pod.env["PGSSLROOTCERT"]), encoding="ascii").read())

    def test_keys_are_a_volume(self):
        pod = next(p for p in self.pods if p.name == "decryptor")
        self.assertEqual(pod.file(pod.env["SMARTMETER_KEYS_FILE"]), ("claim", "zaehlwerk-keys", "keys.csv"))
        self.assertIn("zaehlwerk-keys", self.of("PersistentVolumeClaim"))


class FleetWithComponents(Fleet):
    """The same with what watches it, and a slot that is being retired."""

    COMPONENTS = ("monitoring", "retire")

    def test_every_service_is_watched(self):
        monitor = self.of("ServiceMonitor")["zaehlwerk"]
        found = set()
        for o in self.objects:
            if o["kind"] == "Service" and kubernetes.matches(monitor["selector"], o["metadata"].get("labels", {})):
                if monitor["endpoints"][0]["port"] in {p["name"] for p in o["spec"]["ports"]}:
                    found |= {p.name for p in self.pods if kubernetes.matches({"matchLabels": o["spec"]["selector"]}, p.labels)}
        self.assertEqual(found, {p.name for p in self.ours})

    def test_rules(self):
        """The alerts are those of deploy/monitoring; rules.sh prints them anew."""
        made = self.world.tool("sh", kubernetes.FOLDER / "components/monitoring/rules.sh", check=True).stdout.decode()
        self.assertEqual((kubernetes.FOLDER / "components/monitoring/rules.yaml").read_text(encoding="utf-8"), made)
        self.assertTrue(self.of("PrometheusRule")["zaehlwerk"]["groups"][0]["rules"])

    def test_retire(self):
        """The Job has what the ingest had: settings, volume, and a place among its addresses."""
        job, ingest = (next(p for p in self.pods if p.name == n) for n in ("retire", "mqtt-ingest"))
        self.assertEqual({k: v for k, v in ingest.env.items() if k != "INGEST_SLOT"}, job.env)
        slot = int(job.main["args"][1])
        self.assertEqual(job.main["args"][0], "retire")
        self.assertEqual(job.file("/var/lib/zaehlwerk/ingest")[1], f"journal-mqtt-ingest-{slot}")
        self.assertTrue(kubernetes.matches({"matchLabels": self.services["mqtt-ingest"]["selector"]}, job.labels))
        self.assertEqual(job.ports, ingest.ports)


class FleetWithCloudNativePG(Fleet):
    """The same with its database inside, as the operator makes it."""

    COMPONENTS, API = ("cloudnative-pg",), ("database",)
    CHANGED = {("ConfigMap", "database"), ("Deployment", "db-writer"), ("Deployment", "dashboard"), ("NetworkPolicy", "to-database")}

    def needed(self):
        return super().needed() | {("database", "database", port) for port in (5432, 8000)}

    def test_who_reaches_the_database(self):
        database = self.peers[-1]
        operator = {"namespace": {"kubernetes.io/metadata.name": "cnpg-system"}, "labels": {"app.kubernetes.io/name": "cloudnative-pg"}}
        other = {"namespace": operator["namespace"], "labels": {}}
        for port in database.ports:
            self.assertEqual(self.policies.allow("Ingress", database, operator, port), port in (5432, 8000))
            self.assertFalse(self.policies.allow("Ingress", database, other, port))
            self.assertFalse(self.policies.allow("Egress", database, {"ip": "198.51.100.1"}, port))
        self.assertTrue(self.policies.allow("Egress", database, {"ip": "198.51.100.1"}, 6443))

    def test_passwords(self):
        """Each role's Secret has its name, and the password that the service with that role is given."""
        cluster, secrets = self.of("Cluster")["database"], kubernetes.secret_files(self.secrets())
        types = {o["metadata"]["name"]: o["type"] for o in self.secrets()}
        self.assertEqual(cluster["bootstrap"]["initdb"]["secret"], cluster["managed"]["roles"][0]["passwordSecret"])
        roles = {r["name"]: r["passwordSecret"]["name"] for r in cluster["managed"]["roles"]}
        clients = [p for p in self.pods if "DB_USER" in p.env]
        self.assertEqual({p.env["DB_USER"] for p in clients}, set(roles))
        for pod in clients:
            name = roles[pod.env["DB_USER"]]
            _, mounted, key = pod.file(pod.env["DB_PASSWORD_FILE"])
            self.assertEqual((types[name], secrets[name]), ("kubernetes.io/basic-auth", {"username": pod.env["DB_USER"].encode(), "password": secrets[mounted][key]}))

    def test_commits_are_on_two_nodes(self):
        cluster = self.of("Cluster")["database"]
        self.assertEqual((cluster["instances"], cluster["postgresql"]["synchronous"]), (3, {"method": "any", "number": 1}))

    def test_database_is_the_one_that_services_ask_for(self):
        initdb, pod = self.of("Cluster")["database"]["bootstrap"]["initdb"], next(p for p in self.pods if p.name == "db-writer")
        self.assertEqual((initdb["database"], initdb["owner"]), (pod.env["DB_NAME"], pod.env["DB_USER"]))


class Checks(unittest.TestCase):
    """The checks above find what is wrong."""

    def test_schema(self):
        good = next(o for o in kubernetes.build(kubernetes.FOLDER / "overlays/home") if o["kind"] == "StatefulSet")
        self.assertEqual(kubernetes.schema_problems([good]), [])
        for why, path, value in (("type", ["replicas"], "one"), ("unknown", ["replica"], 1), ("missing", ["selector"], None),
                                 ("deep", ["template", "spec", "hostnetwork"], True)):  # fmt: skip
            with self.subTest(why):
                bad = copy.deepcopy(good)
                at = bad["spec"]
                for key in path[:-1]:
                    at = at[key]
                at[path[-1]] = value
                if value is None:
                    del at[path[-1]]
                found = kubernetes.schema_problems([bad])
                self.assertEqual(len(found), 1, found)
                self.assertIn(path[-1], found[0][1])

    def test_schema_of_operators(self):
        with tempfile.TemporaryDirectory() as folder:
            cluster = next(o for o in kubernetes.build_with(folder, "fleet", "cloudnative-pg") if o["kind"] == "Cluster")
        for key, value in (("instances", "three"), ("instance", 3)):
            with self.subTest(key):
                found = kubernetes.schema_problems([cluster | {"spec": cluster["spec"] | {key: value}}])
                self.assertEqual(len(found), 1, found)
                self.assertIn(key, found[0][1])

    def test_policies(self):
        objects = kubernetes.build(kubernetes.FOLDER / "overlays/home")
        pods = {p.name: p for p in kubernetes.pods(objects)}
        policies = kubernetes.Policies(objects)
        self.assertTrue(policies.allow("Egress", pods["decryptor"], pods["mqtt-ingest"], 5550))
        self.assertFalse(policies.allow("Egress", pods["decryptor"], pods["mqtt-ingest"], 9101))
        self.assertFalse(policies.allow("Ingress", pods["database"], pods["publisher"], 5432))
        nothing = kubernetes.Policies([])
        self.assertTrue(nothing.allow("Ingress", pods["database"], pods["publisher"], 5432))

    def test_keys_loader(self):
        """The pod that brings the keys has the fleet's volume, and is one that the namespace takes."""
        loader = yaml.safe_load((kubernetes.FOLDER / "keys-loader.yaml").read_text(encoding="utf-8"))
        self.assertEqual(kubernetes.schema_problems([loader]), [])
        fleet = {p.name: p for p in kubernetes.pods(kubernetes.build(kubernetes.FOLDER / "overlays/fleet"))}["decryptor"]
        self.assertEqual(loader["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"], "zaehlwerk-keys")
        own = {k: v for k, v in fleet.spec["securityContext"].items() if k != "fsGroupChangePolicy"}
        self.assertEqual(loader["spec"]["securityContext"], own)
        self.assertEqual(loader["spec"]["containers"][0]["securityContext"], fleet.main["securityContext"])

    def test_lock_names_no_registry(self):
        lock = json.loads((ROOT / "tests/kubernetes/package-lock.json").read_text(encoding="utf-8"))
        self.assertEqual([p for p in lock["packages"].values() if "resolved" in p], [])
        self.assertGreater(len(lock["packages"]), 5)
