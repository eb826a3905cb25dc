"""The cluster and the browser, as the steps see them."""

import hashlib
import json
import os
import random
import re
import signal
import time
import urllib.error
import urllib.parse
import urllib.request
from base64 import b64encode


def digest_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Place:
    def __init__(self, told):
        self.told = told
        self.lots = random.Random(told["seed"])
        self.home = os.path.join(told["mount"], "homes", told["account"])
        self.password = told["password"]
        self.browser = None
        self.contexts = []
        self.faults = []
        self.pages = []
        self.sessions = {}

    # What is told.

    def say(self, text):
        print(f"say\t{text}", flush=True)

    def check(self, holds, text, detail=""):
        more = f": {detail}" if detail and not holds else ""
        print(f"{'ok' if holds else 'no'}\t{text}{more}", flush=True)

    def picture(self, page, name):
        page.screenshot(path=os.path.join(self.told["pictures"], f"{name}.png"))

    def picture_of_failure(self, step):
        for number, page in enumerate(self.pages):
            try:
                page.screenshot(path=os.path.join(self.told["scratch"], f"failed-{step}-{number}.png"))
            except Exception:  # The page may be gone, which the finding says already.
                pass

    # The browser.

    def open(self, signed_in=True, where="", **settings):
        """A new window of its own, with nothing remembered; signed in unless told otherwise."""
        context = self.browser.new_context(**{"viewport": {"width": 1000, "height": 720}, **settings})
        context.set_default_timeout(20_000)
        self.contexts.append(context)
        page = self.page_in(context, where)
        if signed_in:
            self.sign_in(page)
        return page

    def page_in(self, context, where=""):
        page = context.new_page()
        self.pages.append(page)
        page.on("pageerror", lambda error: self.faults.append(f"error in the page: {error}"))
        page.on("console", lambda said: "Content Security" in said.text and self.faults.append(said.text))
        page.on("dialog", lambda dialog: self.refuse(dialog))
        page.goto(f"{self.told['files']}/web/{where}")
        return page

    def refuse(self, dialog):
        if dialog.type != "beforeunload":
            self.faults.append(f"a window opened: {dialog.message}")
        dialog.accept()

    def sign_in(self, page):
        page.fill("#name", self.told["account"])
        page.fill("#password", self.password)
        page.press("#password", "Enter")
        page.wait_for_selector("#main:not([hidden])")
        page.wait_for_selector("#entries:not([hidden]), #emptiness > *")

    def close(self):
        for context in self.contexts:
            context.close()
        self.contexts, self.pages, self.sessions = [], [], {}
        if self.faults:
            self.check(False, "the page makes no errors", self.faults[:3])
        self.faults = []

    def slow_down(self, page, bytes_a_second):
        """So that there is time to do something in the middle of an upload; -1 for as fast as it goes."""
        if page not in self.sessions:
            self.sessions[page] = page.context.new_cdp_session(page)
        self.sessions[page].send("Network.emulateNetworkConditions", {
            "offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes_a_second})

    def entry(self, page, name):
        """The line of an entry."""
        return page.locator("#entries > li").filter(has=page.locator(".open").get_by_text(name, exact=True))

    def upload(self, page, name):
        return page.locator("#upload-list > li").filter(has=page.locator(".name").get_by_text(name, exact=True))

    def button(self, page, name, word):
        """What can be done with an upload."""
        return self.upload(page, name).get_by_role("button", name=f"{word}: {name}", exact=True)

    def wait_until(self, what, condition, seconds=30):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(f"waited {seconds} s in vain for {what}")
            time.sleep(0.05)

    # The device's files, and those on the mount.

    def file(self, name, size):
        path = os.path.join(self.told["scratch"], name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            for start in range(0, size, 1 << 20):
                file.write(self.lots.randbytes(min(1 << 20, size - start)))
        return path

    def on_mount(self, name):
        return os.path.join(os.fsencode(self.home), name if isinstance(name, bytes) else name.encode())

    def same(self, source, name):
        there = self.on_mount(name)
        return os.path.exists(there) and digest_of(there) == digest_of(source)

    def put(self, name, content=b"content"):
        """Straight by HTTP, whatever bytes the name has."""
        name = name if isinstance(name, bytes) else name.encode()
        self.request("PUT", f"{self.told['files']}/files/{urllib.parse.quote(name)}?parents=true", content, "Basic "
                     + b64encode(f"{self.told['account']}:{self.password}".encode()).decode())

    def admin(self, method, path, body=None):
        content = None if body is None else json.dumps(body).encode()
        return json.loads(self.request(
            method, f"{self.told['admin']}/api/v1/{path}", content, f"Bearer {self.told['token']}") or b"null")

    def request(self, method, url, content, authorization):
        end = time.monotonic() + 30
        while True:
            request = urllib.request.Request(url, data=content, method=method)
            request.add_header("Authorization", authorization)
            request.add_header("Content-Type", "application/json")
            try:
                with urllib.request.urlopen(request, timeout=15) as answer:
                    return answer.read()
            except urllib.error.HTTPError as error:
                if error.code < 500 or time.monotonic() > end:
                    raise RuntimeError(f"{method} {url}: {error.code} {error.read()[:300]}") from error
            except OSError:
                if time.monotonic() > end:
                    raise
            time.sleep(0.2)

    # The workers.

    def workers(self):
        with open(os.path.join(self.told["cluster"], "status.json"), encoding="utf-8") as file:
            return {row["name"]: row for row in json.load(file)["rows"] if row["name"].startswith("worker-")}

    def receiver(self, piece):
        """The worker that is just writing a piece of so many bytes to an upload: some of it is there, and not all."""
        nodes = {str(node["incarnation"]): node["name"] for node in self.admin("GET", "nodes")["items"]}
        before = self.segments()
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            now = self.segments()
            for path, size in now.items():
                if size % piece and size > before.get(path, 0):
                    return nodes[os.path.basename(os.path.dirname(path))[1:]]
            before = now
        raise AssertionError("no worker was seen in the middle of a piece within 30 s")

    def segments(self):
        """Path and size of all that waits in staging of uploads that go on."""
        staging = os.path.join(self.told["mount"], ".flotilla", "staging")
        found = {}
        for name in os.listdir(staging):
            if not re.fullmatch(r"u\d+", name):
                continue
            for entry in os.scandir(os.path.join(staging, name)):
                try:
                    found[entry.path] = entry.stat().st_size
                except FileNotFoundError:
                    continue
        return found

    def kill(self, worker):
        os.kill(self.workers()[worker]["pid"], signal.SIGKILL)

    def wait_for_workers(self):
        self.wait_until("all workers to be ready", lambda: all(
            row["state"] == "ready" for row in self.workers().values()), 60)
