"""Records and streams as a foreign program would make them: msgpack and pyzmq, nothing of ours."""

import secrets
import time

import msgpack
import zmq

from frames import ORIGINAL


def quantities(values):
    """Field values as the records carry them: [mantissa, scaler]."""
    scalers = {"U": -1, "I": -2, "P": -3}
    out = {}
    for field, value in values.items():
        scaler = 0 if field in ("WIn", "WOut", "PIn", "POut") else scalers[field[0]]
        out[field] = [round(value * 10**-scaler), scaler]
    return out


def delivery(origin, seq, index=0, **more):
    return {"v": 1, "origin": origin, "seq": seq, "index": index, "attempt": 0, "arrival": int(time.time() * 1000),
            "streams": "history,debounced", "topic": "e2e/fake", **more}  # fmt: skip


def reading(telegram, origin, seq, index=0, **more):
    """The reading record of a telegram."""
    return delivery(origin, seq, index) | {
        "type": "reading", "meter": telegram.meter, "counter": telegram.counter, "time": telegram.time,
        "clock_status": 0, "number": "181241675397", "name": "", "values": quantities(telegram.values)} | more  # fmt: skip


def debounced(telegram, origin, seq, index=0, **more):
    return reading(telegram, origin, seq, index, type="debounced", window=telegram.time - telegram.time % 300, **more)


def reject(origin, seq, octets, index=0, reason="checksum", meter="", **more):
    return delivery(origin, seq, index) | {
        "type": "reject", "meter": meter, "counter": -1, "verdict": reason, "detail": "", "octets": octets} | more  # fmt: skip


def pack(*records):
    return b"".join(msgpack.packb(r) for r in records)


def unpack(octets):
    unpacker = msgpack.Unpacker(strict_map_key=False)
    unpacker.feed(octets)
    return list(unpacker)


def values_of(record):
    """A record's quantities as numbers, of the fields that people see."""
    return {f: m if s >= 0 else round(m * 10.0**s, -s) for f, (m, s) in record["values"].items() if f in ORIGINAL}


class Wires:
    """The test's own ends of streams; closed with the World."""

    def __init__(self, world):
        self.world, self.context, self.sockets = world, zmq.Context(), []
        self.origin = secrets.token_bytes(16)
        world.closing.callback(self.close)

    def close(self):
        for socket in self.sockets:
            socket.close(linger=0)
        self.context.term()

    def open(self, kind):
        self.sockets.append(self.context.socket(kind))
        self.sockets[-1].setsockopt(zmq.SNDTIMEO, 30000)  # a consumer that has died must not hang the test
        return self.sockets[-1]

    def endpoint(self, name):
        return f"ipc://{self.world.path}/{name}"

    def push(self, name):
        """A producer's end: bound, consumers connect."""
        socket = self.open(zmq.PUSH)
        socket.bind(self.endpoint(name))
        return socket

    def pull(self, name):
        socket = self.open(zmq.PULL)
        socket.connect(self.endpoint(name))
        return socket

    def subscribe(self, name, topic=b""):
        socket = self.open(zmq.SUB)
        socket.setsockopt(zmq.SUBSCRIBE, topic)
        socket.connect(self.endpoint(name))
        return socket


def take(socket, milliseconds):
    """The records of all messages that come within this time of one another; topics beside them."""
    found = []
    while socket.poll(milliseconds):
        parts = socket.recv_multipart()
        found += [(parts[0] if len(parts) > 1 else b"", r) for r in unpack(parts[-1])]
        milliseconds = min(milliseconds, 100)
    return found


class Acks:
    """What an ack stream has said so far: {(origin, stream, seq, index)}, each once or more."""

    def __init__(self, socket):
        self.socket, self.all, self.records = socket, set(), []

    def poll(self, milliseconds=50):
        for topic, record in take(self.socket, milliseconds):
            assert record["type"] == "ack" and record["v"] == 1 and topic == record["origin"], (topic, record)
            self.records.append(record)
            for first, last, index in record["ranges"]:
                self.all |= {(topic, record["stream"], seq, index) for seq in range(first, last + 1)}
        return self.all
