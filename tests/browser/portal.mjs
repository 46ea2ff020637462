/* The firmware's set-up page in a browser: portal.mjs URL. Prints TAP. The device behind it tells what it saves. */

import assert from 'node:assert/strict';
import { Browser, PHONE, accessible, fits } from './browser.mjs';

const url = process.argv[2];

/** Text like a chain of certificates, of so many characters; 3072 are what the device keeps. */
function chain(length) {
    const [begin, end] = ['-----BEGIN CERTIFICATE-----\n', '-----END CERTIFICATE-----\n'];
    const lines = 'MIIBszCCAVmgAwIBAgIUA+/0FgYDVR0PAQH/BAQDAgGGMA8GA1UdEwEB/wQFMAMBAf8w\n'.repeat(50);
    return begin + lines.slice(0, length - begin.length - end.length - 1) + '\n' + end;
}

const german = { locale: 'de-AT' };
const english = { locale: 'en-GB' };
const alert = (page) => page.locator('[role=alert]');

/** The language is the browser's, and can be changed; a phone shows it whole. */
async function languages(browser) {
    const page = await browser.open(url, { ...PHONE, ...german });
    assert.equal(await page.title(), 'Zählwerk einrichten');
    assert.equal(await page.getAttribute('html', 'lang'), 'de');
    await fits(page);
    await accessible(page);
    await browser.picture(page, 'portal-de');
    await page.getByRole('link', { name: 'English' }).click();
    assert.equal(await page.title(), 'Set up Zählwerk');
    await fits(page);
    await accessible(page);
    await browser.picture(page, 'portal-en');
}

/** Names in the air are offered as they are, whatever characters they have. */
async function networks(browser) {
    const page = await browser.open(url, english);
    const names = await page.locator('#networks option').evaluateAll((all) => all.map((o) => o.value));
    assert.deepEqual(names, ['Zuhause 5', 'Café <free> "WLAN"', 'other']);
    assert.equal(await page.locator('free').count(), 0);
}

/** The browser itself asks for what is missing; nothing leaves before. */
async function missing(browser) {
    const page = await browser.open(url, english);
    await page.getByRole('button', { name: 'Save and connect' }).click();
    assert.equal(await page.locator('#ssid:invalid').count(), 1);
    assert.equal(new URL(page.url()).pathname, '/');
}

async function fill(page) {
    await page.getByLabel('Network name').fill('Café <free> "WLAN"');
    await page.getByLabel('Wi-Fi password').fill('gehe&im=+%41 ä');
    await page.getByLabel('Address of the broker').fill('broker.local');
    await page.getByLabel('User').fill('zähler');
    await page.locator('#password').fill('p"w\\');
}

/** What is wrong is said, at the top and at the field, and what was typed is still there. */
async function wrong(browser) {
    const page = await browser.open(url, english);
    await fill(page);
    await page.getByLabel('Topic of the telegrams').fill('sensors/#');
    await page.getByRole('button', { name: 'Save and connect' }).click();
    await alert(page).waitFor();
    assert.match(await alert(page).innerText(), /Topic of the telegrams.*without \+ and #/);
    assert.equal(await page.locator('[aria-invalid]').getAttribute('id'), 'topic');
    assert.equal(await page.inputValue('#ssid'), 'Café <free> "WLAN"');
    assert.equal(await page.inputValue('#wifi_password'), '', 'a secret is not sent back');
    await accessible(page);
    await browser.picture(page, 'portal-wrong');
    await page.locator('summary').click();
    await page.getByLabel('Name of the device').fill('a/b');
    await page.getByLabel('Topic of the telegrams').fill('sensors/smartmeter');
    await page.getByRole('button', { name: 'Save and connect' }).click();
    await page.locator('#name[aria-invalid]').waitFor();
    assert.ok(await page.locator('#name').isVisible(), 'the part with the wrong field is open');
}

/** A certificate that the device cannot keep is refused, at its field and whole; a huge one, too. */
async function tooLarge(browser) {
    const page = await browser.open(url, english);
    await fill(page);
    await page.getByLabel('Use TLS').check();
    for (const length of [3073, 40000]) {
        const text = length > 4000 ? chain(3000).repeat(13) : chain(length);
        await page.getByLabel('CA certificate').fill(text);
        await page.getByRole('button', { name: 'Save and connect' }).click();
        await alert(page).waitFor();
        assert.match(await alert(page).innerText(), /CA certificate.*3072 characters at most/);
        assert.equal(await page.locator('[aria-invalid]').getAttribute('id'), 'ca');
        if (length < 4000) assert.equal(await page.inputValue('#ca'), text);
    }
    await accessible(page);
}

/** Everything arrives as it was typed; the page says what comes next. */
async function saved(browser) {
    const page = await browser.open(url, german);
    await page.getByRole('link', { name: 'English' }).click();
    await fill(page);
    await page.getByLabel('Port').fill('8883');
    await page.getByLabel('Use TLS').check();
    await page.getByLabel('CA certificate').fill(chain(3072));
    await page.locator('summary').click();
    await page.getByLabel('Baud rate and parity').selectOption('2400 8N1');
    await page.getByLabel('Announce to Home Assistant').uncheck();
    await page.getByRole('button', { name: 'Save and connect' }).click();
    await page.getByRole('status').waitFor();
    assert.equal(await page.title(), 'Saved');
    assert.equal(await page.getAttribute('html', 'lang'), 'en');
    await accessible(page);
}

/** Afterwards secrets are not shown, but may stay; not at another broker. */
async function again(browser) {
    const page = await browser.open(url, english);
    assert.equal(await page.inputValue('#wifi_password'), '');
    assert.match(await page.getAttribute('#wifi_password', 'placeholder'), /stored/);
    assert.ok(!(await page.content()).includes('gehe'), 'the password is nowhere in the page');
    assert.equal(await page.locator('#line_mode option:checked').textContent(), '2400 8N1');
    await page.getByLabel('Address of the broker').fill('10.0.0.7');
    await page.getByRole('button', { name: 'Save and connect' }).click();
    await page.locator('#password[aria-invalid]').waitFor();
    await page.locator('#password').fill('new');
    await page.getByRole('button', { name: 'Save and connect' }).click();
    await page.getByRole('status').waitFor();
}

const scenes = [languages, networks, missing, wrong, tooLarge, saved, again];
const browser = await Browser.launch(process.env.CHROMIUM, process.env.SCREENSHOTS);
for (const scene of scenes) {
    try {
        await scene(browser);
        browser.inOrder();
        process.stdout.write(`ok - ${scene.name}\n`);
    } catch (e) {
        process.stdout.write(`not ok - ${scene.name}\n${e.stack}\n`);
    }
    await browser.closePages();
}
await browser.close();
process.stdout.write(`1..${scenes.length}\n`);
