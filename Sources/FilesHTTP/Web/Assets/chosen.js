// The files that were chosen or dropped, with the folders they were in: lists of `{file, names}`.

import { uploadsMax } from "./queue.js";

export function fromInput(input) {
    const items = [...input.files].map((file) => ({
        file, names: (file.webkitRelativePath || file.name).split("/"),
    }));
    // The same files can be chosen again.
    input.value = "";
    return items;
}

/** Reads what was dropped, folders to their depth. Has to be called while the event is handled. */
export async function fromDrop(transfer) {
    const entries = [...transfer.items].filter((item) => item.kind === "file")
        .map((item) => item.webkitGetAsEntry?.() ?? null);
    if (entries.length === 0 || entries.includes(null)) {
        return [...transfer.files].map((file) => ({ file, names: [file.name] }));
    }
    const items = [];
    for (const entry of entries) await collect(entry, [], items);
    return items;
}

async function collect(entry, above, items) {
    if (items.length > uploadsMax) return;
    const names = [...above, entry.name];
    if (entry.isFile) {
        const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
        items.push({ file, names });
        return;
    }
    const reader = entry.createReader();
    for (;;) {
        // A reader gives a hundred or so at a time.
        const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
        if (some.length === 0) return;
        for (const inside of some) await collect(inside, names, items);
    }
}
