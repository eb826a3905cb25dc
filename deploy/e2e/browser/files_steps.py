"""Signing in, browsing, and what can be done with names."""

import os

from playwright.sync_api import TimeoutError

from place import digest_of

HOSTILE = [
    "<img src=x onerror=alert(1)>.txt", "\"><script>alert(2)<", "invoice\u202efdp.exe", "n" * 251 + ".txt",
    "ä" * 127, " space before", "100%41 #?&+;=.txt", "日本語.txt", "e\u0301.txt", "...",
]


def signing_in(place):
    """sign in: a wrong password, the right one, the cookie, a reload, signing out"""
    page = place.open(signed_in=False)
    page.wait_for_selector("#sign-in[open]")
    place.picture(page, "sign-in")
    page.fill("#name", place.told["account"])
    page.fill("#password", "not the password")
    page.click("#sign-in-go")
    page.wait_for_selector("#sign-in-fault:not(:empty)")
    place.check(page.text_content("#sign-in-fault") == "Name and password do not fit.", "a wrong password is refused")
    place.sign_in(page)
    [cookie] = page.context.cookies()
    place.check(cookie["httpOnly"] and cookie["sameSite"] == "Strict", "the session is a cookie that no script reads",
                cookie)
    place.check(page.evaluate("() => document.cookie") == "", "and none does")
    page.reload()
    page.wait_for_selector("#main:not([hidden])")
    place.check(page.is_hidden("#sign-in") and page.text_content("#account") == place.told["account"],
                "a reload asks for nothing")
    page.click("#sign-out")
    page.wait_for_selector("#sign-in[open]")
    place.check(page.context.cookies() == [], "signing out takes the cookie away")


def browsing(place):
    """browse: folders, breadcrumbs, a folder of 450 entries page by page"""
    for number in range(450):
        os.makedirs(place.on_mount("many"), exist_ok=True)
        with open(place.on_mount(f"many/{number:04d}.txt"), "wb"):
            pass
    place.put("in/2026/november/report.pdf", b"%PDF")
    page = place.open()
    for name in ("in", "2026", "november"):
        place.entry(page, name).locator("a.open").click()
        page.wait_for_function("name => document.querySelector('#here').textContent === name", arg=name)
    place.check(place.entry(page, "report.pdf").count() == 1, "three folders down is the file")
    crumbs = page.locator("#crumbs a").all_text_contents()
    place.check(crumbs == ["Home", "in", "2026"], "the way back is shown", crumbs)
    page.go_back()
    page.wait_for_function("() => document.querySelector('#here').textContent === '2026'")
    page.locator("#crumbs a").first.click()
    place.entry(page, "many").locator("a.open").click()
    page.wait_for_selector("#pages:not([hidden])")
    seen = []
    for number in (1, 2, 3):
        page.wait_for_function("n => document.querySelector('#page-number').textContent === `Page ${n}`", arg=number)
        seen += page.locator("#entries > li .open bdi").all_text_contents()
        if number < 3:
            page.click("#page-after")
    place.check(seen == [f"{number:04d}.txt" for number in range(450)], "each entry is on one page", len(seen))
    place.check(page.is_disabled("#page-after"), "the last page has no next one")
    page.goto(f"{place.told['files']}/web/#/nowhere/")
    page.wait_for_selector("#emptiness [role=alert]")
    place.check("not there" in page.text_content("#emptiness"), "a folder that is not there is said to be not there")


def hostile_names(place):
    """names of markup, turned directions, 255 bytes and no text at all"""
    for number, name in enumerate(HOSTILE):
        place.put(f"hostile/{name}", f"content {number}".encode())
    place.put(b"hostile/caf\xe9.txt", b"latin")
    place.put(b"hostile/\xff\xfe", b"no text")
    page = place.open(where="#/hostile/")
    page.wait_for_selector("#entries:not([hidden])")
    shown = page.locator("#entries .open bdi").all_text_contents()
    place.check(len(shown) == len(HOSTILE) + 2, "each has its line", shown)
    place.check(page.locator("#entries img, #entries script").count() == 0, "and none is markup")
    place.check("invoice⟨U+202E⟩fdp.exe" in shown, "what turns the direction is shown as its number", shown)
    place.check("“ space before”" in shown, "a space before is seen")
    contents = [b"latin", b"no text", *(f"content {number}".encode() for number in range(len(HOSTILE)))]
    links = page.locator("#entries a.open")
    wrong = [number for number in range(links.count()) if fetched(page, links.nth(number)) not in contents]
    place.check(not wrong, "each can be fetched", wrong)
    line = place.entry(page, "caf\ufffd.txt")
    line.get_by_title("Rename or move").click()
    page.fill("#dialog [name=place]", "/hostile/below")
    page.click("#dialog .main")
    page.wait_for_function("() => document.querySelector('#dialog-fault').textContent !== ''")
    place.check("The folder is not there any more." in page.text_content("#dialog-fault"),
                "a folder that is not there is named before anything happens")
    page.fill("#dialog [name=place]", "/")
    page.click("#dialog .main")
    page.wait_for_selector("#dialog", state="hidden")
    place.check(os.path.exists(place.on_mount(b"caf\xe9.txt")), "a name that is no text keeps its bytes when it moves")
    for name in shown:
        if name == "caf\ufffd.txt":
            continue
        place.entry(page, name).get_by_title("Delete").click()
        page.click("#dialog .danger")
        page.wait_for_selector("#dialog", state="hidden")
    page.wait_for_selector("#emptiness .empty")
    place.check(os.listdir(place.on_mount("hostile")) == [], "each can be deleted")


def fetched(page, link):
    """What a link gives; asked twice, since the browser lets no more than some downloads begin in a row."""
    for seconds in (3, 20):
        try:
            with page.expect_download(timeout=seconds * 1000) as download:
                link.click()
            with open(download.value.path(), "rb") as file:
                return file.read()
        except TimeoutError:
            continue
    return None


def changing(place):
    """new folder, rename, move, delete; what cannot be, and where the focus goes"""
    place.put("work/a.txt", b"a")
    place.put("work/b.txt", b"b")
    place.put("work/c.txt", b"c")
    page = place.open(where="#/work/")
    page.click("#new-folder")
    for name, fault in (("..", "cannot be names"), ("x/y", "slash"), ("é" * 128, "255"), ("a.txt", "there already")):
        page.fill("#dialog input", name)
        page.press("#dialog input", "Enter")
        page.wait_for_function("f => document.querySelector('#dialog-fault').textContent.includes(f)", arg=fault)
    place.check(True, "names that cannot be are refused with a reason, and the dialog stays")
    page.fill("#dialog input", "done")
    page.press("#dialog input", "Enter")
    place.entry(page, "done").wait_for()
    place.check(os.path.isdir(place.on_mount("work/done")), "a folder is made")
    place.check(focused(page) == "done", "and has the focus", focused(page))
    place.entry(page, "a.txt").get_by_title("Rename or move").click()
    page.fill("#dialog [name=name]", "z.txt")
    page.press("#dialog [name=name]", "Enter")
    place.entry(page, "z.txt").wait_for()
    place.check(os.path.exists(place.on_mount("work/z.txt")) and focused(page) == "z.txt", "a file is renamed",
                focused(page))
    place.entry(page, "z.txt").get_by_title("Rename or move").click()
    page.fill("#dialog [name=name]", "b.txt")
    page.press("#dialog [name=name]", "Enter")
    page.wait_for_function("() => document.querySelector('#dialog-fault').textContent.includes('there already')")
    place.check(open_text(place, "work/b.txt") == b"b", "nothing is replaced by a rename")
    page.fill("#dialog [name=name]", "z.txt")
    page.fill("#dialog [name=place]", "/work/done")
    page.press("#dialog [name=place]", "Enter")
    place.entry(page, "z.txt").wait_for(state="detached")
    place.check(open_text(place, "work/done/z.txt") == b"a", "a file is moved")
    place.entry(page, "b.txt").get_by_title("Delete").click()
    page.keyboard.press("Escape")
    place.check(os.path.exists(place.on_mount("work/b.txt")), "Escape deletes nothing")
    place.entry(page, "b.txt").get_by_title("Delete").click()
    page.click("#dialog .danger")
    place.entry(page, "b.txt").wait_for(state="detached")
    place.check(focused(page) == "c.txt", "after a deletion the next entry has the focus", focused(page))
    place.entry(page, "done").get_by_title("Delete").click()
    page.click("#dialog .danger")
    place.entry(page, "done").wait_for(state="detached")
    place.check(not os.path.exists(place.on_mount("work/done")), "a folder goes with what is in it")


def downloading(place):
    """download: a plain link, whole and with its name"""
    source = place.file("down.bin", 9_000_001)
    with open(source, "rb") as file:
        place.put("work/down load.bin", file.read())
    page = place.open(where="#/work/")
    with page.expect_download() as download:
        place.entry(page, "down load.bin").locator("a.open").click()
    place.check(download.value.suggested_filename == "down load.bin", "the file has its name",
                download.value.suggested_filename)
    place.check(digest_of(download.value.path()) == digest_of(source), "and its content")
    os.unlink(place.on_mount("work/down load.bin"))
    place.entry(page, "down load.bin").locator("a.open").click()
    page.wait_for_selector("#notices .error")
    place.check("not there any more" in page.text_content("#notices"), "a file that has gone is said to have gone")


def focused(page):
    """The entry that has the focus."""
    return page.evaluate("() => document.activeElement.closest('#entries .open')?.textContent")


def open_text(place, name):
    with open(place.on_mount(name), "rb") as file:
        return file.read()


STEPS = [signing_in, browsing, hostile_names, changing, downloading]
