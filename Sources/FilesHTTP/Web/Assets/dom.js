// Making elements. Text goes in as text only: nothing in this page turns a name into markup.

export const byId = (id) => document.getElementById(id);

/** An element. Properties with a dash, and `role`, are attributes; functions are listeners; null is left out. */
export function make(tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
        if (value === null || value === undefined) continue;
        if (typeof value === "function") element.addEventListener(name, value);
        else if (name.includes("-") || name === "role") element.setAttribute(name, value);
        else element[name] = value;
    }
    element.append(...children.filter((child) => child !== null));
    return element;
}

/** One of the drawings in the document; beside it, or on its button, stands what it means. */
export function icon(name) {
    const space = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(space, "svg");
    const use = document.createElementNS(space, "use");
    use.setAttribute("href", `#icon-${name}`);
    svg.setAttribute("class", "icon");
    svg.setAttribute("aria-hidden", "true");
    svg.append(use);
    return svg;
}

/** A button that shows a drawing, and says what it does to what. */
export function iconButton(drawing, label, click) {
    const properties = { type: "button", className: "plain", title: label, "aria-label": label, click };
    return make("button", properties, icon(drawing));
}

export function setText(element, text) {
    if (element.textContent !== text) element.textContent = text;
}

export function setHidden(element, hidden) {
    if (element.hidden !== hidden) element.hidden = hidden;
}

/** Says something to those who do not see it. */
export function announce(text) {
    const said = byId("said");
    // The same text twice would not be read again.
    said.textContent = said.textContent === text ? text + "\u00a0" : text;
}

/** Shows a line that stays until it is sent away, and says it. At most five at a time. */
export function notice(text, kind = "error") {
    const list = byId("notices");
    for (const old of list.children) {
        if (old.firstChild.textContent === text) return;
    }
    const line = make("div", { className: `notice ${kind}` }, make("span", { textContent: text }));
    line.append(iconButton("close", "Close this message", () => line.remove()));
    list.append(line);
    while (list.children.length > 5) list.firstChild.remove();
    if (kind === "done") setTimeout(() => line.remove(), 6000);
}

export function clearNotices() {
    byId("notices").replaceChildren();
}

export function sleep(seconds, signal) {
    return new Promise((resolve, reject) => {
        const timer = setTimeout(resolve, seconds * 1000);
        signal?.addEventListener("abort", () => {
            clearTimeout(timer);
            reject(new DOMException("given up", "AbortError"));
        }, { once: true });
    });
}
