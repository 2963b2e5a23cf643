"""Follows a change in one istiod: whether it has read the change, pushed it, and its proxies have acknowledged it."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from meshconfig.backend import backend
from meshconfig.backend.evidence import Evidence, SubsetPods
from meshconfig.cluster.barrier.change import ProxyRefused
from meshconfig.cluster.barrier.istiod import Istiod, of_istiod
from meshconfig.cluster.barrier.known_clusters import KnownClusters
from meshconfig.cluster.barrier.need import (
    OF_GATEWAY_API,
    PushNeed,
    concerned,
    endpoints_warm,
    missing_endpoints,
    unacknowledged,
)
from meshconfig.cluster.barrier.pages import Page, Proxy, proxies, unresolved, unseen
from meshconfig.cluster.barrier.push_context import Before, PushContext
from meshconfig.cluster.barrier.push_detector import PushDetector
from meshconfig.cluster.barrier.sends import Sends
from meshconfig.cluster.barrier.stale_cache import StaleCache
from meshconfig.istio.cluster_names import host_of

ASKING = 0.3  # seconds in which a push goes out and Envoy asks for the endpoints of new clusters
PATIENCE = 2.0  # seconds that a push to one proxy, or its answer, may normally take
IDLE = 5.0  # seconds within which istiod has sent a proxy the configuration that it made for it
ROUTING = frozenset({"LDS", "RDS"})
DUMPS = 4  # configurations of lagging proxies that are read in one look


@dataclass(frozen=True, slots=True)
class Look:
    """The result of one look at an istiod.

    Parameters:
        waiting: what is still missing, one line each, for people.
        proxies: the number of connected proxies that the change concerns.
        unacknowledged: the number of these that lack something.
        listening: POD.NAMESPACE of the proxies that accept connections.
        state: what was last sent to which proxy, and acknowledged by it, of those that were connected before the change
            was written; equal to that of an earlier look if neither happened in between.
        witnessed: a proxy's configuration showed each class of written resources.
        doubts: the proxies for which istiod still makes configuration without the change, one line each, for people.
    """

    waiting: tuple[str, ...]
    proxies: int = 0
    unacknowledged: int = 0
    listening: frozenset[str] = frozenset()
    state: frozenset[tuple[str, str, str, str]] = frozenset()
    witnessed: bool = True
    doubts: tuple[str, ...] = ()


class Follower:
    """Follows one change in one istiod.

    Parameters:
        istiod: the istiod.
        need: what proxies must have for the change.
        pods: returns the Pods of the subsets whose labels changed.
        before: that istiod before the change was written; None if it was not read then.
        serving: the proxies that had listeners before the change was written, at whichever istiod.
    """

    def __init__(
        self,
        istiod: Istiod,
        need: PushNeed,
        pods: Callable[[], SubsetPods],
        before: Before | None = None,
        serving: Collection[str] = (),
    ) -> None:
        self._serving = serving
        self.name, self._istiod, self._need, self._pods, self._before = istiod.name, istiod, need, pods, before
        self._read = istiod.read
        self._sends: Sends | None = None
        self._detector: PushDetector | None = None
        self._clusters = KnownClusters(istiod)
        self._since: dict[tuple[str, ...], float] = {}  # when something that should pass was first seen
        self._excused: set[tuple[str, ...]] = set()

    def look(self, now: float) -> Look:
        """Looks once, with a handful of requests to istiod.

        Parameters:
            now: the time in seconds, by any clock that never goes back.

        Raises:
            ProxyRefused: a proxy rejected the change.
            Unreadable: a debug page could not be read, or is none of istiod's.
        """
        return of_istiod(self.name, lambda: self._look(now))

    def _look(self, now: float) -> Look:
        if self._before is None:
            # A push between this and the moment when istiod has read the change may have it already.
            self._before = Before(proxies(self._read("syncz", {})))
        if self._sends is None:
            self._sends = Sends(self._before.there)
        if self._detector is None:
            late = unseen(self._read("configz", {}), self._need.written, self._need.deleted)
            if late:
                return Look(tuple(f"{self.name} has not read {one} yet" for one in late))
            self._detector = self._detect(self._before, self._sends, now)
        there = self._connected(self._sends, now)
        if not there:
            return Look(())
        knew = self._detector.done(now)
        self._detector.ask(there, self._dump, self._pods(), now)
        if not self._detector.done(now):
            waiting = (f"{self.name} has not pushed the change yet",)
            return Look(waiting, len(there), len(there), state=self._state(there))
        if not knew:  # large pages have taken seconds, in which proxies acknowledge
            there = self._connected(self._sends, now)
        return self._judge(there, self._detector, self._sends, now)

    def _connected(self, sends: Sends, now: float) -> tuple[Proxy, ...]:
        there = proxies(self._read("syncz", {}))
        sends.note(there, now)
        return there

    def _detect(self, before: Before, sends: Sends, now: float) -> PushDetector:
        stale, context = StaleCache(self._istiod.tell, sends), PushContext(self._istiod, before)
        return PushDetector(self._need, now, self._clusters, sends, stale, context)

    def _judge(self, there: Sequence[Proxy], detector: PushDetector, sends: Sends, now: float) -> Look:
        late = {
            proxy.name: types
            for proxy in there
            if (types := unacknowledged(proxy, self._need.types, detector.since(proxy), sends.ended(proxy)))
        }
        doubtful = [proxy for proxy in there if self._doubtful(proxy, now)]
        self._learn([proxy for proxy in there if proxy.name in late], doubtful, now)
        lagging = [proxy for proxy in there if proxy.name in late and self._concerned(proxy) is not False]
        self._refused(lagging, late, now)
        lagging = self._not_excused(lagging, late, now)
        waiting = {proxy.name: f"{proxy.name}: {', '.join(late[proxy.name])}" for proxy in lagging}
        for proxy in doubtful:
            if new := self._cold(proxy):
                waiting.setdefault(proxy.name, f"{proxy.name}: EDS of {', '.join(new)}")
        waiting |= {name: f"{name}: LDS, RDS" for name in self._connecting(there, now) if name not in waiting}
        waiting |= {} if waiting else {line: line for line in self._unresolved()}
        listening = frozenset(proxy.name for proxy in there if proxy.listens)
        aside = sum(self._concerned(proxy) is False for proxy in there)
        return Look(
            tuple(waiting.values()),
            len(there) - aside,
            len(waiting),
            listening,
            self._state(there),
            detector.found,
            tuple(f"{self.name} still makes other configuration for {name}" for name in detector.differing),
        )

    def _unresolved(self) -> tuple[str, ...]:
        """What istiod says against the written routes of the Gateway API; it says so a moment after it reads them."""
        routes = [one for one in self._need.written if one["kind"] in OF_GATEWAY_API]
        return unresolved(self._read("configz", {}), routes) if routes else ()

    def _state(self, there: Sequence[Proxy]) -> frozenset[tuple[str, str, str, str]]:
        """What was last sent to the concerned proxies, without endpoints, which also change when Pods come and go.

        For the same reason without proxies that have connected since: where Pods come, some are sent something always.
        """
        return frozenset(
            (proxy.name, short, sent.nonce, sent.acked)
            for proxy in there
            if self._concerned(proxy) is not False and not (self._sends and self._sends.is_new(proxy))
            for short, sent in proxy.sent.items()
            if short in self._need.types and short != "EDS"
        )

    def _connecting(self, there: Sequence[Proxy], now: float) -> Iterator[str]:
        """The proxies that have connected anew and have only clusters from this istiod so far.

        They still route as the istiod that they had before told them. One that starts routes nothing before it has
        listeners, and is not waited for.
        """
        if not self._need.types & ROUTING:
            return
        for proxy in there:
            anew = proxy.name in self._serving and not proxy.listens and self._concerned(proxy) is not False
            if anew and not self._lasts(IDLE, now, "connects", proxy.name):
                yield proxy.name

    def _concerned(self, proxy: Proxy) -> bool | None:
        return concerned(proxy, self._need, self._clusters.watched.get(proxy.name))

    def _doubtful(self, proxy: Proxy, now: float) -> bool:
        """Whether a proxy may lack the endpoints of a new cluster."""
        if not self._need.clusters or endpoints_warm(proxy):
            return False
        hosts = {host for host, _ in self._need.clusters}
        watched = self._clusters.watched.get(proxy.name)
        return watched is None or any(host_of(cluster) in hosts for cluster in watched)

    def _cold(self, proxy: Proxy) -> tuple[str, ...]:
        watched = self._clusters.watched.get(proxy.name)
        return ("new clusters",) if watched is None else missing_endpoints(self._need, watched)

    def _learn(self, lagging: Sequence[Proxy], doubtful: Sequence[Proxy], now: float) -> None:
        """Reads which clusters proxies have: once for a lagging proxy, in each look for one that may lack endpoints."""
        unknown = [proxy for proxy in lagging if proxy.name not in self._clusters.watched]
        ask = {proxy.name for proxy in (*unknown, *doubtful) if self._lasts(ASKING, now, proxy.name)}
        self._clusters.learn(sorted(ask))

    def _refused(self, lagging: Sequence[Proxy], late: Mapping[str, tuple[str, ...]], now: float) -> None:
        """Raises ProxyRefused for a proxy whose error stays. An error that passes belonged to an earlier push."""
        for proxy in lagging:
            for short in late[proxy.name]:
                sent = proxy.sent[short]
                if sent.error and self._lasts(PATIENCE, now, proxy.name, short, sent.nonce):
                    raise ProxyRefused(proxy.name, short, sent.error)

    def _not_excused(self, lagging: Sequence[Proxy], late: Mapping[str, tuple[str, ...]], now: float) -> list[Proxy]:
        """The lagging proxies, without those for which istiod has nothing to send.

        Such a proxy has acknowledged all that it got, has got nothing for a while, and its configuration has nothing of
        the change, or has had the whole change for some seconds.
        """
        idle = [proxy for proxy in lagging if all(proxy.sent[short].acknowledged for short in late[proxy.name])]
        doubt = [one for one in idle if self._lasts(PATIENCE, now, *_last(one)) and _last(one) not in self._excused]
        for proxy in doubt[:DUMPS]:
            page = self._dump(proxy.name)
            shows = (
                backend(self._need.backend).evidence(page, self._need.change, self._pods()) if page else Evidence.ABSENT
            )
            if shows is Evidence.ABSENT or (shows is Evidence.SHOWS and self._lasts(IDLE, now, *_last(proxy))):
                self._excused.add(_last(proxy))
        return [proxy for proxy in lagging if proxy not in idle or _last(proxy) not in self._excused]

    def _dump(self, name: str) -> Page:
        # Endpoints are a large part of a dump, and only a change of a subset's labels needs them.
        return self._read(
            "config_dump", {"proxyID": name, **({"include_eds": "true"} if self._need.relabelled else {})}
        )

    def _lasts(self, seconds: float, now: float, *what: str) -> bool:
        return now - self._since.setdefault(what, now) >= seconds


def _last(proxy: Proxy) -> tuple[str, ...]:
    return proxy.name, *sorted(sent.nonce for sent in proxy.sent.values())
