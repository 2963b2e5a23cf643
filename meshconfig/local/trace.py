"""Envoy's log of requests to the way that each request took. Pure: lines and the time in, ways out."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

# An outer hop is logged after the inner ones, but another thread of Envoy may be a moment late.
_SETTLED = 0.05
# Inner hops whose outermost hop never shows, because a caller brought an id of its own; and how many are kept for that.
_ORPHANED = 30.0
_KEPT = 2000
_GATEWAY = "gateway|"
Answerer = Callable[[str, str], tuple[str, str]]  # cluster, address → service, version


@dataclass(frozen=True, slots=True)
class Hop:
    """Who answered, and how; `flags` are Envoy's, empty if all went well."""

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
    """One request's way: its tags as they came in, where it came in, who answered, in order, and in how many ms."""

    tags: Mapping[str, str]
    origin: str
    hops: tuple[Hop, ...]
    milliseconds: int

    def __str__(self) -> str:
        tags = " ".join(f"{name}={value}" for name, value in self.tags.items()) or "untagged"
        return f"{tags}  {' → '.join([self.origin, *map(str, self.hops)])}  {self.milliseconds} ms"


@dataclass(slots=True)
class _Open:
    """The entries of one id so far, and when they can be told."""

    due: float
    entries: list[Mapping[str, Any]] = field(default_factory=list)


class TraceAssembler:
    """Puts the hops of a request together by Envoy's request id.

    Parameters:
        answerer: gives the service and the version for a cluster and an upstream address.
    """

    def __init__(self, answerer: Answerer) -> None:
        self.answerer = answerer
        self.open: dict[str, _Open] = {}

    def add(self, line: bytes, now: float) -> None:
        """Take a line of the log; what is not a request is passed over.

        Parameters:
            now: a clock in seconds, the one that `done` is given.
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
        """The ways that are complete by now, in the order in which they ended."""
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
        if not service:  # no route, or one that answers by itself
            service = "no route" if flags == "NR" else "(answered by its route)"
        return Hop(service, version, int(entry.get("status") or 0), flags)


def _outermost(entry: Mapping[str, Any]) -> bool:
    return str(entry.get("listener")).startswith(_GATEWAY) or entry.get("id") == entry.get("self")
