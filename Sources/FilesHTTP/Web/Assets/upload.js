// One upload: a file of this device that becomes a file on the server, piece by piece, by tus 1.0.
// The server's word alone says how far it is. course.js decides what to do when something goes wrong.

import { sleep } from "./dom.js";
import { onSignedOut, pageHeader, refusalOf, Unreachable } from "./api.js";
import { encodeName } from "./text.js";
import { courseAfter, Pace, pieceSize, states } from "./course.js";
import { forget, recall, remember } from "./memory.js";

const tus = () => ({ "Tus-Resumable": "1.0.0", ...pageHeader() });
/** Nothing moved for so long: the connection is given up. The last piece may take the server longer, see there. */
const stallSeconds = 30;
const finishSeconds = 600;

/**
 * Sends a request and tells how much of its body is on the way; fetch cannot. Answers `{header}`, or throws as `ask`
 * does.
 */
function send(method, address, headers, body, { signal, answerSeconds = stallSeconds, onProgress = () => {} }) {
    return new Promise((resolve, reject) => {
        const request = new XMLHttpRequest();
        let timer;
        const expect = (seconds) => {
            clearTimeout(timer);
            timer = setTimeout(() => request.abort(), seconds * 1000);
        };
        const end = (settle, value) => {
            clearTimeout(timer);
            signal.removeEventListener("abort", stop);
            settle(value);
        };
        const stop = () => request.abort();
        request.open(method, address);
        for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
        request.upload.onprogress = (event) => {
            expect(event.loaded < event.total ? stallSeconds : answerSeconds);
            onProgress(event.loaded);
        };
        request.upload.onload = () => expect(answerSeconds);
        request.onload = () => {
            const header = (name) => request.getResponseHeader(name);
            if (request.status >= 200 && request.status < 300) end(resolve, { header });
            else end(reject, refusalOf(request.status, header, request.responseText));
        };
        request.onerror = () => end(reject, new Unreachable("the connection was lost"));
        request.onabort = () => end(reject, new Unreachable("given up"));
        if (signal.aborted) {
            reject(new Unreachable("given up"));
            return;
        }
        signal.addEventListener("abort", stop);
        expect(body ? stallSeconds : answerSeconds);
        request.send(body);
    });
}

class GoneFile extends Error {}

export class Upload {
    /** The file; null until it is chosen again. */
    file;
    /** Its name, perhaps with folders in front, for people. */
    label;
    size;
    state = "waiting";
    /** Why, where the state does not say all. */
    reason = "";
    /** Bytes that the server has told to be safe. */
    offset = 0;
    /** Bytes of the piece under way that have left. */
    inFlight = 0;
    pace = new Pace();
    /** Whether the path was free when it began, or may be taken. */
    replaces = false;

    #target;
    #mark;
    #address = null;
    #changed;
    #control = new AbortController();
    #attempt = 0;
    #restarts = 0;
    #movedAt = 0;
    #knowsOffset = false;

    /**
     * `target` is the file's address; `mark` is the name in this browser's memory; `changed` is called after each
     * change of state.
     */
    constructor({ file, label, size, target, mark, makesFolders, changed }) {
        Object.assign(this, { file, label, size, makesFolders });
        this.#target = target;
        this.#mark = mark;
        this.#changed = changed;
        this.#address = recall(mark)?.address ?? null;
        if (!file) this.state = "parked";
    }

    get mark() { return this.#mark; }
    get target() { return this.#target; }
    get sent() { return Math.min(this.size, this.offset + this.inFlight); }
    get isRunning() { return states[this.state].isRunning === true; }
    get isOver() { return states[this.state].isOver === true; }

    #become(state, reason = "") {
        this.state = state;
        this.reason = reason;
        if (!this.isRunning) {
            this.inFlight = 0;
            this.pace.forget();
        }
        this.#changed(this);
    }

    // What people do.

    pause() {
        if (this.isOver || this.state === "failed" || this.state === "paused") return;
        this.#stop("paused");
    }

    /** Goes on, or begins again where it failed. It waits for its turn. */
    resume() {
        if (!["paused", "failed"].includes(this.state)) return;
        this.#attempt = 0;
        this.#restarts = 0;
        this.#become("waiting");
    }

    replace() {
        if (this.state !== "taken") return;
        this.replaces = true;
        this.#drop();
        this.#become("waiting");
    }

    skip() {
        this.#drop();
        this.#become("skipped");
    }

    cancel() {
        if (this.isOver) return;
        this.#stop("cancelled");
        this.#drop();
    }

    /** The file was chosen again. */
    take(file) {
        this.file = file;
        this.#become("waiting");
    }

    #stop(state) {
        this.#control.abort();
        this.#control = new AbortController();
        this.#become(state);
    }

    /** Tells the server that its bytes are not wanted; should that fail, they go when the upload expires. */
    #drop() {
        forget(this.#mark);
        if (this.#address) {
            send("DELETE", this.#address, tus(), null, { signal: new AbortController().signal }).catch(() => {});
        }
        this.#address = null;
        this.offset = 0;
    }

    // What happens then.

    /** Runs until it is over, or somebody or something stops it. Called by the queue when it is its turn. */
    async run() {
        const control = this.#control;
        this.#knowsOffset = false;
        this.#movedAt = performance.now();
        this.#become("sending");
        while (this.isRunning && control === this.#control) {
            try {
                await this.#step(control.signal);
            } catch (error) {
                if (control !== this.#control) return;
                await this.#goOnAfter(error, control.signal);
            }
        }
    }

    async #step(signal) {
        if (!this.#address) await this.#begin(signal);
        else if (!this.#knowsOffset) await this.#askOffset(signal);
        else if (this.offset < this.size) await this.#sendPiece(signal);
        if (signal.aborted) return;
        if (this.offset >= this.size && this.#knowsOffset) {
            forget(this.#mark);
            this.#become("done");
        } else if (this.state !== "sending") {
            this.#become("sending");
        }
    }

    async #begin(signal) {
        const name = new TextEncoder().encode(this.file.name);
        const headers = {
            ...tus(), "Upload-Length": `${this.size}`,
            "Upload-Metadata": `filename ${btoa(String.fromCharCode(...name))}`,
        };
        if (!this.replaces) headers["If-None-Match"] = "*";
        const query = this.makesFolders ? "?parents=true" : "";
        const { header } = await send("POST", this.#target + query, headers, null, { signal });
        this.#address = new URL(header("Location"), location.href).pathname;
        remember(this.#mark, { address: this.#address, label: this.label, target: this.#target, size: this.size });
        this.#moved(header);
    }

    async #askOffset(signal) {
        const { header } = await send("HEAD", this.#address, tus(), null, { signal, answerSeconds: finishSeconds });
        this.#moved(header);
    }

    async #sendPiece(signal) {
        const end = Math.min(this.offset + pieceSize, this.size);
        const headers = {
            ...tus(), "Content-Type": "application/offset+octet-stream", "Upload-Offset": `${this.offset}`,
        };
        try {
            const { header } = await send("PATCH", this.#address, headers, this.file.slice(this.offset, end), {
                signal,
                answerSeconds: end === this.size ? finishSeconds : stallSeconds,
                onProgress: (loaded) => {
                    this.inFlight = loaded;
                    this.pace.add(performance.now() / 1000, this.sent);
                },
            });
            this.#moved(header);
        } catch (error) {
            if (error instanceof Unreachable && !signal.aborted) await this.#checkFile();
            throw error;
        }
    }

    /** A file that has gone is not to be taken for a server that has. */
    async #checkFile() {
        try {
            await this.file.slice(this.offset, this.offset + 1).arrayBuffer();
        } catch {
            throw new GoneFile();
        }
    }

    /** The server has told how far it is. */
    #moved(header) {
        const offset = Number.parseInt(header("Upload-Offset"), 10);
        if (!(offset >= 0 && offset <= this.size)) throw new Unreachable("the answer has no offset");
        if (offset > this.offset) this.#movedAt = performance.now();
        this.offset = offset;
        this.inFlight = 0;
        this.#knowsOffset = true;
        this.#attempt = 0;
        this.pace.add(performance.now() / 1000, offset);
    }

    async #goOnAfter(error, signal) {
        if (error instanceof GoneFile) {
            this.#become("failed", "The file on this device has changed, or cannot be read any more.");
            return;
        }
        const course = courseAfter(error, {
            attempt: this.#attempt, idle: (performance.now() - this.#movedAt) / 1000,
            isBegun: this.#address !== null, restarts: this.#restarts,
        });
        this.inFlight = 0;
        this.#knowsOffset = false;
        switch (course.go) {
        case "retry":
            this.#attempt += 1;
            // The first one is mostly over at once, and nothing that anybody needs to know.
            if (this.#attempt > 1) this.#become("troubled");
            await sleep(course.after, signal).catch(() => {});
            return;
        case "sign in":
            this.#become("locked");
            await onSignedOut.call();
            return;
        case "anew":
            this.#restarts += 1;
            this.#address = null;
            this.offset = 0;
            forget(this.#mark);
            return;
        case "taken":
            this.#become("taken");
            return;
        case "fail":
            this.#become("failed", course.text);
        }
    }
}

/** The address at which a file becomes visible. */
export function targetOf(folder, names) {
    return "/files/" + [...folder.map((segment) => segment.code), ...names.map(encodeName)].join("/");
}
