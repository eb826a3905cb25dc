// All uploads of this page, in their order; three of them run at a time.

import { pathOf, nameFault } from "./text.js";
import { forget, markOf, unfinished } from "./memory.js";
import { targetOf, Upload } from "./upload.js";

export const runningMax = 3;
/** More than anybody drops by hand; each costs memory and a line. */
export const uploadsMax = 20000;
/** Of those that are over so many are still shown. */
const overMax = 50;

export class Queue {
    uploads = [];
    /** How many were done, and what they held, of those that are not in `uploads` any more. */
    past = { count: 0, bytes: 0 };

    #account;
    #listeners = [];

    constructor(account) {
        this.#account = account;
        for (const { mark, record } of unfinished(account)) {
            const names = record.label.split("/");
            this.uploads.push(this.#upload(null, { ...record, mark, names }));
        }
    }

    /** `listener(upload)` hears of each change of state. */
    listen(listener) {
        this.#listeners.push(listener);
    }

    #upload(file, { label, target, size, mark, names }) {
        return new Upload({
            file, label, target, size, mark, makesFolders: names.length > 1, changed: (upload) => this.#changed(upload),
        });
    }

    /**
     * Takes files that shall go into a folder, each `{file, names}` with the folders below it that it was in. Answers
     * those that cannot be: `{label, reason}`.
     */
    add(items, folder) {
        const refused = [];
        for (const { file, names } of items) {
            const label = names.join("/");
            const reason = names.map(nameFault).find((fault) => fault !== null)
                ?? (this.uploads.length >= uploadsMax ? `More than ${uploadsMax} files at once are too many.` : null);
            if (reason) {
                refused.push({ label, reason });
                continue;
            }
            const target = targetOf(folder, names);
            const mark = markOf(this.#account, target, file);
            const known = this.uploads.find((upload) => upload.mark === mark && !upload.isOver);
            if (known?.state === "parked") known.take(file);
            else if (known?.state === "failed" || known?.state === "paused") known.resume();
            else if (!known) {
                this.uploads.push(this.#upload(file, { label, target, size: file.size, mark, names }));
            }
        }
        this.#advance();
        this.#tell(null);
        return refused;
    }

    /** Whether a file is the one that an interrupted upload was about. */
    fits(upload, file) {
        return upload.mark.endsWith(`?${file.size}&${file.lastModified}`)
            && upload.label.split("/").at(-1) === file.name;
    }

    pauseAll() {
        for (const upload of this.uploads) {
            if (upload.isRunning || upload.state === "waiting") upload.pause();
        }
    }

    resumeAll() {
        for (const upload of this.uploads) upload.resume();
    }

    /** Those of which the server has a file of that name, and nobody has said what to do. */
    answerAll(replace) {
        for (const upload of this.uploads) {
            if (upload.state === "taken") replace ? upload.replace() : upload.skip();
        }
    }

    clearOver() {
        this.uploads = this.uploads.filter((upload) => !upload.isOver && upload.state !== "failed");
        this.past = { count: 0, bytes: 0 };
        this.#tell(null);
    }

    /** Sends one away for good; what it had on the server goes too. */
    drop(upload) {
        upload.cancel();
        forget(upload.mark);
    }

    get isBusy() {
        return this.uploads.some((upload) => upload.isRunning || upload.state === "waiting");
    }

    totals(now) {
        const sum = { ...this.past, files: this.past.count, sent: this.past.bytes, size: this.past.bytes, rate: 0 };
        const by = {};
        for (const upload of this.uploads) {
            by[upload.state] = (by[upload.state] ?? 0) + 1;
            if (upload.state === "skipped" || upload.state === "cancelled") continue;
            sum.files += 1;
            sum.size += upload.size;
            sum.sent += upload.state === "done" ? upload.size : upload.sent;
            if (upload.state === "sending") sum.rate += upload.pace.rate(now);
        }
        return { ...sum, by, done: (by.done ?? 0) + this.past.count };
    }

    #advance() {
        let running = 0;
        for (const upload of this.uploads) running += upload.isRunning ? 1 : 0;
        for (const upload of this.uploads) {
            if (running >= runningMax) return;
            if (upload.state !== "waiting") continue;
            running += 1;
            upload.run();
        }
    }

    #changed(upload) {
        if (!upload.isRunning) {
            // Not within the upload's own change: it has to be over first.
            queueMicrotask(() => {
                this.#forgetOver();
                this.#advance();
            });
        }
        this.#tell(upload);
    }

    #forgetOver() {
        let over = 0;
        for (const upload of this.uploads) over += upload.isOver ? 1 : 0;
        if (over <= overMax) return;
        this.uploads = this.uploads.filter((upload) => {
            if (!upload.isOver || over <= overMax) return true;
            over -= 1;
            if (upload.state === "done") {
                this.past.count += 1;
                this.past.bytes += upload.size;
            }
            return false;
        });
    }

    #tell(upload) {
        for (const listener of this.#listeners) listener(upload);
    }
}

/** The folder that an upload goes into, for showing it. */
export function folderOf(target) {
    return pathOf("#" + target.replace(/^\/files/, "").replace(/[^/]*$/, ""));
}
