// Decides how an upload goes on. Nothing here asks the server or touches the page.

import { pauseBefore, Refusal, Unreachable, wordsFor } from "./api.js";

/** Bytes in one request: what is lost at most when the page is closed in the middle of one. */
export const pieceSize = 8 * 1024 * 1024;
/** Without a byte acknowledged for so many seconds, somebody has to look at it. */
export const troubleMax = 900;

/** Where an upload can be. `sending`, `troubled` and `locked` take a place among those that run. */
export const states = {
    waiting: { text: "Waiting" },
    sending: { text: "Uploading", isRunning: true },
    troubled: { text: "Trying again", isRunning: true },
    locked: { text: "Waiting for you to sign in", isRunning: true },
    paused: { text: "Paused" },
    taken: { text: "A file with this name is there already" },
    parked: { text: "Interrupted: choose the file again to go on" },
    failed: { text: "Failed" },
    done: { text: "Done", isOver: true },
    skipped: { text: "Skipped", isOver: true },
    cancelled: { text: "Cancelled", isOver: true },
};

/**
 * What to do after an attempt failed: `retry` after a pause (asking how far it is), `anew` from the first byte,
 * `sign in`, `taken` (ask whether to replace), or `fail` with words for people.
 *
 * `attempt` counts those in a row; `idle` is the time in seconds since the server acknowledged a byte; `isBegun` says
 * whether the server has given the upload an address; `restarts` counts how often it began anew.
 */
export function courseAfter(error, { attempt, idle, isBegun, restarts }) {
    if (error instanceof Refusal) {
        if (error.status === 401) return { go: "sign in" };
        if (error.status === 412 && (error.type === "changed" || error.type === "exists")) return { go: "taken" };
        // It is at another byte than we thought, or a newer request goes on with it.
        if (error.type === "wrong-offset" || error.status === 460 || error.isPassing) {
            return retryOrFail(error, attempt, idle);
        }
        if (isBegun && (error.status === 404 || error.status === 410)) {
            return restarts < 2 ? { go: "anew" } : { go: "fail", text: wordsFor(error) };
        }
        return { go: "fail", text: wordsFor(error) };
    }
    if (error instanceof Unreachable) return retryOrFail(error, attempt, idle);
    return { go: "fail", text: wordsFor(error) };
}

function retryOrFail(error, attempt, idle) {
    if (idle > troubleMax) return { go: "fail", text: wordsFor(error) };
    return { go: "retry", after: pauseBefore(attempt, error.retryAfter) };
}

/** How fast bytes go, over the last eight seconds. */
export class Pace {
    #samples = [];

    /** `sent` may go back when a node took bytes that it could not keep. */
    add(time, sent) {
        const last = this.#samples.at(-1);
        if (last && time - last.time < 0.2) last.sent = sent;
        else this.#samples.push({ time, sent });
        while (this.#samples.length > 2 && time - this.#samples[0].time > 8) this.#samples.shift();
    }

    /** Bytes a second at a time. */
    rate(now) {
        const [first, last] = [this.#samples[0], this.#samples.at(-1)];
        if (!first || now - first.time < 0.3) return 0;
        return Math.max(0, (last.sent - first.sent) / (now - first.time));
    }

    forget() {
        this.#samples = [];
    }
}
