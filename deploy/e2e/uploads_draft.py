"""The IETF draft of resumable uploads with curl: one request when nothing happens, else as often as it takes."""

import os
import re
import time

from report import Stop

SECONDS = 180


class DraftUpload:
    """One file. `place` and `told` are what the server said last."""

    def __init__(self, files, source, name, interop, rate):
        self.files, self.source, self.name, self.interop, self.rate = files, source, name, interop, rate
        self.size = os.path.getsize(source)
        self.place, self.told, self.tries, self.wrong = None, 0, 0, []
        self.heads = f"{source}.heads"

    def request(self, method, address, *headers, body=None):
        """Status and head fields of the last answer; 0 when there was none. Also learns of a place from a 104."""
        self.tries += 1
        with open(self.heads, "wb"):
            pass  # Of this request only.
        words = ["--dump-header", self.heads, "--header", f"Upload-Draft-Interop-Version: {self.interop}"]
        for header in headers:
            words += ["--header", header]
        if body:
            words += ["--upload-file", body, "--limit-rate", str(self.rate)]
        words += ["--head"] if method == "HEAD" else ["--request", method]
        answer = self.files.curl([*words, address], False)
        with open(self.heads, encoding="latin-1") as file:
            blocks = [block for block in re.split(r"\r?\n\r?\n", file.read()) if block.strip()]
        fields = {}
        for block in blocks:
            fields = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in block.splitlines()[1:]}
            self.place = self.place or fields.get("location")
        return answer, fields

    def run(self):
        """The upload's id, told that it is complete."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            if self.place is None:
                done = self.begin()
            else:
                done = self.go_on()
            if done:
                return self.place.rpartition("/")[2] if self.place else done
            time.sleep(0.4)
        raise Stop(f"the draft's upload of {self.name} did not end in {SECONDS} s, told {self.told}")

    def begin(self):
        answer, _ = self.request(
            "PUT", self.files.address(self.name, "?parents=true"), "Upload-Complete: ?1", body=self.source)
        if answer.status in (200, 201):
            return answer.json.get("transfer_id")
        if 400 <= answer.status < 500 and answer.status not in (408, 409, 423, 429):
            raise Stop(f"the draft's upload of {self.name}: {answer}")
        return None

    def go_on(self):
        address = self.files.url + self.place[self.place.index("/uploads/"):]
        answer, fields = self.request("HEAD", address)
        if answer.status != 204:
            if answer.status in (404, 410):
                raise Stop(f"{self.place} is gone: {answer}")
            return None
        offset = int(fields["upload-offset"])
        if offset < self.told:
            self.wrong.append(f"told {self.told}, and then {offset}")
        self.told = max(self.told, offset)
        if fields.get("upload-complete") == "?1":
            return self.place
        rest = f"{self.source}.rest"
        with open(self.source, "rb") as whole, open(rest, "wb") as file:
            whole.seek(offset)
            file.write(whole.read())
        answer, fields = self.request(
            "PATCH", address, "Content-Type: application/partial-upload", f"Upload-Offset: {offset}",
            "Upload-Complete: ?1", body=rest)
        return self.place if answer.status in (200, 201, 204) else None
