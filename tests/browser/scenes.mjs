/* What a person sees of a system that runs. `order` has: url, meters {house, silent, names}, day {kwh ...}. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { PHONE, accessible, drawn, fits, pixels, textIs, textOf, until } from './browser.mjs';

const at = (order, meter = 'house') => `${order.url}?meter=${order.meters[meter]}`;

/** From now on no reading is missed. */
const listens = (page) => page.locator('#connection.good').waitFor();

async function tab(page, unit) {
    await page.click(`#tab-${unit}`);
    await until(() => page.getAttribute('#panel', 'aria-busy'), (busy) => busy === null, `${unit} is loaded`);
}

/** Numbers follow the meter, with sign, colour and word; what is spoken does not follow each of them. */
export async function live(browser, order, ask) {
    const page = await browser.open(at(order));
    await listens(page);
    await ask('send', { PIn: 1234, POut: 0 });
    await textIs(page, '#power', /^\+1,234$/);
    assert.match(await textOf(page, '#direction'), /drawn from the grid/);
    assert.match(await page.title(), /^\+1,234\sW · Zählwerk$/);
    const warm = await page.locator('#power').evaluate((e) => getComputedStyle(e).color);
    const spoken = await textOf(page, '#spoken');
    await ask('send', { PIn: 0, POut: 2345, U1: 231.5, I1: 7.25 });
    await textIs(page, '#power', /^−2,345$/);
    assert.match(await textOf(page, '#direction'), /fed into the grid/);
    assert.match(await textOf(page, '#phases'), /L1 231\.5 V 7\.25 A/);
    assert.notEqual(await page.locator('#power').evaluate((e) => getComputedStyle(e).color), warm);
    await ask('send', { PIn: 17, POut: 0 });
    await textIs(page, '#power', /^\+17$/);
    await ask('send', { PIn: 18, POut: 0 });
    await textIs(page, '#power', /^\+18$/);
    const kinds = new Set([spoken, await textOf(page, '#spoken')]);
    assert.ok(![...kinds].some((words) => /\b1[78]\b/.test(words)), `spoken at every reading: ${[...kinds]}`);
    assert.equal(await page.getAttribute('#spoken', 'aria-live'), 'polite');
}

/** Each range draws, and each something else; a drag zooms in, a double click shows all again. */
export async function charts(browser, order, ask) {
    const page = await browser.open(at(order));
    await listens(page);
    const digests = new Map();
    for (const unit of ['hour', 'day', 'month', 'year']) {
        await tab(page, unit);
        digests.set(unit, await drawn(page, 0, '--draw'));
    }
    assert.equal(new Set(digests.values()).size, 4, 'four ranges, four pictures');
    await tab(page, 'day');
    const whole = await drawn(page, 0, '--draw');
    const box = await page.locator('.plot .u-over').first().boundingBox();
    const move = (x) => page.mouse.move(box.x + box.width * x, box.y + box.height / 2, { steps: 4 });
    await move(0.45);
    await page.mouse.down();
    await move(0.6);
    await page.mouse.up();
    await page.locator('#whole').waitFor();
    await until(() => pixels(page, 0, '--draw'), ({ digest }) => digest !== whole, 'the zoom changes the chart');
    await move(0.5);
    await textIs(page, '.readout >> nth=0', /^\d\d:\d\d(:\d\d)? · [+−]?[\d,]+ W/);
    await page.mouse.dblclick(box.x + box.width / 2, box.y + box.height / 2);
    await page.locator('#whole').waitFor({ state: 'hidden' });
    await page.mouse.move(0, 0);
    await until(() => pixels(page, 0, '--draw'), ({ digest }) => digest === whole, 'the whole day is back');
    await page.selectOption('#what', 'u');
    await drawn(page, 0, '--phase-1');
    await tab(page, 'hour');
    await page.selectOption('#what', 'power');
    const before = await drawn(page, 0, '--draw');
    await ask('send', { PIn: 4000, POut: 0 });
    await until(() => pixels(page, 0, '--draw'), ({ digest }) => digest !== before, 'the hour moves on with a reading');
}

/** Quarter hours: bars, the gap marked in the chart, its legend and the table; sums and CSV are the same. */
export async function quarters(browser, order) {
    const page = await browser.open(at(order), { acceptDownloads: true });
    await tab(page, 'day');
    await drawn(page, 1, '--draw');
    assert.match(await textOf(page, 'figure >> nth=1'), /Gap: sum known, spread estimated/);
    await browser.picture(page, 'day');
    const shown = Number((await textOf(page, '#sums .draws dd')).replace(/ kWh.*/, '').replace(',', ''));
    assert.match(await textOf(page, '#sums .draws dd'), /Cost €/);
    await page.click('#as-table');
    const rows = page.locator('.data').nth(1).locator('tbody tr');
    assert.ok((await rows.filter({ hasText: 'estimated' }).count()) >= 2, 'the gap has rows of its own');
    const kwh = await rows.evaluateAll((all) => all.map((r) => Number(r.children[1].innerText.replace(/\s.*/, '')) || 0));
    assert.ok(Math.abs(kwh.reduce((a, v) => a + v, 0) - shown) < 0.06, `${kwh} and ${shown}`);
    await browser.picture(page, 'day-table');
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('#downloads a >> nth=0')]);
    assert.match(download.suggestedFilename(), /\.csv$/);
    const lines = readFileSync(await download.path(), 'utf8').trim().split(/\r?\n/).map((line) => line.split(','));
    const win = lines[0].indexOf('win');
    const sum = lines.slice(1).reduce((a, line) => a + Number(line[win]), 0) / 1000;
    assert.ok(win > 0 && Math.abs(sum - shown) < 0.01, `${lines[0]}: ${sum} in the file, ${shown} on the page`);
}

/** Backwards and forwards through days; the present has no "next". */
export async function dates(browser, order) {
    const page = await browser.open(at(order));
    await tab(page, 'day');
    const today = await textOf(page, '#period');
    assert.equal(await page.isDisabled('#next'), true);
    await page.click('#previous');
    await until(() => textOf(page, '#period'), (found) => found !== today, 'the day before');
    await textIs(page, '#charts', /There are no values for this period/);
    await page.click('#next');
    await textIs(page, '#period', new RegExp(`^${today}$`));
    await tab(page, 'month');
    await page.fill('#date', '2020-02-29');
    await textIs(page, '#period', /^February 2020$/);
    await page.click('#latest');
    await drawn(page, 0, '--draw');
}

/** German by the browser's language: words, numbers, umlauts, and the language of the document. */
export async function german(browser, order, ask) {
    const page = await browser.open(at(order), { locale: 'de-DE' });
    await listens(page);
    await ask('send', { PIn: 4321, POut: 0 });
    await textIs(page, '#power', /^\+4\.321$/);
    assert.equal(await page.getAttribute('html', 'lang'), 'de');
    assert.match(await textOf(page, '#direction'), /^Bezug aus dem Netz$/);
    assert.match(await textOf(page, '#totals'), /^Zählerstand: Bezug [\d.]+,\d{3} kWh, Einspeisung /);
    assert.match(await textOf(page, '#check summary'), /^Telegramm und Schlüssel prüfen$/);
    const mixed = await page.evaluate(() => document.body.innerText.match(/\b(Power|Voltage|drawn|Today|Services)\b/g));
    assert.equal(mixed, null, 'no English among the German');
    await tab(page, 'day');
    await drawn(page, 1, '--draw');
    await browser.picture(page, 'german');
    const english = await browser.open(at(order), { locale: 'fr-FR' });
    await textIs(english, '#direction', /drawn from the grid/);
    assert.equal(await english.getAttribute('html', 'lang'), 'en');
}

/** Light, dark and phone: axe finds nothing serious, nothing is wider than the window. */
export async function light(browser, order) {
    const page = await browser.open(at(order));
    await drawn(page, 0, '--draw');
    await accessible(page);
    await browser.picture(page, 'light');
    await tab(page, 'month');
    await drawn(page, 0, '--draw');
    await browser.picture(page, 'month');
    await page.click('#as-table');
    await accessible(page);
}

export async function dark(browser, order) {
    const page = await browser.open(at(order), { colorScheme: 'dark' });
    await drawn(page, 0, '--draw');
    const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number));
    assert.ok(Math.max(...ground) < 64, `a dark ground: ${ground}`);
    await accessible(page);
    await browser.picture(page, 'dark');
    await page.emulateMedia({ colorScheme: 'light' }); // the charts change with the page
    await drawn(page, 0, '--draw');
}

export async function phone(browser, order) {
    const page = await browser.open(at(order), { ...PHONE, locale: 'de-AT' });
    for (const unit of ['hour', 'day', 'month', 'year']) {
        await tab(page, unit);
        await drawn(page, 0, '--draw');
        await fits(page);
    }
    await tab(page, 'day');
    await drawn(page, 1, '--draw');
    const before = await pixels(page, 0, '--draw');
    await page.tap('#zoom-in');
    await until(() => pixels(page, 0, '--draw'), ({ digest }) => digest !== before.digest, 'a finger can zoom, too');
    await page.tap('#zoom-out');
    await accessible(page);
    await browser.picture(page, 'phone');
}

/** Everything by keyboard, and always seen where one is. */
export async function keyboard(browser, order) {
    const page = await browser.open(at(order));
    await drawn(page, 0, '--draw');
    const focus = () => page.evaluate(() => {
        const e = document.activeElement;
        const { outlineStyle, outlineWidth } = getComputedStyle(e);
        return { id: e.id || e.className, seen: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2 };
    });
    const visited = [];
    for (let i = 0; i < 40 && visited.at(-1) !== 'plot'; i++) {
        await page.keyboard.press('Tab');
        const { id, seen } = await focus();
        visited.push(id);
        assert.ok(seen, `the focus is seen on ${id}`);
    }
    assert.equal(visited[0], 'skip');
    for (const id of ['meter', 'tab-hour', 'previous', 'date', 'what', 'zoom-in', 'as-table', 'plot']) {
        assert.ok(visited.includes(id), `${id} is reached: ${visited}`);
    }
    await page.keyboard.press('ArrowLeft');
    const last = await textIs(page, '.readout', /^\d\d:\d\d:\d\d · /);
    await page.keyboard.press('ArrowLeft');
    await until(() => textOf(page, '.readout'), (found) => found !== last, 'the arrow moves the readout');
    await page.keyboard.press('+');
    await page.locator('#whole').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('#whole').waitFor({ state: 'hidden' });
    await page.focus('#tab-hour');
    await page.keyboard.press('ArrowRight');
    await until(focus, ({ id }) => id === 'tab-day', 'the arrow moves to the next tab');
    assert.equal(await page.getAttribute('#tab-day', 'aria-selected'), 'true');
    await page.focus('.skip');
    await page.keyboard.press('Enter');
    assert.equal((await focus()).id, 'main');
}

/** Several meters: chosen by hand, remembered, and by the address. Each with its state and its rejects in words. */
export async function meters(browser, order) {
    const page = await browser.open(order.url);
    await page.selectOption('#meter', order.meters.silent);
    await until(() => page.url(), (url) => url.includes(order.meters.silent), 'the address names the meter');
    await page.goto(order.url);
    await until(() => page.inputValue('#meter'), (id) => id === order.meters.silent, 'the meter is remembered');
    await page.goto(at(order));
    await until(() => page.inputValue('#meter'), (id) => id === order.meters.house, 'the address wins');
    const card = page.locator('#meters li', { hasText: order.meters.house });
    assert.match((await card.first().innerText()).replace(/\s+/g, ' '), /sends values.*Last seen.*Frame counter [\d,]+/);
    await textIs(page, '#meters', /The key does not fit this meter.*wrong-key/);
    for (const name of ['mqtt-ingest', 'decryptor', 'db-writer', 'debouncer', 'publisher']) {
        await textIs(page, '#services', new RegExp(`${name} (running|waiting)`));
    }
}

/** Begin to watch a meter that will fall silent; `silent` looks at it later. */
export async function watchSilent(browser, order, ask) {
    const page = await browser.open(at(order, 'silent'), {}, 'silent');
    await listens(page);
    await ask('sendSilent', { PIn: 777, POut: 0 });
    await textIs(page, '#power', /^\+777$/);
    assert.equal(await page.locator('#now.stale').count(), 0);
}

/** A value that is older than a minute is grey and says so; it is never shown as now. */
export async function silent(browser, order) {
    const page = browser.page('silent');
    await page.locator('#now.stale').waitFor({ timeout: 75000 });
    const first = await textIs(page, '#direction', /^No value for ([6-9]\d|1[01]\d) s$|^No value for \d+ min$/);
    await until(() => textOf(page, '#direction'), (words) => words !== first || / min$/.test(words), 'the seconds go on');
    assert.match(await textOf(page, '#now h2'), /^Last power$/);
    assert.match(await page.title(), /^–/);
    assert.match(await textOf(page, '#now-when'), /^Last \+777 W at \d\d:\d\d:\d\d$/);
    assert.match(await textOf(page, '#meters'), /no value for \d+ (s|min)/);
    await accessible(page);
    await browser.picture(page, 'stale');
}

/** Without its database the page says so and goes on live; with it, charts are back by themselves. */
export async function databaseAway(browser, order, ask) {
    const page = await browser.open(at(order));
    await listens(page);
    await drawn(page, 0, '--draw');
    await ask('databaseAway');
    await page.click('#tab-day'); // what asks for it notices first
    await textIs(page, '#charts', /The charts are not available at the moment/);
    await textIs(page, '#banners', /The database cannot be reached/);
    await ask('send', { PIn: 3210, POut: 0 });
    await textIs(page, '#power', /^\+3,210$/);
    const late = await browser.open(at(order)); // who comes now sees the same
    await listens(late);
    await textIs(late, '#banners', /The database cannot be reached/);
    await ask('send', { PIn: 3211, POut: 0 });
    await textIs(late, '#power', /^\+3,211$/);
    await textIs(late, '#charts', /The charts are not available at the moment/);
    assert.equal(await late.isVisible('#first-run'), false);
    await browser.picture(late, 'database-away');
    await ask('databaseBack');
    await until(() => textOf(page, '#banners'), (words) => words === '', 'the banner goes');
    await drawn(page, 0, '--draw');
    await tab(late, 'day');
    await drawn(late, 1, '--draw');
}

/** The service itself away: said, and mended by itself when it is back. */
export async function serviceAway(browser, order, ask) {
    const page = await browser.open(at(order));
    await textIs(page, '#connection', /^live$/);
    await ask('dashboardAway');
    await textIs(page, '#connection', /^connection lost$/);
    await textIs(page, '#banners', /No connection to the server/);
    await ask('dashboardBack');
    await textIs(page, '#connection', /^live$/);
    await ask('send', { PIn: 555, POut: 0 });
    await textIs(page, '#power', /^\+555$/);
    assert.equal(await textOf(page, '#banners'), '');
}
