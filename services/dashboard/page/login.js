/* login: the password, and in plain words why it did not work. */

import { post } from './api.js';
import { $ } from './dom.js';
import { fillTexts, text } from './texts.js';

function reason(e) {
    if (e.status === 401) {
        return text('wrongPassword');
    }
    if (e.status === 429) {
        return e.retryAfter ? text('tooManyTries', { seconds: e.retryAfter }) : text('tooManyTriesSoon');
    }
    return e.message;
}

async function submit(event) {
    event.preventDefault();
    const button = event.target.querySelector('button');
    button.disabled = true;
    $('login-error').textContent = '';
    try {
        await post('/api/login', { password: $('password').value });
        location.replace('/');
    } catch (e) {
        $('login-error').textContent = reason(e);
        $('password').setAttribute('aria-invalid', 'true');
        $('password').select();
        $('password').focus();
    } finally {
        button.disabled = false;
    }
}

fillTexts();
$('login').addEventListener('submit', submit);
