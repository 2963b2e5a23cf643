"""Assembles Envoy's request log into one trace per request. No I/O: log lines and the time in, traces out."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

# Seconds to wait after the outermost hop: it is logged last, but another thread of Envoy may write a moment later.
_SETTLED = 0.05
# Seconds to wait for an outermost hop that may never be logged (a client sent its own id), and requests kept meanwhile.
_ORPHANED = 30.0
_KEPT = 2000
_GATEWAY = "gateway|"
_LONGEST_PATH = 200  # characters that a hop keeps
_ROUNDED = 1e-3  # seconds: a duration is logged in whole milliseconds
Answerer = Callable[[str, str], tuple[str, str]]  # cluster, address → service, version
Callees = Callable[[str], Collection[str]]  # service → the services that it calls

# Source: Envoy, "Response flags", https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage
FLAGS = {
    "DC": "the client closed the connection before it had the answer",
    "DI": "a fault delayed it, as the spec's policy asks",
    "DPE": "the client did not speak valid HTTP",
    "FI": "a fault answered it, as the spec's policy asks",
    "IH": "a header of the request is not valid",
    "LR": "Envoy reset the connection",
    "NC": "the route leads to a version that no process and no address stands for",
    "NFCF": "no filter configuration was found",
    "NR": "no route matches its host, path and headers",
    "SI": "no byte came for too long, and the stream was ended",
    "UC": "the process closed the connection before it answered; did it end, or does it close idle connections early?",
    "UF": "the process does not accept connections at its port",
    "UH": "no process of this version is running",
    "UMSDR": "its maximum duration is over",
    "UO": "there are more requests at once than the trafficPolicy allows",
    "UPE": "the process did not answer in valid HTTP",
    "UR": "the process reset the connection",
    "URX": "it was tried again as often as the retry policy allows",
    "UT": "the process took longer than the route's timeout",
}


@dataclass(frozen=True, slots=True)
class Hop:
    """One hop: the service and version that answered, the status, and Envoy's response flags (empty on success).

    Parameters:
        callers: the services of which one made the call, where the log leaves it open; else empty.
        tags: the request's, as its route sent them on.
        milliseconds: how long it took.
        path: without its query.
    """

    service: str
    version: str
    status: int
    flags: str = ""
    calls: "tuple[Hop, ...]" = ()
    callers: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    milliseconds: int = field(default=0, compare=False, repr=False)
    path: str = field(default="", compare=False, repr=False)

    def __str__(self) -> str:
        who = f"{self.service}/{self.version}" if self.version else self.service
        how = "" if 0 < self.status < 400 else " ".join(filter(None, (str(self.status), self.flags)))
        by = f"(called by {' or '.join(self.callers)})" if self.callers else ""
        return " ".join(filter(None, (who, how, by)))

    @property
    def tree(self) -> str:
        """The hop and all that it called: `a → b → c`, or `a → (b, c → d)` where it called several."""
        below = ", ".join(one.tree for one in self.calls)
        return f"{self} → {f'({below})' if len(self.calls) > 1 else below}" if below else str(self)


@dataclass(frozen=True, slots=True)
class RequestTrace:
    """One request: its tags on arrival, where it entered the mesh, its hops as a tree, and its duration."""

    tags: Mapping[str, str]
    origin: str
    roots: tuple[Hop, ...]
    milliseconds: int

    def __str__(self) -> str:
        tags = " ".join(f"{name}={value}" for name, value in self.tags.items()) or "untagged"
        return f"{tags}  {' → '.join([self.origin, *(one.tree for one in self.roots)])}  {self.milliseconds} ms"

    @property
    def hops(self) -> Iterator[Hop]:
        """All hops, each before those that it called."""
        left = list(self.roots)
        while left:
            yield (hop := left.pop(0))
            left[:0] = hop.calls

    def reasons(self) -> list[str]:
        """What Envoy's flags of the failed hops say, each once: `UH: no process of this version is running`."""
        flags = [flag for hop in self.hops for flag in hop.flags.split(",") if hop.status == 0 or hop.status >= 400]
        return [f"{flag}: {FLAGS[flag]}" for flag in dict.fromkeys(flags) if flag in FLAGS]


@dataclass(slots=True)
class _Open:
    """The log entries of one request id so far, and the time at which they count as complete."""

    due: float
    entries: list[Mapping[str, Any]] = field(default_factory=list)


class TraceAssembler:
    """Groups log entries into requests by Envoy's request id.

    Parameters:
        answerer: gives the service and the version for a cluster and an upstream address.
        callees: gives the services that a service calls. The log does not say who called.
    """

    def __init__(self, answerer: Answerer, callees: Callees = lambda service: ()) -> None:
        self.answerer = answerer
        self.callees = callees
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
        ordered = sorted(entries, key=_start)
        first = ordered[0]
        inside = not str(first["listener"]).startswith(_GATEWAY)
        return RequestTrace(
            tags=_present(first.get("tags")),
            origin="(mesh)" if inside else f"{first['host']}{str(first['path']).partition('?')[0]}",
            roots=self._tree(ordered),
            milliseconds=int(first.get("ms") or 0),
        )

    def _tree(self, ordered: list[Mapping[str, Any]]) -> tuple[Hop, ...]:
        """Puts each hop below its caller. Where several may have called, it is below the nearest hop that all of them
        are or are below, and names them."""
        hops = [self._hop(entry) for entry in ordered]
        above: list[int] = []  # by hop, the one that it is below; -1 for a root
        for number in range(len(ordered)):
            callers = self._callers(ordered, hops, number)
            named = tuple(sorted({hops[one].service for one in callers}))
            if len(named) > 1:
                hops[number] = replace(hops[number], callers=named)
            above.append(_common(callers, above) if len(named) > 1 else next(iter(callers), -1))

        below: dict[int, list[int]] = {}
        for number, parent in enumerate(above):
            below.setdefault(parent, []).append(number)

        def built(number: int) -> Hop:
            return replace(hops[number], calls=tuple(map(built, below.get(number, ()))))

        return tuple(map(built, below.get(-1, ())))

    def _callers(self, ordered: list[Mapping[str, Any]], hops: list[Hop], number: int) -> list[int]:
        """The hops that may have called one, the latest first: those that were still waiting and call its service.

        Without `calls` in the spec, or where a clock was off, it is the latest.
        """
        began = _start(ordered[number])
        waiting = [one for one in range(number - 1, -1, -1) if began <= _end(ordered[one])]
        known = [one for one in waiting if hops[number].service in self.callees(hops[one].service)]
        return known or waiting[:1] or ([number - 1] if number else [])

    def _hop(self, entry: Mapping[str, Any]) -> Hop:
        service, version = self.answerer(str(entry.get("cluster") or ""), str(entry.get("upstream") or ""))
        flags = str(entry.get("flags") or "").replace("-", "")
        if not service:  # no cluster: no route matched, or the route answers by itself
            service = "no route" if flags == "NR" else "(answered by its route)"
        return Hop(
            *(service, version, int(entry.get("status") or 0), flags),
            tags=_present(entry.get("sent")),
            milliseconds=int(entry.get("ms") or 0),
            path=str(entry.get("path") or "").partition("?")[0][:_LONGEST_PATH],
        )


def _common(hops: list[int], above: list[int]) -> int:
    """The nearest hop that each of these is or is below; -1 if there is none."""

    def upwards(hop: int) -> Iterator[int]:
        yield hop
        while hop >= 0:
            yield (hop := above[hop])

    first, *others = hops
    shared = set(upwards(first)).intersection(*map(upwards, others))
    return next(one for one in upwards(first) if one in shared)


def _present(tags: Mapping[str, str] | None) -> dict[str, str]:
    return {name: value for name, value in (tags or {}).items() if value}


def _start(entry: Mapping[str, Any]) -> float:
    return float(entry.get("start") or 0)


def _end(entry: Mapping[str, Any]) -> float:
    return _start(entry) + float(entry.get("ms") or 0) / 1000 + _ROUNDED


def _outermost(entry: Mapping[str, Any]) -> bool:
    return str(entry.get("listener")).startswith(_GATEWAY) or entry.get("id") == entry.get("self")
