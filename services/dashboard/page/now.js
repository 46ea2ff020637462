/* now: power as one number, phases, and the energy of today and this month. */

import { period } from './calendar.js';
import { $, el, fill, say } from './dom.js';
import { MINUTES, SECONDS, SHORT_DAY, age, amperes, date, kwh, money, number, volts, watts } from './format.js';
import { now } from './live.js';
import { text } from './texts.js';

export const STALE_S = 60; // a value older than this is not "now"
const SPEAK_MS = 60000;

let spoken = { at: 0, words: '' };

/** Seconds since the reading of a meter arrived, or null; `live` false makes it stale at any age. */
export function silence(meter) {
    return meter?.last ? Math.max(0, now() - meter.last.received) : null;
}

export function isStale(meter) {
    const seconds = silence(meter);
    return seconds === null || seconds > STALE_S || !meter.live;
}

function direction(power) {
    if (power === null) {
        return ['none', text('noPower')];
    }
    return power > 0 ? ['draws', text('draws')] : power < 0 ? ['feeds', text('feeds')] : ['even', text('even')];
}

/** At most once a minute, or when a meter falls silent or comes back: not a word every 5 seconds. */
function speak(kind, words) {
    const due = Date.now() - spoken.at > SPEAK_MS || kind !== spoken.kind;
    if (due && words !== spoken.words) {
        spoken = { at: Date.now(), words, kind };
        say($('spoken'), words);
    }
}

/** The large number; grey, with the reason, when it is not of now. */
export function showPower(meter, zone) {
    const last = meter?.last ?? null;
    const stale = isStale(meter);
    const [kind, words] = direction(last?.power ?? null);
    const card = $('now');
    card.classList.toggle('stale', stale);
    card.dataset.direction = stale ? 'none' : kind;
    say($('now-title'), text(stale && last ? 'lastPower' : 'now'));
    say($('power'), number(last?.power ?? null, 0, true));
    if (!last) {
        say($('direction'), text('neverValue'));
        say($('now-when'), '\u00a0');
        speak('never', text('neverValue'));
    } else if (stale) {
        const silent = text('noValue', { age: age(silence(meter)) });
        say($('direction'), silent);
        say($('now-when'), text('lastValue', { value: watts(last.power, true), time: date(last.at, zone, SECONDS) }));
        speak('stale', silent);
    } else {
        say($('direction'), words);
        say($('now-when'), text('measuredAt', { time: date(last.at, zone, SECONDS) }));
        const value = number(Math.abs(last.power ?? 0));
        speak('live', text({ draws: 'spokenDraws', feeds: 'spokenFeeds', even: 'even', none: 'noPower' }[kind], { value }));
    }
    document.title = `${stale || !last ? '–' : watts(last.power, true)} · Zählwerk`;
}

function cost(wh, price, currency, name) {
    return price === null || price === undefined || wh === null ? null
        : el('small', {}, `${text(name)} ${money((wh / 1000) * price, currency)}`);
}

/** Where a meter is newer than the period: since when it counts. */
function since(meter, unit, zone) {
    const from = meter?.first_seen ?? null;
    if (from === null || from <= period(unit, now(), zone).from) {
        return null;
    }
    const today = from >= period('day', now(), zone).from;
    return el('p', { class: 'since' }, text('since', { time: date(from, zone, today ? MINUTES : SHORT_DAY) }));
}

function energy(card, sums, prices) {
    const item = (name, kind, wh, more) => el('div', { class: kind }, el('dt', {}, text(name)), el('dd', {}, kwh(wh), more));
    const { win = null, wout = null } = sums ?? {};
    fill(card.querySelector('dl'),
        item('drawn', 'draws', win, cost(win, prices?.import, prices?.currency, 'cost')),
        item('fed', 'feeds', wout, cost(wout, prices?.export, prices?.currency, 'revenue')));
}

export function showEnergy(meter, prices, zone) {
    energy($('today'), meter?.today, prices);
    energy($('month'), meter?.month, prices);
    fill($('today-since'), since(meter, 'day', zone));
    fill($('month-since'), since(meter, 'month', zone));
}

/** Voltage and current of the phases that the meter has. */
export function showPhases(meter) {
    const last = meter?.last ?? null;
    const stale = isStale(meter);
    const all = [0, 1, 2];
    const present = last ? all.filter((n) => last.u?.[n] !== null || last.i?.[n] !== null) : all;
    $('phases').classList.toggle('stale', stale);
    fill($('phases'),
        el('thead', {}, el('tr', {}, ['phase', 'voltage', 'current'].map((key) => el('th', { scope: 'col' }, text(key))))),
        el('tbody', {}, present.map((n) => el('tr', {},
            el('th', { scope: 'row' }, `L${n + 1}`),
            el('td', {}, volts(last?.u?.[n] ?? null)),
            el('td', {}, amperes(last?.i?.[n] ?? null))))));
    const factor = last?.pf === null || last?.pf === undefined ? '' : ` · ${text('powerFactor', { value: number(last.pf, 3) })}`;
    say($('totals'), last ? text('totals', { in: kwh(last.win, 3), out: kwh(last.wout, 3) }) + factor : '\u00a0');
}
