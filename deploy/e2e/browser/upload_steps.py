"""Uploads: chosen, dropped, paused, killed under, gone on with after the page was closed."""

import os
import signal

MIB = 1 << 20

DROP = """async ([names, size]) => {
    const transfer = new DataTransfer();
    for (const name of names) transfer.items.add(new File([new Uint8Array(size).fill(name.length)], name));
    for (const type of ["dragenter", "dragover", "drop"]) {
        document.querySelector("#entries, #emptiness").dispatchEvent(
            new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
        if (type === "dragover") window.coverWasSeen = !document.querySelector("#drop-cover").hidden;
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
}"""


def at_work(place):
    place.put("work/c.txt")
    return place.open(where="#/work/")


def state_of(place, page, name):
    return place.upload(page, name).get_attribute("data-state")


def wait_for_state(place, page, name, *states, seconds=60):
    place.wait_until(f"{name} to be {states}", lambda: state_of(place, page, name) in states, seconds)


def share_of(place, page, name):
    return place.upload(page, name).locator("progress").evaluate("bar => bar.value / bar.max")


def choosing(place):
    """upload: chosen files, an empty one, a folder with folders in it"""
    page = place.open()
    sources = [place.file("one.bin", 20 * MIB + 7), place.file("two ä.txt", 1234), place.file("empty.txt", 0)]
    page.set_input_files("#choose-files", sources)
    for source in sources:
        wait_for_state(place, page, os.path.basename(source), "done")
        place.check(place.same(source, os.path.basename(source)), f"{os.path.basename(source)} is there, whole")
    place.entry(page, "one.bin").wait_for()
    place.check(True, "and is shown without a reload")
    tree = [place.file(f"tree/{name}", 3000) for name in ("a.txt", "deep/b.txt", "deep/er/c.txt")]
    page.set_input_files("#choose-folder", os.path.dirname(tree[0]))
    for name in ("a.txt", "deep/b.txt", "deep/er/c.txt"):
        wait_for_state(place, page, f"tree/{name}", "done")
        place.check(place.same(os.path.join(place.told["scratch"], "tree", name), f"tree/{name}"),
                    f"tree/{name} is there, whole")
    place.entry(page, "tree").wait_for()
    page.click("#clear-uploads")
    page.wait_for_selector("#uploads", state="hidden")
    place.check(True, "what is done can be put away")


def dropping(place):
    """upload: files dropped on the page"""
    page = at_work(place)
    page.evaluate(DROP, [["dropped 1.txt", "dropped 22.txt"], 5000])
    place.check(page.evaluate("() => window.coverWasSeen"),
                "while files are held over the page, it says what will happen")
    for name in ("dropped 1.txt", "dropped 22.txt"):
        wait_for_state(place, page, name, "done")
        with open(place.on_mount(f"work/{name}"), "rb") as file:
            place.check(file.read() == bytes([len(name)]) * 5000, f"{name} is there, whole")
    place.check(page.is_hidden("#drop-cover"), "the cover is gone")


def existing_names(place):
    """upload: a name that is taken; replace and skip, one and all"""
    page = place.open(where="#/taken/")
    for number in range(4):
        place.put(f"taken/{number}.txt", b"old")
    sources = [place.file(f"{number}.txt", 100 + number) for number in range(4)]
    page.click("#refresh")
    page.set_input_files("#choose-files", sources)
    for number in range(4):
        wait_for_state(place, page, f"{number}.txt", "taken")
    with open(place.on_mount("taken/0.txt"), "rb") as file:
        place.check(file.read() == b"old", "nothing is replaced before somebody says so")
    place.button(page, "0.txt", "Replace").click()
    place.button(page, "1.txt", "Skip").click()
    wait_for_state(place, page, "0.txt", "done")
    wait_for_state(place, page, "1.txt", "skipped")
    page.click("#replace-all")
    for number in (2, 3):
        wait_for_state(place, page, f"{number}.txt", "done")
    there = [place.same(source, f"taken/{number}.txt") for number, source in enumerate(sources)]
    place.check(there == [True, False, True, True], "each is what was said", there)


def pausing(place):
    """upload: pause, resume, cancel"""
    page = at_work(place)
    source, other = place.file("paused.bin", 48 * MIB), place.file("cancelled.bin", 64 * MIB)
    place.slow_down(page, 6 * MIB)
    page.set_input_files("#choose-files", [source, other])
    place.wait_until("some of it to be sent", lambda: share_of(place, page, "paused.bin") > 0.15)
    place.button(page, "paused.bin", "Pause").click()
    wait_for_state(place, page, "paused.bin", "paused")
    before = share_of(place, page, "paused.bin")
    page.wait_for_timeout(1500)
    place.check(share_of(place, page, "paused.bin") == before, "what is paused stands still")
    place.button(page, "cancelled.bin", "Cancel").click()
    wait_for_state(place, page, "cancelled.bin", "cancelled")
    place.slow_down(page, -1)
    place.button(page, "paused.bin", "Resume").click()
    wait_for_state(place, page, "paused.bin", "done")
    place.check(place.same(source, "work/paused.bin"), "what was paused and resumed is there, whole")
    place.check(not os.path.exists(place.on_mount("work/cancelled.bin")), "what was cancelled is not")


def killing(place):
    """upload: the worker that receives is killed with -9 in the middle, three times"""
    page = at_work(place)
    source = place.file("survivor.bin", 64 * MIB)
    sent = []
    page.on("request", lambda request: sent.append(request.method))
    page.on("requestfailed", lambda request: sent.append(f"{request.method} failed: {request.failure}"))
    place.slow_down(page, 6 * MIB)
    page.set_input_files("#choose-files", source)
    page.set_input_files("#choose-files", [place.file(f"beside {n}.bin", 8 * MIB) for n in (1, 2)])
    for share in (0.15, 0.4, 0.65):
        place.wait_until("some of it to be sent", lambda share=share: share_of(place, page, "survivor.bin") > share, 60)
        if share == 0.15:
            place.picture(page, "uploads")
        worker = place.receiver(8 * MIB)
        place.kill(worker)
        place.say(f"killed {worker} at {share_of(place, page, 'survivor.bin'):.0%}")
    wait_for_state(place, page, "survivor.bin", "done", "failed", seconds=120)
    place.check(state_of(place, page, "survivor.bin") == "done", "the upload goes on at other workers")
    place.check(place.same(source, "work/survivor.bin"), "and the file has the right digest")
    place.check("HEAD" in sent, "at least once it had to ask how far it was", sent)
    for number in (1, 2):
        wait_for_state(place, page, f"beside {number}.bin", "done")
    place.wait_for_workers()


def hanging(place):
    """upload: the worker that receives is stopped in the middle, and hangs with the connection open"""
    page = at_work(place)
    source = place.file("patient.bin", 40 * MIB)
    place.slow_down(page, 8 * MIB)
    page.set_input_files("#choose-files", source)
    place.wait_until("some of it to be sent", lambda: share_of(place, page, "patient.bin") > 0.3, 60)
    worker = place.receiver(8 * MIB)
    pid = place.workers()[worker]["pid"]
    os.kill(pid, signal.SIGSTOP)
    place.say(f"stopped {worker} at {share_of(place, page, 'patient.bin'):.0%}")
    try:
        wait_for_state(place, page, "patient.bin", "done", "failed", seconds=90)
    finally:
        os.kill(pid, signal.SIGCONT)
    place.check(state_of(place, page, "patient.bin") == "done", "the upload goes on at another worker")
    place.check(place.same(source, "work/patient.bin"), "and the file has the right digest")
    place.wait_for_workers()


def coming_back(place):
    """upload: the page is closed in the middle; whoever comes back goes on where it was"""
    page = at_work(place)
    source = place.file("returning.bin", 40 * MIB)
    place.slow_down(page, 10 * MIB)
    page.set_input_files("#choose-files", source)
    place.wait_until("some of it to be sent", lambda: share_of(place, page, "returning.bin") > 0.5)
    page.close(run_before_unload=False)
    page = place.page_in(place.contexts[-1], "#/work/")
    page.wait_for_selector("#uploads:not([hidden])")
    place.check(state_of(place, page, "returning.bin") == "parked", "the page knows that something was interrupted")
    with page.expect_file_chooser() as chooser:
        place.button(page, "returning.bin", "Choose file").click()
    chooser.value.set_files(place.file("another.bin", 10))
    place.wait_until("a word", lambda: "another file" in place.upload(page, "returning.bin").text_content())
    place.check(True, "another file is not taken for it")
    offsets = []
    page.on("request", lambda request: request.method == "PATCH"
            and offsets.append(int(request.headers["upload-offset"])))
    with page.expect_file_chooser() as chooser:
        place.button(page, "returning.bin", "Choose file").click()
    chooser.value.set_files(source)
    wait_for_state(place, page, "returning.bin", "done")
    place.check(place.same(source, "work/returning.bin"), "the file is there, whole")
    place.check(min(offsets) >= 16 * MIB, "and what was there was not sent again", offsets)


STEPS = [choosing, dropping, existing_names, pausing, killing, hanging, coming_back]
