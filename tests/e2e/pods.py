"""Pods as a cluster has them, without a cluster: each with a network and an address of its own, found by a name service
that the test commands."""

import contextlib
import ctypes
import http.client
import os
import pathlib
import socket
import struct
import subprocess
import threading

from harness import BIN, wait_until

NEW_NETWORK, NEW_MOUNTS = 0x40000000, 0x20000
DOMAIN = "zaehlwerk.svc.cluster.local"
GATEWAY = "10.77.0.1"  # where the test, the broker, the database and the name service are
NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3


def ip(*argv):
    subprocess.run(["ip", *map(str, argv)], check=True, capture_output=True)


class Network:
    """A network of this process's own, which all of its children share; it ends with them."""

    @staticmethod
    def missing():
        """Why there can be none here, or None."""
        if os.getuid() != 0:
            return "only root may make networks"
        if subprocess.run(["unshare", "-n", "-m", "ip", "link", "add", "zw", "type", "bridge"], capture_output=True, check=False).returncode:
            return "no network namespace, or no bridge, can be made here"
        return None

    def __init__(self, world):
        if ctypes.CDLL(None).unshare(NEW_NETWORK | NEW_MOUNTS) != 0:
            raise AssertionError("unshare failed")
        os.makedirs("/run/netns", exist_ok=True)
        for how in (["--make-rprivate", "/"], ["-t", "tmpfs", "tmpfs", "/run/netns"]):
            subprocess.run(["mount", *how], check=True)
        # As the kubelet writes it; every look-up tries the search list first.
        for name, text in (("resolv.conf", f"search {DOMAIN} svc.cluster.local cluster.local\nnameserver {GATEWAY}\n"
                                           "options ndots:5 timeout:1 attempts:2\n"), ("nsswitch.conf", "hosts: files dns\n")):  # fmt: skip
            subprocess.run(["mount", "--bind", world.write(name, text), pathlib.Path("/etc", name).resolve()], check=True)
        ip("link", "set", "lo", "up")
        ip("link", "add", "zw", "type", "bridge")
        ip("addr", "add", f"{GATEWAY}/16", "dev", "zw")
        ip("link", "set", "zw", "up")


class Names(threading.Thread):
    """The cluster's name service: A records of headless Services, over UDP."""

    def __init__(self):
        super().__init__(daemon=True)
        self.records, self.trouble, self.asked = {}, None, 0  # trouble: SERVFAIL, "empty", "silent"
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((GATEWAY, 53))
        self.start()

    def run(self):
        while True:
            query, sender = self.socket.recvfrom(512)
            self.asked += 1
            answer = self.answer(query)
            if answer:
                self.socket.sendto(answer, sender)

    def answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode())
            at += 1 + query[at]
        question, kind = query[12 : at + 5], struct.unpack(">H", query[at + 1 : at + 3])[0]
        found = self.records.get(".".join(labels).lower())
        trouble = self.trouble
        if trouble == "silent":
            return None
        code = SERVFAIL if trouble == SERVFAIL else NXDOMAIN if found is None else NOERROR
        here = list(found or []) if kind == 1 and trouble is None else []
        records = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 5, 4) + socket.inet_aton(a) for a in here)
        return query[:2] + struct.pack(">HHHHH", 0x8580 | code, 1, len(here), 0, 0) + question + records

    def add(self, service, address):
        self.records.setdefault(f"{service}.{DOMAIN}", []).append(address)

    def remove(self, service, address):
        with contextlib.suppress(ValueError):
            self.records[f"{service}.{DOMAIN}"].remove(address)


class Running:
    """One pod: a process with a network of its own, and the address that it has for as long as it lives."""

    count = 0

    def __init__(self, cluster, service, env, name):
        Running.count += 1
        n = Running.count
        self.cluster, self.service, self.name = cluster, service, f"{name}.{n}"
        self.address, self.link = f"10.77.{n // 250 + 1}.{n % 250 + 1}", f"pod{n}"
        ip("netns", "add", self.link)
        ip("link", "add", self.link, "type", "veth", "peer", "name", "eth0", "netns", self.link)
        ip("link", "set", self.link, "master", "zw", "up")
        for how in (["link", "set", "lo", "up"], ["link", "set", "eth0", "up"], ["addr", "add", f"{self.address}/16", "dev", "eth0"]):
            ip("-n", self.link, *how)
        cluster.names.add(service, self.address)  # publishNotReadyAddresses: before it listens
        self.process = cluster.world.start(self.name, [BIN / service], env, run_as=["ip", "netns", "exec", self.link])
        self.port = int(env["HTTP_LISTEN"].rpartition(":")[2])

    def get(self, path):
        connection = http.client.HTTPConnection(self.address, self.port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def ready(self):
        """What the kubelet's readiness probe finds."""
        if not self.process.alive():
            raise AssertionError(f"{self.name} ended with status {self.process.popen.returncode}")
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.get("/readyz")[0] == 200
        return False

    def metric(self, name):
        for line in self.get("/metrics")[1].splitlines():
            if line.startswith(f"zaehlwerk_{name} "):
                return int(line.rpartition(" ")[2])
        return 0

    def leave_names(self):
        self.cluster.names.remove(self.service, self.address)

    def end(self, grace, named):
        """As the kubelet ends it: SIGTERM, and SIGKILL after the grace. Its address leaves the name service at once, or
        (named) with its end."""
        if not named:
            self.leave_names()
        self.process.send_signal(15)
        try:
            self.process.wait(grace)
        except AssertionError:
            self.process.kill()
        self.leave_names()

    def lose(self):
        """Its node is gone: nothing comes out any more, not even the end of a connection. The name stays."""
        ip("link", "set", self.link, "down")
        self.process.kill()


class Cluster:
    """Deployments and StatefulSets: so many pods of each, replaced one by one."""

    GRACE = 30

    def __init__(self, world, env_of):
        """env_of(service, name): a pod's settings."""
        self.world, self.env_of, self.names = world, env_of, Names()
        self.pods = {}  # (service, ordinal): Running
        for name in ("broker", "database"):
            self.names.add(name, GATEWAY)

    def start(self, service, ordinal, wait=True):
        name = f"{service}-{ordinal}"
        pod = Running(self, service, self.env_of(service, name), name)
        self.pods[service, ordinal] = pod
        return pod

    def wait_ready(self, *pods):
        for pod in pods or self.pods.values():
            wait_until(pod.ready, f"{pod.name} is ready")

    def of(self, service):
        return sorted(o for s, o in self.pods if s == service)

    def roll_deployment(self, service, named=False, grace=GRACE):
        """maxSurge 1, maxUnavailable 0."""
        for ordinal in self.of(service):
            old = self.pods[service, ordinal]
            self.wait_ready(self.start(service, ordinal))
            old.end(grace, named)

    def roll_in_place(self, service, named=False):
        """A StatefulSet, or a Deployment with Recreate: the old one is gone before the new one comes."""
        for ordinal in reversed(self.of(service)):
            self.pods[service, ordinal].end(self.GRACE, named)
            self.wait_ready(self.start(service, ordinal))
