// Puts the parts together.

import { announce, byId, notice, setHidden, setText, sleep } from "./dom.js";
import { countText, hashOf, pathOf, shown } from "./text.js";
import { wordsFor } from "./api.js";
import { begin, prepareSession } from "./session.js";
import { folderOf, Queue } from "./queue.js";
import { fromDrop, fromInput } from "./chosen.js";
import { Panel } from "./panel.js";
import { Folder } from "./folder.js";

function prepareUploads(queue, folder) {
    const add = (items) => {
        if (items.length === 0) return;
        const refused = queue.add(items, folder.path);
        for (const { label, reason } of refused.slice(0, 3)) notice(`${shown(label)}: ${reason}`);
        if (refused.length > 3) notice(`${refused.length} files cannot be uploaded because of their names or number.`);
        announce(`Uploading ${countText(items.length - refused.length, "file", "files")}`);
    };
    for (const kind of ["files", "folder"]) {
        const input = byId(`choose-${kind}`);
        byId(`upload-${kind}`).addEventListener("click", () => input.click());
        input.addEventListener("change", () => add(fromInput(input)));
    }
    prepareDrop(add);
    queue.listen((upload) => {
        if (upload?.state !== "done") return;
        const into = folderOf(upload.target);
        // Also where a folder came that its files are in.
        if (hashOf(into).startsWith(hashOf(folder.path))) folder.reloadSoon();
    });
    window.addEventListener("beforeunload", (event) => {
        if (queue.isBusy) event.preventDefault();
    });
}

function prepareDrop(add) {
    const cover = byId("drop-cover");
    let depth = 0;
    const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
    const end = () => {
        depth = 0;
        setHidden(cover, true);
    };
    window.addEventListener("dragenter", (event) => {
        if (!hasFiles(event)) return;
        event.preventDefault();
        depth += 1;
        setHidden(cover, byId("dialog").open || byId("sign-in").open);
    });
    window.addEventListener("dragleave", (event) => {
        if (!hasFiles(event)) return;
        depth -= 1;
        if (depth <= 0) end();
    });
    window.addEventListener("dragover", (event) => {
        if (hasFiles(event)) event.preventDefault();
    });
    window.addEventListener("drop", async (event) => {
        if (!hasFiles(event)) return;
        event.preventDefault();
        end();
        if (byId("dialog").open || byId("sign-in").open) return;
        try {
            add(await fromDrop(event.dataTransfer));
        } catch (error) {
            notice(`What was dropped cannot be read: ${error.message}`);
        }
    });
}

/** Nothing can be shown before it is known who is here: it is asked until there is an answer. */
async function persistently() {
    const trouble = byId("trouble");
    for (;;) {
        try {
            const account = await begin();
            setHidden(trouble, true);
            return account;
        } catch (error) {
            setText(trouble, `${wordsFor(error)} Trying again…`);
            setHidden(trouble, false);
            await sleep(2);
        }
    }
}

async function start() {
    prepareSession();
    const account = await persistently();
    const folder = new Folder();
    const queue = new Queue(account);
    new Panel(queue);
    prepareUploads(queue, folder);
    setHidden(byId("main"), false);
    await folder.open(pathOf(location.hash));
}

start();
