"""Ends what graylane started, and removes its temporary folder, however graylane itself ends.

A process of its own, because nothing in a process survives its SIGKILL: graylane holds the other end of standard input,
which the system closes when graylane is gone. Run by path, without the package, so that it starts in no time.
"""

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterable

GRACE = 3.0  # seconds between SIGTERM and SIGKILL


def main(folder: str) -> None:
    """Read `+ID` and `-ID`, the process groups that begin and end, until the other end is closed."""
    groups: set[int] = set()
    for line in sys.stdin:
        change, group = line[0], int(line[1:])
        groups.add(group) if change == "+" else groups.discard(group)
    end(groups)
    shutil.rmtree(folder, ignore_errors=True)


def end(groups: Iterable[int]) -> None:
    """Ask all groups to end, and end who does not."""
    left = {group for group in groups if send(group, signal.SIGTERM)}
    deadline = time.monotonic() + GRACE
    while left and time.monotonic() < deadline:
        left = {group for group in left if send(group, 0)}
        time.sleep(0.02)
    for group in left:
        send(group, signal.SIGKILL)


def send(group: int, number: int) -> bool:
    """Send a signal (0: only look) to a process group; False if there is none left."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    main(sys.argv[1])
