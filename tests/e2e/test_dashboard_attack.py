"""Anything that may be sent to the dashboard: bounded, answered with the right status, and nothing leaks."""

import contextlib
import gzip
import json
import re
import resource
import selectors
import socket
import time

import frames
from browser import Dashboard, Listener
from harness import Case, seeded, wait_until

ATTACKS = [
    ("nonsense", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n", {400, None}),
    ("no host", b"GET / HTTP/1.1\r\n\r\n", {400}),
    ("no version", b"GET /\r\n\r\n", {400, 421, None}),
    ("half a line", b"GET / HT", {None}),
    ("a proxy's request", b"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n", {404}),
    ("traversal", b"GET /assets/../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", {404}),
    ("traversal, encoded", b"GET /assets/..%2f..%2f..%2fetc%2fpasswd HTTP/1.1\r\nHost: localhost\r\n\r\n", {404}),
    ("traversal, twice encoded", b"GET /assets/%252e%252e/etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", {404}),
    ("dots encoded", b"GET /%2e%2e/etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", {404}),
    ("a NUL, encoded", b"GET /assets/index.html%00.js HTTP/1.1\r\nHost: localhost\r\n\r\n", {404}),
    ("a NUL", b"GET /assets/index.html\0.js HTTP/1.1\r\nHost: localhost\r\n\r\n", {200, 400, 404, None}),  # the library reads up to it
    ("slashes", b"GET //api/state HTTP/1.1\r\nHost: localhost\r\n\r\n", {404}),
    ("a folder", b"GET /assets/ HTTP/1.1\r\nHost: localhost\r\n\r\n", {404}),
    ("backslashes", b"GET /assets\\..\\x HTTP/1.1\r\nHost: localhost\r\n\r\n", {404}),
    ("a long address", b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", {414, 431, 413}),
    ("a long header", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100000 + b"\r\n\r\n", {431, 413}),
    ("many headers", b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 20000 + b"\r\n", {431, 413}),
    ("a length that is none", b"POST /api/check HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: many\r\n\r\n", {400, None}),
    ("a length below zero", b"POST /api/check HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: -1\r\n\r\n", {400, None}),
    ("a length beyond all", b"POST /api/check HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99999999999999999999\r\n\r\n", {400, 413, None}),
    ("too long, and it says so", b"POST /api/check HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 65537\r\n\r\n", {413}),
    ("chunks that are none", b"POST /api/check HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", {400, None}),
    ("another method", b"DELETE /api/state HTTP/1.1\r\nHost: localhost\r\n\r\n", {405}),
    ("no method of any kind", b"FROBNICATE / HTTP/1.1\r\nHost: localhost\r\n\r\n", {405}),
    ("part of a method", b"GE / HTTP/1.1\r\nHost: localhost\r\n\r\n", {405}),
    ("TRACE", b"TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n", {405}),
    ("CONNECT", b"CONNECT evil.example:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", {404, 400}),
    ("POST of the page", b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", {405}),
    ("GET of the check", b"GET /api/check HTTP/1.1\r\nHost: localhost\r\n\r\n", {405}),
    ("HEAD of events", b"HEAD /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n", {405}),
    ("two hosts", b"GET /api/state HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", {200, 400, 421}),
]  # fmt: skip


def status_of(answer):
    found = re.match(rb"HTTP/1\.[01] (\d\d\d) ", answer)
    return int(found[1]) if found else None


class Open:
    """A dashboard that asks for no password."""

    @classmethod
    def prepare(cls):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 8192)), hard))
        cls.env = {"DB_URL": f"sqlite:{cls.world.path}/x.sqlite", "READINGS_CONNECT": f"ipc://{cls.world.path}/readings"}
        cls.dash = Dashboard(cls.world, cls.env)

    def alive(self, dash=None):
        begun = time.monotonic()
        self.assertEqual((dash or self.dash).get("/api/state")[0], 200)
        return time.monotonic() - begun


class Attack(Open, Case):
    def test_requests(self):
        for why, octets, statuses in ATTACKS:
            with self.subTest(why):
                answer = self.dash.raw(octets)
                self.assertIn(status_of(answer), statuses, answer[:300])
                self.assertNotIn(b"root:", answer)
                self.assertNotIn(str(self.world.path).encode(), answer if status_of(answer) != 200 else b"")
        self.alive()

    def test_a_request_with_two_lengths_is_one(self):
        """What follows it is never taken for another request: a proxy in front may see it otherwise."""
        head = b"POST /api/check HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        rest = b"GET /api/state HTTP/1.1\r\nHost: localhost\r\n\r\n"
        for why, lengths in (("two lengths", b"Content-Length: 2\r\nContent-Length: 60\r\n"),
                             ("the same twice", b"Content-Length: 2\r\nContent-Length: 2\r\n"),
                             ("a length and chunks", b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n"),
                             ("chunks and a length", b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n")):  # fmt: skip
            with self.subTest(why):
                answer = self.dash.raw(head + lengths + b"\r\n{}" + rest)
                self.assertEqual(re.findall(rb"HTTP/1.1 (\d+)", answer), [b"400"], answer[:300])

    def test_methods_are_named(self):
        for path, method, allow in (("/", "POST", "GET, HEAD"), ("/api/check", "GET", "POST"), ("/api/events", "PUT", "GET")):
            status, headers, _ = self.dash.ask(method, path)
            self.assertEqual((status, headers["Allow"]), (405, allow))

    def test_headers_of_every_answer(self):
        for path in ("/", "/api/state", "/nothing", "/assets/style.css", "/api/series"):
            _, headers, _ = self.dash.ask("GET", path)
            policy = headers["Content-Security-Policy"]
            for part in ("default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "form-action 'self'",
                         "frame-ancestors 'none'", "base-uri 'none'"):  # fmt: skip
                self.assertIn(part, policy)
            self.assertNotIn("unsafe", policy)
            self.assertEqual((headers["X-Content-Type-Options"], headers["Referrer-Policy"]), ("nosniff", "no-referrer"))
            self.assertEqual(headers["Cache-Control"], "no-cache" if headers["ETag"] else "no-store")

    def test_files(self):
        status, headers, plain = self.dash.ask("GET", "/")
        self.assertEqual((status, headers["Content-Type"], headers["Content-Encoding"]), (200, "text/html; charset=utf-8", None))
        names = sorted(set(re.findall(r'/assets/([\w.-]+)', plain.decode())))
        self.assertTrue(names)
        shipped = len(self.dash.ask("GET", "/", headers={"Accept-Encoding": "gzip"})[2])
        for name in names:
            _, headers, plain = self.dash.ask("GET", f"/assets/{name}")
            status, packed_headers, packed = self.dash.ask("GET", f"/assets/{name}", headers={"Accept-Encoding": "gzip, br"})
            self.assertEqual((status, packed_headers["Content-Encoding"], gzip.decompress(packed)), (200, "gzip", plain), name)
            self.assertEqual(self.dash.ask("GET", f"/assets/{name}", headers={"If-None-Match": headers["ETag"]})[0], 304)
            status, head, octets = self.dash.ask("HEAD", f"/assets/{name}")
            self.assertEqual((status, int(head["Content-Length"]), octets), (200, len(plain), b""))
            shipped += len(packed)
        self.assertLess(shipped, 100 * 1024, "what the first paint needs")

    def test_long_bodies(self):
        body = b'{"frame": "' + b"0" * 70000 + b'"}'
        self.assertEqual(status_of(self.dash.raw(
            b"POST /api/check HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))), 413)  # fmt: skip
        body = b'{"frame": "' + b"0" * (65536 - 14) + b'"} '
        self.assertEqual(len(body), 65536)
        self.assertEqual(self.dash.post("/api/check", body)[0], 200, "64 KiB are taken")

    def test_endless_body(self):
        """Chunks for ever: ended, and nothing of it kept."""
        with socket.create_connection(("127.0.0.1", self.dash.port), timeout=60) as s:
            s.sendall(b"POST /api/check HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
            begun = time.monotonic()
            with self.assertRaises(ConnectionError):
                while time.monotonic() - begun < 60:
                    s.sendall(b"400\r\n" + b"x" * 1024 + b"\r\n")
                    time.sleep(0.05)
        self.alive()

    def test_slow_clients(self):
        """Hundreds that send an octet now and then: others are served meanwhile, and they are ended."""
        slow = [socket.create_connection(("127.0.0.1", self.dash.port), timeout=60) for _ in range(300)]
        for s in slow:
            s.sendall(b"GET / HTTP/1.1\r\n")
        begun, open_now = time.monotonic(), set(slow)
        while open_now:
            self.assertLess(time.monotonic() - begun, 50, f"{len(open_now)} slow clients are still there")
            self.alive()
            with selectors.DefaultSelector() as selector:
                for s in open_now:
                    selector.register(s, selectors.EVENT_READ)
                gone = {key.fileobj for key, _ in selector.select(2)}
            open_now -= gone
            for s in open_now:
                with contextlib.suppress(ConnectionError):
                    s.sendall(b"x")
        self.assertGreater(time.monotonic() - begun, 8)
        for s in slow:
            s.close()

    def test_random_requests(self):
        chance = seeded(self.id())
        good = b"GET /api/energy?meter=5341475E40F89D93&from=0&to=900&step=day HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        sent = {}
        for _ in range(200):
            octets = bytearray(good)
            for _ in range(chance.randrange(1, 6)):
                at = chance.randrange(len(octets))
                octets[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
            s = socket.create_connection(("127.0.0.1", self.dash.port), timeout=30)
            with contextlib.suppress(ConnectionError):
                s.sendall(octets)
            sent[s] = octets
        for s, octets in sent.items():
            with contextlib.suppress(ConnectionError):
                answer = s.recv(65536)  # or the end, when half a request was all
                self.assertIn(status_of(answer), {200, 400, 404, 405, 421, 503, 505, None}, (octets, answer))
            s.close()
        self.alive()


class Listeners(Open, Case):
    """Thousands of open event streams."""

    def test_1500_are_served(self):
        dash = Dashboard(self.world, self.env | {"DASHBOARD_CLIENTS": "1600"}, "many")
        all_of_them = [Listener(dash) for _ in range(1500)]
        wait_until(lambda: dash.process.metric("listeners") == 1500, "1500 listen")
        self.assertLess(max(self.alive(dash) for _ in range(20)), 5)
        wait_until(lambda: all("still here" in x.text() for x in all_of_them), "each of them hears", 90)
        self.assertTrue(all(" 200 " in x.head() for x in all_of_them))
        for x in all_of_them[:1000]:
            x.close()
        wait_until(lambda: dash.process.metric("listeners") == 500, "who has gone has left")
        begun = time.monotonic()
        dash.process.stop()
        self.assertLess(time.monotonic() - begun, 8, "it ends although they listen")
        wait_until(lambda: all(x.read() and x.closed for x in all_of_them[1000:]), "the others hear of it")
        for x in all_of_them[1000:]:
            x.close()

    def test_more_than_allowed(self):
        dash = Dashboard(self.world, self.env | {"DASHBOARD_CLIENTS": "20"}, "few")
        some = [Listener(dash) for _ in range(120)]
        heads = [x.head() for x in some]
        self.assertEqual(sum(" 200 " in h for h in heads), 20)
        self.assertTrue(all("Retry-After: " in h for h in heads if " 503 " in h))
        self.alive(dash)
        for x in some:
            x.close()

        def served():
            again = Listener(dash)
            with contextlib.closing(again):
                return " 200 " in again.head()

        wait_until(served, "who has left makes room", 10)


class Check(Case):
    """A pasted frame and key: tried in memory for that one request."""

    @classmethod
    def prepare(cls):
        cls.dash = Dashboard(cls.world, {"DB_URL": f"sqlite:{cls.world.path}/x.sqlite", "READINGS_CONNECT": f"ipc://{cls.world.path}/readings",
                                         "LOG_LEVEL": "debug"})  # fmt: skip

    def check(self, frame, key, **more):
        status, headers, octets = self.dash.post("/api/check", {"frame": frame, "key": key} | more)
        self.assertEqual((status, headers["Cache-Control"]), (200, "no-store"), octets)
        return json.loads(octets)

    def test_every_meter(self):
        for v in frames.mbus_vectors():
            with self.subTest(v["id"]):
                t = frames.telegram_of(v)
                answer = self.check(t.hex, v["key"])
                self.assertEqual((answer["verdict"], answer["problems"]), ("ok", []))
                (r,) = answer["readings"]
                have = {"WIn": r["win"], "WOut": r["wout"], "PIn": r["pin"], "POut": r["pout"], "PF": r["pf"],
                        **{f"U{i + 1}": r["u"][i] for i in range(3)}, **{f"I{i + 1}": r["i"][i] for i in range(3)}}  # fmt: skip
                self.assertEqual({k: x for k, x in have.items() if x is not None}, {k: x for k, x in t.values.items() if k in frames.ORIGINAL})
                self.assertEqual((r["meter"], r["at"], r["counter"]), (t.meter, t.time, t.counter))

    def test_forms(self):
        t, key = frames.Meter("forms").telegram(), frames.Meter("forms").key
        for frame in (t.hex, t.octets.hex(" "), json.dumps({"SSerialReceived": t.hex}), f"\n{t.hex.lower()}\r\n", "FF" + t.hex):
            for written in (key.hex(), key.hex(":").upper(), "".join(f"0x{b:02x}, " for b in key)):
                self.assertEqual(self.check(frame, written)["verdict"], "ok")

    def test_problems(self):
        meter, other = frames.Meter("mine"), frames.Meter("theirs")
        tagged = frames.Meter("tagged", ak=bytes(range(16)))
        t, sealed = meter.telegram(), tagged.telegram()
        broken = t.hex[:100] + ("0" if t.hex[100] != "0" else "1") + t.hex[101:]
        for frame, key, more, verdict in (
            (t.hex, other.key.hex(), {}, "wrong-key"), (t.hex, "", {}, "no-key"), (broken, meter.key.hex(), {}, "checksum"),
            (t.hex[: len(t.frames[0]) * 2], meter.key.hex(), {}, "truncated"), ("hello", "", {}, "not-a-frame"), ("", "", {}, "not-a-frame"),
            (sealed.hex, tagged.key.hex(), {"authentication_key": "00" * 16}, "tag"),
            (sealed.hex, tagged.key.hex(), {"authentication_key": tagged.ak.hex()}, "ok")):  # fmt: skip
            with self.subTest(verdict):
                answer = self.check(frame, key, **more)
                self.assertEqual(answer["verdict"], verdict)
                self.assertEqual([p["verdict"] for p in answer["problems"]][:1], [] if verdict == "ok" else [verdict])
                self.assertTrue(answer["advice"]["de"] and answer["advice"]["en"])
        self.assertEqual(self.check(t.hex, other.key.hex())["advice"]["de"].partition(".")[0], "Der Schlüssel passt nicht zu diesem Zähler")

    def test_wrong_bodies(self):
        for body in (b"", b"{", b"[]", b"null", b'{"frame": 1}', b'{"key": ""}', b'{"frame": "68", "frame": "68"}', b"\xff\xfe", b"[" * 60000):
            status, _, octets = self.dash.post("/api/check", body)
            self.assertEqual((status, json.loads(octets)["code"]), (400, "body"), body[:30])
        for key in ("12", "g" * 32, "ThisIsMyMeterKey", 5, ["0" * 32]):
            status, _, octets = self.dash.post("/api/check", {"frame": "68", "key": key})
            self.assertEqual((status, json.loads(octets)["code"]), (400, "key"))
            self.assertNotIn(str(key).encode(), octets)

    def memory(self):
        """All that the process may write to."""
        found = []
        with open(f"/proc/{self.dash.process.pid}/maps", encoding="utf-8") as maps, open(f"/proc/{self.dash.process.pid}/mem", "rb", 0) as mem:
            for line in maps:
                span, rights, *_ = line.split()
                start, end = (int(x, 16) for x in span.split("-"))
                if not rights.startswith("rw") or end - start > 1 << 28:  # the sanitizer's shadow, which holds no data
                    continue
                with contextlib.suppress(OSError, ValueError):
                    mem.seek(start)
                    found.append(mem.read(end - start))
        return found

    def test_nothing_stays(self):
        meter = frames.Meter("secret of a person")
        t = meter.telegram()
        for key in (meter.key, frames.Meter("another secret").key):
            self.check(t.hex, key.hex())
        self.dash.get("/api/state")
        log = self.dash.process.log()
        for key in (meter.key, frames.Meter("another secret").key):
            self.assertNotIn(key.hex(), log.lower())
            for piece in self.memory():
                self.assertNotIn(key.hex().encode(), piece)
                self.assertNotIn(key, piece)
        self.assertNotIn(t.hex[:80], log)
