"""Ends the processes that graylane started, and removes its temporary folder, however graylane itself ends.

It is a separate process, because graylane cannot react to its own SIGKILL. graylane holds the other end of its standard
input, which the kernel closes when graylane ends. It runs by path, without importing the package, to start quickly.
"""

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterable

GRACE = 3.0  # seconds between SIGTERM and SIGKILL


def main(folder: str) -> None:
    """Read `+ID` and `-ID` (a process group began or ended) until standard input is closed, then end all groups."""
    groups: set[int] = set()
    for line in sys.stdin:
        change, group = line[0], int(line[1:])
        groups.add(group) if change == "+" else groups.discard(group)
    end(groups)
    shutil.rmtree(folder, ignore_errors=True)


def end(groups: Iterable[int]) -> None:
    """Send SIGTERM to all groups, and SIGKILL to those that do not end."""
    left = {group for group in groups if send(group, signal.SIGTERM)}
    deadline = time.monotonic() + GRACE
    while left and time.monotonic() < deadline:
        left = {group for group in left if send(group, 0)}
        time.sleep(0.02)
    for group in left:
        send(group, signal.SIGKILL)


def send(group: int, number: int) -> bool:
    """Send a signal to a process group (0 only checks that it exists). False if no process is left in it."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    main(sys.argv[1])
