/* plot: one chart by uPlot with its legend, readout by mouse, finger and keyboard, and words for those who
 * do not see it. Colours are those of style.css. */
/* global uPlot */

import { el, say } from './dom.js';
import { SECONDS, MINUTES, date, number } from './format.js';
import { text } from './texts.js';

const HEIGHT = { wide: 300, phone: 220 };

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** A canvas pattern of slanting stripes in a colour. */
function hatch(color) {
    const size = Math.round(7 * devicePixelRatio);
    const tile = Object.assign(document.createElement('canvas'), { width: size, height: size });
    const pen = tile.getContext('2d');
    pen.strokeStyle = color;
    pen.lineWidth = 2 * devicePixelRatio;
    pen.beginPath();
    for (const shift of [-size, 0, size]) { // so that the tiles join
        pen.moveTo(shift - 2, size + 2);
        pen.lineTo(shift + size + 2, -2);
    }
    pen.stroke();
    return pen.createPattern(tile, 'repeat');
}

/** One colour above zero and one below, however the y axis is scaled. */
function aboveBelow(above, below) {
    return (u) => {
        const { top, height } = u.bbox;
        const zero = (u.valToPos(0, 'y', true) - top) / height;
        if (!Number.isFinite(zero)) {
            return above;
        }
        const at = Math.min(1, Math.max(0, zero));
        const gradient = u.ctx.createLinearGradient(0, top, 0, top + height);
        gradient.addColorStop(0, above);
        gradient.addColorStop(at, above);
        gradient.addColorStop(at, below);
        gradient.addColorStop(1, below);
        return gradient;
    };
}

/** Lines between readings that are further apart than `most` seconds would be made up: break them. */
export function broken(columns, most) {
    const out = columns.map(() => []);
    columns[0].forEach((at, i) => {
        const before = columns[0][i - 1];
        if (i > 0 && at - before > most) {
            out.forEach((column, c) => column.push(c === 0 ? before + 1 : null));
        }
        out.forEach((column, c) => column.push(columns[c][i]));
    });
    return out;
}

/** A reading without neighbours is no line: a point. */
function lonely(color) {
    const alone = (y, i) => y[i] !== null && (y[i - 1] ?? null) === null && (y[i + 1] ?? null) === null;
    return { show: true, size: 5, fill: color, stroke: color, filter: (u, s) => [...u.data[s].keys()].filter((i) => alone(u.data[s], i)) };
}

function least(values) {
    return values.reduce((a, v) => (v === null || (a !== null && a <= v) ? a : v), null);
}

/**
 * A chart inside `host`.
 *
 * what.title    "Power in W"
 * what.zone     the time zone of the x axis
 * what.zero     the y axis shows zero, too
 * what.series   [{label, color (a name in style.css), signed: color of what is below zero, hatched,
 *               value: number => words}]; bars are given as kWh, what is fed in as negative numbers
 * what.bars     {labels: by index, or null (x is time), edges: [[from, to], ...], unknown: [index, ...],
 *               striped: what stripes mean, or ''}
 * what.zoomed   called with (from, to) of x, or null for the whole
 * what.remark   index => words for the readout, or ''
 */
export class Plot {
    constructor(host, what) {
        this.what = what;
        this.readout = el('p', { class: 'readout', 'aria-live': 'off' });
        this.box = el('div', { class: 'plot', role: 'img', tabindex: '0' });
        this.figure = el('figure', {},
            el('figcaption', {}, el('strong', {}, what.title), this.legend()), this.readout, this.box);
        host.append(this.figure);
        this.range = null; // the whole of x
        this.zoom = null;
        this.box.addEventListener('keydown', (event) => this.key(event));
        this.resizer = new ResizeObserver(() => this.u?.setSize(this.size()));
        this.resizer.observe(this.box);
    }

    legend() {
        const entry = (kind, color, label) => el('span', { class: 'entry' },
            el('span', { class: `swatch ${kind} ${color.replace('--', 'c-')}` }), label);
        const kind = this.what.bars ? 'solid' : 'line';
        const entries = this.what.series.filter((s) => !s.hatched && s.label).map((s) => entry(kind, s.color, s.label));
        if (this.what.series[0].signed) {
            entries.push(entry(kind, '--draw', text('drawn')), entry(kind, '--feed', text('fed')));
        }
        if (this.what.bars?.striped) {
            entries.push(entry('hatched', '--draw', this.what.bars.striped));
        }
        if (this.what.bars?.unknown.length) {
            entries.push(entry('hatched', '--muted', text('unknown')));
        }
        return el('span', { class: 'legend' }, entries);
    }

    size() {
        const width = Math.max(200, this.box.clientWidth);
        return { width, height: width < 500 ? HEIGHT.phone : HEIGHT.wide };
    }

    /** Show these columns (x first) between from and to; a zoom stays. */
    show(columns, from, to) {
        this.columns = columns;
        this.range = [from, to];
        if (!this.u) {
            this.u = new uPlot({ ...this.options(), ...this.size() }, columns, this.box);
            this.fingers();
        } else {
            this.u.setData(columns, false);
        }
        const [min, max] = this.zoom ?? this.range;
        this.u.setScale('x', { min, max });
        this.rest();
    }

    options() {
        const { bars } = this.what;
        const ink = css('--muted');
        const axis = { stroke: ink, font: '12px system-ui, sans-serif', grid: { stroke: css('--line'), width: 1 }, ticks: { show: false } };
        const labels = bars?.labels;
        return {
            padding: [8, 22, 0, 0],
            legend: { show: false },
            tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), this.what.zone),
            scales: {
                x: { time: !labels, range: (u, min, max) => [min, max] },
                y: { range: (u, min, max) => this.yRange(min, max) },
            },
            axes: [
                { ...axis, gap: 8, size: 30, space: labels ? 34 : 56, ...(labels && { incrs: [1, 2, 5, 10], values: (u, splits) => splits.map((i) => labels[i] ?? '') }),
                    ...(!labels && { values: (u, splits, _, __, step) => splits.map((s) => date(s, this.what.zone, step < 60 ? SECONDS : MINUTES)) }) },
                { ...axis, gap: 6, size: 58, values: (u, splits, _, __, step) => {
                    const decimals = step >= 1 ? 0 : step >= 0.1 ? 1 : step >= 0.01 ? 2 : 3;
                    return splits.map((v) => number(v, decimals));
                } },
            ],
            series: [{}, ...this.what.series.map((s) => this.series(s))],
            cursor: {
                y: false,
                points: { size: 8 },
                drag: { x: true, y: false, setScale: false, dist: 6 },
                bind: { dblclick: () => () => this.zoomTo(null) },
            },
            hooks: {
                setCursor: [(u) => this.read(u.cursor.idx)],
                setSelect: [(u) => this.selected(u)],
                drawClear: [(u) => this.columnsUnknown(u)],
            },
        };
    }

    yRange(min, max) {
        if (min === null) {
            return [0, 1];
        }
        const soft = this.what.zero ? { soft: 0, mode: 1 } : { mode: 0 };
        return uPlot.rangeNum(min, max, { min: { pad: 0.1, ...soft }, max: { pad: 0.1, ...soft } });
    }

    series(s) {
        const color = css(s.color);
        if (this.what.bars) {
            return {
                fill: s.hatched ? () => hatch(color) : color, stroke: color, width: s.hatched ? 1 : 0,
                paths: uPlot.paths.bars({ size: [0.78, 90] }), points: { show: false },
            };
        }
        if (s.signed) {
            const below = css(s.signed);
            return {
                width: 1.75, points: lonely(color),
                stroke: aboveBelow(color, below), fill: aboveBelow(`${color}2b`, `${below}2b`), fillTo: 0,
            };
        }
        return { width: 1.5, stroke: color, points: lonely(color) };
    }

    /** What nobody knows: a striped column from top to bottom. */
    columnsUnknown(u) {
        const { bars } = this.what;
        if (!bars?.unknown.length) {
            return;
        }
        const { left, top, width, height } = u.bbox;
        u.ctx.save();
        u.ctx.fillStyle = hatch(css('--unknown'));
        for (const i of bars.unknown) {
            const [a, b] = bars.edges[i].map((x) => Math.min(left + width, Math.max(left, u.valToPos(x, 'x', true))));
            u.ctx.fillRect(a, top, b - a, height);
        }
        u.ctx.restore();
    }

    // --- zoom ---

    selected(u) {
        if (u.select.width > 6) {
            this.zoomTo([u.posToVal(u.select.left, 'x'), u.posToVal(u.select.left + u.select.width, 'x')]);
        }
        u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    }

    /** Zoom to [from, to], or null for the whole; tells the owner. */
    zoomTo(range) {
        const least = this.what.bars?.labels ? 2 : this.what.bars ? 1800 : 30;
        if (range) {
            const [from, to] = [Math.max(range[0], this.range[0]), Math.min(range[1], this.range[1])];
            range = to - from < least ? this.zoom : from <= this.range[0] && to >= this.range[1] ? null : [from, to];
        }
        this.setZoom(range);
        this.what.zoomed?.(range);
    }

    setZoom(range) {
        this.zoom = range;
        const [min, max] = range ?? this.range;
        this.u?.setScale('x', { min, max });
    }

    /** Twice as near (0.5) or as far (2), around the cursor. */
    zoomBy(factor) {
        const [from, to] = this.zoom ?? this.range;
        const at = this.u.cursor.idx ?? null;
        let middle = at === null ? (from + to) / 2 : this.columns[0][at];
        middle = Math.min(to, Math.max(from, middle));
        const half = ((to - from) / 2) * factor;
        this.zoomTo([middle - half, middle + half]);
    }

    // --- readout ---

    /** The words about one index. */
    words(i) {
        const at = this.columns[0][i];
        const values = this.what.series.map((s, c) => [s, this.columns[c + 1][i]]).filter(([, v]) => v !== null && v !== undefined);
        const told = values.map(([s, v]) => (s.label ? `${s.label.replace(/ \(.*/, '')} ${s.value(v)}` : s.value(v)));
        const remark = this.what.remark?.(i) ?? '';
        return `${this.what.moment(at, i)} · ${[...told, remark].filter(Boolean).join(' · ') || '–'}`;
    }

    read(i) {
        if (i === null || i === undefined || !this.columns) {
            this.readout.textContent = '\u00a0';
            return;
        }
        // At the break of a line the nearest is the reading before it.
        say(this.readout, this.words(this.columns[1][i] === null && !this.what.bars && i > 0 ? i - 1 : i));
    }

    rest() {
        if (this.u.cursor.idx === null || this.u.cursor.idx === undefined) {
            this.readout.textContent = '\u00a0';
        }
        const all = this.columns.slice(1).flat();
        const min = least(all);
        const max = all.reduce((a, v) => (v === null || (a !== null && a >= v) ? a : v), null);
        const value = this.what.series[0].value;
        this.box.setAttribute('aria-label', min === null
            ? text('chartEmpty', { title: this.what.title, period: this.what.period() })
            : text('chartOf', { title: this.what.title, period: this.what.period(), min: value(min), max: value(max) }));
    }

    moveTo(i) {
        const x = this.columns[0][i];
        if (x !== undefined) {
            this.u.setCursor({ left: this.u.valToPos(x, 'x'), top: 10 });
        }
    }

    key(event) {
        const last = this.columns[0].length - 1;
        const at = this.u.cursor.idx ?? null;
        const step = event.shiftKey ? 10 : 1;
        const moves = {
            ArrowLeft: () => this.moveTo(at === null ? last : Math.max(0, at - step)),
            ArrowRight: () => this.moveTo(at === null ? 0 : Math.min(last, at + step)),
            Home: () => this.moveTo(0),
            End: () => this.moveTo(last),
            '+': () => this.zoomBy(0.5),
            '-': () => this.zoomBy(2),
            Escape: () => this.zoomTo(null),
        };
        if (moves[event.key] && last >= 0 && !event.ctrlKey && !event.metaKey && !event.altKey) {
            event.preventDefault();
            this.readout.setAttribute('aria-live', 'polite'); // who moves by keyboard wants to hear it
            moves[event.key]();
        }
    }

    /** A finger reads along the line; up and down still scrolls the page. */
    fingers() {
        this.u.over.addEventListener('pointermove', () => this.readout.setAttribute('aria-live', 'off'));
        this.u.over.addEventListener('touchmove', (event) => {
            const { left } = this.u.over.getBoundingClientRect();
            this.u.setCursor({ left: event.touches[0].clientX - left, top: 10 });
        }, { passive: true });
    }

    destroy() {
        this.resizer.disconnect();
        this.u?.destroy();
        this.figure.remove();
    }
}
