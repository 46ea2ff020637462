/* Chromium with what the scenes need: pages that report every complaint, pixels of charts, axe, octets on the wire. */

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(new URL('../../build/npm/browser/', import.meta.url));
const { chromium } = require('playwright-core');
const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

export const PATIENCE = 20000; // ms until something that must happen has failed; never a measure of speed
export const PHONE = { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };

export class Browser {
    static async launch(executablePath, pictures) {
        const args = ['--disable-gpu', ...(process.getuid() === 0 ? ['--no-sandbox'] : [])];
        const self = new Browser();
        self.chromium = await chromium.launch({ executablePath, args });
        self.pictures = pictures;
        mkdirSync(pictures, { recursive: true });
        self.contexts = new Map();
        self.complaints = [];
        self.log = [];
        return self;
    }

    version() {
        return this.chromium.version();
    }

    /** A page of its own context: its language, colours, size (Playwright's names). `name` finds it again. */
    async open(url, settings = {}, name = `page ${this.contexts.size}`) {
        const context = await this.chromium.newContext({ locale: 'en-GB', viewport: { width: 1280, height: 900 }, ...settings });
        context.setDefaultTimeout(PATIENCE);
        this.contexts.set(name, context);
        // What the page does against its own policy is told as an event, and by the console.
        await context.exposeFunction('tellViolation', (words) => this.complaints.push(`CSP: ${words}`));
        await context.addInitScript(() => addEventListener('securitypolicyviolation',
            (e) => window.tellViolation(`${e.violatedDirective} ${e.blockedURI}`)));
        const page = await context.newPage();
        page.on('pageerror', (e) => this.complaints.push(`${url}: ${e.stack}`));
        page.on('console', (message) => {
            this.log.push(`${message.type()}: ${message.text()}`);
            if (/Content Security Policy/.test(message.text())) {
                this.complaints.push(message.text());
            }
        });
        await page.goto(url);
        return page;
    }

    /** No script failed and no policy was hurt on any page so far. */
    inOrder() {
        const found = this.complaints.splice(0);
        assert.deepEqual(found, []);
    }

    told() {
        return [...this.complaints.splice(0), ...this.log.splice(0)].join('\n');
    }

    async closePages(keep = []) {
        this.log = [];
        for (const [name, context] of this.contexts) {
            if (!keep.includes(name)) {
                await context.close();
                this.contexts.delete(name);
            }
        }
    }

    page(name) {
        return this.contexts.get(name).pages()[0];
    }

    async picture(page, name) {
        await page.screenshot({ path: `${this.pictures}/${name}.png`, fullPage: true });
    }

    async close() {
        await this.chromium.close();
    }
}

/** Wait until what `look` finds is what it should be; then say both. */
export async function until(look, right, what) {
    const end = Date.now() + PATIENCE;
    for (;;) {
        const found = await look();
        if (right(found)) {
            return found;
        }
        assert.ok(Date.now() < end, `${what}: still ${JSON.stringify(found)}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
}

/** The text of an element as a reader sees it; spaces of any kind are one space. */
export const textOf = async (page, selector) => (await page.locator(selector).innerText()).replace(/\s+/g, ' ').trim();

export const textIs = (page, selector, pattern) =>
    until(() => textOf(page, selector), (found) => pattern.test(found), `${selector} should match ${pattern}`);

/** axe-core's serious and critical findings must be none. Injected by the debugger: the page's policy holds. */
export async function accessible(page) {
    await page.evaluate(AXE);
    const { violations, passes } = await page.evaluate(() => window.axe.run({ resultTypes: ['violations'] }));
    assert.ok(passes.length > 10, 'axe has looked at the page');
    const bad = violations.filter((v) => ['serious', 'critical'].includes(v.impact));
    assert.deepEqual(bad.map((v) => [v.id, ...v.nodes.map((n) => `${n.target} ${n.failureSummary}`)]), []);
    assert.doesNotMatch(await textOf(page, 'body'), /false|null|undefined|NaN/, 'no word of the program shows');
}

/** How many pixels of the n-th chart are near a colour of style.css, and a digest of them all. */
export function pixels(page, n, color) {
    return page.evaluate(([index, name]) => {
        const canvas = document.querySelectorAll('.plot canvas')[index];
        if (!canvas) {
            return { near: 0, digest: 0 };
        }
        const hex = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
        const wanted = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        let near = 0;
        let digest = 0;
        for (let i = 0; i < data.length; i += 4) {
            digest = (Math.imul(digest, 31) + data[i] + data[i + 1] + data[i + 3]) | 0;
            near += data[i + 3] > 200 && wanted.every((c, k) => Math.abs(c - data[i + k]) < 12);
        }
        return { near, digest };
    }, [n, color]);
}

/** Wait until a chart shows a colour; its digest. */
export async function drawn(page, n, color) {
    const found = await until(() => pixels(page, n, color), ({ near }) => near > 40, `chart ${n} has pixels of ${color}`);
    return found.digest;
}

/** The page may scroll up and down, not sideways. */
export async function fits(page) {
    const [inner, outer] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    assert.ok(inner <= outer, `${inner} pixels wide in a window of ${outer}`);
}
