#!/usr/bin/python3
# Switches a load on while the home exports power: runs SWITCH_COMMAND with the word on or off.
# A consumer of Zählwerk's readings (proto/README.md, "Add your own consumer"); README.md beside this
# file has its settings. Debian: python3-zmq python3-msgpack.
import atexit
import signal
import subprocess
import sys
import time
from os import environ as env

import msgpack
import zmq

METER, COMMAND, AGAIN_SECONDS = env["METER"], env["SWITCH_COMMAND"], int(env.get("SWITCH_REPEAT_SECONDS", 30))
ON_WATTS, OFF_WATTS = int(env.get("SURPLUS_ON_WATTS", 2000)), int(env.get("SURPLUS_OFF_WATTS", 100))
ON_SECONDS, SILENCE_SECONDS = int(env.get("SURPLUS_SECONDS", 60)), int(env.get("SILENCE_SECONDS", 60))

# Connect to every decryptor. SIGTERM and Ctrl-C end the program, and then nobody looks after the load.
readings = zmq.Context().socket(zmq.SUB)
for endpoint in env.get("READINGS_CONNECT", "tcp://decryptor:5562").split(","):
    readings.connect(endpoint.strip())
readings.subscribe(f"reading.{METER}")
atexit.register(subprocess.run, [COMMAND, "off"], timeout=3, check=True)
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda *_: sys.exit())

on, told, told_at = False, None, 0  # what the load should be; what the command was told, and when
last, heard, above = (0, 0), 0, 0  # the last live reading, and when it came; surplus since then, or 0
while now := time.monotonic():
    try:
        if now - heard >= SILENCE_SECONDS:
            on, above = False, 0
        if on != told or now - told_at >= AGAIN_SECONDS:
            told, told_at = on, now
            subprocess.run([COMMAND, "on" if on else "off"], timeout=min(3, AGAIN_SECONDS / 2), check=True)
        if readings.poll(500):
            r = msgpack.unpackb(readings.recv_multipart()[1])
            arrival = r["arrival"] / 1000
            this = (r["time"] or arrival, r["counter"])
            first = (r["v"], r["type"], r["attempt"], r.get("suspect", "")) == (1, "reading", 0, "")
            # Just arrived, by a clock that is near that, and not passed by another one on the way.
            if first and time.time() - arrival < 60 and abs(this[0] - arrival) < 3 * 3600 and this > last:
                power = {name: mantissa * 10.0**scaler for name, (mantissa, scaler) in r["values"].items()}
                export = power["POut"] - power["PIn"]
                last, heard = this, now
                above = (above or now) if export > ON_WATTS else 0
                on = export >= -OFF_WATTS and (on or 0 < above <= now - ON_SECONDS)
    except Exception as wrong:  # neither a broken message nor a command that fails ends the program
        print(f"{type(wrong).__name__}: {wrong}", file=sys.stderr)
