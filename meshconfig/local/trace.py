"""Assembles Envoy's request log into one trace per request. No I/O: log lines and the time in, traces out."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

# Seconds to wait after the outermost hop: it is logged last, but another thread of Envoy may write a moment later.
_SETTLED = 0.05
# Seconds to wait for an outermost hop that may never be logged (a client sent its own id), and requests kept meanwhile.
_ORPHANED = 30.0
_KEPT = 2000
_GATEWAY = "gateway|"
Answerer = Callable[[str, str], tuple[str, str]]  # cluster, address → service, version


@dataclass(frozen=True, slots=True)
class Hop:
    """One hop: the service and version that answered, the status, and Envoy's response flags (empty on success)."""

    service: str
    version: str
    status: int
    flags: str = ""

    def __str__(self) -> str:
        who = f"{self.service}/{self.version}" if self.version else self.service
        how = "" if 0 < self.status < 400 else " ".join(filter(None, (str(self.status), self.flags)))
        return " ".join(filter(None, (who, how)))


@dataclass(frozen=True, slots=True)
class RequestTrace:
    """One request: its tags on arrival, where it entered the mesh, its hops in order, and its duration."""

    tags: Mapping[str, str]
    origin: str
    hops: tuple[Hop, ...]
    milliseconds: int

    def __str__(self) -> str:
        tags = " ".join(f"{name}={value}" for name, value in self.tags.items()) or "untagged"
        return f"{tags}  {' → '.join([self.origin, *map(str, self.hops)])}  {self.milliseconds} ms"


@dataclass(slots=True)
class _Open:
    """The log entries of one request id so far, and the time at which they count as complete."""

    due: float
    entries: list[Mapping[str, Any]] = field(default_factory=list)


class TraceAssembler:
    """Groups log entries into requests by Envoy's request id.

    Parameters:
        answerer: gives the service and the version for a cluster and an upstream address.
    """

    def __init__(self, answerer: Answerer) -> None:
        self.answerer = answerer
        self.open: dict[str, _Open] = {}

    def add(self, line: bytes, now: float) -> None:
        """Add a line of the log. Lines that are no request are ignored.

        Parameters:
            now: the time in seconds, of the same clock as in `done`.
        """
        try:
            entry = json.loads(line)
        except ValueError:
            return
        if isinstance(entry, dict) and "listener" in entry:
            one = self.open.setdefault(str(entry.get("id")), _Open(now + _ORPHANED))
            one.entries.append(entry)
            if _outermost(entry):
                one.due = min(one.due, now + _SETTLED)

    def done(self, now: float) -> Iterator[RequestTrace]:
        """The traces that are complete now, in the order in which the requests ended."""
        crowd = len(self.open) - _KEPT
        due = [name for index, (name, one) in enumerate(self.open.items()) if one.due <= now or index < crowd]
        for name in due:
            yield self._trace(self.open.pop(name).entries)

    def _trace(self, entries: list[Mapping[str, Any]]) -> RequestTrace:
        ordered = sorted(entries, key=lambda entry: float(entry.get("start") or 0))
        first = ordered[0]
        inside = not str(first["listener"]).startswith(_GATEWAY)
        return RequestTrace(
            tags={name: value for name, value in (first.get("tags") or {}).items() if value},
            origin="(mesh)" if inside else f"{first['host']}{str(first['path']).partition('?')[0]}",
            hops=tuple(map(self._hop, ordered)),
            milliseconds=int(first.get("ms") or 0),
        )

    def _hop(self, entry: Mapping[str, Any]) -> Hop:
        service, version = self.answerer(str(entry.get("cluster") or ""), str(entry.get("upstream") or ""))
        flags = str(entry.get("flags") or "").replace("-", "")
        if not service:  # no cluster: no route matched, or the route answers by itself
            service = "no route" if flags == "NR" else "(answered by its route)"
        return Hop(service, version, int(entry.get("status") or 0), flags)


def _outermost(entry: Mapping[str, Any]) -> bool:
    return str(entry.get("listener")).startswith(_GATEWAY) or entry.get("id") == entry.get("self")
