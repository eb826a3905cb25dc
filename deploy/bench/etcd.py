"""etcd as a peer, driven by h2load: its requests are gRPC frames made here, so no client of etcd slows it down."""

import os
import re
import struct

from errors import Stop
from processes import run
from servers import Server, free_port, listens, need


class Etcd(Server):
    """One member, alone, with its stock durability: a sync to disk before each answer of a write."""

    options = ()

    def __init__(self, folder, cores=None):
        super().__init__("etcd", folder, cores)

    def start(self):
        os.mkdir(self.folder, 0o700)
        peer = free_port()
        client = f"http://127.0.0.1:{self.port}"
        self.launch(
            [need("etcd"), "--name", "n1", "--data-dir", f"{self.folder}/data", "--listen-client-urls", client,
             "--advertise-client-urls", client, "--listen-peer-urls", f"http://127.0.0.1:{peer}",
             "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}",
             "--initial-cluster", f"n1=http://127.0.0.1:{peer}", *self.options], lambda: listens(self.port))

    def revision(self):
        found = run([need("etcdctl"), "--endpoints", f"127.0.0.1:{self.port}", "endpoint", "status", "-w", "json"],
                    "etcdctl endpoint status", 20, environment={"ETCDCTL_API": "3"})
        return int(re.search(r'"revision":(\d+)', found.output).group(1))


def cycles(server, callers, seconds, file):
    """Callers that create and delete a key in turn; answers cycles a second.

    One request for both: "if the key is absent create it, else delete it". Sent again and again it is a creation
    and a deletion in turn, each a durable transaction of its own.
    """
    with open(file, "wb") as frame:
        frame.write(create_or_delete(b"lease/" + os.path.basename(file).encode()))
    what = f"h2load with {callers} callers"
    before, revision = server.cpu(), server.revision()
    finished = run(
        [need("h2load"), "--duration", str(max(1, round(seconds))), "--warm-up-time", "0", "-c", str(callers),
         "-m", "1", "-t", "1", "-d", file, "-H", "content-type: application/grpc", "-H", "te: trailers",
         f"http://127.0.0.1:{server.port}/etcdserverpb.KV/Txn"], what, 60 + 3 * seconds)
    rate = re.search(r"finished in [\d.]+\w+, ([\d.]+) req/s", finished.output)
    requests = re.search(
        r"requests: \d+ total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed", finished.output)
    if not rate or not requests:
        raise Stop(f"{what} printed no result: {finished.output[-300:]}")
    done, failed = int(requests.group(1)), int(requests.group(3))
    changed = server.revision() - revision
    # Each request has to have changed something, or it was no lease.
    if failed or changed < 0.9 * done:
        raise Stop(f"{what}: {done} requests, {failed} failed, {changed} changes")
    return {"rate": float(rate.group(1)) / 2, "server_us": (server.cpu() - before) * 2e6 / max(1, done)}


# --- Protocol buffers by hand; the numbers are those of etcd's rpc.proto.


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def field(number, content):
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def create_or_delete(key):
    """A TxnRequest: compare the key's create revision with 0; put it, or delete it."""
    compare = field(1, 0) + field(2, 1) + field(3, key) + field(5, 0)
    # RequestOp: request_put is 2, request_delete_range is 3.
    success = field(2, field(1, key) + field(2, b"holder"))
    failure = field(3, field(1, key))
    message = field(1, compare) + field(2, success) + field(3, failure)
    return b"\0" + struct.pack(">I", len(message)) + message
