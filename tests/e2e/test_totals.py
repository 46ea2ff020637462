"""Totals per day and month, over midnight, clock changes and restarts."""

import frames
from harness import Case, wait_until
from values import Stage, retained

NEW_MONTH = 1764543600  # 2025-12-01T00:00:00+01:00


def values(win, wout=0):
    return {"WIn": win, "WOut": wout, "PIn": 100, "POut": 0, "U1": 233.8, "U2": 234.1, "U3": 234.8,
            "I1": 0.33, "I2": 0.46, "I3": 1.41, "PF": 0.943}  # fmt: skip


class Totals(Case):
    @classmethod
    def prepare(cls):
        cls.stage = Stage(cls.world)

    def tearDown(self):
        self.stage.publisher.stop()

    def at(self, meter, utc, win, wout=0, **more):
        return self.stage.through(meter.telegram(utc=utc, values=values(win, wout)), **more)

    def shown(self, t):
        """import today and month, export today and month, as they were last said."""
        found = self.stage.last(t)
        return [found.get(f"energy_{flow}_{period}_kwh") for flow in ("import", "export") for period in ("today", "month")]

    def said(self, t, name):
        return self.stage.below(t, f"energy_{name}_kwh")

    def test_from_the_first_midnight_on(self):
        self.stage.start()
        m = frames.Meter("midnight")
        t = self.at(m, NEW_MONTH - 10, 1000000, 500)
        self.assertEqual(self.shown(t), [None] * 4, "nothing is known: nothing is said")
        self.at(m, NEW_MONTH + 30, 1000040, 500)
        self.assertEqual(self.shown(t), ["0.030", "0.030", "0.000", "0.000"])
        self.at(m, NEW_MONTH + 86390, 1012000, 700)
        self.at(m, NEW_MONTH + 86410, 1012020, 700)
        self.assertEqual(self.shown(t), ["0.010", "12.010", "0.000", "0.200"])

    def test_another_zone(self):
        self.stage.start(TIMEZONE="America/New_York")
        m = frames.Meter("New York")
        t = self.at(m, NEW_MONTH - 10, 1000)
        self.at(m, NEW_MONTH + 10, 1020)
        self.assertEqual(self.shown(t), [None] * 4)
        self.at(m, NEW_MONTH + 6 * 3600 - 10, 2000)
        self.at(m, NEW_MONTH + 6 * 3600 + 10, 2020)
        self.assertEqual(self.shown(t), ["0.010", "0.010", "0.000", "0.000"])

    def test_a_restart_keeps_them(self):
        for how in ("stop", "kill"):
            with self.subTest(how):
                self.stage.start()
                m = frames.Meter(how)
                t = self.at(m, NEW_MONTH - 10, 1000000)
                self.at(m, NEW_MONTH + 10, 1000020)
                self.at(m, NEW_MONTH + 3600, 1001010)
                wait_until(lambda: '"day"' in (self.stage.listener.last(f"{self.stage.topic(t)}/totals") or ""), "they are saved")
                self.assertIn(f"{self.stage.topic(t)}/totals", retained(self.stage.broker))
                getattr(self.stage.publisher, how)()
                before = len(self.said(t, "import_today"))
                self.stage.start()
                self.at(m, NEW_MONTH + 7200, 1003010)
                self.assertEqual(self.shown(t)[:2], ["3.000", "3.000"])
                self.assertEqual(self.said(t, "import_today")[before:], ["3.000"], "nothing else was said")
                self.stage.publisher.stop()
        self.stage.start()

    def test_away_over_midnight(self):
        self.stage.start()
        m = frames.Meter("away")
        t = self.at(m, NEW_MONTH - 10, 1000000)
        self.at(m, NEW_MONTH + 10, 1000020)
        wait_until(lambda: '"day"' in (self.stage.listener.last(f"{self.stage.topic(t)}/totals") or ""), "they are saved")
        self.stage.publisher.stop()
        self.stage.start()
        self.at(m, NEW_MONTH + 86400 + 43200 + 10, 1000020 + 1296)
        self.assertEqual(self.shown(t)[:2], ["0.432", "1.306"], "36 Wh an hour, as the line has it")

    def test_nothing_falls_and_nothing_is_zero_by_accident(self):
        self.stage.start()
        m = frames.Meter("falls")
        t = self.at(m, NEW_MONTH, 1000000)
        self.at(m, NEW_MONTH + 10, 1000020)
        self.at(m, NEW_MONTH + 15, 0)
        self.at(m, NEW_MONTH + 20, 1000010)
        self.at(m, NEW_MONTH + 30, 1000030)
        self.assertEqual(self.said(t, "import"), ["1000.000", "1000.020", "1000.030"])
        self.assertEqual(self.said(t, "import_today"), ["0.000", "0.020", "0.030"])
        self.assertEqual(len(self.stage.below(t, "power")), 5, "the rest of those readings is shown")
        self.assertEqual(len(self.stage.listener.payloads(self.stage.topic(t))), 5)

    def test_a_replaced_counter_goes_on(self):
        self.stage.start()
        m = frames.Meter("replaced")
        t = self.at(m, NEW_MONTH, 1000000)
        self.at(m, NEW_MONTH + 3600, 1005000)
        for i in range(13):
            self.at(m, NEW_MONTH + 3605 + 5 * i, 10 + i)
        self.assertEqual(self.said(t, "import"), ["1000.000", "1005.000", "0.022"])
        self.assertEqual(self.said(t, "import_today"), ["0.000", "5.000", "5.000"])

    def test_a_new_meter_starts_anew(self):
        self.stage.start(SMARTMETER_VALUES_MQTT_TOPIC="house/{name}")
        old, new = frames.Meter("old one"), frames.Meter("new one")
        for utc, win in ((NEW_MONTH, 1000000), (NEW_MONTH + 3600, 1005000)):
            self.stage.send(old.telegram(utc=utc, values=values(win)), name="flat")
        wait_until(lambda: "1005000" in (self.stage.listener.last("house/flat/totals") or ""), "they are saved")
        self.assertEqual(self.stage.listener.last("house/flat/energy_import_today_kwh"), "5.000")
        self.stage.publisher.stop()
        self.stage.start(SMARTMETER_VALUES_MQTT_TOPIC="house/{name}")
        self.stage.send(new.telegram(utc=NEW_MONTH + 7200, values=values(7)), name="flat")
        wait_until(lambda: self.stage.listener.last("house/flat/energy_import_kwh") == "0.007", "the new meter's counter")
        self.assertEqual(self.stage.listener.payloads("house/flat/energy_import_today_kwh"), ["0.000", "5.000"])
