"""An istiod and Envoys that are played, with any delays, and a barrier that looks at them by their clock."""

import heapq
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from unittest.mock import patch

from meshconfig.cluster.barrier import Barrier, Progress, StepChange, Verification
from meshconfig.cluster.barrier import barrier as module
from meshconfig.cluster.objects import key

HOST = "cat.demo.svc.cluster.local"
OLD, NEW, OTHER = f"outbound|80|prod|{HOST}", f"outbound|80|gray|{HOST}", "outbound|80||shop.other.svc.cluster.local"
URL = "type.googleapis.com/envoy.config."
TYPES = {
    "CDS": f"{URL}cluster.v3.Cluster",
    "EDS": f"{URL}endpoint.v3.ClusterLoadAssignment",
    "LDS": f"{URL}listener.v3.Listener",
    "RDS": f"{URL}route.v3.RouteConfiguration",
}
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
RULE: Any = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "DestinationRule",
    "metadata": {"name": "cat", "namespace": "demo", "uid": "u", "generation": 2, "resourceVersion": "20"},
    "spec": {"host": HOST, "subsets": [{"name": "prod"}, {"name": "gray"}]},
}

ROUTES: Any = {**RULE, "kind": "VirtualService", "spec": {"hosts": [HOST], "http": []}}


class Gray:
    host, port, name, labels = HOST, 80, "gray", (("env", "gray"),)


@dataclass
class Envoy:
    """Seconds: `lag` until istiod gets to it, `answer` until it acknowledges, `ask` until it asks for new endpoints."""

    name: str
    concerned: bool = True
    lag: float = 0.01
    answer: float = 0.01
    ask: float = 0.01
    refuses: bool = False
    stands: bool = False
    overridden: bool = False  # another resource decides here
    sent: dict[str, tuple[str, float]] = field(default_factory=dict)
    acked: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    watched: set[str] = field(default_factory=set)
    pushed: tuple[int, bool] = (1, False)  # the push it was last looked at for, and whether that has the change
    made: bool = False  # whether the clusters that it was sent last have the change
    free: float = 0.0  # istiod serves a connection one thing after another
    knows: bool = False  # the change
    has: bool = False  # the new cluster's endpoints
    when: float = 0.0  # it got them


@dataclass
class Cache:
    """istiod's cache of what it makes for proxies: whether that has the change, None if nothing is kept.

    It is emptied when a push begins, before any proxy is looked at for that push. What was asked for before that is not
    kept, and what was asked for later replaces the rest (istio/istio `pilot/pkg/model/typed_xds_cache.go`).
    """

    kept: bool | None = None
    since: float = 0.0
    emptied: float = 0.0

    def empty(self, now: float) -> None:
        self.kept, self.emptied = None, now

    def get(self, fresh: bool) -> bool:
        return fresh if self.kept is None else self.kept

    def keep(self, made: bool, asked: float) -> None:
        if asked >= self.emptied and (self.kept is None or asked > self.since):
            self.kept, self.since = made, asked


class Istiod:
    """Reads the change after `reading`, pushes it `debounce` later; `noise` are pushes of other things.

    Parameters:
        first: no rule was there before.
        written: the change.
        noise: seconds, and who gets them, of pushes of CDS, LDS and RDS, or of endpoints only where that is None.
        slow: seconds from the moment when a proxy's configuration is asked for until it is there.
        making: seconds from the moment when a proxy's configuration is made until it is sent.
    """

    name = "istiod"

    def __init__(
        self,
        envoys: list[Envoy],
        reading: float,
        debounce: float,
        noise: list[tuple[float, int | None]],
        *,
        times: bool,
        first: bool = False,
        slow: float = 0.0,
        making: float = 0.0,
        written: Any = RULE,
    ) -> None:
        self.written = written
        self.envoys, self.times, self.first, self.slow, self.making = envoys, times, first, slow, making
        self.cache = Cache()
        self.now, self.number, self.asked = 0.0, 1, 0
        self._order = itertools.count()
        self._todo: list[tuple[float, int, Callable[[], object]]] = []
        self.read_it = self.included = False
        for envoy in envoys:
            envoy.watched = {OLD} if envoy.concerned else {OTHER}
            for short in TYPES:
                self._send(envoy, short, 1, at_once=True)
        self.at(reading, lambda: setattr(self, "read_it", True))
        self.at(reading + debounce, lambda: self.push(True, None, ()))
        for when, who in noise:
            self.at(when, partial(self.push, False, who, ("noise",)))

    def at(self, when: float, do: Callable[[], object]) -> None:
        heapq.heappush(self._todo, (when, next(self._order), do))

    def sleep(self, seconds: float) -> None:
        end = self.now + seconds
        while self._todo and self._todo[0][0] <= end:
            self.now, _, do = heapq.heappop(self._todo)
            do()
        self.now = end

    def push(self, changed: bool, who: int | None, noise: tuple[str, ...]) -> None:
        self.number += 1
        self.included |= changed
        if changed:
            self.cache.empty(self.now)
        for index, envoy in enumerate(self.envoys):
            gets = envoy.concerned if not noise else who is not None and bool(who >> index & 1)
            work = (envoy, self.number, self.included, gets, bool(noise) and who is None, self.now)
            envoy.free = max(self.now, envoy.free) + envoy.lag
            self.at(envoy.free, partial(self._process, *work))

    def connect(self, envoy: Envoy) -> None:
        """A sidecar that starts gets everything as it is now, with the version of the newest push."""
        self.envoys.append(envoy)
        envoy.watched = {OLD} if envoy.concerned else {OTHER}
        envoy.pushed = (self.number, self.included)
        envoy.made = self._make(envoy, self.now)
        for short in TYPES:
            self._send(envoy, short, self.number)

    def start(self, envoy: Envoy) -> None:
        """A sidecar that gets clusters and nothing else for long."""
        self.envoys.append(envoy)
        self.connect_anew(envoy, 100.0)

    def connect_anew(self, envoy: Envoy, routes: float) -> None:
        """An Envoy with the routes that it had, as from another istiod: it gets clusters, and routes so much later."""
        envoy.sent.clear()
        envoy.acked.clear()
        envoy.pushed = (self.number, self.included)
        envoy.made, envoy.knows = self._make(envoy, self.now), False
        for short, after in (("CDS", 0.0), ("EDS", 0.0), ("LDS", routes), ("RDS", routes)):
            self.at(self.now + after, partial(self._send, envoy, short, self.number))

    def push_again(self) -> None:
        """What it knows, to everybody."""
        for envoy in self.envoys:
            envoy.free = max(self.now, envoy.free) + envoy.lag
            self.at(envoy.free, partial(self._process, envoy, self.number, self.included, True, False, self.now))

    def _process(self, envoy: Envoy, number: int, changed: bool, gets: bool, endpoints: bool, began: float) -> None:
        if endpoints:
            self._send(envoy, "EDS", number)
            return
        envoy.pushed = (number, changed)
        if gets:
            made = self._make(envoy, began) if envoy.concerned else changed
            if self.making:
                self.at(self.now + self.making, partial(self._send_all, envoy, number, made))
            else:
                self._send_all(envoy, number, made)

    def _send_all(self, envoy: Envoy, number: int, made: bool) -> None:
        envoy.made = made
        for short in TYPES:
            self.now += 0.001
            self._send(envoy, short, number)
        self.now -= 0.001 * len(TYPES)

    def _make(self, envoy: Envoy, asked: float) -> bool:
        if envoy.overridden:
            return False
        made = self.cache.get(envoy.pushed[1])
        self.cache.keep(made, asked)
        return made

    def _send(self, envoy: Envoy, short: str, number: int, *, at_once: bool = False, then: str = "") -> None:
        nonce = f"{_stamp(self.now, whole=True)}/{number}{next(self._order):036d}"
        envoy.sent[short] = (nonce, self.now)
        if at_once:
            envoy.acked[short] = nonce
        elif not envoy.stands:
            made = envoy.made
            self.at(self.now + envoy.answer, lambda: self._answer(envoy, short, nonce, then, made))

    def _answer(self, envoy: Envoy, short: str, nonce: str, then: str, made: bool) -> None:
        if nonce != envoy.sent[short][0]:
            return
        if envoy.refuses and short == "CDS" and made:
            envoy.errors[short] = "no such thing"
            return
        envoy.acked[short] = nonce
        if short == "CDS":
            envoy.knows = made
        if short == "CDS" and made and envoy.concerned and NEW not in envoy.watched:
            self.at(self.now + envoy.ask, lambda: self._asked_for(envoy))
        if not envoy.has and (then == NEW or (short == "EDS" and NEW in envoy.watched)):
            envoy.has, envoy.when = True, self.now

    def _asked_for(self, envoy: Envoy) -> None:
        envoy.watched.add(NEW)
        self._send(envoy, "EDS", envoy.pushed[0], then=NEW)

    def read(self, page: str, query: Mapping[str, str]) -> Any:
        self.asked += 1
        chosen = [envoy for envoy in self.envoys if query.get("proxyID", envoy.name) == envoy.name]
        match page:
            case "configz":
                return [
                    {**self.written, "metadata": {**self.written["metadata"], "generation": 2 if self.read_it else 1}}
                ]
            case "syncz":
                return [self._synced(envoy) for envoy in self.envoys]
            case "adsz":
                return {
                    "clients": [
                        {
                            "connectionId": f"{one.name}-7",
                            "watches": {TYPES["CDS"]: None, TYPES["EDS"]: sorted(one.watched)},
                        }
                        for one in chosen
                    ]
                }
            case "sidecarz":
                return {"version": f"{_stamp(0, whole=True)}/{chosen[0].pushed[0]}"} if chosen else None
        return self._dump(chosen[0])

    def tell(self, page: str, query: Mapping[str, str]) -> None:
        self.asked += 1
        match page, dict(query):
            case "cachez", {"clear": "true"}:
                self.cache.empty(self.now)
            case "adsz", {"push": "true"}:
                self.push_again()
            case _:
                raise AssertionError(page, query)

    def read_by_somebody(self, who: int) -> None:
        """Somebody else reads a proxy's configuration, as a dashboard does."""
        if self.envoys:
            envoy = self.envoys[who % len(self.envoys)]
            if not envoy.concerned:
                return
            made, asked = self.cache.get(envoy.pushed[1]), self.now
            self.at(self.now + self.slow, lambda: self.cache.keep(made, asked))

    def _synced(self, envoy: Envoy) -> Mapping[str, Any]:
        resources = {
            TYPES[short]: {
                "sent": nonce,
                "acked": envoy.acked.get(short, ""),
                "sentTime": _stamp(at) if self.times else "0001-01-01T00:00:00Z",
                "lastError": envoy.errors.get(short, ""),
            }
            for short, (nonce, at) in envoy.sent.items()
        }
        return {"proxy": envoy.name, "proxy_type": "sidecar", "resources": resources}

    def _dump(self, envoy: Envoy) -> Any:
        (number, fresh), asked = envoy.pushed, self.now
        shares = envoy.concerned and not envoy.overridden
        changed = self.cache.get(fresh) if shares else fresh and not envoy.overridden
        self.sleep(self.slow)
        if shares:
            self.cache.keep(changed, asked)
        names = [OLD, NEW] if changed else [OLD]
        made = {"istio": {"config": "/apis/networking.istio.io/v1/namespaces/demo/destination-rule/cat"}}
        metadata = {"filterMetadata": made} if changed or not self.first else {}
        clusters = [{"cluster": {"name": name, "metadata": metadata}} for name in names]
        version = f"{_stamp(0, whole=True)}/{number}"
        return {"configs": [{"versionInfo": version, "dynamicActiveClusters": clusters if envoy.concerned else []}]}


def _stamp(seconds: float, *, whole: bool = False) -> str:
    time = BEGAN + (timedelta() if whole else timedelta(seconds=seconds))
    return time.isoformat().replace("+00:00", "Z")


def hold(
    istiod: Istiod,
    *,
    timeout: float = 100,
    wait: float = 10,
    new: bool = True,
    client: Any = None,
    begun: bool = False,
    earlier: bool = False,
    beside: bool = False,
    nothing: bool = False,
    report: Callable[[Progress], None] = lambda progress: None,
) -> Verification:
    clock = type("Clock", (), {"monotonic": staticmethod(lambda: istiod.now), "sleep": staticmethod(istiod.sleep)})
    barrier = Barrier(client, istiod="http://istiod", timeout=timeout, wait=wait)
    with patch.object(module, "time", clock), patch.object(barrier._istiods, "find", lambda: [istiod]):
        if begun:
            barrier.begin([key(istiod.written)])
        new_subsets = (Gray(),) if new else ()
        written = () if nothing else (istiod.written,)
        return barrier.holds(StepChange(written, (), new_subsets, earlier=earlier, beside=beside), report)
