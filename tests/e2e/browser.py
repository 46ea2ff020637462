"""What a browser does to the dashboard: requests, and listening to events. Nothing of ours in it."""

import contextlib
import http.client
import json
import re
import select
import socket

from harness import wait_until


class Dashboard:
    """A dashboard under test, on any free port."""

    def __init__(self, world, env, name="dashboard"):
        self.world, self.process = world, world.service(
            "dashboard", {"DASHBOARD_LISTEN": "127.0.0.1:0", "STATUS_URLS": "off"} | env, name)  # fmt: skip
        self.port = self.find_port()

    def find_port(self):
        def found():
            assert self.process.alive(), self.process.log()
            return re.search(r"event=dashboard .*port=(\d+)", self.process.log())

        return int(wait_until(found, "the dashboard listens")[1])

    def ask(self, method, path, body=None, headers=None, port=None):
        """Status, headers, octets."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=30)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def get(self, path, headers=None):
        """Status and JSON."""
        status, _, octets = self.ask("GET", path, headers=headers)
        return status, json.loads(octets)

    def post(self, path, body, headers=None):
        octets = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.ask("POST", path, octets, {"Content-Type": "application/json"} | (headers or {}))

    def state(self):
        status, state = self.get("/api/state")
        assert status == 200, state
        return state

    def meter(self, meter):
        return next((m for m in self.state()["meters"] if m["id"] == meter), None)

    def raw(self, octets, seconds=40):
        """The answer's head and the first of its body, for octets as they are; what is there when it is closed."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as s:
            answer = b""
            with contextlib.suppress(ConnectionError):
                s.sendall(octets)
            with contextlib.suppress(ConnectionError):
                while b"\r\n\r\n" not in answer and (part := s.recv(65536)):
                    answer += part
            return answer


class Listener:
    """One open /api/events."""

    def __init__(self, dashboard, headers=""):
        self.socket = socket.create_connection(("127.0.0.1", dashboard.port), timeout=30)
        self.socket.sendall(f"GET /api/events HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode())
        self.octets, self.closed, self.poll = b"", False, select.poll()
        self.poll.register(self.socket, select.POLLIN)

    def read(self):
        """Take what has come."""
        while not self.closed and self.poll.poll(0):
            try:
                part = self.socket.recv(65536)
            except ConnectionResetError:
                part = b""
            self.closed = not part
            self.octets += part
        return self.octets

    def head(self):
        return wait_until(lambda: self.read().partition(b"\r\n\r\n")[1] and self.octets.partition(b"\r\n\r\n")[0].decode(), "a head")

    def text(self):
        """The body so far, without its chunks' sizes."""
        body, out = self.read().partition(b"\r\n\r\n")[2], b""
        while b"\r\n" in body:
            size, _, rest = body.partition(b"\r\n")
            out += rest[: int(size, 16)]
            body = rest[int(size, 16) + 2 :]
        return out.decode()

    def events(self, name):
        """The data of all events of this name."""
        blocks = [dict(line.partition(": ")[::2] for line in b.splitlines()) for b in self.text().split("\n\n")[:-1]]
        return [json.loads(b["data"]) for b in blocks if b.get("event") == name]

    def close(self):
        self.socket.close()
