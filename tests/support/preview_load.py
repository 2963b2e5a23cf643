"""Traffic to the chains of a PreviewChains: requests of all lanes and of none, each recorded.

    python tests/support/preview_load.py --address 10.0.0.1:80 --target 'cat.example.com pr-1' --out requests.jsonl

A target is a host and a lane, or a host alone. Every other request is one without a lane. As `load`, which has the
pace: a steady rate over kept connections, until standard input ends. `tag` of a line is the target.
"""

import argparse
import threading
from contextlib import AbstractContextManager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from subprocess import Popen
from sys import executable

from load import Chain, Client, Pace, run, sending, until_stdin_ends

CONNECTIONS = 16


@dataclass
class TargetClient(Client):
    """Asks whichever target its tag names."""

    def _exchange(self, connection: HTTPConnection, tag: str) -> tuple[int, Chain, str]:
        self.host, _, lane = tag.partition(" ")
        return super()._exchange(connection, lane)


def alternating(targets: list[str]) -> list[str]:
    """The order of the targets: one without a lane behind each with one."""
    none = [one for one in targets if " " not in one]
    some = [one for one in targets if " " in one]
    return [one for number, target in enumerate(some) for one in (target, none[number % len(none)])]


def traffic(
    address: str, targets: list[str], out: Path, *, seconds: float, rate: float
) -> AbstractContextManager["Popen[bytes]"]:
    """Traffic while the block runs, at most `seconds`; when it is left, every request has ended and is in `out`."""
    flags = [f"--address={address}", f"--out={out}", f"--seconds={seconds}", f"--rate={rate}"]
    return sending([executable, __file__, *flags, *[f"--target={one}" for one in targets]], out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", required=True, help="HOST:PORT of the gateway")
    parser.add_argument("--target", action="append", required=True, help="HOST or 'HOST LANE'; in turn")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rate", type=float, default=40.0, help="requests a second (%(default)s)")
    parser.add_argument("--seconds", type=float, default=60.0, help="at most (%(default)s)")
    given = parser.parse_args()
    pace = Pace(given.rate, given.seconds, 10_000_000)
    threading.Thread(target=until_stdin_ends, args=(pace.stopped,), daemon=True).start()
    clients = [TargetClient(given.address, "", "/sayHello") for _ in range(CONNECTIONS)]
    with given.out.open("w") as out:
        run(clients, alternating(given.target), pace, out)


if __name__ == "__main__":
    main()
