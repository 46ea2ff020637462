/* format: numbers, units and times in the reader's language. A value that is missing is "–". */

import { locale, text } from './texts.js';

const MISSING = '–';
const formats = new Map();

function formatter(options) {
    const key = JSON.stringify(options);
    if (!formats.has(key)) {
        formats.set(key, new Intl.NumberFormat(locale, options));
    }
    return formats.get(key);
}

/** A number with so many decimals; the minus is a real one (U+2212), and signed adds a plus. */
export function number(value, decimals = 0, signed = false) {
    if (value === null || value === undefined || !Number.isFinite(value)) {
        return MISSING;
    }
    const options = {
        minimumFractionDigits: decimals, maximumFractionDigits: decimals,
        signDisplay: signed ? 'exceptZero' : 'negative',
    };
    return formatter(options).formatToParts(value)
        .map(({ type, value: words }) => (type === 'minusSign' ? '−' : type === 'group' ? words.replace('\u00a0', '\u202f') : words)).join('');
}

const unit = (words, name) => (words === MISSING ? words : `${words}\u00a0${name}`);

/** W as "1,234 W". */
export const watts = (value, signed = false) => unit(number(value, 0, signed), 'W');
/** Wh as "1.23 kWh"; so many decimals, or as many as one wants to see. */
export function kwh(wh, decimals = wh < 1e6 ? 2 : wh < 1e7 ? 1 : 0) {
    return unit(number(wh === null || wh === undefined ? null : wh / 1000, decimals), 'kWh');
}
export const volts = (value) => unit(number(value, 1), 'V');
export const amperes = (value) => unit(number(value, 2), 'A');

/** Money; the currency as the settings name it ("EUR"). */
export function money(value, currency) {
    if (value === null || value === undefined) {
        return MISSING;
    }
    try {
        return formatter({ style: 'currency', currency }).format(value).replace('-', '−');
    } catch { // not a code that Intl knows
        return unit(number(value, 2), currency);
    }
}

/** Seconds as "70 s", "5 min", "3 h" or "4 days". */
export function age(seconds) {
    if (seconds < 120) {
        return `${Math.max(0, Math.round(seconds))}\u00a0s`;
    }
    if (seconds < 7200) {
        return `${Math.floor(seconds / 60)}\u00a0min`;
    }
    return seconds < 172800 ? `${Math.floor(seconds / 3600)}\u00a0h`
        : text('days', { n: number(Math.floor(seconds / 86400)) });
}

const dates = new Map();

/** Seconds since 1970 in a zone, as Intl.DateTimeFormat's options say. */
export function date(seconds, zone, options) {
    const key = zone + JSON.stringify(options);
    if (!dates.has(key)) {
        dates.set(key, new Intl.DateTimeFormat(locale, { timeZone: zone, ...options }));
    }
    return dates.get(key).format(new Date(seconds * 1000));
}

export const MINUTES = { hour: '2-digit', minute: '2-digit' };
export const SECONDS = { hour: '2-digit', minute: '2-digit', second: '2-digit' };
export const DAY = { weekday: 'short', day: 'numeric', month: 'long', year: 'numeric' };
export const SHORT_DAY = { day: 'numeric', month: 'short', year: 'numeric' };
export const WHEN = { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', second: '2-digit' };
