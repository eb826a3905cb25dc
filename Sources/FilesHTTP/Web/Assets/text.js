// Addresses, and how names, sizes and times are shown. Nothing here touches the page.

const utf8 = new TextEncoder();

/** Percent-encodes bytes as they stand in an address: all but letters, digits and `-._~`. */
export function encodeBytes(bytes) {
    let text = "";
    for (const byte of bytes) {
        const letter = String.fromCharCode(byte);
        text += /[A-Za-z0-9\-._~]/.test(letter) ? letter : "%" + byte.toString(16).toUpperCase().padStart(2, "0");
    }
    return text;
}

export function encodeName(name) {
    return encodeBytes(utf8.encode(name));
}

/** The bytes behind a percent-encoded name, whatever they are; a percent sign without digits is itself. */
export function decodeBytes(code) {
    const bytes = [];
    for (let i = 0; i < code.length;) {
        if (/^%[0-9A-Fa-f]{2}/.test(code.slice(i, i + 3))) {
            bytes.push(parseInt(code.slice(i + 1, i + 3), 16));
            i += 3;
        } else {
            const letter = String.fromCodePoint(code.codePointAt(i));
            bytes.push(...utf8.encode(letter));
            i += letter.length;
        }
    }
    return new Uint8Array(bytes);
}

/** One name of a path: `code` stands in addresses, `label` is for people. */
export function segmentOf(code) {
    const bytes = decodeBytes(code);
    return { code: encodeBytes(bytes), label: new TextDecoder().decode(bytes) };
}

/** The names of a folder's address in the page, `#/in/2026/`. */
export function pathOf(hash) {
    const text = hash.startsWith("#/") ? hash.slice(2) : "";
    return text.split("/").filter((code) => code !== "" && nameFault(segmentOf(code).label) === null).map(segmentOf);
}

export function hashOf(path) {
    return "#/" + path.map((segment) => segment.code + "/").join("");
}

/** Why a name cannot be one; null when it can. The server says the same, but `..` would never reach it. */
export function nameFault(name) {
    if (name === "") return "Give it a name.";
    if (name === "." || name === "..") return "“.” and “..” cannot be names.";
    if (name.includes("/")) return "A name cannot have a slash in it.";
    if (/[\u0000-\u001f\u007f]/.test(name)) return "A name cannot have control characters in it.";
    const count = utf8.encode(name).length;
    if (count > 255) return `A name can have 255 bytes; this one has ${count}.`;
    return null;
}

/**
 * A name as text that shows what is in it: characters that turn the direction of what follows, or are nothing to
 * see, stand as their numbers, so that no name looks like another.
 */
export function shown(name) {
    const hidden = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;
    const numberOf = (letter) => letter.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    const text = name.replace(hidden, (letter) => `⟨U+${numberOf(letter)}⟩`);
    return text.trim() === text ? text : `“${text}”`;
}

export function sizeText(bytes) {
    if (bytes < 1000) return bytes === 1 ? "1 byte" : `${bytes} bytes`;
    let value = bytes;
    let unit = -1;
    const units = ["kB", "MB", "GB", "TB", "PB", "EB"];
    do {
        value /= 1000;
        unit += 1;
    } while (value >= 999.5 && unit < units.length - 1);
    return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

export function rateText(bytesPerSecond) {
    return `${sizeText(Math.round(bytesPerSecond))}/s`;
}

/** About how long something takes. */
export function spanText(seconds) {
    if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
    if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
    return `${Math.round(seconds / 3600)} h`;
}

const dateFormat = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

export function timeText(iso) {
    const date = new Date(iso);
    return Number.isNaN(date.getTime()) ? "" : dateFormat.format(date);
}

/** `3 files`, `1 file`. */
export function countText(count, one, many) {
    return `${count.toLocaleString()} ${count === 1 ? one : many}`;
}
