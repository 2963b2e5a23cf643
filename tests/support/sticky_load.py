"""Users with cookies, who ask in turn over kept connections, as fast as answers come; each request is recorded.

    python tests/support/sticky_load.py --address 10.0.0.1:80 --host load.example.com --users 2000 --out requests.jsonl

A user sends the cookie that an answer has set, and nothing else of its own. A line of --out is a JSON list in the order
of `Asked`. It stops when its standard input ends, so with the test that started it.
"""

import argparse
import json
import sys
import threading
from contextlib import AbstractContextManager
from dataclasses import dataclass
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from typing import TextIO

from load import Chain, Client, Sent, chain_of, in_threads, sending, until_stdin_ends, whole_lines

CONNECTIONS = 16


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of a user. `cookie`: what it sent; `given`: what the answer set; "" for none."""

    sent: Sent
    cookie: str
    given: str

    @classmethod
    def read(cls, line: str) -> "Asked":
        *sent, cookie, given = json.loads(line)
        return cls(Sent.read(json.dumps(sent)), cookie, given)


@dataclass
class User(Client):
    """One kept connection, used for one user after the other."""

    cookie: str = ""
    given: str = ""

    def _exchange(self, connection: HTTPConnection, tag: str) -> tuple[int, Chain, str]:
        headers = {"Host": self.host, **({"Cookie": self.cookie} if self.cookie else {})}
        connection.request("GET", self.path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        self.given = (answer.getheader("set-cookie") or "").partition(";")[0]
        if answer.status != 200:
            return answer.status, (), f"status {answer.status}: {body[:120].decode(errors='replace').strip()}"
        return 200, *chain_of(body)


def run(clients: list[User], users: int, stopped: threading.Event, out: TextIO) -> None:
    """Ask for each user in turn, over and over. With fewer connections than users, no user asks twice at once."""
    numbers, jar, lock = count(), dict[int, str](), threading.Lock()

    def work(client: User) -> None:
        while not stopped.is_set():
            with lock:
                user = next(numbers) % users
            client.cookie, client.given = jar.get(user, ""), ""
            one = client.ask(str(user))
            if client.given:
                jar[user] = client.given
            record = [one.tag, one.sent, one.ended, one.status, one.chain, one.error, client.cookie, client.given]
            with lock:
                out.write(json.dumps(record) + "\n")
                out.flush()
        client.close()

    in_threads(work, clients)


def sticky_load(address: str, host: str, users: int, out: Path) -> AbstractContextManager[object]:
    """Users ask while the block runs; when it is left, every request has ended and is in `out`."""
    flags = [f"--address={address}", f"--host={host}", f"--users={users}", f"--out={out}"]
    return sending([sys.executable, __file__, *flags], out)


def read(out: Path) -> list[Asked]:
    """What has been recorded so far; the last line may still be under way."""
    return [Asked.read(line) for line in whole_lines(out)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", required=True, help="HOST:PORT of the gateway")
    parser.add_argument("--host", required=True, help="the Host header")
    parser.add_argument("--path", default="/sayHello")
    parser.add_argument("--users", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    stopped = threading.Event()
    threading.Thread(target=until_stdin_ends, args=(stopped,), daemon=True).start()
    clients = [User(given.address, given.host, given.path) for _ in range(CONNECTIONS)]
    with given.out.open("w") as out:
        run(clients, given.users, stopped, out)


if __name__ == "__main__":
    main()
