/* live: the stream of events, connected again and again, and the server's clock. */

const SILENT_MS = 70000; // `meters` comes every 30 s

/**
 * Listen to /api/events. `heard` maps an event's name to a function of its data; `state` is called
 * with 'connecting', 'open' or 'closed' when that changes, and with 'open' after every reconnection.
 */
export function listen(heard, state) {
    let source = null;
    let last = 0; // when the server last said something
    let wait = 1000;

    function close() {
        source?.close();
        source = null;
    }

    function open() {
        close();
        source = new EventSource('/api/events');
        last = Date.now();
        source.onopen = () => {
            last = Date.now();
            wait = 1000;
            state('open');
        };
        source.onerror = () => {
            state('closed');
            if (source?.readyState === EventSource.CLOSED) { // the browser gave up (an error status)
                close();
                setTimeout(open, wait);
                wait = Math.min(wait * 2, 30000);
            }
        };
        for (const [name, handler] of Object.entries(heard)) {
            source.addEventListener(name, (event) => {
                last = Date.now();
                handler(JSON.parse(event.data));
            });
        }
    }

    state('connecting');
    open();
    // A connection may die without a word.
    setInterval(() => {
        if (source && Date.now() - last > SILENT_MS) {
            state('closed');
            open();
        }
    }, 5000);
    addEventListener('pagehide', close);
    addEventListener('pageshow', (event) => event.persisted && open());
}

let ahead = 0; // the server's clock less ours, s

/** Learn the server's clock from a time that it has just told. */
export function setClock(serverSeconds) {
    ahead = serverSeconds - Date.now() / 1000;
}

/** Seconds since 1970 by the server's clock. */
export const now = () => Date.now() / 1000 + ahead;
