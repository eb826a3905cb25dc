// Signing in and out. The session is in a cookie that this script cannot read; every node knows what it is worth.

import { announce, byId, setHidden, setText } from "./dom.js";
import { ask, onSignedOut, patiently, Refusal, signedIn, wordsFor } from "./api.js";

let account = null;
/** While the dialog is open: those who wait for a session. */
let waiting = null;

/** Answers the account that is signed in; asks for name and password before, if need be. */
export async function begin() {
    const answer = await patiently(() => ask("GET", "/session"));
    return enter(JSON.parse(answer.text));
}

/** Null when the page begins anew for somebody else. */
function enter(session) {
    if (account !== null && account !== session.account) {
        // Everything in this page belongs to the one who was here before.
        location.reload();
        return null;
    }
    account = session.account;
    signedIn.account = account;
    setText(byId("account"), account);
    setHidden(byId("who"), false);
    return account;
}

/** Opens the dialog, once for all who find the session gone; answers when somebody has signed in. */
export function signIn(reason) {
    if (waiting) return waiting.promise;
    waiting = {};
    waiting.promise = new Promise((resolve) => { waiting.resolve = resolve; });
    const dialog = byId("sign-in");
    setText(byId("sign-in-reason"), reason);
    if (account !== null) byId("name").value = account;
    dialog.showModal();
    (byId("name").value ? byId("password") : byId("name")).focus();
    return waiting.promise;
}

function basic(name, password) {
    const bytes = new TextEncoder().encode(`${name}:${password}`);
    return "Basic " + btoa(String.fromCharCode(...bytes));
}

async function submit(event) {
    event.preventDefault();
    const button = byId("sign-in-go");
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    setText(byId("sign-in-fault"), "");
    try {
        const name = byId("name").value.trim();
        const answer = await sendPassword(name, byId("password").value);
        if (await isForgotten()) {
            setText(byId("sign-in-fault"), "This browser did not keep the session. Allow cookies for this site.");
            return;
        }
        byId("password").value = "";
        if (enter(JSON.parse(answer.text)) === null) return;
        byId("sign-in").close();
        announce(`Signed in as ${account}`);
        const { resolve } = waiting;
        waiting = null;
        resolve();
    } catch (error) {
        const isDenied = error instanceof Refusal && error.status === 401;
        setText(byId("sign-in-fault"), isDenied ? "Name and password do not fit." : wordsFor(error));
        byId("password").select();
    } finally {
        button.removeAttribute("aria-disabled");
    }
}

/** Whether the cookie that was just given does not come back. */
async function isForgotten() {
    try {
        await ask("GET", "/session", { "Flotilla-Page": "1" });
        return false;
    } catch (error) {
        return error instanceof Refusal && error.status === 401;
    }
}

/** A few attempts over a node that goes away; what is refused is refused. */
async function sendPassword(name, password) {
    for (let attempt = 0; ; attempt += 1) {
        try {
            return await ask("POST", "/session", { Authorization: basic(name, password) });
        } catch (error) {
            if (attempt >= 5 || (error instanceof Refusal && !error.isPassing)) throw error;
            await new Promise((resolve) => setTimeout(resolve, 500 * (attempt + 1)));
        }
    }
}

async function signOut() {
    try {
        await patiently(() => ask("DELETE", "/session"));
    } catch { /* The page goes away all the same; the cookie ends by itself. */ }
    location.assign("/web/");
    location.reload();
}

export function prepareSession() {
    onSignedOut.call = () => signIn(
        account === null ? "" : "Your session has ended. Sign in again, and everything goes on.");
    byId("sign-in-form").addEventListener("submit", submit);
    // Without a session there is nothing behind the dialog to go back to.
    byId("sign-in").addEventListener("cancel", (event) => event.preventDefault());
    byId("sign-out").addEventListener("click", signOut);
}
