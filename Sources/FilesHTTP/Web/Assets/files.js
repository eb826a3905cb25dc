// What can be done with files and folders. A path is a list of `{code, label}`.

import { ask, patiently, Refusal } from "./api.js";
import { encodeBytes, encodeName } from "./text.js";

export function addressOf(path, isFolder = false) {
    return "/files/" + path.map((segment) => segment.code).join("/") + (isFolder && path.length > 0 ? "/" : "");
}

/** One page of a folder: `{entries, next}`. */
export async function list(path, cursor, limit) {
    const query = `?limit=${limit}` + (cursor ? `&cursor=${encodeURIComponent(cursor)}` : "");
    const answer = await patiently(() => ask("GET", addressOf(path, true) + query));
    const page = JSON.parse(answer.text);
    return { entries: page.entries.map(entryOf), next: page.next ?? null };
}

function entryOf(entry) {
    const code = entry.name_base64
        ? encodeBytes(Uint8Array.from(atob(entry.name_base64), (letter) => letter.charCodeAt(0)))
        : encodeName(entry.name);
    return { code, label: entry.name, type: entry.type, size: entry.size, modified: entry.modified };
}

/** Finds out that a file can be fetched; then the browser fetches it by itself. */
export async function checkFile(path) {
    await patiently(() => ask("HEAD", addressOf(path)));
}

async function isThere(path) {
    try {
        await ask("HEAD", addressOf(path));
        return true;
    } catch (error) {
        // A folder answers HEAD too; whatever else is refused is not nothing.
        if (error instanceof Refusal) {
            if (error.isPassing || error.status === 401) throw error;
            return error.status !== 404;
        }
        throw error;
    }
}

export function makeFolder(path) {
    return patiently(async (unheard) => {
        try {
            await ask("MKCOL", addressOf(path));
        } catch (error) {
            // It may be ours, from an attempt whose answer was lost; if it is not, the folder that was wanted is there.
            if (!(unheard && error instanceof Refusal && error.type === "exists")) throw error;
        }
    });
}

export function move(path, target) {
    return patiently(async (unheard) => {
        try {
            await ask("MOVE", addressOf(path), { Destination: addressOf(target) });
        } catch (error) {
            if (!(unheard && error instanceof Refusal && ["not-found", "exists"].includes(error.type))) throw error;
            if (await isThere(path) || !(await isThere(target))) throw error;
        }
    });
}

/** With all that is in it. */
export function remove(path, isFolder) {
    return patiently(async (unheard) => {
        try {
            await ask("DELETE", addressOf(path) + (isFolder ? "?recursive=true" : ""), {}, 60);
        } catch (error) {
            if (!(unheard && error instanceof Refusal && error.type === "not-found")) throw error;
        }
    });
}
