"""Those who have no mouse, a small screen, a dark room; whose session ends; whose servers go away."""

import os
import secrets
import signal

from files_steps import focused
from upload_steps import MIB, at_work, share_of, wait_for_state

CONTRAST = """() => {
    const style = getComputedStyle(document.documentElement);
    const light = (name) => {
        const hex = style.getPropertyValue(name).trim().slice(1);
        const parts = [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
            .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
    };
    const pairs = [["text", "back"], ["text", "sheet"], ["text", "hover"], ["soft", "back"], ["soft", "sheet"],
        ["soft", "hover"], ["main", "back"], ["on-main", "main"], ["on-danger", "danger"], ["warn", "warn-back"],
        ["warn", "sheet"], ["bad", "bad-back"], ["bad", "sheet"], ["good", "good-back"], ["good", "sheet"]];
    return pairs.map(([one, other]) => {
        const [a, b] = [light(`--${one}`), light(`--${other}`)];
        return [`${one} on ${other}`, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
    }).filter(([, contrast]) => contrast < 4.5);
}"""

NAMELESS = """() => [...document.querySelectorAll("button, input:not([hidden]), a, progress")].filter(
    (element) => element.checkVisibility() && !(element.getAttribute("aria-label") || element.textContent.trim()
        || element.labels?.length)).map((element) => element.outerHTML)"""


def keys_only(place):
    """by keyboard alone: sign in, make, open, upload, rename, delete, sign out"""
    place.put("keys/a.txt", b"a")
    place.put("keys/b.txt", b"b")
    page = place.open(signed_in=False)
    page.wait_for_selector("#sign-in[open]")
    press = page.keyboard.press
    page.keyboard.type(place.told["account"])
    press("Tab")
    page.keyboard.type(place.password)
    press("Enter")
    page.wait_for_selector("#entries:not([hidden])")
    place.check(page.evaluate("() => document.activeElement.id") == "here",
                "after signing in, the folder has the focus")
    reach(page, lambda: (focused(page) or "") != "")
    for _ in range(60):
        if focused(page) == "keys":
            break
        press("ArrowDown")
    press("Enter")
    page.wait_for_function("() => document.querySelector('#here').textContent === 'keys'")
    place.entry(page, "a.txt").wait_for()
    reach(page, lambda: page.evaluate("() => document.activeElement.id") == "new-folder")
    press("Enter")
    page.keyboard.type("made by keys")
    press("Enter")
    place.entry(page, "made by keys").wait_for()
    press("Home")
    place.check(focused(page) == "a.txt", "Home goes to the first entry", focused(page))
    press("F2")
    page.wait_for_selector("#dialog[open]")
    page.keyboard.type("renamed")
    press("Enter")
    place.entry(page, "renamed.txt").wait_for()
    place.check(os.path.exists(place.on_mount("keys/renamed.txt")), "F2 renames, and the type stays as it was")
    press("Delete")
    page.wait_for_selector("#dialog[open]")
    place.check(page.evaluate("() => document.activeElement.textContent") == "Cancel",
                "Cancel is what Enter would press")
    press("Tab")
    press("Enter")
    place.entry(page, "renamed.txt").wait_for(state="detached")
    place.check(not os.path.exists(place.on_mount("keys/renamed.txt")), "Delete deletes, when it is confirmed")
    with page.expect_file_chooser() as chooser:
        reach(page, lambda: page.evaluate("() => document.activeElement.id") == "upload-files")
        press("Enter")
    chooser.value.set_files(place.file("by keys.txt", 100))
    wait_for_state(place, page, "by keys.txt", "done")
    place.entry(page, "by keys.txt").wait_for()
    reach(page, lambda: focused(page) == "b.txt")
    press("Backspace")
    page.wait_for_function("() => document.querySelector('#here').textContent === 'Home'")
    nameless = page.evaluate(NAMELESS)
    place.check(nameless == [], "whatever can be used has a name", nameless)
    reach(page, lambda: page.evaluate("() => document.activeElement.id") == "sign-out")
    press("Enter")
    page.wait_for_selector("#sign-in[open]")
    place.check(True, "all of it without a mouse")


def reach(page, condition):
    """Goes on with Tab until it is there."""
    for _ in range(400):
        if condition():
            return
        page.keyboard.press("Tab")
    raise TimeoutError("Tab does not get there")


def telephone(place):
    """on a telephone, 360 wide, and in the dark"""
    for name in ("Delivery note 2026-11-23.pdf", "orders.csv", "photos/x.jpg"):
        place.put(f"phone/{name}", os.urandom(70_000))
    place.put(f"phone/{'a-name-that-does-not-end-' * 6}.txt")
    page = place.open(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True, where="#/phone/")
    page.set_input_files("#choose-files", place.file("photo.jpg", 2 * MIB))
    wait_for_state(place, page, "photo.jpg", "done")
    place.entry(page, "photo.jpg").wait_for()
    wide = page.evaluate("() => document.documentElement.scrollWidth")
    place.check(wide <= 360, "nothing is wider than the screen", wide)
    small = page.locator("#entries button, .tools button").evaluate_all(
        "all => all.filter((one) => one.getBoundingClientRect().height < 40 || one.getBoundingClientRect().width < 36)"
        ".map((one) => one.outerHTML)")
    place.check(small == [], "what is to be touched is large enough", small)
    place.entry(page, "orders.csv").get_by_title("Rename or move").tap()
    page.fill("#dialog [name=name]", "orders 2.csv")
    page.tap("#dialog .main")
    place.entry(page, "orders 2.csv").wait_for()
    page.tap("#clear-uploads")
    page.wait_for_selector("#uploads", state="hidden")
    page.evaluate("() => window.scrollTo(0, 0)")
    page.wait_for_timeout(500)  # What was touched shines for a moment.
    place.picture(page, "phone")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        weak = page.evaluate(CONTRAST)
        place.check(weak == [], f"texts stand out in {scheme} colours, 4.5 to 1 at least", weak)
    place.picture(page, "phone-dark")


def session_ends(place):
    """the password is changed in the middle of an upload; it goes on after signing in again"""
    page = at_work(place)
    source = place.file("locked.bin", 48 * MIB)
    place.slow_down(page, 8 * MIB)
    page.set_input_files("#choose-files", source)
    place.wait_until("some of it to be sent", lambda: share_of(place, page, "locked.bin") > 0.2)
    place.password = secrets.token_urlsafe(12)
    place.admin("PATCH", f"accounts/{place.told['account']}", {"password": place.password})
    page.wait_for_selector("#sign-in[open]", timeout=20_000)
    wait_for_state(place, page, "locked.bin", "locked")
    place.check(True, "the upload waits")
    place.check("session has ended" in page.text_content("#sign-in-reason"), "and the page says why")
    place.check(page.input_value("#name") == place.told["account"], "the account is filled in")
    place.slow_down(page, -1)
    place.sign_in(page)
    wait_for_state(place, page, "locked.bin", "done")
    place.check(place.same(source, "work/locked.bin"), "the file is there, whole")


def nobody_there(place):
    """all workers are killed while somebody looks at a folder"""
    page = at_work(place)
    for row in place.workers().values():
        os.kill(row["pid"], signal.SIGKILL)
    page.click("#refresh")
    page.wait_for_selector("#trouble:not([hidden])")
    place.check(True, "the page says that it tries again")
    page.wait_for_selector("#trouble", state="hidden", timeout=60_000)
    place.entry(page, "c.txt").wait_for()
    place.check(True, "and shows the folder as soon as somebody answers")
    place.wait_for_workers()


def picture(place):
    """a picture for the documentation"""
    for name, size in (("contracts/x", 1), ("invoices/x", 1), ("Annual report 2026.pdf", 4_213_377),
                       ("catalogue.zip", 12_400_512), ("orders-2026-11-23.csv", 88_214), ("prices.xlsx", 312_004),
                       ("Größentabelle.pdf", 702_113), ("<b>not bold.txt", 64)):
        place.put(f"shop/{name}", os.urandom(size))
    page = place.open(where="#/shop/", viewport={"width": 900, "height": 620})
    place.entry(page, "catalogue.zip").wait_for()
    place.picture(page, "folder")


STEPS = [keys_only, telephone, session_ends, nobody_there, picture]
