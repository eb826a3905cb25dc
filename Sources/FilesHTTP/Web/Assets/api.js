// Asking the server. A node may go away at any moment: what can be asked again is asked again, somewhere else.

import { setHidden, setText, byId, sleep } from "./dom.js";

/** Where an answer has no document: to HEAD, and from a balancer that found nobody. */
const bare = { 401: "unauthorized", 404: "not-found", 502: "not-serving", 503: "not-serving", 504: "not-serving" };

/** What the server refused, as its problem document says it. */
export class Refusal extends Error {
    constructor(status, problem, retryAfter) {
        super(problem.detail || problem.title || `the server answered ${status}`);
        this.status = status;
        this.type = (problem.type || bare[status] || "").replace("urn:flotilla:problem:", "");
        this.title = problem.title || `The server answered ${status}`;
        this.detail = problem.detail || "";
        /** Seconds, or null. */
        this.retryAfter = retryAfter;
    }

    /** Nothing is wrong with the request; another node, or a little later, may do it. */
    get isPassing() {
        return [408, 423, 429, 500, 502, 503, 504].includes(this.status);
    }
}

/** No answer came. Whether the request was carried out is not known. */
export class Unreachable extends Error {}

const inWords = {
    "account-busy": "Too much is under way for this account at once.",
    "busy": "Somebody else is changing this at the moment.",
    "changed": "It was changed by somebody else meanwhile.",
    "exists": "Something with this name is there already.",
    "failed": "Something went wrong on the server.",
    "forbidden-link": "This is a link, or behind one; links are not followed.",
    "full": "There is no space left on the server.",
    "is-folder": "There is a folder with this name.",
    "malformed-path": "This name cannot be used.",
    "not-found": "It is not there any more.",
    "not-serving": "The server cannot take this at the moment.",
    "parent-missing": "The folder is not there any more.",
    "read-only": "The files on the server cannot be changed at the moment.",
    "too-busy": "The server has too much to do at the moment.",
    "too-many-attempts": "Too many are signing in at the moment.",
    "unauthorized": "Name and password do not fit, or the session has ended.",
    "upload-ended": "The server has ended this upload.",
};

/** What went wrong, for people. */
export function wordsFor(error) {
    if (error instanceof Unreachable) return "The server cannot be reached.";
    if (!(error instanceof Refusal)) return `Something went wrong in this page: ${error.message}`;
    const words = inWords[error.type] ?? `${error.title}.`;
    // A gateway's own page says nothing to people.
    return error.detail && error.type !== "unauthorized" ? `${words} (${error.detail})` : words;
}

export function refusalOf(status, header, text) {
    let problem = {};
    try {
        problem = JSON.parse(text) ?? {};
    } catch { /* A balancer's page, or nothing. */ }
    const after = Number.parseInt(header("Retry-After") ?? "", 10);
    return new Refusal(status, problem, Number.isFinite(after) ? Math.min(after, 30) : null);
}

/** Whom this page shows. The browser has one session for all its pages: with another one's, nothing of this page is done. */
export const signedIn = { account: "1" };

export const pageHeader = () => ({ "Flotilla-Page": signedIn.account });

/** Sends one request and waits for its whole answer: `{status, headers, text}`, or throws. */
export async function ask(method, address, headers = {}, seconds = 15) {
    const given = new AbortController();
    const timer = setTimeout(() => given.abort(), seconds * 1000);
    let answer, text;
    try {
        answer = await fetch(address, {
            method, headers: { ...pageHeader(), ...headers }, credentials: "same-origin", cache: "no-store",
            signal: given.signal,
        });
        text = await answer.text();
    } catch (error) {
        throw new Unreachable(error.message);
    } finally {
        clearTimeout(timer);
    }
    if (!answer.ok) throw refusalOf(answer.status, (name) => answer.headers.get(name), text);
    return { status: answer.status, headers: answer.headers, text };
}

/** How long to wait before the next attempt, in seconds; a little at random, so that not all come back at once. */
export function pauseBefore(attempt, retryAfter) {
    const pause = Math.min(0.3 * 2 ** attempt, 5);
    return Math.max(pause * (0.75 + Math.random() / 2), retryAfter ?? 0);
}

const patience = 40;
let troubled = 0;

/** What to do when the session has ended; answers when somebody has signed in again. Set by the session's part. */
export const onSignedOut = { call: async () => {} };

/**
 * Carries out something that may be asked again, until it is done or refused for good, or for 40 seconds.
 *
 * `action` is told whether an earlier attempt may have been carried out without anybody hearing of it.
 */
export async function patiently(action) {
    const end = performance.now() + patience * 1000;
    let unheard = false;
    let inTrouble = false;
    try {
        for (let attempt = 0; ; attempt += 1) {
            try {
                return await action(unheard);
            } catch (error) {
                if (error instanceof Refusal && error.status === 401) {
                    await onSignedOut.call();
                    continue;
                }
                if (!(error instanceof Unreachable) && !(error instanceof Refusal && error.isPassing)) throw error;
                // A change that was decided and not seen to its end is answered 503 too.
                unheard ||= error instanceof Unreachable || error.status >= 500;
                const pause = pauseBefore(attempt, error.retryAfter);
                if (performance.now() + pause * 1000 > end) throw error;
                if (!inTrouble && attempt > 0) {
                    inTrouble = true;
                    tell(+1);
                }
                await sleep(pause);
            }
        }
    } finally {
        if (inTrouble) tell(-1);
    }
}

/** While anything waits for the server, the page says so. */
function tell(change) {
    troubled += change;
    setText(byId("trouble"), troubled > 0 ? "The server does not answer as it should; trying again…" : "");
    setHidden(byId("trouble"), troubled === 0);
}
