// Questions to whoever sits in front: a name, a place, a yes. One at a time, by the browser's own dialog.

import { byId, icon, make, setText } from "./dom.js";
import { wordsFor } from "./api.js";

/**
 * Shows a dialog until it is done or sent away; answers whether it was done.
 *
 * `fields` are inputs, in order; `act` gets their values and may throw: the dialog then says why and stays.
 */
export function question({ title, text = "", fields = [], done, danger = false, act }) {
    const dialog = byId("dialog");
    const inputs = fields.map((field) => make("input", {
        type: "text", name: field.name, value: field.value, autocomplete: "off", spellcheck: false,
        required: true, "aria-describedby": "dialog-fault", dir: "auto",
    }));
    const fault = make("p", { id: "dialog-fault", className: "fault", role: "alert" });
    const go = make("button", { type: "submit", className: danger ? "danger" : "main", textContent: done });
    const back = make("button", { type: "button", textContent: "Cancel", click: () => dialog.close() });
    let isDone = false;
    let isBusy = false;
    const form = make(
        "form", {
            noValidate: true,
            submit: async (event) => {
                event.preventDefault();
                if (isBusy) return;
                setText(fault, "");
                isBusy = true;
                go.setAttribute("aria-disabled", "true");
                try {
                    await act(...inputs.map((input) => input.value));
                    isDone = true;
                    dialog.close();
                } catch (error) {
                    setText(fault, error instanceof Unfit ? error.message : wordsFor(error));
                    inputs[0]?.focus();
                } finally {
                    isBusy = false;
                    go.removeAttribute("aria-disabled");
                }
            },
        },
        make("h2", { id: "dialog-title", textContent: title }),
        text ? make("p", { className: "breakable", textContent: text }) : null,
        ...fields.map((field, index) => make("label", {}, make("span", { textContent: field.label }), inputs[index])),
        fault,
        make("div", { className: "answers" }, back, go));
    dialog.replaceChildren(form);
    dialog.showModal();
    const first = inputs[0];
    if (first) {
        first.focus();
        // The name without what says its type: that is what people change.
        const dot = fields[0].value.lastIndexOf(".");
        first.setSelectionRange(0, dot > 0 && fields[0].isFile ? dot : first.value.length);
    } else {
        back.focus();
    }
    return new Promise((resolve) => {
        dialog.addEventListener("close", () => resolve(isDone), { once: true });
    });
}

/** What was typed cannot be. */
export class Unfit extends Error {}

/** A message with a drawing, for a list that has nothing to show. */
export function emptiness(text, hint) {
    return make("div", { className: "empty" }, icon("folder"), make("p", { textContent: text }),
        make("p", { className: "hint", textContent: hint }));
}
