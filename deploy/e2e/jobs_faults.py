"""The faults of the jobs part: those of chaos that concern the queue, and a Redis that lies."""

import socket

from chaos_faults import Faults


class JobFaults(Faults):
    """In turn, each at least once, then at random."""

    def __init__(self, world):
        super().__init__(world)
        self.kinds = {
            self.kill: 4, self.drain: 3, self.pause_short: 2, self.redis: 1, self.redis_lies: 2, self.pause_long: 1,
            self.redis_forgets: 2, self.evict: 2, self.kill_two: 1, self.backends: 1, self.redis_hangs: 1,
        }
        self.first = [
            self.kill, self.drain, self.redis_lies, self.pause_long, self.redis, self.redis_forgets, self.evict]

    def strike(self):
        if not self.first:
            super().strike()
            return
        usual, self.kinds = self.kinds, {self.first.pop(0): 1}
        super().strike()
        self.kinds = usual

    def redis_lies(self):
        """Every value is another one, and whoever listens hears nonsense."""
        try:
            with socket.create_connection(
                    ("127.0.0.1", self.world.cluster.row("redis")["files_port"]), timeout=2) as connection:
                lines = connection.makefile("rb")
                for key in self.answer(connection, lines, b"KEYS", b"*") or []:
                    kind = self.answer(connection, lines, b"TYPE", key)
                    if kind == b"string":
                        self.answer(connection, lines, b"SET", key, self.lots.randbytes(60), b"EX", b"60")
                for _ in range(20):
                    for channel in self.answer(connection, lines, b"PUBSUB", b"CHANNELS") or []:
                        self.answer(connection, lines, b"PUBLISH", channel, self.lots.randbytes(30))
        except OSError:
            pass  # It is just being started again.

    @staticmethod
    def answer(connection, lines, *words):
        """Redis's answer to one command: bytes, a number, or a list of bytes."""
        command = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
        connection.sendall(command)

        def read():
            line = lines.readline().rstrip(b"\r\n")
            if line[:1] == b"*":
                return [read() for _ in range(int(line[1:]))]
            if line[:1] == b"$":
                return lines.read(int(line[1:]) + 2)[:-2] if int(line[1:]) >= 0 else None
            return int(line[1:]) if line[:1] == b":" else line[1:]

        return read()
