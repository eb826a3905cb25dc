// The uploads as people see them: a line each, and one for all together.

import { announce, byId, make, setHidden, setText } from "./dom.js";
import { countText, rateText, shown, sizeText, spanText } from "./text.js";
import { states } from "./course.js";

/** So many of those that wait, and of those that are over, have a line; all that need somebody do. */
const shownMax = 20;
const spokenEvery = 15;

/** What the two buttons of a line do in each state. */
const buttons = {
    waiting: ["Pause", "Cancel"],
    sending: ["Pause", "Cancel"],
    troubled: ["Pause", "Cancel"],
    locked: ["Pause", "Cancel"],
    paused: ["Resume", "Cancel"],
    taken: ["Replace", "Skip"],
    parked: ["Choose file", "Forget"],
    failed: ["Try again", "Remove"],
    done: [], skipped: [], cancelled: [],
};

export class Panel {
    #queue;
    #rows = new Map();
    #isDue = false;
    #spokenAt = 0;
    #wasBusy = false;
    #parked = null;

    constructor(queue) {
        this.#queue = queue;
        queue.listen((upload) => {
            if (upload) this.#tell(upload);
            this.#soon();
        });
        byId("pause-all").addEventListener("click", () => queue.pauseAll());
        byId("resume-all").addEventListener("click", () => queue.resumeAll());
        byId("replace-all").addEventListener("click", () => queue.answerAll(true));
        byId("skip-all").addEventListener("click", () => queue.answerAll(false));
        byId("clear-uploads").addEventListener("click", () => queue.clearOver());
        byId("choose-again").addEventListener("change", () => this.#chosenAgain());
        setInterval(() => {
            if (queue.isBusy) this.#soon();
        }, 500);
        this.#soon();
    }

    #soon() {
        if (this.#isDue) return;
        this.#isDue = true;
        setTimeout(() => {
            this.#isDue = false;
            this.#draw();
        }, 60);
    }

    #draw() {
        const now = performance.now() / 1000;
        this.#drawHead(this.#queue.totals(now), now);
        const wanted = this.#wanted();
        for (const [upload, row] of this.#rows) {
            if (wanted.includes(upload)) continue;
            this.#leaveFocus(row.line);
            row.line.remove();
            this.#rows.delete(upload);
        }
        const list = byId("upload-list");
        let at = list.firstElementChild;
        for (const upload of wanted) {
            const row = this.#rows.get(upload) ?? this.#makeRow(upload);
            if (row.line === at) at = at.nextElementSibling;
            else list.insertBefore(row.line, at);
            this.#drawRow(row, upload, now);
        }
        const more = this.#queue.uploads.length - wanted.length + this.#queue.past.count;
        setText(byId("uploads-more"), more > 0 ? `and ${countText(more, "more file", "more files")}` : "");
    }

    #wanted() {
        const all = this.#queue.uploads;
        let waiting = 0;
        let over = all.filter((upload) => upload.isOver).length;
        return all.filter((upload) => {
            if (upload.isOver) return over-- <= shownMax;
            if (upload.state !== "waiting" && upload.state !== "paused") return true;
            waiting += 1;
            return waiting <= shownMax;
        });
    }

    #drawHead(totals, now) {
        const { by, files, done, size, sent, rate } = totals;
        setHidden(byId("uploads"), this.#queue.uploads.length === 0);
        const parts = [`${done.toLocaleString()} of ${countText(files, "file", "files")}`];
        if (size > 0) parts.push(`${sizeText(sent)} of ${sizeText(size)}`);
        if (rate > 0) parts.push(rateText(rate), `about ${spanText((size - sent) / rate)} left`);
        setText(byId("uploads-sum"), parts.join(" · "));
        const bar = byId("uploads-bar");
        bar.max = Math.max(1, size);
        bar.value = size > 0 ? sent : done === files ? 1 : 0;
        const running = (by.sending ?? 0) + (by.troubled ?? 0) + (by.locked ?? 0) + (by.waiting ?? 0);
        const over = done + (by.failed ?? 0) + (by.skipped ?? 0) + (by.cancelled ?? 0);
        this.#offer("pause-all", running > 0);
        this.#offer("resume-all", (by.paused ?? 0) > 0);
        this.#offer("replace-all", (by.taken ?? 0) > 1);
        this.#offer("skip-all", (by.taken ?? 0) > 1);
        this.#offer("clear-uploads", over > 0);
        this.#speak(running, totals, now);
    }

    #offer(id, isThere) {
        if (!isThere) this.#leaveFocus(byId(id));
        setHidden(byId(id), !isThere);
    }

    /** What is about to go must not take the focus with it. */
    #leaveFocus(element) {
        if (element.contains(document.activeElement)) byId("uploads-title").focus();
    }

    #speak(running, { by, files, done, size, sent }, now) {
        if (running > 0) {
            if (now - this.#spokenAt > spokenEvery && size > 0) {
                this.#spokenAt = now;
                announce(`Uploads: ${Math.floor(100 * sent / size)} percent, ${done} of ${files} files`);
            }
        } else if (this.#wasBusy) {
            const failed = by.failed ?? 0;
            announce(`Uploads: ${countText(done, "file is", "files are")} done${failed ? `, ${failed} failed` : ""}`);
        }
        this.#wasBusy = running > 0;
    }

    #tell(upload) {
        if (upload.state === "failed") announce(`${upload.label}: ${states.failed.text}. ${upload.reason}`);
        if (upload.state === "taken") announce(`${upload.label}: ${states.taken.text}. Replace or skip?`);
    }

    #makeRow(upload) {
        const name = shown(upload.label);
        const row = {
            state: make("span", { className: "state" }),
            figures: make("span", { className: "figures" }),
            bar: make("progress", { max: Math.max(1, upload.size), "aria-label": `Progress of ${name}` }),
            first: make("button", { type: "button", click: () => this.#press(upload, 0) }),
            second: make("button", { type: "button", click: () => this.#press(upload, 1) }),
        };
        row.line = make(
            "li", {}, make("bdi", { className: "name", textContent: name }), row.bar, row.state, row.figures,
            make("span", { className: "actions" }, row.first, row.second));
        this.#rows.set(upload, row);
        return row;
    }

    #drawRow(row, upload, now) {
        row.line.dataset.state = upload.state;
        row.bar.value = upload.state === "done" ? row.bar.max : upload.sent;
        setText(row.state, upload.reason || states[upload.state].text);
        const rate = upload.state === "sending" ? upload.pace.rate(now) : 0;
        const amount = upload.isOver ? sizeText(upload.size) : `${sizeText(upload.sent)} of ${sizeText(upload.size)}`;
        setText(row.figures, rate > 0 ? `${amount} · ${rateText(rate)}` : amount);
        const words = buttons[upload.state];
        for (const [index, button] of [row.first, row.second].entries()) {
            if (!words[index]) this.#leaveFocus(button);
            setHidden(button, !words[index]);
            if (!words[index] || button.textContent === words[index]) continue;
            button.textContent = words[index];
            button.setAttribute("aria-label", `${words[index]}: ${upload.label}`);
        }
    }

    #press(upload, index) {
        switch (buttons[upload.state][index]) {
        case "Pause": upload.pause(); break;
        case "Resume":
        case "Try again": upload.resume(); break;
        case "Replace": upload.replace(); break;
        case "Skip": upload.skip(); break;
        case "Choose file":
            this.#parked = upload;
            byId("choose-again").click();
            break;
        case "Cancel":
        case "Forget":
        case "Remove": this.#queue.drop(upload); break;
        }
    }

    #chosenAgain() {
        const input = byId("choose-again");
        const [file] = input.files;
        const upload = this.#parked;
        input.value = "";
        this.#parked = null;
        if (!file || upload?.state !== "parked") return;
        if (this.#queue.fits(upload, file)) {
            upload.take(file);
        } else {
            upload.reason = "That is another file, or it was changed since. Choose it again, or forget this upload.";
            announce(upload.reason);
            this.#soon();
        }
    }
}
