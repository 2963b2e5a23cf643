"""Counts requests to an API server by its audit log, in which every request has its user and its client's name.

https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Event = dict[str, Any]
READS = ("get", "list")


@dataclass(frozen=True)
class Calls:
    """Requests of one client. `leases`: how many of the reads and writes were for Leases."""

    reads: int = 0
    writes: int = 0
    watches: int = 0
    leases: int = 0

    @property
    def total(self) -> int:
        return self.reads + self.writes + self.watches


class AuditLog:
    """A log that an API server writes meanwhile, a line for each stage of a request."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def end(self) -> int:
        """Where the log ends now, in bytes."""
        return self._file.stat().st_size

    def calls(self, begin: int, by: Callable[[Event], bool]) -> Calls:
        """The requests since `begin` of the client that `by` recognises."""
        found = [event for event in self._events(begin) if by(event)]
        verbs = [event["verb"] for event in found]
        reads, watches = sum(verb in READS for verb in verbs), verbs.count("watch")
        leases = [event for event in found if event.get("objectRef", {}).get("resource") == "leases"]
        return Calls(reads, len(found) - reads - watches, watches, len(leases))

    def _events(self, begin: int) -> Iterator[Event]:
        with self._file.open("rb") as log:
            log.seek(begin)
            for line in log:
                if line.endswith(b"\n") and _counts(event := json.loads(line)):
                    yield event


def _counts(event: Event) -> bool:
    """Each request once: a watch when it begins, since it may last, everything else when it has ended."""
    return bool(event["stage"] == ("ResponseStarted" if event["verb"] == "watch" else "ResponseComplete"))
