"""A tus 1.0 client that counts what it sends, at a pace; it retries as the usual clients do."""

import base64
import http.client
import socket
import time

from errors import Stop

PIECE = 8 << 20
SLICE = 256 << 10
# What the usual clients do: a dozen attempts, each a little later.
ATTEMPTS, PAUSE = 24, 0.4
PASSING = {409, 423, 500, 502, 503, 504}


class TusUpload:
    """`sent` counts the bodies' bytes that were handed to the system, again or not."""

    def __init__(self, host, port, authorization, bytes_per_second, between):
        self.host, self.port, self.between = host, port, between
        self.headers = {"Authorization": authorization, "Tus-Resumable": "1.0.0"}
        self.rate = bytes_per_second
        self.sent = 0

    def run(self, path, body):
        """Answers the SHA-256 that the server told for the whole; nothing when that answer was lost."""
        answer = self.until("POST", path, {"Upload-Length": str(len(body)), "Content-Length": "0"}, {201})
        location = answer.getheader("Location")
        offset = 0
        failures = 0
        while True:
            piece = memoryview(body)[offset:offset + PIECE]
            try:
                answer = self.patch(location, offset, piece)
                if answer.status == 204:
                    offset, failures = int(answer.getheader("Upload-Offset")), 0
                    if offset == len(body):
                        return digest_of(answer)
                    continue
                if answer.status not in PASSING:
                    raise Stop(f"PATCH {location} at {offset}: {answer.status} {answer.text}")
            except (OSError, http.client.HTTPException):
                pass
            failures += 1
            if failures > ATTEMPTS:
                raise Stop(f"PATCH {location} at {offset}: given up after {failures} attempts")
            time.sleep(PAUSE)
            answer = self.until("HEAD", location, {}, {200, 204})
            offset = int(answer.getheader("Upload-Offset"))
            if offset == len(body):
                return digest_of(answer)

    def until(self, method, path, headers, wanted):
        """Again while it is refused for passing reasons."""
        last = None
        for _ in range(ATTEMPTS):
            try:
                connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
                connection.request(method, path, headers={**self.headers, **headers})
                answer = self.read(connection)
                if answer.status in wanted:
                    return answer
                if answer.status not in PASSING:
                    raise Stop(f"{method} {path}: {answer.status} {answer.text}")
                last = answer.status
            except (OSError, http.client.HTTPException) as error:
                last = error
            time.sleep(PAUSE)
        raise Stop(f"{method} {path}: given up after {ATTEMPTS} attempts: {last}")

    def patch(self, path, offset, piece):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        connection.putrequest("PATCH", path)
        for name, value in {**self.headers, "Upload-Offset": offset, "Content-Length": len(piece),
                            "Content-Type": "application/offset+octet-stream"}.items():
            connection.putheader(name, value)
        connection.endheaders()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        started = time.monotonic()
        for begin in range(0, len(piece), SLICE):
            part = piece[begin:begin + SLICE]
            connection.sock.sendall(part)
            self.sent += len(part)
            self.between()
            pause = started + (begin + len(part)) / self.rate - time.monotonic()
            if pause > 0:
                time.sleep(pause)
        return self.read(connection)

    def read(self, connection):
        answer = connection.getresponse()
        answer.text = answer.read().decode(errors="replace")[:300]
        connection.close()
        return answer


def digest_of(answer):
    """`sha-256=:…:` as hexadecimal digits; nothing when it is not told."""
    value = answer.getheader("Repr-Digest") or ""
    for member in value.split(","):
        name, _, text = member.strip().partition("=")
        if name == "sha-256":
            return base64.b64decode(text.strip(":")).hex()
    return None
