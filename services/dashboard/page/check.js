/* check: what is missing before the first reading, and a pasted telegram and key tried out. */

import { post } from './api.js';
import { $, el, fill } from './dom.js';
import { DAY, SECONDS, amperes, date, kwh, number, volts, watts } from './format.js';
import { language, text } from './texts.js';

/** Messages are counted by mqtt-ingest, which may be out of reach: then only rejects prove that some came. */
function mqttStep(messages, come) {
    if (messages) {
        return ['stepMqtt', 'done', text('stepMqttYes', { n: number(messages) })];
    }
    return come ? ['stepMqtt', 'done', ''] : messages === null ? ['stepMqtt', 'wait', text('stepMqttUnknown')] : ['stepMqtt', 'bad', text('stepMqttNo')];
}

/** The steps of the first run: [text, done or bad or wait, words]. */
function steps({ mqtt_messages: messages, rejects = {} }, meters) {
    const found = Object.entries(rejects).filter(([, count]) => count > 0);
    const count = (reason) => rejects[reason] ?? 0;
    const n = (value) => ({ n: number(value) });
    const advice = (reason) => meters.flatMap((m) => m.rejects ?? []).find((r) => r.reason === reason)?.advice?.[language] ?? reason;
    const noKey = count('no-key');
    const wrong = count('wrong-key');
    const others = found.filter(([reason]) => !['no-key', 'wrong-key'].includes(reason));
    const waits = (name) => [name, 'wait', text('stepWait')];
    return [
        mqttStep(messages, found.length > 0),
        noKey > 0 ? ['stepKey', 'bad', text('stepKeyNo', n(noKey))] : wrong > 0 ? ['stepKey', 'done', text('stepKeyYes')] : waits('stepKey'),
        wrong > 0 ? ['stepFit', 'bad', text('stepFitNo', n(wrong))] : waits('stepFit'),
        ...(others.length ? others.map(([reason, value]) => ['stepRead', 'bad', text('stepReadNo', { ...n(value), reason: advice(reason) })]) : [waits('stepRead')]),
    ];
}

const TICKS = { done: ['✓', 'tickDone'], bad: ['!', 'tickBad'], wait: ['…', 'tickWait'] };

export function showSteps(firstRun, meters) {
    fill($('steps'), steps(firstRun, meters).map(([name, kind, words]) => el('li', { class: kind },
        el('span', { class: 'tick', 'aria-hidden': 'true' }, TICKS[kind][0]),
        el('div', {}, el('strong', {}, text(name)), el('span', { class: 'hidden' }, ` (${text(TICKS[kind][1])})`), el('p', { class: 'muted' }, words)))));
}

function readingTable(reading, zone) {
    const list = (values, format) => values?.filter((v) => v !== null).map(format).join(' · ');
    const rows = [
        ['field_time', reading.at === null ? null : `${date(reading.at, zone, DAY)}, ${date(reading.at, zone, SECONDS)}`],
        ['field_meter', reading.meter],
        ['field_power', watts(reading.power, true)],
        ['field_win', kwh(reading.win, 3)],
        ['field_wout', kwh(reading.wout, 3)],
        ['field_u', list(reading.u, volts)],
        ['field_i', list(reading.i, amperes)],
        ['field_pf', number(reading.pf, 3)],
    ];
    return el('dl', { class: 'facts' }, rows.filter(([, value]) => value && value !== '–')
        .map(([name, value]) => el('div', {}, el('dt', {}, text(name)), el('dd', {}, value))));
}

function showResult(answer, zone) {
    const good = answer.verdict === 'ok';
    const problems = answer.problems ?? [];
    const reason = answer.advice?.[language] ?? answer.verdict;
    const told = problems.map((p) => [p.advice?.[language] ?? p.verdict, p.detail].filter(Boolean).join(': '));
    fill($('check-result'),
        el('p', { class: `result ${good ? 'good' : 'bad'}` }, good ? text('checkOk') : text('checkBad', { reason })),
        told.filter((words) => good || words !== reason).map((words) => el('p', { class: 'muted' }, words)),
        (answer.readings ?? []).map((reading) => readingTable(reading, zone)));
}

/** Wire the form. The key is sent once and kept nowhere by this page. */
export function begin(zone) {
    $('check-form').addEventListener('submit', async (event) => {
        event.preventDefault();
        const button = event.target.querySelector('button');
        button.disabled = true;
        fill($('check-result'), el('p', { class: 'muted' }, text('checking')));
        try {
            const plain = (id) => $(id).value.trim();
            showResult(await post('/api/check', {
                frame: plain('frame'), key: plain('key'), authentication_key: plain('authentication-key'),
            }), zone);
        } catch (e) {
            fill($('check-result'), el('p', { class: 'result bad' }, e.message));
        } finally {
            button.disabled = false;
        }
    });
}
