"""Traffic as real clients make it: requests at a steady rate over connections that are kept open, each one recorded.

    python tests/support/load.py --address 10.0.0.1:80 --host load.example.com --tag '' --tag gray --out requests.jsonl

A process of its own, so that what a test does meanwhile does not slow it. Request k is due k/RATE seconds after the
start, on the first of CONNECTIONS that is free; a moment without a free one is made up for afterwards. It stops after
--seconds or --count, when its standard input ends (so with the test that started it), and says each of --out's lines
as a JSON list in the order of `Sent`. Nothing is sent twice: what a client would repeat is what a test wants to see.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, IncompleteRead
from pathlib import Path
from typing import TextIO, TypeVar

Chain = tuple[tuple[str | None, str | None], ...]

CONNECTIONS = 24
RATE = 125.0  # requests a second; above the hundred that is asked for, since a busy machine makes up for pauses late
# Seconds for an answer: more than a process of a busy machine stands still, as that loses no request. What a change of
# the mesh loses, proxies answer at once.
TIMEOUT = 60.0
ClientT = TypeVar("ClientT")


@dataclass(frozen=True, slots=True)
class Sent:
    """One request. `tag`: what it sent as `env`, "" for none; `sent`, `ended`: seconds of the machine's monotonic
    clock; `status`: 0 where there is no answer; `error`: what went wrong, "" for nothing; `chain`: (service, version)
    hop by hop, a hop that did not answer as (None, None)."""

    tag: str
    sent: float
    ended: float
    status: int
    chain: Chain
    error: str

    @classmethod
    def read(cls, line: str) -> "Sent":
        tag, sent, ended, status, chain, error = json.loads(line)
        return cls(tag, sent, ended, status, tuple((service, version) for service, version in chain), error)


@dataclass
class Client:
    """One kept connection."""

    address: str
    host: str
    path: str
    timeout: float = TIMEOUT
    headers: Sequence[str] = ()
    connection: HTTPConnection | None = None

    def ask(self, tag: str) -> Sent:
        kept = self.connection is not None and self.connection.sock is not None
        if self.connection is None:
            name, _, port = self.address.rpartition(":")
            self.connection = HTTPConnection(name, int(port), timeout=self.timeout)
        began = time.monotonic()
        try:
            status, chain, error = self._exchange(self.connection, tag)
        except (OSError, HTTPException) as problem:
            status, chain, error = 0, (), why(problem, kept)
            self.connection.close()
        return Sent(tag, began, time.monotonic(), status, chain, error)

    def close(self) -> None:
        if self.connection:
            self.connection.close()

    def _exchange(self, connection: HTTPConnection, tag: str) -> tuple[int, Chain, str]:
        headers = {"Host": self.host, **({"env": tag} if tag else {})}
        for more in self.headers:
            name, _, value = more.partition(":")
            if tag or "{tag}" not in value:
                headers[name] = value.strip().replace("{tag}", tag)
        connection.request("GET", self.path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            return answer.status, (), f"status {answer.status}: {body[:120].decode(errors='replace').strip()}"
        return 200, *chain_of(body)


def why(problem: Exception, kept: bool) -> str:
    """The kind of a lost request. A kept connection closed as the request was under way is one of its own, since
    clients may repeat a GET then; it counts as failed all the same."""
    if isinstance(problem, TimeoutError):
        return "timeout"
    if isinstance(problem, ConnectionRefusedError):
        return "refused"
    if isinstance(problem, IncompleteRead):
        return "cut off"
    if isinstance(problem, ConnectionError):  # http.client's RemoteDisconnected is one
        return "kept connection closed" if kept else "new connection closed"
    return type(problem).__name__


def chain_of(body: bytes) -> tuple[Chain, str]:
    """Who answered, and why the last hop did not. A first hop that answers says 200 even where the next is lost."""
    try:
        hops = json.loads(body)["chain"]
        chain = tuple((hop.get("service"), hop.get("env")) for hop in hops)
        lost = [f"{hop['url']}: {hop.get('status')} {hop.get('error')}" for hop in hops if hop.get("service") is None]
    except (ValueError, KeyError, TypeError, AttributeError):
        return (), "an answer that is no chain"
    return chain, ", ".join(lost)


class Pace:
    """Hands out the numbers of requests, each when it is due, until one of the bounds is met."""

    def __init__(self, rate: float, seconds: float, count: int) -> None:
        self.rate, self.seconds, self.count = rate, seconds, count
        self.began, self.next, self.lock, self.stopped = time.monotonic(), 0, threading.Lock(), threading.Event()

    def __iter__(self) -> Iterator[int]:
        while (number := self._take()) is not None and not self.stopped.wait(self._due(number)):
            yield number

    def _take(self) -> int | None:
        with self.lock:
            if self.next >= min(self.count, self.rate * self.seconds) or self._late():
                return None
            self.next += 1
            return self.next - 1

    def _late(self) -> bool:
        return time.monotonic() - self.began > self.seconds

    def _due(self, number: int) -> float:
        return max(0.0, self.began + number / self.rate - time.monotonic())


def run(clients: Sequence[Client], tags: Sequence[str], pace: Pace, out: TextIO) -> None:
    """Send until `pace` ends; a line for each request, written when it has ended."""
    lock = threading.Lock()

    def work(client: Client) -> None:
        for number in pace:
            one = client.ask(tags[number % len(tags)])
            line = json.dumps([one.tag, one.sent, one.ended, one.status, one.chain, one.error])
            with lock:
                out.write(line + "\n")
                out.flush()
        client.close()

    in_threads(work, clients)


def in_threads(work: Callable[[ClientT], None], clients: Sequence[ClientT]) -> None:
    """Let each client work in a thread of its own, until all have ended."""
    threads = [threading.Thread(target=work, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@contextmanager
def sending(command: Sequence[str], out: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that sends while the block runs; when it is left, every request has ended and is in `out`."""
    out.touch()
    process = subprocess.Popen(command, stdin=subprocess.PIPE)
    try:
        yield process
    finally:
        assert process.stdin
        process.stdin.close()
        process.wait(TIMEOUT + 5)


def load(
    address: str, host: str, tags: Sequence[str], out: Path, *, seconds: float, rate: float = RATE
) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """Traffic while the block runs, at most `seconds`; when it is left, every request has ended and is in `out`."""
    flags = [f"--address={address}", f"--host={host}", f"--out={out}", f"--seconds={seconds}", f"--rate={rate}"]
    return sending([sys.executable, __file__, *flags, *[f"--tag={tag}" for tag in tags]], out)


def read(out: Path) -> list[Sent]:
    """What has been recorded so far; the last line may still be under way."""
    return [Sent.read(line) for line in whole_lines(out)]


def count_ended(out: Path) -> int:
    """How many requests have been recorded so far. To wait for a number of them, `read` would keep a processor busy."""
    return out.read_bytes().count(b"\n")


def whole_lines(out: Path) -> list[str]:
    return [line for line in out.read_text().splitlines(keepends=True) if line.endswith("\n")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", required=True, help="HOST:PORT of the gateway")
    parser.add_argument("--host", required=True, help="the Host header")
    parser.add_argument("--path", default="/sayHello")
    parser.add_argument("--tag", action="append", required=True, help="sent as `env`; '' for none; in turn")
    parser.add_argument("--header", action="append", default=[], help="a further one; {tag}: only where there is a tag")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rate", type=float, default=RATE, help="requests a second (%(default)s)")
    parser.add_argument("--seconds", type=float, default=60.0, help="at most (%(default)s)")
    parser.add_argument("--count", type=int, default=1_000_000, help="at most (%(default)s)")
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    given = parser.parse_args()
    pace = Pace(given.rate, given.seconds, given.count)
    threading.Thread(target=until_stdin_ends, args=(pace.stopped,), daemon=True).start()
    clients = [Client(given.address, given.host, given.path, headers=given.header) for _ in range(given.connections)]
    with given.out.open("w") as out:
        run(clients, given.tag, pace, out)


def until_stdin_ends(stopped: threading.Event) -> None:
    """Sets the event when whoever started this process has ended or closed it."""
    while os.read(0, 4096):  # not sys.stdin, whose lock would be held when the process ends
        pass
    stopped.set()


if __name__ == "__main__":
    main()
