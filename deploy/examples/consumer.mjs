#!/usr/bin/env node
// Switches a load on while the home exports power: runs SWITCH_COMMAND with the word on or off.
// A consumer of Zählwerk's readings (proto/README.md, "Add your own consumer"); README.md beside this
// file has its settings. `npm ci --ignore-scripts` there brings what it needs.
import { spawnSync } from "node:child_process";
import { decode } from "@msgpack/msgpack";
import { Subscriber } from "zeromq";

const { METER, SWITCH_COMMAND: COMMAND, READINGS_CONNECT = "tcp://decryptor:5562" } = process.env;
if (!METER || !COMMAND) throw new Error("METER and SWITCH_COMMAND are needed");
const number = (name, other) => Number(process.env[name] ?? other);
const ON_WATTS = number("SURPLUS_ON_WATTS", 2000), OFF_WATTS = number("SURPLUS_OFF_WATTS", 100);
const ON_MS = 1000 * number("SURPLUS_SECONDS", 60), SILENCE_MS = 1000 * number("SILENCE_SECONDS", 60);
const AGAIN_MS = 1000 * number("SWITCH_REPEAT_SECONDS", 30), TIMEOUT_MS = Math.min(3000, AGAIN_MS / 2);

let on = false, told, toldAt = 0; // what the load should be; what the command was told, and when
let last = { time: 0, counter: 0 }, heard = 0, above = 0; // the last live reading; surplus since then, or 0

function tell(wanted) {
  [told, toldAt] = [wanted, performance.now()];
  const run = spawnSync(COMMAND, [wanted ? "on" : "off"], { timeout: TIMEOUT_MS, stdio: "inherit" });
  if (run.status !== 0) console.error(run.error?.message ?? `${COMMAND} ended with status ${run.status}`);
}

// Connect to every decryptor. SIGTERM and Ctrl-C end the program, and then nobody looks after the load.
const readings = new Subscriber({ receiveTimeout: 500 });
for (const endpoint of READINGS_CONNECT.split(",")) readings.connect(endpoint.trim());
readings.subscribe(`reading.${METER}`);
process.on("exit", () => tell(false));
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => process.exit(0));

for (;;) {
  const now = performance.now();
  if (now - heard >= SILENCE_MS) [on, above] = [false, 0];
  if (on !== told || now - toldAt >= AGAIN_MS) tell(on);
  try {
    const [, octets] = await readings.receive();
    const r = decode(octets), arrival = r.arrival / 1000, time = r.time ?? arrival;
    const first = r.v === 1 && r.type === "reading" && r.attempt === 0 && !r.suspect;
    const newer = time > last.time || (time === last.time && r.counter > last.counter);
    // Just arrived, by a clock that is near that, and not passed by another one on the way.
    const live = first && newer && Date.now() / 1000 - arrival < 60 && Math.abs(time - arrival) < 3 * 3600;
    if (!live) continue;
    const [imported, exported] = [r.values.PIn, r.values.POut].map(([m, scaler]) => m * 10 ** scaler);
    [last, heard] = [{ time, counter: r.counter }, now];
    above = exported - imported > ON_WATTS ? above || now : 0;
    on = imported - exported <= OFF_WATTS && (on || (above > 0 && now - above >= ON_MS));
  } catch (wrong) { // a broken message does not end the program
    if (wrong.code !== "EAGAIN") console.error(`not a reading: ${wrong.message}`);
  }
}
