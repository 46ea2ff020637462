/* calendar: days, months and years in the zone of the meters, whatever the zone of the browser. */

const clocks = new Map();

function clock(zone) {
    if (!clocks.has(zone)) {
        clocks.set(zone, new Intl.DateTimeFormat('en-GB', {
            timeZone: zone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric',
            hour: 'numeric', minute: 'numeric', second: 'numeric',
        }));
    }
    return clocks.get(zone);
}

/** What a clock on the wall shows: {year, month (1 to 12), day, hour, minute, second}. */
export function wall(seconds, zone) {
    const parts = clock(zone).formatToParts(new Date(seconds * 1000));
    return Object.fromEntries(parts.filter((p) => p.type !== 'literal').map((p) => [p.type, Number(p.value)]));
}

function offset(seconds, zone) {
    const w = wall(seconds, zone);
    return Date.UTC(w.year, w.month - 1, w.day, w.hour, w.minute, w.second) / 1000 - Math.floor(seconds);
}

/** The second at which a day begins; day and month may run over ("32 January"). */
export function dayStart(year, month, day, zone) {
    const utc = Date.UTC(year, month - 1, day) / 1000;
    const first = utc - offset(utc, zone);
    return utc - offset(first, zone); // again: the clock may change between the two
}

/** The period that holds a time, or the one that is `step` later: {from, to} in seconds. */
export function period(unit, seconds, zone, step = 0) {
    const w = wall(seconds, zone);
    const at = (n) => ({
        day: () => dayStart(w.year, w.month, w.day + n, zone),
        month: () => dayStart(w.year, w.month + n, 1, zone),
        year: () => dayStart(w.year + n, 1, 1, zone),
    })[unit]();
    return { from: at(step), to: at(step + 1) };
}

/** "2026-11-24", as <input type=date> has it. */
export function isoDay(seconds, zone) {
    const w = wall(seconds, zone);
    return `${w.year}-${String(w.month).padStart(2, '0')}-${String(w.day).padStart(2, '0')}`;
}

/** The noon of such a day, or null. */
export function noonOf(iso, zone) {
    const found = /^(\d{4})-(\d\d)-(\d\d)$/.exec(iso);
    return found ? dayStart(Number(found[1]), Number(found[2]), Number(found[3]), zone) + 43200 : null;
}
