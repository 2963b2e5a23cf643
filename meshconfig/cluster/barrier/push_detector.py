"""Finds the push that brought a change, by comparing the configuration of a few proxies with what was written.

`syncz` shows only what was sent last, and right after a write that is the push before. istiod has read the change when
`configz` shows it. It pushes the change some time later (PILOT_DEBOUNCE_AFTER to PILOT_DEBOUNCE_MAX, 0.1 to 10 s).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from meshconfig.backend import backend
from meshconfig.backend.evidence import Evidence, SubsetPods, Written
from meshconfig.cluster.barrier.need import PushNeed, ResourceClass, concerned, newest
from meshconfig.cluster.barrier.pages import Page, Proxy, Version, clusters, pushed
from meshconfig.cluster.objects import Manifest
from meshconfig.istio.cluster_names import host_of

Dump = Callable[[str], Page | None]
Watched = Mapping[str, frozenset[str]]  # the names of each proxy's clusters, as far as they are known
Learn = Callable[[Sequence[str]], None]  # reads the clusters of these proxies into `Watched`

SENT = 0.5  # seconds within which istiod has sent a proxy the configuration that it made for it
BRIEF = 2.0  # seconds within which an istiod without other changes has pushed
DEBOUNCE = 11.0  # seconds: istiod's longest wait before a push (10 s), and a little
STALLED = 45.0  # seconds within which an istiod with too little CPU has pushed as well
ASKED = 3  # proxies whose configuration is read in one look


@dataclass(frozen=True, slots=True)
class _Seen:
    """A proxy's configuration showed a resource, first at the time `when`; it was made with the push `version`."""

    version: Version | None
    when: float


class PushDetector:
    """Finds, for each class of written resources, a push that has the change.

    Parameters:
        need: what proxies must have for the change.
        now: the time in seconds at which istiod had read the change.
        watched: the names of each proxy's clusters, as far as they are known.
        learn: reads the clusters of proxies into `watched`.
    """

    def __init__(self, need: PushNeed, now: float, watched: Watched, learn: Learn) -> None:
        self._need, self._start, self._watched, self._learn = need, now, watched, learn
        self._open: dict[ResourceClass, Manifest] = newest(need.written)
        self._shows = bool(self._open)  # no proxy's configuration shows a deleted resource or a Gateway
        self._seen: dict[ResourceClass, dict[str, _Seen]] = {resource_class: {} for resource_class in self._open}
        self._without: dict[ResourceClass, Version] = {}  # the last push that is known not to have the change
        self._pushes: dict[ResourceClass, Version] = {}
        self._first: dict[str, Version | None] = {}
        self._moved = self._differs = False
        self._turn = 0

    @property
    def found(self) -> bool:
        """Whether a proxy's configuration showed each class of resources that any proxy can show."""
        return not self._open and self._shows

    @property
    def doubtful(self) -> bool:
        """Whether istiod still makes configuration without the change for a proxy.

        Then istiod is slow, or another resource decides there.
        """
        return self._differs and not self.found

    def since(self, proxy: Proxy) -> dict[str, Version]:
        """For each xDS type, the push that brought the resources that may concern this proxy."""
        return {
            resource_class.short: push for resource_class, push in self._pushes.items() if resource_class.reaches(proxy)
        }

    def done(self, now: float) -> bool:
        """Whether to stop looking: the pushes are found, or no configuration can show the change and time is up."""
        waited = now - self._start
        # An istiod that still makes something else for a proxy may have pushes queued before this one.
        if waited >= (STALLED if self._differs else DEBOUNCE):
            return True
        if self.found and not self._need.deleted:
            return True
        if self._open or self._differs:
            return False
        return self._shows or waited >= BRIEF or (self._moved and waited >= SENT)

    def ask(self, there: Sequence[Proxy], dump: Dump, pods: SubsetPods, now: float) -> None:
        """Compares the configuration of a few proxies, first of those that were sent something most recently.

        Parameters:
            there: the connected proxies.
            dump: reads a proxy's configuration; None for a proxy that is not connected any more.
            pods: for subsets whose labels changed, the Pods that have the new labels.
            now: the time in seconds.
        """
        connected = {proxy.name: proxy for proxy in there}
        self._conclude(connected, now)
        if self.done(now):
            return
        asked = {name for seen in self._seen.values() for name in seen}
        order = [proxy for proxy in there if proxy.name not in asked and self._may(proxy) is not False]
        self._differs = False
        for proxy in self._some(sorted(order, key=self._likely, reverse=True)):
            page = dump(proxy.name)
            if page is not None:
                self._compare(proxy, page, pods, now)
        if not self._differs and not any(self._seen.values()):
            self._look_for_others(there)
        self._conclude(connected, now)

    def _may(self, proxy: Proxy) -> bool | None:
        return concerned(proxy, self._need, self._watched.get(proxy.name))

    def _look_for_others(self, there: Sequence[Proxy]) -> None:
        """Finds proxies that know the hosts, if those asked do not, and drops the classes that no proxy can have."""
        if unknown := [proxy.name for proxy in there if self._may(proxy) is None]:
            self._learn(unknown)
        there = [proxy for proxy in there if self._may(proxy) is not False]
        for resource_class in list(self._open):
            if not any(resource_class.reaches(proxy) for proxy in there):
                del self._open[resource_class], self._seen[resource_class]

    def _likely(self, proxy: Proxy) -> tuple[bool, bool, tuple[Version, ...]]:
        near = {one["metadata"]["namespace"] for one in self._open.values()}
        near |= {one.namespace for one in self._need.deleted}
        versions = [sent.version for short in ("RDS", "CDS") if (sent := proxy.sent.get(short)) and sent.version]
        router = self._need.routers and proxy.kind == "router"
        return router, proxy.namespace in near, tuple(sorted(versions, reverse=True))

    def _some(self, order: Sequence[Proxy]) -> Sequence[Proxy]:
        """The proxies that are most likely to show the change, and one more that is another one in each look."""
        self._turn += 1
        rest = order[ASKED - 1 :]
        return [*order[: ASKED - 1], *([rest[self._turn % len(rest)]] if rest else [])]

    def _compare(self, proxy: Proxy, page: Page, pods: SubsetPods, now: float) -> None:
        version = pushed(page)
        self._moved |= version != self._first.setdefault(proxy.name, version)
        hosts = set(map(host_of, clusters(page)))
        to_come = bool(hosts & self._need.hosts)  # the proxy has the host, so what it lacks is still to come
        for resource_class, manifest in self._open.items():
            shows = backend().evidence(page, replace(self._need.change, written=(manifest,), deleted=()), pods)
            if shows is Evidence.SHOWS:
                self._seen[resource_class][proxy.name] = _Seen(version, now)
            if shows is Evidence.DIFFERS or (to_come and shows is Evidence.ABSENT and resource_class.surely(proxy)):
                self._differs = True
                if version:
                    self._without[resource_class] = max(self._without.get(resource_class, version), version)
        self._differs |= backend().evidence(page, Written(deleted=self._need.change.deleted)) is Evidence.DIFFERS

    def _conclude(self, connected: Mapping[str, Proxy], now: float) -> None:
        for resource_class in list(self._open):
            self._seen[resource_class] = {
                name: seen for name, seen in self._seen[resource_class].items() if name in connected
            }
            if push := self._push(resource_class, connected, now):
                self._pushes[resource_class] = push
                del self._open[resource_class], self._seen[resource_class]

    def _push(self, resource_class: ResourceClass, connected: Mapping[str, Proxy], now: float) -> Version | None:
        """The push that brought a class of resources, as seen by its witnesses: the proxies that show it.

        It is the push with which a witness's configuration was made, if that push was sent to the witness. If it had
        nothing for the witness, it was not sent. Then, after a while, the last push that was sent to any witness counts
        instead, provided that it is later than the pushes known to be without the change.
        """
        seen, without = self._seen[resource_class], self._without.get(resource_class)
        sent = {
            name: page.version
            for name in seen
            if (page := connected[name].sent.get(resource_class.short)) and page.version
        }
        exact = [version for name, version in sent.items() if version == seen[name].version]
        if exact:
            return min(exact)
        old = [version for name, version in sent.items() if now - seen[name].when >= SENT]
        return max((one for one in old if without is None or one > without), default=None)
