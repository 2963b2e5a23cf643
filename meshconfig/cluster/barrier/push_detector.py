"""Which push brought the change? What istiod makes for a few proxies is compared with what was written.

`syncz` says only what was sent last; right after a write that is the push before. istiod has read the change when
`configz` shows it, and pushes some time later (PILOT_DEBOUNCE_AFTER to PILOT_DEBOUNCE_MAX, 0.1 to 10 s).
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
Watched = Mapping[str, frozenset[str]]  # the clusters of each proxy, as far as known
Learn = Callable[[Sequence[str]], None]  # has those of these proxies known

SENT = 0.5  # seconds after which what istiod made for a proxy has been sent to it
BRIEF = 2.0  # seconds after which an istiod that little happens to has pushed
DEBOUNCE = 11.0  # seconds: istiod's longest wait before a push, and a little
STALLED = 45.0  # seconds in which an istiod without enough of a processor has pushed, too
ASKED = 3  # proxies asked in one look


@dataclass(frozen=True, slots=True)
class _Seen:
    """A proxy's configuration showed a resource: made with push `version`, first at `when`."""

    version: Version | None
    when: float


class PushDetector:
    """Finds, for each sort of resource, a push that has the change.

    Parameters:
        need: what the change asks of proxies.
        now: when istiod had read it, in seconds.
        watched: what is known of proxies' clusters; filled by `learn`.
    """

    def __init__(self, need: PushNeed, now: float, watched: Watched, learn: Learn) -> None:
        self._need, self._start, self._watched, self._learn = need, now, watched, learn
        self._open: dict[ResourceClass, Manifest] = newest(need.written)
        self._shows = bool(self._open)  # not so what is deleted, or a Gateway
        self._seen: dict[ResourceClass, dict[str, _Seen]] = {resource_class: {} for resource_class in self._open}
        self._without: dict[ResourceClass, Version] = {}  # the last push known not to have it
        self._pushes: dict[ResourceClass, Version] = {}
        self._first: dict[str, Version | None] = {}
        self._moved = self._differs = False
        self._turn = 0

    @property
    def found(self) -> bool:
        """Has every sort its witness, or nobody to have one?"""
        return not self._open and self._shows

    @property
    def doubtful(self) -> bool:
        """Does what istiod makes for a proxy still say otherwise? It is slow, or something else decides there."""
        return self._differs and not self.found

    def since(self, proxy: Proxy) -> dict[str, Version]:
        """By type, the push that brought what this proxy may be concerned by."""
        return {
            resource_class.short: push for resource_class, push in self._pushes.items() if resource_class.reaches(proxy)
        }

    def done(self, now: float) -> bool:
        """Found, or there is none to find: what is shown can't be compared, or what is to show is nothing."""
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
        """Look at a few proxies, those first that were sent something last.

        Parameters:
            pods: for subsets whose labels changed, the Pods that have the new ones.
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
        """Those asked don't know the host; who does? A sort that nobody is to have needs no witness."""
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
        """The likeliest, and one more that changes from look to look."""
        self._turn += 1
        rest = order[ASKED - 1 :]
        return [*order[: ASKED - 1], *([rest[self._turn % len(rest)]] if rest else [])]

    def _compare(self, proxy: Proxy, page: Page, pods: SubsetPods, now: float) -> None:
        version = pushed(page)
        self._moved |= version != self._first.setdefault(proxy.name, version)
        hosts = set(map(host_of, clusters(page)))
        to_come = bool(hosts & self._need.hosts)  # it has the host: what is not there yet is to come
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
        """The push that brought it to a witness: the one its configuration was made with, if that was sent.

        A later push that had nothing for this proxy is not to be seen there; then, a while after, it is the last one
        sent to any of the witnesses, provided it is after those known to be without the change.
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
