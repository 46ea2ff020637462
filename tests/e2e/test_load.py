"""More than usual: a slow database, a decryptor that hangs, a day of backlog, telegrams in pieces."""

import hashlib
import time
from collections import Counter

import chaos
from frames import Meter, Telegram, mbus_frames, notification
from harness import Case, wait_until
from mqtt import Client
from pipeline import Broker, Pipeline, paused
from stores import Postgres, Sqlite


def share(values, part):
    """The value that this part of all stays below."""
    values = sorted(values)
    return values[min(len(values) - 1, int(part * len(values)))] if values else float("nan")


class Load(Case):
    STORE, REPLICAS, CONF, ENV = Postgres, {}, "fleet.conf", {}

    @classmethod
    def prepare(cls):
        cls.meters = [Meter(f"load {i}", utc=int(time.time()) - 86400) for i in range(20)]
        cls.db = cls.STORE(cls.world)
        cls.pipeline = Pipeline(
            cls.world, cls.db, cls.meters, cls.ENV, replicas=cls.REPLICAS, broker=Broker(cls.world, conf=cls.CONF)).start()  # fmt: skip
        cls.ingest = cls.pipeline.service["mqtt-ingest"]
        cls.pipeline.flow()
        cls.client = Client(cls.pipeline.broker.port, "load", "sensors/smartmeter/values/+")
        cls.world.closing.callback(cls.client.close)
        cls.sent_at = {}  # by text on the values topic
        assert cls.client.subscribed.wait(30), "the test's client has not subscribed within 30 s"

    def send(self, telegram, pieces=None):
        self.sent_at[telegram.text] = time.time()
        for payload in pieces or [telegram.hex.encode()]:
            self.client.publish(self.pipeline.topic(telegram.meter), payload)
        return telegram

    def drained(self, seconds=120):
        wait_until(lambda: not self.client.waiting, "the broker has acknowledged everything")
        last = self.pipeline.probe()
        self.pipeline.send(last)
        self.pipeline.wait_for(last, live=False)
        # Counters: the gauge of the journal is up to a second old.
        wait_until(lambda: self.ingest.metric("acked_total") >= self.ingest.metric("telegrams_total"), "all are acknowledged", seconds)

    def check(self, telegrams):
        meters = {t.meter for t in telegrams}
        rows = Counter(chaos.key(r) for r in self.db.readings() if r["meter"] in meters)
        self.assertEqual(rows, Counter({chaos.key(t.row): 1 for t in telegrams}))
        self.assertEqual(self.db.rejects(), [])

    def delays(self, telegrams):
        """Seconds from sending to the values topic, of those that were shown."""
        shown = {text.decode(): at for at, _, text in reversed(self.client.heard)}
        return [shown[t.text] - self.sent_at[t.text] for t in telegrams if t.text in shown]


class SlowDatabase(Load):
    """500 rows/s at most: what it can bear is not sent twice. A burst beyond it is printed."""

    @classmethod
    def prepare(cls):
        super().prepare()
        cls.db.write(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM pg_sleep(0.002); RETURN new; END $$;"
            "CREATE TRIGGER slow BEFORE INSERT ON history_compact FOR EACH ROW EXECUTE FUNCTION slow()")  # fmt: skip

    def redelivered(self, why, seconds):
        """The share that came again when 3000 readings are sent within these seconds."""
        before, start, telegrams = self.ingest.metric("redelivered_total"), time.monotonic(), []
        for i in range(150):
            telegrams += [self.send(m.telegram()) for m in self.meters]
            time.sleep(max(0, start + (i + 1) * seconds / 150 - time.monotonic()))
        self.drained()
        again, took = self.ingest.metric("redelivered_total") - before, time.monotonic() - start
        print(f"figures: slow database, {why}: {len(telegrams)} readings in {took:.0f} s, redelivered {again / len(telegrams):.2%}")
        self.sent.extend(telegrams)
        self.check(self.sent)
        return again / len(telegrams)

    sent = []

    def test_burst(self):
        self.redelivered("a burst", 0)

    def test_steady(self):
        self.assertLess(self.redelivered("steady 250/s", 12), 0.05)


class StoppedDecryptor(Load):
    STORE, REPLICAS = Sqlite, {"decryptor": 2}

    def test_live_goes_on(self):
        meter = self.meters[0]
        telegrams = []
        with paused(self.pipeline.service["decryptor-0"]):
            for _ in range(400):
                meter.utc = max(meter.utc + 1, int(time.time())) - meter.step
                telegrams.append(self.send(meter.telegram()))
                time.sleep(0.05)
            time.sleep(2)
            delays = self.delays(telegrams)
        self.drained()
        print(f"figures: one of two decryptors stopped: {len(delays)} of {len(telegrams)} shown meanwhile, "
              f"p50 {share(delays, 0.5) * 1e3:.1f} ms, p99 {share(delays, 0.99) * 1e3:.1f} ms; "
              f"the slowest of all {max(self.delays(telegrams)):.1f} s")  # fmt: skip
        self.check(telegrams)
        self.assertGreater(len(delays), len(telegrams) / 4)


class SplitTelegrams(Load):
    STORE, REPLICAS = Sqlite, {"decryptor": 2}

    def test_two_payloads_a_hundred_times(self):
        telegrams = []
        for i in range(100):
            telegram = self.meters[i % 5].telegram()
            self.assertEqual(len(telegram.frames), 2)
            telegrams.append(self.send(telegram, telegram.frames))
        self.drained()
        self.check(telegrams)
        shares = [self.pipeline.service[f"decryptor-{i}"].metric("telegrams_total") for i in range(2)]
        self.assertGreater(min(shares), 10, "both have worked")


class DayOfBacklog(Load):
    """A meter's day at 5 s while the database is away; then it drains, and live values keep flowing.
    Each reading of that day counts as live here, some hundred a second: what publisher's README says of such rates."""

    ENV = {"publisher": {"PUBLISH_TOPICS": "json"}}

    def test_drains_beside_live(self):
        day, live = self.meters[0], Meter("load 1", utc=0)
        backlog, current = [], []
        feeder = chaos.Feeder([live], lambda _, t: current.append(self.send(t)), every=2)
        self.world.closing.callback(feeder.close)
        self.db.stop()
        feeder.start()
        begun = time.monotonic()
        for _ in range(86400 // 5):
            backlog.append(self.send(day.telegram()))
        wait_until(lambda: not self.client.waiting, "the broker has acknowledged everything")
        wait_until(lambda: self.ingest.metric("journal_telegrams") >= len(backlog), "the journal holds the day", 120)
        self.db.start()
        start, first = time.monotonic(), len(current)
        print(f"the day was in the journal after {start - begun:.0f} s")
        wait_until(lambda: self.ingest.metric("journal_telegrams") < 100, "the day has drained", 180)
        took = time.monotonic() - start
        time.sleep(5)
        feeder.close()
        self.drained()
        during, all_ = self.delays(current[first:]), self.delays(current)
        print(f"figures: a day of {len(backlog)} readings drained in {took:.0f} s; live values meanwhile: {len(during)} of "
              f"{len(current[first:])}, slowest {max(during, default=float('nan')):.2f} s", flush=True)  # fmt: skip
        self.check(backlog + current)
        self.assertEqual(len(all_), len(current), "every live value was shown")


class Plain(Case):
    """An unencrypted telegram has no counter; twice the same, with a restart between, is one row."""

    @classmethod
    def prepare(cls):
        cls.db = Sqlite(cls.world)
        cls.pipeline = Pipeline(cls.world, cls.db, []).start()
        cls.pipeline.flow()

    def twice(self, number, change=lambda apdu: apdu):
        meter = hashlib.sha256(b"zaehlwerk:" + number).hexdigest()[:16].upper()
        utc, values = int(time.time()), Meter("plain").values(7)
        plain = Telegram(meter, -1, utc, values, mbus_frames(change(notification(utc, values, number))))

        def rows():
            return [r for r in self.db.readings() if r["meter"] == meter]

        self.pipeline.send(plain)
        wait_until(rows, "the plain telegram is stored", 20)
        for name in ("mqtt-ingest", "decryptor", "db-writer"):
            self.pipeline.service[name].stop()
            self.pipeline.start(name)
        self.pipeline.send(plain)
        self.pipeline.flow()
        wait_until(lambda: self.pipeline.service["mqtt-ingest"].metric("journal_telegrams") == 0, "the journal is empty")
        self.assertEqual(len(rows()), 1, rows())
        return plain

    def test_with_a_clock(self):
        plain = self.twice(b"111111")
        self.assertEqual(self.pipeline.stored(plain), plain.row)

    def test_without_a_clock(self):
        """Identity is the digest of the telegram within 60 s of its arrival."""
        self.twice(b"222222", lambda apdu: apdu.replace(apdu[6:18], b"\xFF" * 9 + b"\x80\x00\xFF"))
