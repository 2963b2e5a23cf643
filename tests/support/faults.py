"""What an API server, or something before it, does wrong: a fault in place of an answer, drawn by a seed."""

import socket
import struct
import threading
import time
from dataclasses import dataclass

HTML = b"<html><head><title>Sign in</title></head><body>502 Bad Gateway</body></html>"
PAUSE = 0.15  # seconds of what is slow

# Each with whether the request is carried out before its answer goes wrong.
KINDS = {
    "429": False,
    "429 with Retry-After": False,
    "429 with a Retry-After of a day": False,
    "500": False,
    "500 after it was done": True,
    "503": False,
    "504 after it was done": True,
    "reset": False,
    "lost answer": True,
    "slow": True,
    "slow and reset": False,
    "html": False,
    "html with status 200": False,
    "html after it was done": True,
    "truncated": True,
    "cut off": True,
    "conflict": False,
    "stale": True,
}


@dataclass(frozen=True)
class Fault:
    """One wrong answer. `handler`: of `fake_api`'s server."""

    kind: str

    def serve(self, handler, body):
        stale = self.kind == "stale" and handler.command == "GET"
        done = handler.server.api.in_the_past(lambda: handler.answer(body)) if stale else None
        if self.kind.startswith("slow"):
            threading.Event().wait(PAUSE)
        if done is None and KINDS[self.kind]:
            done = handler.answer(body)
        self._answer(handler, done)

    def _answer(self, handler, done):
        match self.kind:
            case "429":
                handler.reply(429, _status("TooManyRequests"))
            case "429 with Retry-After":
                handler.reply(429, _status("TooManyRequests"), Retry_After="1")
            case "429 with a Retry-After of a day":
                handler.reply(429, _status("TooManyRequests"), Retry_After="86400")
            case "500" | "500 after it was done":
                handler.reply(500, _status("InternalError"))
            case "503":
                handler.reply(503, _status("ServiceUnavailable"))
            case "504 after it was done":
                handler.reply(504, _status("Timeout"))
            case "reset" | "lost answer" | "slow and reset":
                _reset(handler)
            case "html" | "html after it was done":
                handler.reply(502, HTML, Content_Type="text/html")
            case "html with status 200":
                handler.reply(200, HTML, Content_Type="text/html")
            case "truncated":
                handler.reply(done[0], done[1][: len(done[1]) // 2])
            case "cut off":
                handler.reply(done[0], done[1][: len(done[1]) // 2], length=len(done[1]))
                handler.close_connection = True
            case "conflict":
                handler.reply(409, _status("Conflict"))
            case _:
                handler.reply(*done)


def _status(reason):
    return b'{"kind": "Status", "status": "Failure", "reason": "%s", "message": "injected"}' % reason.encode()


def _reset(handler):
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.connection.close()


class Schedule:
    """Faults by chance, for some requests. `kinds`: those of this schedule; `met`: how often each was met."""

    def __init__(self, random, *, most=30):
        self.random, self.lock = random, threading.Lock()
        self.kinds = random.sample(sorted(KINDS), random.randint(1, 6))
        self.rate, self.left = random.choice((0.03, 0.1, 0.3, 0.6)), random.randint(1, most)
        self.met: dict[str, int] = {}

    def __call__(self, method, path):
        with self.lock:
            if not self.left or self.random.random() >= self.rate:
                return None
            self.left -= 1
            kind = self.random.choice(self.kinds)
            self.met[kind] = self.met.get(kind, 0) + 1
            return Fault(kind)


class Burst:
    """Nothing but faults of one kind for a while, as an API server that restarts."""

    def __init__(self, random):
        self.kind, self.after = random.choice(("503", "reset", "slow and reset", "html")), random.randint(0, 60)
        self.seconds, self.count, self.lock = random.choice((0.1, 0.5, 2.0)), 0, threading.Lock()
        self.end = None
        self.met: dict[str, int] = {}

    def __call__(self, method, path):
        with self.lock:
            self.count += 1
            if self.count < self.after:
                return None
            self.end = self.end or time.monotonic() + self.seconds
            if time.monotonic() > self.end:
                return None
            self.met[self.kind] = self.met.get(self.kind, 0) + 1
            return Fault(self.kind)
