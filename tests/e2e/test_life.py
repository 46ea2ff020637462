"""Start, wait, stop, die: each service by itself and among the others."""

import signal

import frames
from harness import BIN, Case, free_port, wait_until
from pipeline import SERVICES, Broker, Pipeline, paused
from stores import Sqlite


class Killed(Case):
    """kill -9 of any one service: the others stay, the stream goes on when it is back."""

    @classmethod
    def prepare(cls):
        cls.pipeline = Pipeline(cls.world, Sqlite(cls.world), []).start()
        cls.pipeline.flow()

    def pids(self, name):
        return {s: p.pid for s, p in self.pipeline.service.items() if s != name and p.alive()}

    def test_each_in_turn(self):
        for name in SERVICES:
            with self.subTest(name):
                others = self.pids(name)
                self.pipeline.service[name].kill()
                self.pipeline.start(name)
                self.pipeline.flow()
                self.assertEqual(self.pids(name), others)
                self.assertEqual(len(others), len(SERVICES) - 1)


class StoppedInAPipeline(Case):
    """SIGTERM of each while telegrams flow, and back again."""

    @classmethod
    def prepare(cls):
        cls.pipeline = Pipeline(cls.world, Sqlite(cls.world), []).start()
        cls.pipeline.flow()

    def test_each_in_turn(self):
        for name in SERVICES:
            with self.subTest(name):
                for _ in range(5):
                    self.pipeline.send(self.pipeline.probe())
                process = self.pipeline.service[name]
                process.stop()
                self.assertEqual(len(process.lines("event=stop", "status=0")), 1)
                self.pipeline.start(name)
                self.pipeline.flow()

    def test_orderly_stop_keeps_what_had_arrived(self):
        """What an ingest has acknowledged to the broker goes out before it ends."""
        telegrams = [self.pipeline.probe() for _ in range(30)]
        ingest = self.pipeline.service["mqtt-ingest"]
        before = ingest.metric("payloads_total")
        self.pipeline.broker.pub_lines(self.pipeline.topic("x"), [t.hex for t in telegrams])
        wait_until(lambda: ingest.metric("payloads_total") >= before + 30, "30 payloads have arrived")
        ingest.stop()
        for t in telegrams:
            self.pipeline.wait_for(t, live=False)
        self.pipeline.start("mqtt-ingest")
        self.pipeline.flow()


class Alone(Case):
    """Without any neighbour a service starts, says what it lacks, waits, and stops in order."""

    @classmethod
    def prepare(cls):
        nowhere = str(free_port())
        path = cls.world.path
        cls.env = {
            "MQTT_HOST": "127.0.0.1", "MQTT_PORT": nowhere, "SMARTMETER_KEY": frames.Meter("x").key.hex(),
            "DB_URL": f"postgresql://zw@127.0.0.1:{nowhere}/smartmeter",
            "SMARTMETER_RAWDATA_MQTT_TOPIC": "sensors/smartmeter/raw/+",
            "TELEGRAMS_BIND": f"ipc://{path}/t", "TELEGRAMS_CONNECT": f"ipc://{path}/none",
            "STORE_CONNECT": f"ipc://{path}/none", "DEBOUNCE_CONNECT": f"ipc://{path}/none",
            "READINGS_CONNECT": f"ipc://{path}/none", "DEBOUNCE_BIND": f"ipc://{path}/d",
            "READINGS_BIND": f"ipc://{path}/r"}  # fmt: skip

    def start(self, name, test, **env):
        path = self.world.path
        own = {"STORE_BIND": f"ipc://{path}/s-{name}", "ACKS_BIND": f"ipc://{path}/a-{name}"}
        return self.world.service(name, self.env | own | env, f"{name}-{test}")

    # what /readyz says; a service is ready without those that consume from it
    MISSING = {"mqtt-ingest": "broker", "publisher": "broker", "db-writer": "database", "decryptor": None, "debouncer": None}

    def test_health_and_stop(self):
        for name, missing in self.MISSING.items():
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                with self.subTest(name, signal=number.name):
                    process = self.start(name, number.name)
                    self.assertEqual(process.get("/healthz"), (200, "alive\n"))
                    status, text = process.get("/readyz")
                    self.assertEqual(status, 503 if missing else 200, text)
                    self.assertIn(f"{missing}: down" if missing else "", text)
                    self.assertEqual(process.get("/nothing")[0], 404)
                    self.assertIn(f'zaehlwerk_build_info{{service="{name}"', process.get("/metrics")[1])
                    process.stop(number)
                    self.assertEqual(len(process.lines("event=stop", "status=0")), 1)
                    self.assertEqual(process.lines("level=error"), [])

    def test_healthcheck(self):
        """NAME --healthcheck asks the service that runs with the same HTTP_LISTEN."""
        for name in [*self.MISSING, "dashboard", "example-consumer"]:
            with self.subTest(name):
                listen = {"HTTP_LISTEN": f"127.0.0.1:{free_port()}", "DASHBOARD_LISTEN": "127.0.0.1:0",
                          "METER": "0123456789ABCDEF", "SWITCH_COMMAND": "/bin/true"}  # fmt: skip

                def healthcheck(name=name, listen=listen):
                    result = self.world.tool(BIN / name, "--healthcheck", env=listen)
                    return result.returncode, result.stderr.decode().count("\n")

                self.assertEqual(healthcheck(), (1, 1))
                process = self.start(name, "healthcheck", **listen)
                process.port()
                self.assertEqual(healthcheck(), (0, 0))
                process.stop()
                self.assertEqual(healthcheck(), (1, 1))

    def test_healthcheck_of_a_service_that_hangs(self):
        listen = {"HTTP_LISTEN": f"127.0.0.1:{free_port()}"}
        process = self.start("debouncer", "hangs", **listen)
        process.port()
        with paused(process):
            result = self.world.tool(BIN / "debouncer", "--healthcheck", env=listen, seconds=20)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"timed out", result.stderr)

    def test_stop_before_anything_is_up(self):
        for name in self.MISSING:
            with self.subTest(name):
                process = self.start(name, "early")
                wait_until(lambda p=process: "event=http" in p.log(), f"{name} has begun")
                process.stop()

    def test_names_that_do_not_resolve(self):
        """A dead DNS delays neither start nor stop."""
        for name, variable in (("decryptor", "TELEGRAMS_CONNECT"), ("db-writer", "STORE_CONNECT"), ("publisher", "READINGS_CONNECT")):
            with self.subTest(name):
                process = self.start(name, "names", **{variable: "tcp://nobody.invalid:5550,tcp://nobody-else.invalid:5550"})
                self.assertEqual(process.get("/healthz")[0], 200)
                process.stop()

    def test_second_signal_ends_at_once(self):
        """An ingest takes leave of its broker, which here does not answer; not after a second SIGTERM."""
        broker = Broker(self.world)
        ingest = self.start("mqtt-ingest", "twice", MQTT_PORT=str(broker.port))
        wait_until(ingest.ready, "ingest is ready")
        with paused(broker.process):
            ingest.send_signal(signal.SIGTERM)
            wait_until(lambda: ingest.lines("event=signal"), "the first signal is noted")
            ingest.ends = {-signal.SIGTERM}
            ingest.send_signal(signal.SIGTERM)
            self.assertEqual(ingest.wait(), -signal.SIGTERM)
