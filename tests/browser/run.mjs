/* One Chromium for all scenes (scenes*.mjs). Told what to do on stdin, a JSON object a line:
 * {"scene": NAME, ...settings} is answered by {"passed": true, "figures": words} or {"failed": words}; before that a scene may ask
 * for something of the world outside, {"ask": NAME, ...}, which is answered by {"answer": ...}. */

import { createInterface } from 'node:readline';
import { Browser } from './browser.mjs';
import * as board from './scenes.mjs';
import * as doors from './scenes_doors.mjs';

const scenes = { ...board, ...doors };
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

async function hear() {
    const { value, done } = await lines.next();
    return done ? null : JSON.parse(value);
}

/** Ask the test that started us; its answer. */
async function ask(what, more = {}) {
    say({ ask: what, ...more });
    return (await hear()).answer;
}

const browser = await Browser.launch(process.env.CHROMIUM, process.env.SCREENSHOTS);
say({ ready: browser.version() });
for (let order = await hear(); order !== null; order = await hear()) {
    try {
        const figures = await scenes[order.scene](browser, order, ask);
        browser.inOrder();
        say({ passed: true, figures });
    } catch (e) {
        say({ failed: `${e.stack}\n${browser.told()}` });
    }
    await browser.closePages(order.keep);
}
await browser.close();
