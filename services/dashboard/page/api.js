/* api: requests to the dashboard's service (services/dashboard/README.md). */

import { hasText, text } from './texts.js';

/** What went wrong, in words for the reader; `status` is 0 when there was no answer. */
export class ApiError extends Error {
    constructor(status, words, code = '') {
        super(words);
        this.status = status;
        this.code = code;
    }
}

async function request(path, options) {
    let answer;
    try {
        answer = await fetch(path, { credentials: 'same-origin', ...options });
    } catch (e) {
        if (e.name === 'AbortError') {
            throw e;
        }
        throw new ApiError(0, text('unreachable'));
    }
    if (!answer.ok) {
        const told = await answer.json().catch(() => ({}));
        if (told.code === 'login') { // the session is over: the page, loaded anew, is the sign-in
            location.reload();
        }
        const known = `error_${told.code}`;
        const words = hasText(known) ? text(known) : told.error || text('badAnswer', { status: answer.status });
        const error = new ApiError(answer.status, words, told.code);
        error.retryAfter = Number(answer.headers.get('Retry-After')) || null;
        throw error;
    }
    return answer.status === 204 ? null : answer.json();
}

/** GET as JSON. */
export function get(path, parameters = {}, signal = undefined) {
    const query = new URLSearchParams(parameters).toString();
    return request(path + (query ? `?${query}` : ''), { signal });
}

/** POST of JSON, or of nothing. */
export function post(path, body) {
    return request(path, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(body ?? {}),
    });
}

export function exportUrl(meter, table, from, to) {
    return `/api/export.csv?${new URLSearchParams({ meter, table, from, to })}`;
}
