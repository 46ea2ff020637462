"""Readings that decode and yet cannot be, or are odd beside the meter's others."""

import ctypes

import frames
from harness import Case, wait_until
from pipeline import Pipeline
from stores import Postgres, Sqlite


def kernel_knows_the_time():
    """adjtimex() with nothing to change: 5 is TIME_ERROR, "clock not synchronised"."""
    return ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(512)) != 5


class Doubtful:
    store = None

    @classmethod
    def prepare(cls):
        cls.meters = {name: frames.Meter(name, utc=1700000100) for name in ("falls", "window", "impossible", "ahead")}
        cls.db = cls.store(cls.world)
        cls.pipeline = Pipeline(cls.world, cls.db, list(cls.meters.values())).start()
        cls.pipeline.flow()

    def telegram(self, name, **values):
        """The next one, its values where given."""
        meter = self.meters[name]
        return meter.telegram(values=meter.values(meter.counter + 1) | values)

    def suspect_row(self, telegram, reason):
        wait_until(lambda: self.pipeline.stored(telegram) == telegram.row | {"suspect": reason}, f"{reason} in history")

    def test_suspect_is_stored_and_not_shown(self):
        first = self.telegram("falls")
        self.pipeline.send(first)
        self.pipeline.wait_for(first)
        decryptor, publisher = self.pipeline.service["decryptor"], self.pipeline.service["publisher"]
        for reason, values in (("energy-falls", {"WIn": 5}), ("energy-jumps", {"WIn": 90000000}), ("energy-falls", {"WOut": 0})):
            with self.subTest(reason, values=values):
                before = [decryptor.metric("suspect_total", reason=reason), publisher.metric("held_back_total", reason="suspect")]
                odd = self.telegram("falls", **values)
                self.pipeline.send(odd)
                self.suspect_row(odd, reason)
                after = self.telegram("falls")
                self.pipeline.send(after)
                self.pipeline.wait_for(after, debounced=False)
                self.assertEqual(self.pipeline.shown(odd), 0)
                self.assertEqual([decryptor.metric("suspect_total", reason=reason),
                                  publisher.metric("held_back_total", reason="suspect")], [n + 1 for n in before])  # fmt: skip
        self.assertEqual(self.pipeline.debounced(first), first.row)
        lines = decryptor.lines("event=suspect", self.meters["falls"].id)
        self.assertEqual(len(lines), 2, "once for each reason and minute")

    def test_window_prefers_the_unsuspected(self):
        first = self.telegram("window")
        self.pipeline.send(first)
        self.pipeline.wait_for(first)
        self.meters["window"].utc += 600
        odd = self.telegram("window", WIn=3)
        self.pipeline.send(odd)
        self.suspect_row(odd, "energy-falls")
        wait_until(lambda: self.pipeline.debounced(odd), "the suspect one, while there is no other")
        good = self.telegram("window")
        self.pipeline.send(good)
        self.pipeline.wait_for(good)
        self.assertIsNone(self.pipeline.debounced(odd), "an unsuspected one takes its place")

    def test_impossible_is_a_reject(self):
        odd = self.telegram("impossible", U1=1234.5)
        self.pipeline.send(odd)
        (reject,) = wait_until(lambda: self.db.rejects(f"meter = '{odd.meter}'"), "a reject")
        self.assertEqual((reject["reason"], reject["payload"]), ("implausible", odd.octets))
        after = self.telegram("impossible")
        self.pipeline.send(after)
        self.pipeline.wait_for(after)
        self.assertIsNone(self.pipeline.stored(odd))

    def test_a_clock_ahead(self):
        """A reject, unless this machine does not know the time itself: then it is stored."""
        meter = self.meters["ahead"]
        ahead = meter.telegram(utc=4000000000)
        self.pipeline.send(ahead)
        if kernel_knows_the_time():
            (reject,) = wait_until(lambda: self.db.rejects(f"meter = '{meter.id}'"), "a reject")
            self.assertEqual((reject["reason"], reject["payload"]), ("implausible", ahead.octets))
            self.assertIsNone(self.pipeline.stored(ahead))
        else:
            self.pipeline.wait_for(ahead)


class OnSqlite(Doubtful, Case):
    store = Sqlite


class OnPostgres(Doubtful, Case):
    store = Postgres
