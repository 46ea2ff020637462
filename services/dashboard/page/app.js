/* app: begins, keeps the state of all meters, and tells the parts of the page when something is new. */

import * as api from './api.js';
import * as check from './check.js';
import { $, el, fill, say } from './dom.js';
import * as history from './history.js';
import { listen, now, setClock } from './live.js';
import { isStale, showEnergy, showPhases, showPower } from './now.js';
import { meterName, showMeters, showServices } from './status.js';
import { fillTexts, text } from './texts.js';

const REMEMBERED = 'zaehlwerk.meter';

const state = {
    zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    prices: null,
    database: { up: true, why: '' },
    services: [],
    firstRun: { reading: true, mqtt_messages: 0, rejects: {} },
    meters: new Map(), // by id
    meter: null, // id of the one that is shown
    connection: 'connecting',
    problem: '', // of the charts
};

const shown = () => state.meters.get(state.meter);
const realMeters = () => [...state.meters.values()].filter((meter) => meter.id)
    .sort((a, b) => meterName(a).localeCompare(meterName(b), undefined, { numeric: true }));

// --- which meter ---

function remembered() {
    const asked = new URLSearchParams(location.search).get('meter');
    try {
        return asked ?? localStorage.getItem(REMEMBERED);
    } catch { // storage may be forbidden
        return asked;
    }
}

/** Show a meter; one that was chosen by hand is remembered, by the browser and by the address. */
function choose(id, byHand) {
    if (state.meter === id) {
        return;
    }
    state.meter = id;
    if (byHand) {
        try {
            localStorage.setItem(REMEMBERED, id);
        } catch { /* then only this page knows */ }
        const url = new URL(location);
        url.searchParams.set('meter', id);
        window.history.replaceState(null, '', url);
    }
    showNow();
    history.setMeter(id);
}

function showChoice() {
    const meters = realMeters();
    $('meter-choice').hidden = meters.length < 2;
    fill($('meter'), meters.map((meter) => el('option', { value: meter.id }, meterName(meter))));
    // The wanted one may be known only later; until then any that has something to show.
    const wanted = remembered();
    const one = meters.find((meter) => meter.id === wanted || meter.name === wanted)
        ?? shown() ?? meters.find((meter) => !isStale(meter)) ?? meters.find((meter) => meter.last) ?? meters[0];
    if (one) {
        choose(one.id, false);
        $('meter').value = state.meter;
    }
}

// --- what is shown ---

function showNow() {
    showPower(shown(), state.zone);
    showPhases(shown());
    showEnergy(shown(), state.prices, state.zone);
}

function showBanners() {
    const banner = (kind, words) => el('p', { class: `banner ${kind}` }, words);
    const { up, why } = state.database;
    fill($('banners'),
        state.connection === 'closed' ? banner('bad', text('bannerOffline')) : null,
        up ? null : banner('bad', text('bannerDatabase') + (why ? ` (${why})` : '')),
        up && state.problem && state.connection !== 'closed' ? banner('warn', text('bannerChart', { why: state.problem })) : null);
}

function showConnection() {
    const kind = { open: 'good', connecting: 'idle', closed: 'bad' }[state.connection];
    $('connection').className = `pill ${kind}`;
    say($('connection-word'), text({ open: 'live', connecting: 'connecting', closed: 'disconnected' }[state.connection]));
}

/** The first run is a page of its own until the first reading; a database that is away is no first run. */
function showFirstRun() {
    const first = !state.firstRun.reading && state.database.up && ![...state.meters.values()].some((meter) => meter.last);
    $('first-run').hidden = !first;
    $('dashboard').hidden = first;
    if (first && !document.body.classList.contains('first')) {
        $('first-run').after($('check'));
        $('check').open = true;
    }
    document.body.classList.toggle('first', first);
    if (first) {
        check.showSteps(state.firstRun, [...state.meters.values()]);
    }
}

function showAll() {
    showChoice();
    showNow();
    showBanners();
    showConnection();
    showFirstRun();
    showMeters([...state.meters.values()], state.zone);
    showServices(state.services, state.database);
}

// --- what comes in ---

function takeMeters(meters) {
    for (const meter of meters) {
        const known = state.meters.get(meter.id);
        // What came live may be newer than what the database had.
        if (known?.last && (!meter.last || known.last.received > meter.last.received)) {
            meter.last = known.last;
            meter.live = known.live;
        }
        meter.name ||= known?.name ?? ''; // a name comes with readings; a restarted service has had none yet
        state.meters.set(meter.id, meter);
    }
}

function takeReading(reading) {
    const meter = state.meters.get(reading.meter) ?? { id: reading.meter, number: '', rejects: [], today: null, month: null };
    const first = !state.meters.has(reading.meter);
    Object.assign(meter, { name: reading.name || meter.name || '', last: reading, live: true });
    setClock(Math.max(now(), reading.received)); // never behind what has just happened
    state.meters.set(meter.id, meter);
    if (first || !state.firstRun.reading) {
        state.firstRun.reading = true;
        showAll();
    }
    if (meter.id === state.meter) {
        showPower(meter, state.zone);
        showPhases(meter);
        history.push(reading);
    }
}

function takeStatus(status) {
    const back = status.database.up && !state.database.up;
    Object.assign(state, { database: status.database, services: status.services, firstRun: status.first_run ?? state.firstRun });
    showAll();
    if (back) {
        refresh();
        history.load();
    }
}

function takeConnection(word) {
    const again = word === 'open' && state.connection === 'closed';
    state.connection = word;
    showConnection();
    showBanners();
    if (again) { // what was missed meanwhile
        refresh();
        history.load();
    } else if (word === 'closed') { // perhaps only the session has ended: then this loads the sign-in
        refresh();
    }
}

function validZone(zone) {
    try {
        return Intl.DateTimeFormat('en', { timeZone: zone }) && zone;
    } catch {
        return null;
    }
}

function takeState(answer) {
    setClock(answer.now);
    state.zone = validZone(answer.timezone) ?? state.zone;
    state.prices = answer.prices;
    $('logout').hidden = !answer.login;
    say($('version'), `Zählwerk ${answer.version}`);
    Object.assign(state, { database: answer.database, services: answer.services, firstRun: answer.first_run });
    takeMeters(answer.meters);
}

async function refresh() {
    try {
        takeState(await api.get('/api/state'));
        showAll();
    } catch { /* the stream tells when the server is there again */ }
}

// --- begin ---

function wire() {
    fillTexts();
    for (const [id, key] of Object.entries({ previous: 'previous', next: 'next', 'zoom-in': 'zoomIn', 'zoom-out': 'zoomOut' })) {
        $(id).setAttribute('aria-label', text(key));
        $(id).title = text(key);
    }
    $('meter').addEventListener('change', (event) => choose(event.target.value, true));
    $('logout').addEventListener('click', async () => {
        await api.post('/api/logout').catch(() => {});
        location.replace('/');
    });
}

/** The first state; as long as the server does not answer, again and again. */
async function firstState() {
    for (let wait = 1000; ; wait = Math.min(wait * 2, 15000)) {
        try {
            return await api.get('/api/state');
        } catch {
            takeConnection('closed');
            await new Promise((resolve) => setTimeout(resolve, wait));
        }
    }
}

async function begin() {
    wire();
    showConnection();
    takeState(await firstState());
    history.begin(state.zone, state.prices, (words) => {
        state.problem = words;
        showBanners();
    });
    check.begin(state.zone);
    showAll();
    listen({ reading: takeReading, meters: (data) => { takeMeters(data.meters); showAll(); }, status: takeStatus }, takeConnection);
    setInterval(() => {
        showPower(shown(), state.zone);
        history.tick();
    }, 1000);
    setInterval(() => {
        showPhases(shown());
        showMeters([...state.meters.values()], state.zone);
    }, 5000);
}

begin();
