"""A file system with one file, `disk`, that writes down each write and each flush of it in their order.

    powercut_recorder.py POINT IMAGE LOG

IMAGE is what the file shows. LOG.index and LOG.data hold what came, as powercut_disk.py reads it. Speaks FUSE's kernel
protocol itself, one request after another, so that the order in the log is the order in which it happened: a flush
covers all writes that were answered before it was read. Orders come on standard input, and each is answered by its own
line: `freeze` (nothing is answered any more), `fail` (every request is an I/O error).
"""

import ctypes
import errno
import os
import select
import struct
import sys
import time

WRITE, FLUSH = 0, 1
RECORD = struct.Struct("<dQQQB")
REQUEST = struct.Struct("<IIQQIIIHH")
ANSWER = struct.Struct("<IiQ")
LOOKUP, FORGET, GETATTR, SETATTR, OPEN, READ, WRITING, STATFS, RELEASE, FSYNC, FLUSHING, INIT, INTERRUPT, DESTROY = (
    1, 2, 3, 4, 14, 15, 16, 17, 18, 20, 25, 26, 36, 38)
BATCH_FORGET = 42
ROOT, DISK = 1, 2
WRITE_MAX = 1 << 20
ASYNC_READ, BIG_WRITES, ASYNC_DIO, MAX_PAGES = 1 << 0, 1 << 5, 1 << 15, 1 << 22
DIRECT_IO = 1


class Recorder:
    def __init__(self, point, image, log):
        self.image = os.open(image, os.O_RDWR)
        self.size = os.fstat(self.image).st_size
        self.index, self.data = open(f"{log}.index", "wb"), open(f"{log}.data", "wb")
        self.at = 0
        self.frozen = self.failing = False
        self.held = []
        self.fuse = os.open("/dev/fuse", os.O_RDWR)
        libc = ctypes.CDLL(None, use_errno=True)
        options = f"fd={self.fuse},rootmode=40000,user_id=0,group_id=0"
        if libc.mount(b"recorder", os.fsencode(point), b"fuse", 0, options.encode()) != 0:
            raise OSError(ctypes.get_errno(), "mount", point)

    def serve(self):
        print("ready", flush=True)
        while True:
            readable, _, _ = select.select([self.fuse, sys.stdin], [], [])
            if sys.stdin in readable:
                order = sys.stdin.readline().strip()
                if not order:
                    return
                self.obey(order)
                print(order, flush=True)
            if self.fuse in readable and not self.frozen:
                try:
                    request = os.read(self.fuse, WRITE_MAX + 8192)
                except OSError as error:
                    if error.errno == errno.ENODEV:
                        return  # Unmounted.
                    continue
                self.take(memoryview(request))
            elif self.fuse in readable:
                time.sleep(0.005)

    def obey(self, order):
        self.frozen, self.failing = order == "freeze", order == "fail"
        self.index.flush()
        self.data.flush()

    def take(self, request):
        _, opcode, unique, node, *_ = REQUEST.unpack_from(request)
        if opcode in (FORGET, INTERRUPT, BATCH_FORGET):
            return
        if self.failing and opcode in (READ, WRITING, FSYNC):
            self.answer(unique, errno.EIO)
            return
        body = request[REQUEST.size:]
        try:
            self.answer(unique, 0, self.done(opcode, node, body))
        except OSError as error:
            self.answer(unique, error.errno)

    def answer(self, unique, error, body=b""):
        try:
            os.writev(self.fuse, [ANSWER.pack(ANSWER.size + len(body), -error, unique), body])
        except OSError as problem:
            if problem.errno != errno.ENOENT:  # Who asked has gone.
                raise

    def done(self, opcode, node, body):
        if opcode == WRITING:
            _, offset, size = struct.unpack_from("<QQI", body)
            data = body[40:40 + size]
            os.pwrite(self.image, data, offset)
            self.data.write(data)
            self.note(WRITE, offset, size)
            return struct.pack("<II", size, 0)
        if opcode == READ:
            _, offset, size = struct.unpack_from("<QQI", body)
            return os.pread(self.image, size, offset)
        if opcode == FSYNC:
            self.note(FLUSH, 0, 0)
            return b""
        if opcode == INIT:
            return struct.pack("<IIIIHHIIHHI7I", 7, 31, 1 << 20, ASYNC_READ | BIG_WRITES | ASYNC_DIO | MAX_PAGES,
                               32, 24, WRITE_MAX, 1, WRITE_MAX >> 12, 0, 0, *[0] * 7)
        if opcode == LOOKUP:
            if bytes(body).rstrip(b"\0") != b"disk":
                raise OSError(errno.ENOENT, "")
            return struct.pack("<QQQQII", DISK, 0, 3600, 3600, 0, 0) + self.attributes(DISK)
        if opcode in (GETATTR, SETATTR):
            return struct.pack("<QII", 3600, 0, 0) + self.attributes(node)
        if opcode == OPEN:
            return struct.pack("<QII", 0, DIRECT_IO, 0)
        if opcode == STATFS:
            return struct.pack("<QQQQQIIII6I", 1 << 30, 1 << 29, 1 << 29, 2, 0, 4096, 255, 4096, 0, *[0] * 6)
        if opcode in (RELEASE, FLUSHING, DESTROY):
            return b""
        raise OSError(errno.ENOSYS, "")

    def note(self, kind, offset, size):
        self.index.write(RECORD.pack(time.monotonic(), offset, size, self.at, kind))
        self.at += size

    def attributes(self, node):
        mode, size = (0o100600, self.size) if node == DISK else (0o40755, 0)
        return struct.pack("<QQQQQQIIIIIIIIII", node, size, size >> 9, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


if __name__ == "__main__":
    Recorder(*sys.argv[1:]).serve()
