"""Clients: curl for files, exactly as a partner would call it, and plain JSON over HTTP for the admin port."""

import base64
import json
import os
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

from report import Stop


class Answer:
    def __init__(self, status, body, tries, seconds, complaint):
        self.status = status
        self.body = body
        self.tries = tries
        self.seconds = seconds
        self.complaint = complaint

    @property
    def json(self):
        try:
            return json.loads(self.body)
        except ValueError:
            return {}

    def __str__(self):
        return f"status {self.status} after {self.tries} tries: {self.complaint or self.body[:300]}"


class Files:
    """An account's way to its files.

    No --fail: curl itself retries 408, 429 and 5xx, and with --retry-all-errors what the network does; any other 4xx
    is an answer and is not retried.
    """

    ONCE = ["--max-time", "900"]
    RETRY = ["--retry", "60", "--retry-all-errors", "--retry-delay", "1", "--retry-max-time", "300", *ONCE]

    def __init__(self, url, account, password, scratch):
        self.url = url.rstrip("/")
        self.account = account
        self.password = password
        self.scratch = scratch

    @property
    def authorization(self):
        return "Basic " + base64.b64encode(f"{self.account}:{self.password}".encode()).decode()

    def at(self, url):
        return Files(url, self.account, self.password, self.scratch)

    def address(self, name, query=""):
        return f"{self.url}/files/{urllib.parse.quote(os.fsencode(name))}{query}"

    def put(self, source, name, retry=True, rate=None):
        limit = ["--limit-rate", str(rate)] if rate else []
        return self.curl(["--upload-file", source, *limit, self.address(name, "?parents=true")], retry)

    def get(self, name, into, retry=True):
        return self.curl([self.address(name)], retry, into)

    def call(self, method, name, *headers, query=""):
        given = [word for header in headers for word in ("--header", header)]
        return self.curl(["--request", method, *given, self.address(name, query)], True)

    def curl(self, arguments, retry, into=None):
        handle, body = (None, into) if into else tempfile.mkstemp(dir=self.scratch)
        if handle is not None:
            os.close(handle)
        command = ["curl", "--no-progress-meter", "--config", "-", "--output", body, "--write-out", "%{http_code}"]
        started = time.monotonic()
        run = subprocess.run(
            command + (self.RETRY if retry else self.ONCE) + arguments,
            input=f'user = "{self.account}:{self.password}"\n', capture_output=True, text=True, check=False)
        seconds = time.monotonic() - started
        text = ""
        if not into:
            with open(body, encoding="utf-8", errors="replace") as file:
                text = file.read()
            os.unlink(body)
        status = int(run.stdout[-3:] or 0) if run.returncode == 0 else 0
        tries = 1 + run.stderr.count("ill retry")
        complaint = "" if run.returncode == 0 else f"curl {run.returncode}: {run.stderr.strip()[-200:]}"
        return Answer(status, text, tries, seconds, complaint)


class Admin:
    """The admin REST interface.

    A connection that fails is tried again for a while: a worker behind it may just have died.
    """

    def __init__(self, url, token):
        self.url = url.rstrip("/")
        self.token = token

    def get(self, path, **query):
        return self.request("GET", path, None, query)

    def post(self, path, body):
        return self.request("POST", path, body, {})

    def request(self, method, path, body, query, seconds=30, **headers):
        url = f"{self.url}/api/v1/{path}"
        if query:
            url += "?" + urllib.parse.urlencode(query)
        data = None if body is None else json.dumps(body).encode()
        end = time.monotonic() + seconds
        while True:
            request = urllib.request.Request(url, data=data, method=method)
            request.add_header("Authorization", f"Bearer {self.token}")
            request.add_header("Content-Type", "application/json")
            for name, value in headers.items():
                request.add_header(name, urllib.parse.quote(value, safe="/"))
            try:
                with urllib.request.urlopen(request, timeout=15) as answer:
                    return json.loads(answer.read() or b"null")
            except urllib.error.HTTPError as error:
                text = error.read().decode(errors="replace")[:400]
                if error.code < 500 or time.monotonic() > end:
                    raise Stop(f"{method} {url}: {error.code} {text}") from error
            except (OSError, ValueError) as error:
                if time.monotonic() > end:
                    raise Stop(f"{method} {url}: {error}") from error
            time.sleep(0.3)

    def pages(self, path, **query):
        """All items of a list, page after page."""
        items, cursor = [], None
        while True:
            page = self.get(path, limit=500, **query, **({"cursor": cursor} if cursor else {}))
            items += page["items"]
            cursor = page.get("next")
            if not cursor:
                return items

    def nodes(self):
        return self.get("nodes")["items"]
