/* status: the state of each service and of each meter, in plain words. */

import { $, el, fill } from './dom.js';
import { SHORT_DAY, WHEN, age, date, number } from './format.js';
import { isStale, silence } from './now.js';
import { language, text } from './texts.js';

const GOOD = { up: 'good', waiting: 'warn', down: 'bad', unknown: 'idle' };

const pill = (kind, words) => el('span', { class: `pill ${kind}` }, el('span', { class: 'dot' }), words);

export function showServices(services, database) {
    const entries = [{ name: text('database'), state: database.up ? 'up' : 'down', why: database.why, details: [] }, ...services];
    fill($('services'), entries.map((service) => el('li', {},
        el('div', { class: 'bar' }, el('strong', {}, service.name), el('span', { class: 'spring' }), pill(GOOD[service.state] ?? 'idle', text(`state_${service.state}`))),
        ...[...new Set([service.why, service.details.join(' · ')])].filter(Boolean).map((words) => el('p', { class: 'muted' }, words)))));
}

function state(meter) {
    if (!meter.last) {
        return pill('idle', text('meterNever'));
    }
    return isStale(meter) ? pill('bad', text('meterSilent', { age: age(silence(meter)) })) : pill('good', text('meterLive'));
}

function rejects(meter, zone) {
    if (!meter.rejects?.length) {
        return null;
    }
    return el('div', {}, el('p', { class: 'label' }, text('rejects')), el('ul', { class: 'rejects' }, meter.rejects.map((reject) => el('li', {},
        el('strong', {}, `${number(reject.count)}\u00a0× `), reject.advice?.[language] ?? reject.reason,
        el('span', { class: 'muted' }, ` (${reject.reason}, ${text('rejectLast', { time: date(reject.last, zone, WHEN) })})`)))));
}

export const meterName = (meter) => meter.name || meter.number || meter.id;

export function showMeters(meters, zone) {
    const fact = (name, value) => (value === null || value === '' ? null : el('div', {}, el('dt', {}, text(name)), el('dd', {}, value)));
    const entries = meters.map((meter) => el('li', {},
        el('div', { class: 'bar' }, el('strong', {}, meter.id ? meterName(meter) : text('otherRejects')), el('span', { class: 'spring' }), meter.id ? state(meter) : null),
        meter.id ? el('dl', { class: 'facts' },
            fact('lastSeen', meter.last ? date(meter.last.received, zone, WHEN) : null),
            fact('counter', meter.last && meter.last.counter >= 0 ? number(meter.last.counter) : null),
            fact('number', meter.number),
            fact('firstSeen', meter.first_seen ? date(meter.first_seen, zone, SHORT_DAY) : null),
            fact('title', meter.id)) : null,
        rejects(meter, zone)));
    fill($('meters'), entries.length ? entries : el('li', { class: 'muted' }, text('noMeters')));
}
