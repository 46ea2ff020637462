"""A small MQTT 3.1.1 client over a socket: it knows what the broker has acknowledged.

Every message of QoS 1 is kept until its PUBACK and sent again after every reconnect. So what is in
`acked` is the broker's promise, and some of it may have reached the broker twice.
"""

import socket
import struct
import threading
import time


def text(s):
    return struct.pack(">H", len(s)) + s.encode()


def packet(kind, body):
    length, n = b"", len(body)
    while True:
        n, low = n >> 7, n & 127
        length += bytes([low | 0x80 if n else low])
        if not n:
            return bytes([kind]) + length + body


class Client(threading.Thread):
    """Connects again and again until it is closed. `heard`: (time, topic, payload) of the filter."""

    def __init__(self, port, name, listen=None):
        super().__init__(daemon=True)
        self.port, self.name_, self.listen = port, name, listen
        self.lock, self.sock, self.closing = threading.Lock(), None, False
        self.waiting, self.last = {}, 0  # packet id: (topic, payload, what)
        self.acked, self.heard, self.again = [], [], 0
        self.subscribed = threading.Event()
        self.start()

    def publish(self, topic, payload, what=None):
        """Send now or when the broker is there; `what` is put into `acked` once it has it."""
        with self.lock:
            self.last = self.last % 65535 + 1
            assert self.last not in self.waiting, "65535 messages wait for the broker"
            self.waiting[self.last] = (topic, payload, what)
            if self.sock:
                self.send(self.last)

    def send(self, pid, dup=0):
        topic, payload, _ = self.waiting[pid]
        try:
            self.sock.sendall(packet(0x32 | dup, text(topic) + struct.pack(">H", pid) + payload))
        except OSError:
            self.sock = None  # the reader notices, too

    def run(self):
        while not self.closing:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=30) as sock:
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self.talk(sock, sock.makefile("rb"))
            except (OSError, EOFError):
                time.sleep(0.1)
            with self.lock:
                self.sock = None

    def talk(self, sock, stream):
        sock.sendall(packet(0x10, text("MQTT") + b"\x04\x02\x00\x00" + text(self.name_)))
        if self.read(stream) != (0x20, b"\x00\x00"):
            raise EOFError
        sock.settimeout(None)
        if self.listen:
            sock.sendall(packet(0x82, b"\xFF\xFF" + text(self.listen) + b"\x00"))
        with self.lock:
            self.sock = sock
            self.again += len(self.waiting)
            for pid in list(self.waiting):
                if self.sock:
                    self.send(pid, 8)
        while True:
            self.take(*self.read(stream))

    @staticmethod
    def read(stream):
        def octets(n):
            found = stream.read(n)
            if len(found) < n:
                raise EOFError
            return found

        kind, n, shift = octets(1)[0], 0, 0
        while True:
            octet = octets(1)[0]
            n, shift = n | (octet & 127) << shift, shift + 7
            if octet < 128:
                return kind, octets(n)

    def take(self, kind, body):
        if kind == 0x40:  # PUBACK
            with self.lock:
                _, _, what = self.waiting.pop(int.from_bytes(body[:2], "big"), (0, 0, None))
            if what is not None:
                self.acked.append(what)
        elif kind & 0xF0 == 0x30:
            n = int.from_bytes(body[:2], "big")
            self.heard.append((time.time(), body[2 : 2 + n].decode(), body[2 + n :]))
        elif kind == 0x90:
            self.subscribed.set()

    def close(self):
        self.closing = True
        with self.lock:
            if self.sock:
                self.sock.shutdown(socket.SHUT_RDWR)
        self.join(10)
