/* Before there is anything to see: the first run, the sign-in, and what the page costs and may do. */

import assert from 'node:assert/strict';
import { period, wall } from '../../services/dashboard/page/calendar.js';
import { PHONE, accessible, fits, textIs, textOf, until } from './browser.mjs';

const step = (page, n) => page.locator('#steps > li').nth(n);

const stepIs = (page, n, kind, pattern) => until(
    async () => [await step(page, n).getAttribute('class'), (await step(page, n).innerText()).replace(/\s+/g, ' ')],
    ([found, words]) => found === kind && pattern.test(words), `step ${n} should be ${kind} ${pattern}`);

async function check(page, frame, key) {
    await page.fill('#frame', frame);
    await page.fill('#key', key);
    await page.click('#check-form button');
}

/** No message, then a wrong key, then the right one: each is said, and the dashboard comes by itself. */
export async function firstRun(browser, order, ask) {
    const page = await browser.open(order.url);
    await page.locator('#first-run').waitFor();
    assert.equal(await page.isVisible('#dashboard'), false);
    await stepIs(page, 0, 'bad', /None yet/);
    const frame = await ask('sendWrong');
    await stepIs(page, 0, 'done', /Messages received: \d+/);
    await stepIs(page, 1, 'done', /A key is set/);
    await stepIs(page, 2, 'bad', /wrong key/);
    await accessible(page);
    await browser.picture(page, 'first-run');
    await check(page, frame, order.wrong);
    await textIs(page, '#check-result', /key does not fit/);
    await browser.picture(page, 'first-run-wrong-key');
    await check(page, frame, 'not a key');
    await textIs(page, '#check-result', /^The key must be exactly 32 hex digits/);
    await check(page, frame, order.right);
    await textIs(page, '#check-result', /The key fits\..*Power [+−]?[\d,]+ W.*Meter reading, drawn [\d,.]+ kWh/);
    await browser.picture(page, 'first-run-right-key');
    assert.equal(await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, location.href])
        .toLowerCase().includes('key=')), false);
    const phone = await browser.open(order.url, { ...PHONE, locale: 'de-AT', colorScheme: 'dark' });
    await stepIs(phone, 2, 'bad', /Schlüssel nicht passt/);
    await fits(phone);
    await accessible(phone);
    await browser.picture(phone, 'first-run-phone');
    await page.locator('#connection.good').waitFor();
    await ask('sendRight', { PIn: 1500 });
    await page.locator('#dashboard').waitFor();
    await textIs(page, '#power', /^\+1,500$/);
    assert.equal(await page.isVisible('#first-run'), false);
}

/** A wrong password, too many of them, the right one; and out again. */
export async function signIn(browser, order) {
    const page = await browser.open(order.url, { locale: 'de-AT' });
    await accessible(page);
    const enter = async (password) => {
        await page.fill('#password', password);
        await page.click('#login button');
    };
    await enter('falsch');
    await textIs(page, '#login-error', /^Das Passwort stimmt nicht\.$/);
    await accessible(page);
    await browser.picture(page, 'login');
    await enter(order.password);
    await page.locator('#now').waitFor();
    await textIs(page, '#connection', /^live$/);
    await page.click('#logout');
    await page.locator('#password').waitFor();
    const refused = await page.evaluate(async () => (await fetch('/api/state')).status);
    assert.equal(refused, 401);
    await until(async () => {
        await enter('falsch');
        await page.locator('#login button:not([disabled])').waitFor();
        return textOf(page, '#login-error');
    }, (words) => /^Zu viele Versuche/.test(words), 'too many tries are told');
    await browser.picture(page, 'login-too-many');
}

/** All that is loaded until the first data, by what crosses the wire; what the charts then ask for is data. */
export async function weight(browser, order) {
    const page = await browser.open('about:blank');
    const wire = await page.context().newCDPSession(page);
    const loaded = new Map();
    await wire.send('Network.enable');
    wire.on('Network.responseReceived', ({ requestId, response }) => loaded.set(requestId, { url: response.url, octets: 0 }));
    wire.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
        if (loaded.has(requestId)) {
            loaded.get(requestId).octets = encodedDataLength;
        }
    });
    await page.goto(order.url);
    await textIs(page, '#connection', /^live$/);
    const all = [...loaded.values()];
    const sum = all.filter(({ url }) => !/api\/(series|energy|events)/.test(url)).reduce((a, { octets }) => a + octets, 0);
    assert.ok(all.some(({ url }) => url.endsWith('/assets/uPlot.iife.min.js')), 'the charts are counted');
    assert.ok(all.some(({ url }) => url.includes('/api/state')), 'the first data are counted');
    assert.deepEqual(all.filter(({ url }) => !url.startsWith(order.url) && !url.startsWith('data:')), [], 'nothing comes from elsewhere');
    assert.ok(sum > 20000 && sum < 100000, `${sum} octets: ${JSON.stringify(all)}`);
    return `dashboard ${sum} octets until the first data`;
}

/** The policy is strict, and it holds: what it forbids is seen by the tests' own listener. */
export async function policy(browser, order) {
    const page = await browser.open(order.url);
    const header = (await (await page.request.get(order.url)).headers())['content-security-policy'];
    assert.match(header, /default-src 'none'/);
    assert.match(header, /script-src 'self'(;|$)/);
    assert.match(header, /style-src 'self'(;|$)/);
    assert.doesNotMatch(header, /unsafe|\*/);
    browser.inOrder();
    await page.evaluate(() => {
        const script = document.createElement('script');
        script.textContent = 'window.ran = true';
        document.body.append(script);
    });
    await until(() => browser.complaints.length, (n) => n > 0, 'an inline script is a violation');
    assert.equal(await page.evaluate(() => window.ran), undefined);
    browser.complaints.length = 0;
}

/** Days and months of the meters' zone, over both clock changes; and every text in both languages. */
export async function words(browser, order) {
    const hours = (unit, when, zone) => {
        const { from, to } = period(unit, Date.parse(when) / 1000, zone);
        assert.equal(wall(from, zone).hour, 0, `${when} begins at midnight`);
        return (to - from) / 3600;
    };
    const vienna = 'Europe/Vienna';
    const days = ['2026-03-29T00:30Z', '2026-03-29T21:30Z', '2026-10-25T00:30Z', '2026-10-25T22:30Z', '2026-07-01T22:30Z'];
    assert.deepEqual(days.map((when) => hours('day', when, vienna)), [23, 23, 25, 25, 24]);
    assert.deepEqual(['2026-03-15T12:00Z', '2026-10-31T22:30Z', '2024-02-10T00:00Z'].map((when) => hours('month', when, vienna)),
        [31 * 24 - 1, 31 * 24 + 1, 29 * 24]);
    assert.equal(hours('year', '2025-12-31T23:30Z', vienna), 365 * 24, 'the new year has begun in Vienna');
    assert.equal(hours('day', '2026-11-01T12:00Z', 'America/New_York'), 25);
    const page = await browser.open(order.url);
    const { de, en } = await page.evaluate(async () => (await import('/assets/texts.js')).tables);
    assert.deepEqual(Object.keys(de), Object.keys(en));
    const places = (words) => [...new Set(words.match(/\{\w+\}/g))].sort();
    for (const key of Object.keys(de)) {
        assert.deepEqual(places(de[key]), places(en[key]), key);
    }
}
