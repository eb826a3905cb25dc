"""A receiver of webhooks that keeps all that it gets, and is not always well."""

import collections
import dataclasses
import hashlib
import hmac
import http.server
import json
import random
import threading
import time


@dataclasses.dataclass
class Message:
    """One request as it came; `status` is what it was answered, 0 for nothing."""

    hook: str
    key: str
    job: int
    attempt: int
    epoch: int
    body: bytes
    at: float
    status: int = 0

    @property
    def event(self):
        return json.loads(self.body)


class Receiver:
    """Answers on one path for each webhook; the effect of a message is what happens at the first of its key.

    `trouble` is how often something goes wrong: an error before or after the effect, an answer that never comes, a
    request to come later. `refuses` and `hangs` have the webhooks that are answered 404, or not at all.
    """

    def __init__(self, seed, trouble=0.12):
        self.lots = random.Random(f"{seed} receiver")
        self.trouble = trouble
        self.refuses = set()
        self.hangs = set()
        self.secrets = {}
        self.messages = []
        self.effects = collections.OrderedDict()
        self.forged = []
        self.lock = threading.Lock()
        self.released = threading.Event()
        # What hangs is another receiver: they are told apart by host and port.
        self.servers = [Server(("127.0.0.1", 0), handler(self)) for _ in range(2)]
        for server in self.servers:
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    def url(self, hook):
        return f"http://127.0.0.1:{self.servers[hook in self.hangs].server_address[1]}/{hook}"

    def heal(self):
        """From now on all is well, and whoever waits for an answer gets none."""
        self.trouble = 0
        self.refuses.clear()
        self.hangs.clear()
        self.released.set()

    def close(self):
        self.released.set()
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def took(self, message, headers):
        """Notes a message; answers status and further headers, or None for no answer at all."""
        with self.lock:
            self.messages.append(message)
            if not self.genuine(message, headers):
                self.forged.append(message)
            if message.hook in self.refuses:
                message.status = 404
                return 404, {}
            if message.hook in self.hangs:
                return None
            turn = self.lots.random()
            if turn < self.trouble * 0.4:
                message.status = 500
                return 500, {}
            if turn < self.trouble * 0.5:
                message.status = 429
                return 429, {"Retry-After": "1"}
            self.effects.setdefault(message.key, message)
            if turn < self.trouble * 0.9:
                message.status = 503  # Done, and the sender hears something else.
                return 503, {}
            if turn < self.trouble:
                return None
            message.status = 200
            return 200, {}

    def genuine(self, message, headers):
        secret = self.secrets.get(message.hook)
        if secret is None:
            return True
        signed = headers.get("Flotilla-Timestamp", "").encode() + b"." + message.body
        code = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
        return hmac.compare_digest("v1=" + code, headers.get("Flotilla-Signature", ""))


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        pass  # A sender that was killed.


def handler(receiver):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            given = self.headers
            message = Message(
                self.path.strip("/"), given.get("Idempotency-Key", ""), int(given.get("Flotilla-Delivery", 0)),
                int(given.get("Flotilla-Attempt", 0)), int(given.get("Flotilla-Epoch", 0)), body, time.monotonic())
            answer = receiver.took(message, given)
            if answer is None:
                receiver.released.wait(None if message.hook in receiver.hangs else 3)
                self.close_connection = True
                return
            self.send_response(answer[0])
            for name, value in answer[1].items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    return Handler
