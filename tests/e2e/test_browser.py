"""The dashboard in a real browser, in front of the whole system. The scenes are in tests/browser/."""

import math
import time

from chromium import Chromium
from frames import Meter
from harness import Case, World, free_port, http_get, wait_until
from pipeline import SERVICES, Pipeline
from stores import Postgres, Sqlite

HOUR = 3600
HOLE = (-150 * 60, -100 * 60)  # no readings between these, seconds from now: some whole quarters are missing
PASSWORD = "ein langes Passwort"


def local_afternoon(now):
    """A zone in which it is about two in the afternoon, so that "today" holds the last hours at any time of day."""
    east = (14 - time.gmtime(now).tm_hour + 12) % 24 - 12
    return f"Etc/GMT{-east:+d}" if east else "Etc/GMT"


class House(Meter):
    """A meter whose totals are the integral of its power, and that never sends the same second twice."""

    def __init__(self, name, begin):
        super().__init__(name, utc=begin)
        self.win, self.wout = 10000000.0, 200.0

    def at(self, utc, **given):
        seconds = max(0, utc - self.utc)
        pin = given.get("PIn", round(900 + 600 * math.sin(utc / 400)))
        pout = given.get("POut", 0 if pin > 500 else 700)
        self.win, self.wout = self.win + pin * seconds / 3600, self.wout + pout * seconds / 3600
        self.utc = utc
        values = self.values(0) | {"WIn": int(self.win), "WOut": int(self.wout), "PIn": pin, "POut": pout}
        return self.telegram(utc=utc, values=values | given)

    def now(self, **given):
        return self.at(max(self.utc + 1, int(time.time())), **given)


class Dashboard:
    """One on a port of its own, beside a pipeline."""

    def __init__(self, world, pipeline, name="dashboard", **env):
        self.world, self.port = world, free_port()
        self.url, self.name = f"http://127.0.0.1:{self.port}/", name
        urls = ",".join(f"{s}=http://127.0.0.1:{pipeline.service[s].port()}/readyz" for s in SERVICES if s in pipeline.service)
        self.env = {
            **pipeline.db.env, "READINGS_CONNECT": pipeline.endpoints("readings"), "STATUS_URLS": urls,
            "DASHBOARD_LISTEN": f"127.0.0.1:{self.port}", **env}  # fmt: skip
        self.start()

    def start(self):
        self.process = self.world.service("dashboard", self.env, self.name)
        wait_until(self.answers, f"{self.name} answers")

    def answers(self):
        try:
            return http_get(self.port, "/")[0] in (200, 401)
        except OSError:
            assert self.process.alive(), self.process.log()
            return False


def keys_file(*rows):
    lines = [f"{meter.id},{key.hex()},,{name}" for meter, key, name in rows]
    return "\n".join(["system_title,key,authentication_key,name", *lines]) + "\n"


class NewHome:
    """A system of its own that has never had a reading, with another meter's key."""

    def __init__(self):
        self.world = World()
        self.meter, self.other = House("first", int(time.time()) - 60), Meter("another key")
        self.pipeline = Pipeline(self.world, Sqlite(self.world), [])
        self.use(self.other.key)
        self.pipeline.start()
        self.board = Dashboard(self.world, self.pipeline, LIVE_SKEW_SECONDS="0")

    def use(self, key):
        self.world.write("keys.csv", keys_file((self.meter, key, "")))

    def send_wrong(self):
        telegram = self.meter.now()
        self.pipeline.send(telegram)
        return telegram.hex

    def send_right(self, **values):
        """The keys file is read again when it changes; what comes before that is one reject more."""
        self.use(self.meter.key)

        def through():
            telegram = self.meter.now(**values)
            self.pipeline.send(telegram)
            return self.pipeline.shown(telegram)

        wait_until(through, "a reading comes through")


class InTheBrowser(Case):
    """Charts, numbers, languages and troubles of a system that has run for some hours."""

    @classmethod
    def prepare(cls):
        now = int(time.time())
        cls.house, cls.silent = House("house", now - 3 * HOUR), House("silent", now - 60)
        cls.db = Postgres(cls.world)
        cls.pipeline = p = Pipeline(cls.world, cls.db, [cls.house, cls.silent])
        probe = p.probe_meter
        cls.world.write("keys.csv", keys_file((cls.house, cls.house.key, "Haus"), (cls.silent, cls.silent.key, "Keller"), (probe, probe.key, "Probe")))
        p.start()
        p.flow()
        cls.past(now)
        zone = {"TIMEZONE": local_afternoon(now), "LIVE_SKEW_SECONDS": "0"}
        cls.board = Dashboard(cls.world, p, PRICE_IMPORT="0.25", **zone)
        cls.door = Dashboard(cls.world, p, "dashboard-door", DASHBOARD_PASSWORD=PASSWORD, **zone)
        cls.browser = Chromium(cls.world)
        cls.answers = {
            "send": lambda **v: p.send(cls.house.now(**v)), "sendSilent": lambda **v: p.send(cls.silent.now(**v)),
            "databaseAway": cls.db.stop, "databaseBack": cls.db.start,
            "dashboardAway": cls.board.process.stop, "dashboardBack": cls.board.start}  # fmt: skip
        cls.play("watchSilent")  # its minute passes while the others are tested

    @classmethod
    def past(cls, now):
        """Three hours: a reading a minute, none in the hole, in the last hour one each 5 seconds; and a wrong key."""
        times = [t for t in range(-3 * HOUR, -HOUR, 60) if not HOLE[0] < t < HOLE[1]] + list(range(-HOUR, -5, 5))
        telegrams = [cls.house.at(now + t) for t in times]
        topic = cls.pipeline.topic(cls.house.id)
        cls.pipeline.broker.pub_lines(topic, [t.hex for t in telegrams])
        stranger = Meter("stranger")
        stranger.title, stranger.id = cls.house.title, cls.house.id  # the house's frame, sealed with another key
        cls.pipeline.broker.pub(topic, stranger.telegram().octets.hex().encode())
        stored = f"SELECT count(*) AS n FROM history WHERE meter = '{cls.house.id}'"
        wait_until(lambda: cls.db.query(stored)[0]["n"] == len(times), f"{len(times)} readings in history")
        wait_until(lambda: cls.pipeline.count_rejects("wrong-key"), "the reject is stored")

    @classmethod
    def play(cls, scene, url=None, **settings):
        meters = {"house": cls.house.id, "silent": cls.silent.id}
        cls.browser.play(scene, cls.answers, url=url or cls.board.url, meters=meters, keep=["silent"], **settings)

    def test_live(self):
        self.play("live")

    def test_charts(self):
        self.play("charts")

    def test_quarters(self):
        self.play("quarters")

    def test_dates(self):
        self.play("dates")

    def test_german(self):
        self.play("german")

    def test_light(self):
        self.play("light")

    def test_dark(self):
        self.play("dark")

    def test_phone(self):
        self.play("phone")

    def test_keyboard(self):
        self.play("keyboard")

    def test_meters(self):
        self.play("meters")

    def test_database_away(self):
        self.play("databaseAway")

    def test_weight(self):
        self.play("weight")

    def test_policy(self):
        self.play("policy")

    def test_words(self):
        self.play("words")

    def test_sign_in(self):
        self.play("signIn", self.door.url, password=PASSWORD)

    def test_the_service_away(self):
        self.play("serviceAway")

    def test_first_run(self):
        """Nothing has ever arrived, then something that cannot be read, then a reading."""
        home = NewHome()
        self.addCleanup(home.world.close)
        answers = {"sendWrong": home.send_wrong, "sendRight": home.send_right}
        right, wrong = home.meter.key.hex(), home.other.key.hex()
        self.browser.play("firstRun", answers, url=home.board.url, wrong=wrong, right=right, keep=["silent"])
        for path in home.world.path.glob("*.log"):
            self.assertNotIn(right.upper(), path.read_text(errors="replace").upper(), path.name)

    def test_z_silent(self):  # the last: by now its minute has passed, or nearly
        self.play("silent")
