/* dom: elements, made and found in few words. All text goes in as text, never as HTML. */

export const $ = (id) => document.getElementById(id);

/** el('p', {class: 'x', onclick: f, hidden: true}, 'text', child, ...): children that are null, undefined or false are left out. */
export function el(name, attributes = {}, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
        if (key.startsWith('on')) {
            element.addEventListener(key.slice(2), value);
        } else if (value === true) {
            element.setAttribute(key, '');
        } else if (value !== false && value !== null && value !== undefined) {
            element.setAttribute(key, value);
        }
    }
    element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
    return element;
}

/** Replace what an element holds only when it would look different: a reader keeps its place. */
export function fill(element, ...children) {
    const holder = el('div', {}, ...children);
    if (holder.innerHTML !== element.innerHTML) {
        element.replaceChildren(...holder.childNodes);
    }
}

/** Set a text only when it changes: screen readers speak changes. */
export function say(element, words) {
    if (element.textContent !== words) {
        element.textContent = words;
    }
}

/** A table: heads are texts, rows lists of texts; the first column heads its row. */
export function tableOf(caption, heads, rows) {
    return el('table', { class: 'data' },
        el('caption', {}, caption),
        el('thead', {}, el('tr', {}, heads.map((head) => el('th', { scope: 'col' }, head)))),
        el('tbody', {}, rows.map((row) => el('tr', {}, row.map((cell, i) =>
            i === 0 ? el('th', { scope: 'row' }, cell) : el('td', {}, cell))))));
}
