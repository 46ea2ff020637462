/* history: the charts of an hour, a day, a month and a year, their sums, tables and exports. */

import * as api from './api.js';
import { isoDay, noonOf, period, wall } from './calendar.js';
import { $, el, fill, say, tableOf } from './dom.js';
import { DAY, MINUTES, SECONDS, amperes, date, kwh, money, number, volts, watts } from './format.js';
import { now } from './live.js';
import { Plot, broken } from './plot.js';
import { hasText, text } from './texts.js';

const UNITS = ['hour', 'day', 'month', 'year'];
const STEPS = { day: 'quarter', month: 'day', year: 'month' };
const HOUR = 3600;
const FINE = 7200; // up to here the server gives every reading, s
const EXPORTS = {
    hour: ['history'], day: ['quarter_hour', 'debounced', 'history'], month: ['quarter_hour', 'debounced'], year: ['quarter_hour'],
};
const EXPORT_WORDS = { quarter_hour: 'exportQuarters', debounced: 'exportFiveMinutes', history: 'exportAll' };
const MEASURES = {
    power: { title: 'powerTitle', keys: ['power'], value: (v) => watts(v, true) },
    u: { title: 'voltageTitle', keys: ['u1', 'u2', 'u3'], value: volts },
    i: { title: 'currentTitle', keys: ['i1', 'i2', 'i3'], value: amperes },
};
// What is drawn with stripes: quarters whose share of a gap is estimated; days and months that lack something.
const STRIPED = { day: ['gap', 'missing'], month: ['reset'], year: ['reset'] };
const QUARTER = 900;

const view = {
    unit: 'hour',
    anchor: null, // a time in the period that is shown; null: the present one
    what: 'power',
    table: false,
    meter: null,
    zone: 'UTC',
    prices: null,
    series: null, // as the server gave it
    energy: null,
    lines: null, // Plot
    bars: null, // Plot
    zoom: null,
    loading: null, // AbortController
    loadedAt: 0, // when it was asked for, and when its lines were last drawn; ms
    shownAt: 0,
    drawn: '', // wanted() of what the charts show
    problem: null, // called with words, or ''
};

function span() {
    if (view.unit !== 'hour') {
        return period(view.unit, view.anchor ?? now(), view.zone);
    }
    const to = Math.ceil(view.anchor ?? now());
    return { from: to - HOUR, to };
}

const wanted = () => `${view.meter} ${view.unit} ${view.anchor}`;
const isDrawn = () => view.drawn === wanted();

function periodWords() {
    const { from, to } = span();
    const at = (s, options) => date(s, view.zone, options);
    return {
        hour: () => (view.anchor === null ? text('lastHour') : `${at(from, { day: 'numeric', month: 'short' })}, ${at(from, MINUTES)} – ${at(to, MINUTES)}`),
        day: () => at(from, DAY),
        month: () => at(from, { month: 'long', year: 'numeric' }),
        year: () => at(from, { year: 'numeric' }),
    }[view.unit]();
}

// --- what is shown beside the charts ---

/** "Cost €1.20", or null where there is no price, or no sum. */
function paid(price, sum, name, currency) {
    return (price ?? null) === null || sum === null ? null : `${text(name)} ${money(sum, currency)}`;
}

function showSums() {
    const sum = view.energy?.sum;
    $('sums').hidden = !sum;
    if (!sum) {
        return;
    }
    const { currency, import: dear, export: gain } = view.prices ?? {};
    const item = (name, kind, value, more) => el('div', { class: kind }, el('dt', {}, text(name)), el('dd', {}, value, more ? el('small', {}, more) : null));
    fill($('sums'),
        item('drawn', 'draws', kwh(sum.win), paid(dear, sum.cost, 'cost', currency)),
        item('fed', 'feeds', kwh(sum.wout), paid(gain, sum.revenue, 'revenue', currency)));
}

function showBar() {
    const { from, to } = span();
    say($('period'), periodWords());
    $('next').disabled = view.anchor === null;
    $('latest').hidden = view.anchor === null;
    $('date').value = isoDay(view.anchor ?? now(), view.zone);
    $('date').max = isoDay(now(), view.zone);
    $('what-choice').hidden = STEPS[view.unit] && view.unit !== 'day';
    $('as-table').setAttribute('aria-pressed', String(view.table));
    for (const unit of UNITS) {
        const tab = $(`tab-${unit}`);
        tab.setAttribute('aria-selected', String(unit === view.unit));
        tab.tabIndex = unit === view.unit ? 0 : -1;
    }
    $('panel').setAttribute('aria-labelledby', `tab-${view.unit}`);
    fill($('downloads'), EXPORTS[view.unit].map((table) => el('a', {
        class: 'button quiet', href: api.exportUrl(view.meter, table, from, to), download: '',
    }, text('exportOf', { what: text(EXPORT_WORDS[table]) }))));
    showZoom();
}

function showZoom() {
    $('whole').hidden = !view.zoom;
    $('zoom-in').hidden = view.table;
    $('zoom-out').hidden = view.table;
    $('zoom-out').disabled = !view.zoom;
    say($('chart-hint'), view.table ? '' : text(matchMedia('(hover: none)').matches ? 'hintTouch' : 'hintZoom'));
}

// --- lines ---

function columns() {
    const { keys } = MEASURES[view.what];
    const present = keys.filter((key) => view.series[key]?.some((v) => v !== null));
    const used = present.length ? present : keys.slice(0, 1);
    return { used, data: [view.series.at, ...used.map((key) => view.series[key] ?? view.series.at.map(() => null))] };
}

/** Power is seldom without its step; a line over a silence would be made up. */
function longest(at) {
    const steps = at.slice(1).map((t, i) => t - at[i]).sort((a, b) => a - b);
    return Math.max(90, 3.5 * (steps[Math.floor(steps.length / 2)] ?? 0));
}

function makeLines(host) {
    const measure = MEASURES[view.what];
    const { used } = columns();
    return new Plot(host, {
        title: text(measure.title), zone: view.zone, zero: view.what === 'power', period: periodWords,
        moment: (at) => date(at, view.zone, view.unit === 'hour' || view.zoom ? SECONDS : MINUTES),
        series: used.map((key, n) => (view.what === 'power'
            ? { label: '', color: '--draw', signed: '--feed', value: measure.value }
            : { label: `L${key[1]}`, color: `--phase-${n + 1}`, value: measure.value })),
        zoomed,
    });
}

function showLines() {
    view.shownAt = Date.now();
    const { data } = columns();
    const { from, to } = span();
    view.lines.show(broken(data, longest(data[0])), from, Math.max(to, data[0].at(-1) ?? 0));
}

// --- bars ---

function moment(row) {
    const at = (s, options) => date(s, view.zone, options);
    return {
        day: () => `${at(row.start, MINUTES)} – ${at(row.end, MINUTES)}`,
        month: () => at(row.start, { weekday: 'short', day: 'numeric', month: 'long' }),
        year: () => at(row.start, { month: 'long', year: 'numeric' }),
    }[view.unit]();
}

/** What is odd about a row, in words, or ''. A gap within a day leaves its sum known. */
function qualityWords(row) {
    const whole = view.unit === 'day' ? '' : 'whole_';
    const key = `${whole}${row.quality}`;
    return hasText(`quality_${key}`) ? text(`quality_${key}`) : '';
}

/** Every bar of the period has its place, also those that are missing or still to come: {labels, starts}. */
function places() {
    const { from, to } = span();
    const starts = [];
    const labels = [];
    for (let at = from; at < to;) {
        starts.push(at);
        if (view.unit === 'day') {
            at += QUARTER;
            continue;
        }
        labels.push(view.unit === 'month' ? number(wall(at, view.zone).day) : date(at, view.zone, { month: 'short' }));
        at = period(STEPS[view.unit], at, view.zone).to;
    }
    return { from, to, starts, labels: view.unit === 'day' ? null : labels };
}

const rowsThere = () => view.energy.rows.filter((row) => row.start <= now());

/** The rows of all places; what is not there has nothing known. */
function rowsOf({ starts, to }) {
    const there = new Map(rowsThere().map((row) => [row.start, row]));
    return starts.map((start, n) => there.get(start) ?? { start, end: starts[n + 1] ?? to, win: null, wout: null, quality: '' });
}

const isStriped = (row) => STRIPED[view.unit].includes(row.quality);
const isUnknown = (row) => row.win === null && !['', 'open', 'start'].includes(row.quality);

function barColumns(rows, labels) {
    const x = rows.map((row, n) => (labels ? n : (row.start + row.end) / 2));
    const pick = (key, sign, striped) => rows.map((row) => (row[key] && isStriped(row) === striped ? (sign * row[key]) / 1000 : null));
    return [x, pick('win', 1, false), pick('wout', -1, false), pick('win', 1, true), pick('wout', -1, true)];
}

function showBars(host) {
    const { labels, starts, ...whole } = places();
    const rows = rowsOf({ starts, ...whole });
    const fed = rows.some((row) => row.wout);
    const value = (v) => kwh(Math.abs(v) * 1000, view.unit === 'day' ? 3 : 2);
    const plot = new Plot(host, {
        title: text({ day: 'quartersTitle', month: 'daysTitle', year: 'monthsTitle' }[view.unit]),
        zone: view.zone, zero: true, period: periodWords,
        moment: (_, n) => moment(rows[n]),
        remark: (n) => qualityWords(rows[n]),
        bars: {
            labels,
            striped: rows.some((row) => isStriped(row) && row.win) ? text(view.unit === 'day' ? 'estimated' : 'incomplete') : '',
            unknown: rows.flatMap((row, n) => (isUnknown(row) ? [n] : [])),
            edges: rows.map((row, n) => (labels ? [n - 0.5, n + 0.5] : [row.start, row.end])),
        },
        series: [
            { label: text(fed ? 'drawnUp' : 'drawn'), color: '--draw', value },
            { label: fed ? text('fedDown') : '', color: '--feed', value },
            { label: text('drawn'), color: '--draw', hatched: true, value },
            { label: text('fed'), color: '--feed', hatched: true, value },
        ],
        zoomed,
    });
    plot.zoom = view.zoom;
    const [from, to] = labels ? [-0.5, labels.length - 0.5] : [whole.from, whole.to];
    plot.show(barColumns(rows, labels), from, to);
    return plot;
}

// --- tables ---

/** Readings of an hour as means by minute: nobody reads 720 rows. */
function byMinute(at, values) {
    const minutes = new Map();
    at.forEach((t, i) => {
        if (values[i] !== null) {
            const key = Math.floor(t / 60) * 60;
            minutes.set(key, [...(minutes.get(key) ?? []), values[i]]);
        }
    });
    return minutes;
}

function linesTable() {
    const measure = MEASURES[view.what];
    const { used, data } = columns();
    const maps = used.map((_, c) => byMinute(data[0], data[c + 1]));
    const times = [...new Set(maps.flatMap((m) => [...m.keys()]))].sort((a, b) => a - b);
    const mean = (list) => (list ? list.reduce((a, v) => a + v, 0) / list.length : null);
    const caption = `${text(measure.title)}, ${periodWords()}${view.unit === 'hour' ? ` (${text('tableMinute')})` : ''}`;
    return tableOf(caption, [text('time'), ...used.map((key) => (view.what === 'power' ? text('power') : `L${key[1]}`))],
        times.map((t) => [date(t, view.zone, MINUTES), ...maps.map((m) => measure.value(mean(m.get(t))))]));
}

function barsTable() {
    const title = text({ day: 'quartersTitle', month: 'daysTitle', year: 'monthsTitle' }[view.unit]);
    return tableOf(`${title}, ${periodWords()}`, [text('time'), text('drawn'), text('fed'), text('remark')],
        rowsThere().map((row) => [moment(row), kwh(row.win, 3), kwh(row.wout, 3), qualityWords(row)]));
}

function scrolling(table) {
    return el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': table.caption.textContent }, table);
}

// --- the panel ---

function clear() {
    view.lines?.destroy();
    view.bars?.destroy();
    view.lines = null;
    view.bars = null;
    view.drawn = '';
    $('charts').replaceChildren();
}

/** Where the reader is within the charts, so that new data does not take the place away. */
function whereabouts() {
    const plots = [view.lines, view.bars];
    const cursors = plots.map((plot) => plot?.u?.cursor.idx ?? null);
    const focus = plots.findIndex((plot) => plot?.box === document.activeElement);
    return () => [view.lines, view.bars].forEach((plot, n) => {
        if (plot && focus === n) {
            plot.box.focus({ preventScroll: true });
        }
        if (plot && cursors[n] !== null) {
            plot.moveTo(cursors[n]);
        }
    });
}

function draw() {
    const back = whereabouts();
    clear();
    view.drawn = wanted();
    const host = $('charts');
    const empty = !(view.series?.at.length) && !(view.energy && rowsThere().length);
    host.classList.toggle('empty', empty);
    if (empty) {
        host.append(el('p', { class: 'muted nothing' }, text('noData')));
    } else if (view.table) {
        host.append(...[view.series && linesTable(), view.energy && barsTable()].filter(Boolean).map(scrolling));
    } else {
        if (view.series) {
            view.lines = makeLines(host);
            view.lines.zoom = view.zoom;
            showLines();
        }
        if (view.energy) {
            view.bars = showBars(host);
        }
        back();
    }
    showSums();
    showBar();
}

/** Draw again, differently; what is not there yet is drawn when it comes. */
function redraw() {
    if (isDrawn()) {
        draw();
    }
}

async function fetchAll(signal) {
    const { from, to } = span();
    const meter = view.meter;
    const series = {
        hour: () => (view.anchor === null ? { meter, range: 'hour' } : { meter, from, to }),
        day: () => ({ meter, from, to }),
    }[view.unit]?.();
    return Promise.all([
        series ? api.get('/api/series', series, signal) : null,
        STEPS[view.unit] ? api.get('/api/energy', { meter, from, to, step: STEPS[view.unit] }, signal) : null,
    ]);
}

/** Load what the panel shows and draw it; of several at a time the last counts. */
export async function load() {
    if (!view.meter) {
        return;
    }
    view.loading?.abort();
    const mine = new AbortController();
    view.loading = mine;
    view.loadedAt = Date.now();
    showBar();
    $('panel').setAttribute('aria-busy', 'true');
    try {
        [view.series, view.energy] = await fetchAll(mine.signal);
        view.problem('');
        draw();
        if (view.zoom && view.unit === 'day') {
            await finer();
        }
    } catch (e) {
        if (e.name !== 'AbortError') {
            view.problem(e.message);
            if (!isDrawn()) { // what is there is of another time
                clear();
                $('charts').classList.add('empty');
                fill($('charts'), el('p', { class: 'muted nothing' }, text('chartsMissing')));
            }
        }
    } finally {
        if (view.loading === mine) {
            view.loading = null;
            $('panel').removeAttribute('aria-busy');
        }
    }
}

/** Within a day, a zoom to two hours or less shows every reading instead of every fifth minute. */
async function finer() {
    const [from, to] = view.zoom;
    if (to - from > FINE || !view.lines) {
        return;
    }
    const asked = view.zoom;
    const fine = await api.get('/api/series', { meter: view.meter, from: Math.floor(from), to: Math.ceil(to) });
    if (view.zoom === asked && view.lines && fine.at.length > 1) {
        const { used } = columns();
        const { from: first, to: end } = span();
        view.lines.show(broken([fine.at, ...used.map((key) => fine[key])], longest(fine.at)), first, end);
    }
}

function zoomed(range) {
    view.zoom = range;
    for (const plot of [view.lines, view.bars]) {
        if (plot) {
            plot.setZoom(range);
        }
    }
    showZoom();
    if (view.unit === 'day' && view.lines) {
        if (range && range[1] - range[0] <= FINE) {
            finer().catch(() => {}); // the coarse line stays
        } else {
            showLines();
        }
    }
}

function go(unit, anchor) {
    Object.assign(view, { unit, anchor, zoom: null });
    load();
}

function step(direction) {
    if (view.unit === 'hour') {
        const to = (view.anchor ?? now()) + direction * HOUR;
        go('hour', to >= now() - 60 ? null : to);
        return;
    }
    const there = period(view.unit, view.anchor ?? now(), view.zone, direction);
    go(view.unit, there.to > now() ? null : there.from);
}

function jump(iso) {
    const noon = noonOf(iso, view.zone);
    if (noon === null) {
        return;
    }
    const there = view.unit === 'hour' ? { to: noon } : period(view.unit, noon, view.zone);
    go(view.unit, there.to > now() ? null : view.unit === 'hour' ? noon : there.from);
}

function tabKey(event) {
    const at = UNITS.indexOf(view.unit);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: UNITS.length - 1 }[event.key];
    if (to !== undefined) {
        event.preventDefault();
        const unit = UNITS[(to + UNITS.length) % UNITS.length];
        go(unit, null);
        $(`tab-${unit}`).focus();
    }
}

// --- for app.js ---

/** Wire the panel. `problem` is called with words when loading fails, with '' when it works again. */
export function begin(zone, prices, problem) {
    Object.assign(view, { zone, prices, problem });
    for (const unit of UNITS) {
        // An hour of another day follows from where one is; a tab by itself shows the present.
        $(`tab-${unit}`).addEventListener('click', () => go(unit, null));
        $(`tab-${unit}`).addEventListener('keydown', tabKey);
    }
    $('previous').addEventListener('click', () => step(-1));
    $('next').addEventListener('click', () => step(1));
    $('latest').addEventListener('click', () => go(view.unit, null));
    $('date').addEventListener('change', (event) => jump(event.target.value));
    $('what').append(...Object.entries({ power: 'power', u: 'voltage', i: 'current' }).map(([value, words]) => el('option', { value }, text(words))));
    $('what').addEventListener('change', (event) => {
        view.what = event.target.value;
        redraw();
    });
    $('whole').addEventListener('click', () => (view.lines ?? view.bars)?.zoomTo(null));
    $('zoom-in').addEventListener('click', () => (view.lines ?? view.bars)?.zoomBy(0.5));
    $('zoom-out').addEventListener('click', () => (view.lines ?? view.bars)?.zoomBy(2));
    $('as-table').addEventListener('click', () => {
        view.table = !view.table;
        showBar();
        redraw();
    });
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
    showBar();
}

export function setMeter(meter) {
    Object.assign(view, { meter, zoom: null });
    clear();
    load();
}

/** A new reading of the meter that is shown: the hour moves on. */
export function push(reading) {
    const { series } = view;
    if (view.unit !== 'hour' || view.anchor !== null || !isDrawn() || reading.at <= (series.at.at(-1) ?? 0)) {
        return;
    }
    const first = series.at.findIndex((t) => t > now() - HOUR);
    const values = { at: reading.at, power: reading.power, pin: reading.pin, pout: reading.pout };
    for (const n of [0, 1, 2]) {
        values[`u${n + 1}`] = reading.u[n] ?? null;
        values[`i${n + 1}`] = reading.i[n] ?? null;
    }
    for (const [key, list] of Object.entries(series)) {
        if (Array.isArray(list)) {
            list.push(values[key] ?? null);
            list.splice(0, Math.max(0, first));
        }
    }
    if (view.lines) {
        showLines();
    } else {
        draw();
    }
}

/** Called now and then: what is shown of the present grows old. */
export function tick() {
    const every = { hour: 300000, day: 60000, month: 300000, year: 600000 }[view.unit];
    if (view.meter && view.anchor === null && !view.loading && Date.now() - view.loadedAt > every && !document.hidden) {
        load();
    } else if (view.unit === 'hour' && view.anchor === null && isDrawn() && view.lines && !view.zoom && Date.now() - view.shownAt > 5000) {
        showLines(); // no reading has moved it on
    }
}
