// The folder that is shown: its entries page by page, and what can be done with each.

import { announce, byId, clearNotices, icon, iconButton, make, notice, setHidden, setText } from "./dom.js";
import { encodeName, hashOf, nameFault, pathOf, shown, sizeText, timeText } from "./text.js";
import { wordsFor } from "./api.js";
import { emptiness, question, Unfit } from "./dialogs.js";
import { addressOf, checkFile, list, makeFolder, move, remove } from "./files.js";

/** Entries on a page: enough to scroll through, few enough for a telephone. */
const pageSize = 200;
const kinds = { folder: "Folder", file: "File", link: "Link, not followed", other: "Neither file nor folder" };

export class Folder {
    path = [];
    #cursors = [null];
    #page = null;
    #turn = 0;
    #refresh = 0;

    constructor() {
        byId("new-folder").addEventListener("click", () => this.#askNewFolder());
        byId("refresh").addEventListener("click", () => this.reload("Read again"));
        byId("page-before").addEventListener("click", () => this.#turnPage(-1));
        byId("page-after").addEventListener("click", () => this.#turnPage(+1));
        byId("entries").addEventListener("keydown", (event) => this.#keyed(event));
        byId("here").addEventListener("keydown", (event) => this.#keyed(event));
        window.addEventListener("hashchange", () => this.open(pathOf(location.hash)));
    }

    /** Shows a folder from its beginning. */
    async open(path) {
        this.path = path;
        this.#cursors = [null];
        this.#page = null;
        clearNotices();
        this.#drawPlace();
        if (await this.#load()) {
            byId("here").focus({ preventScroll: true });
            window.scrollTo(0, 0);
        }
    }

    async reload(said) {
        if (await this.#load()) announce(said);
    }

    /** Something changed here; more of the same may follow. */
    reloadSoon() {
        clearTimeout(this.#refresh);
        this.#refresh = setTimeout(() => this.#load(), 400);
    }

    async #load() {
        this.#turn += 1;
        const turn = this.#turn;
        const entries = byId("entries");
        entries.setAttribute("aria-busy", "true");
        try {
            const page = await list(this.path, this.#cursors.at(-1), pageSize);
            if (turn !== this.#turn) return false;
            // What was on this page went; the one before may have something.
            if (page.entries.length === 0 && this.#cursors.length > 1) {
                this.#cursors.pop();
                return await this.#load();
            }
            this.#page = page;
            this.#draw();
            return true;
        } catch (error) {
            if (turn !== this.#turn) return false;
            this.#drawFailure(error);
            return false;
        } finally {
            if (turn === this.#turn) entries.removeAttribute("aria-busy");
        }
    }

    async #turnPage(step) {
        if (step > 0 && this.#page?.next) this.#cursors.push(this.#page.next);
        else if (step < 0 && this.#cursors.length > 1) this.#cursors.pop();
        else return;
        if (await this.#load()) {
            byId("here").focus({ preventScroll: true });
            window.scrollTo(0, 0);
            announce(`Page ${this.#cursors.length}`);
        }
    }

    // What is seen.

    #drawPlace() {
        const name = this.path.length > 0 ? shown(this.path.at(-1).label) : "Home";
        byId("here").replaceChildren(make("bdi", { textContent: name }));
        document.title = `${name} – Flotilla`;
        const above = this.path.map((_, index) => this.path.slice(0, index)).map((path) => make(
            "li", {}, make("a", { href: hashOf(path) }, make("bdi", {
                textContent: path.length > 0 ? shown(path.at(-1).label) : "Home",
            }))));
        byId("crumbs").replaceChildren(...above);
    }

    #draw() {
        const { entries, next } = this.#page;
        const focused = document.activeElement?.closest?.("#entries > li")?.dataset.code;
        byId("entries").replaceChildren(...entries.map((entry) => this.#row(entry)));
        if (focused !== undefined) this.#focusOn(focused);
        byId("emptiness").replaceChildren(...(entries.length === 0
            ? [emptiness("This folder is empty", "Drop files here, or press “Upload files”.")] : []));
        setHidden(byId("entries"), entries.length === 0);
        const number = this.#cursors.length;
        setHidden(byId("pages"), number === 1 && !next);
        byId("page-before").disabled = number === 1;
        byId("page-after").disabled = !next;
        setText(byId("page-number"), `Page ${number}`);
    }

    #drawFailure(error) {
        this.#page = null;
        byId("entries").replaceChildren();
        setHidden(byId("entries"), true);
        setHidden(byId("pages"), true);
        const isGone = error.status === 404 || error.type === "not-a-folder";
        const words = isGone ? "This folder is not there." : wordsFor(error);
        byId("emptiness").replaceChildren(make(
            "div", { className: "empty", role: "alert" }, make("p", { textContent: words }),
            make("button", { type: "button", textContent: "Try again", click: () => this.reload("Read again") })));
    }

    #row(entry) {
        const name = shown(entry.label);
        const isFolder = entry.type === "folder";
        const path = [...this.path, { code: entry.code, label: entry.label }];
        const drawing = isFolder || entry.type === "file" ? entry.type : "link";
        const label = [icon(drawing), make("bdi", { textContent: name })];
        const link = { className: "open", title: kinds[entry.type] };
        let open;
        if (isFolder) open = make("a", { ...link, href: hashOf(path), "aria-label": `${name}, folder` }, ...label);
        else if (entry.type === "file") {
            open = make("a", {
                ...link, href: addressOf(path), download: "", title: "Download", "aria-label": `${name}, download`,
                click: (event) => this.#download(event, path),
            }, ...label);
        } else open = make("span", { ...link, tabIndex: 0 }, ...label);
        const line = make(
            "li", {}, open,
            make("span", { className: "size", textContent: entry.type === "file" ? sizeText(entry.size) : "",
                title: entry.type === "file" ? `${entry.size.toLocaleString()} bytes` : null }),
            make("time", { dateTime: entry.modified, textContent: timeText(entry.modified) }),
            make("span", { className: "actions" },
                iconButton("rename", `Rename or move ${name}`, () => this.#askMove(entry)),
                iconButton("delete", `Delete ${name}`, () => this.#askRemove(entry))));
        line.dataset.code = entry.code;
        return line;
    }

    // Keys: up and down from entry to entry, F2 renames, Delete deletes, Backspace goes up.

    #keyed(event) {
        if (event.altKey || event.ctrlKey || event.metaKey) return;
        const lines = [...byId("entries").children];
        // From the heading, which stands before the first.
        const at = lines.indexOf(event.target.closest("#entries > li"));
        const entry = this.#page?.entries[at];
        const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: lines.length - 1 }[event.key];
        if (to !== undefined) lines[to]?.querySelector(".open").focus();
        else if (event.key === "F2" && entry) this.#askMove(entry);
        else if (event.key === "Delete" && entry) this.#askRemove(entry);
        else if (event.key === "Backspace" && this.path.length > 0) location.hash = hashOf(this.path.slice(0, -1));
        else return;
        event.preventDefault();
    }

    #focusOn(code, otherwise = 0) {
        const lines = [...byId("entries").children];
        const line = lines.find((one) => one.dataset.code === code) ?? lines[Math.min(otherwise, lines.length - 1)];
        (line?.querySelector(".open") ?? byId("here")).focus();
    }

    // What can be done.

    /** A browser says little about a download that fails: what can be known before is. */
    async #download(event, path) {
        if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
        event.preventDefault();
        try {
            await checkFile(path);
            make("a", { href: addressOf(path), download: "" }).click();
        } catch (error) {
            notice(`${shown(path.at(-1).label)}: ${wordsFor(error)}`);
        }
    }

    async #askNewFolder() {
        let made = "";
        const isDone = await question({
            title: "New folder", done: "Make folder", fields: [{ name: "folder", label: "Name", value: "" }],
            act: async (name) => {
                check(name);
                made = encodeName(name);
                await makeFolder([...this.path, { code: made, label: name }]);
            },
        });
        if (isDone && await this.#load()) {
            this.#focusOn(made);
            announce("The folder is made");
        }
    }

    async #askMove(entry) {
        const here = "/" + this.path.map((segment) => segment.label + "/").join("");
        let target = [];
        const isDone = await question({
            title: "Rename or move", done: "Save",
            fields: [
                { name: "name", label: "Name", value: entry.label, isFile: entry.type === "file" },
                { name: "place", label: "Folder", value: here },
            ],
            act: async (name, place) => {
                // What nobody changed keeps its bytes, which need not be text.
                if (name !== entry.label) check(name);
                const code = name === entry.label ? entry.code : encodeName(name);
                const folder = place === here ? this.path : placeOf(place);
                target = [...folder, { code, label: name }];
                const source = [...this.path, { code: entry.code, label: entry.label }];
                if (addressOf(target) !== addressOf(source)) await move(source, target);
            },
        });
        if (isDone && await this.#load()) {
            this.#focusOn(target.at(-1).code);
            notice(`“${shown(entry.label)}” is now ${shownPath(target)}`, "done");
            announce("Saved");
        }
    }

    async #askRemove(entry) {
        const isFolder = entry.type === "folder";
        const at = this.#page.entries.indexOf(entry);
        const isDone = await question({
            title: isFolder ? "Delete this folder?" : "Delete this file?", done: "Delete", danger: true,
            text: isFolder ? `${shown(entry.label)}, and everything in it` : shown(entry.label),
            act: () => remove([...this.path, { code: entry.code, label: entry.label }], isFolder),
        });
        if (isDone && await this.#load()) {
            this.#focusOn(null, at);
            announce("Deleted");
        }
    }
}

function check(name) {
    const fault = nameFault(name);
    if (fault) throw new Unfit(fault);
}

/** A folder as people write it. */
function placeOf(text) {
    const names = text.split("/").filter((name) => name !== "");
    names.forEach(check);
    return names.map((name) => ({ code: encodeName(name), label: name }));
}

function shownPath(path) {
    return path.map((segment) => "/" + shown(segment.label)).join("");
}
