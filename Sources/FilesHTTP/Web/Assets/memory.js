// Remembers which uploads are under way, so that they go on after the page was closed. Files themselves cannot be kept:
// whoever comes back chooses them again.

const prefix = "flotilla-upload/";
/** An upload that gets nothing for a day is ended by the server. */
const kept = 24 * 3600 * 1000;
const recordsMax = 200;

/** Files that are the same for all that a browser tells of them. */
export function markOf(account, target, file) {
    return `${prefix}${account}/${target}?${file.size}&${file.lastModified}`;
}

function storage() {
    try {
        return window.localStorage;
    } catch {
        return null;  // Forbidden by its user; uploads go on all the same, as long as the page is open.
    }
}

export function remember(mark, record) {
    const store = storage();
    if (!store) return;
    try {
        store.setItem(mark, JSON.stringify({ ...record, at: Date.now() }));
        const all = marks(store);
        if (all.length > recordsMax) store.removeItem(all[0].mark);
    } catch { /* It is full. */ }
}

export function recall(mark) {
    const text = storage()?.getItem(mark);
    if (!text) return null;
    try {
        const record = JSON.parse(text);
        return Date.now() - record.at < kept && /^\/uploads\/[0-9a-f-]{36}$/.test(record.address) ? record : null;
    } catch {
        return null;
    }
}

export function forget(mark) {
    storage()?.removeItem(mark);
}

/** All of an account that are worth showing, oldest first; forgets what is too old. */
export function unfinished(account) {
    const store = storage();
    if (!store) return [];
    return marks(store).filter(({ mark }) => mark.startsWith(`${prefix}${account}/`)).flatMap(({ mark }) => {
        const record = recall(mark);
        if (!record) store.removeItem(mark);
        return record ? [{ mark, record }] : [];
    });
}

function marks(store) {
    const found = [];
    for (let i = 0; i < store.length; i += 1) {
        const mark = store.key(i);
        if (!mark.startsWith(prefix)) continue;
        let at = 0;
        try {
            at = JSON.parse(store.getItem(mark)).at ?? 0;
        } catch { /* Not ours any more. */ }
        found.push({ mark, at });
    }
    return found.sort((one, other) => one.at - other.at);
}
