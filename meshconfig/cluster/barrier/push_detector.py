"""Finds the push that brought a change, by comparing the configuration of a few proxies with what was written.

`syncz` shows only what was sent last, and right after a write that is the push before. istiod has read the change when
`configz` shows it. It pushes the change some time later (PILOT_DEBOUNCE_AFTER to PILOT_DEBOUNCE_MAX, 0.1 to 10 s).

A configuration that is read between the beginning of a push and its arrival at that proxy may get into istiod's cache
as it was before the push (see `stale_cache.py`). So a proxy's configuration is read when it has been sent something
since the write, when nothing has been sent for a while, or when nothing was written just now. A proxy that was seen
without the change is read again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from meshconfig.backend import backend
from meshconfig.backend.evidence import Evidence, SubsetPods
from meshconfig.cluster.barrier.known_clusters import KnownClusters
from meshconfig.cluster.barrier.need import PushNeed, ResourceClass, concerned, newest
from meshconfig.cluster.barrier.pages import Page, Proxy, Version, clusters, pushed
from meshconfig.cluster.barrier.push_context import PushContext
from meshconfig.cluster.barrier.sends import CONFIGURATION, Sends
from meshconfig.cluster.barrier.stale_cache import StaleCache
from meshconfig.cluster.objects import Manifest
from meshconfig.istio.cluster_names import host_of

Dump = Callable[[str], Page | None]

QUIET = 0.2  # seconds without another response to a proxy, after which its configuration is read
SENT = 0.5  # seconds within which istiod has sent a proxy the configuration that it made for it
BRIEF = 2.0  # seconds within which an istiod without other changes has pushed
DEBOUNCE = 11.0  # seconds: istiod's longest wait before a push (10 s), and a little
STALE = 2.0  # seconds after a push to a proxy whose configuration still lacks the change, and should not
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
        clusters: what is known of each proxy's clusters.
        sends: what was sent to which proxy since the write.
        stale: mends istiod's cache.
        context: follows istiod's pushes where no proxy shows them.
    """

    def __init__(
        self,
        need: PushNeed,
        now: float,
        clusters: KnownClusters,
        sends: Sends,
        stale: StaleCache,
        context: PushContext,
    ) -> None:
        self._need, self._start, self._clusters = need, now, clusters
        self._sends, self._stale, self._context = sends, stale, context
        self._classes: dict[ResourceClass, Manifest] = newest(need.written)
        self._open = dict(self._classes)
        self._shows = bool(self._open)  # no proxy's configuration shows a deleted resource or a Gateway
        self._seen: dict[ResourceClass, dict[str, _Seen]] = {resource_class: {} for resource_class in self._open}
        self._without: dict[ResourceClass, Version] = {}  # the last push that is known not to have the change
        self._pushes: dict[ResourceClass, Version] = {}
        self._first: dict[str, Version | None] = {}
        self._differing: dict[str, float] = {}  # proxies whose configuration was without the change, last read when
        self._overridden: set[str] = set()  # those of them where something else decides than what was written
        self._moved = self._pushing = self._unseen = False
        self._turn = 0

    @property
    def found(self) -> bool:
        """Whether a proxy's configuration showed each class of resources that any proxy can show."""
        return not self._open and self._shows and not self._unseen

    def _may_hide(self, resource_class: ResourceClass) -> bool:
        """Whether a sidecar may have the host and not these resources, because it has other routes for it in force."""
        return self._need.beside and resource_class.short == "RDS" and resource_class.sidecars

    @property
    def differing(self) -> Sequence[str]:
        """The names of the proxies for which istiod still makes configuration without the change.

        Then istiod is slow, or another resource decides there.
        """
        return sorted(self._differing)

    def since(self, proxy: Proxy) -> dict[str, Version]:
        """For each xDS type, the push that brought the resources that may concern this proxy."""
        return {
            resource_class.short: push for resource_class, push in self._pushes.items() if resource_class.reaches(proxy)
        }

    def done(self, now: float) -> bool:
        """Whether to stop looking: the pushes are found, or no configuration can show the change and time is up."""
        if self._pushing:
            return False
        waited = now - self._start
        # An istiod that still makes something else for a proxy may have pushes queued before this one.
        if waited >= (STALLED if self._differing else DEBOUNCE):
            return True
        if self._differing:
            return False
        if self.found and not self._need.deleted:
            return True
        if self._unseen:
            return self._context.passed(now, self._start, sent=SENT, brief=BRIEF)
        if self._open:
            # No push has to be waited for where proxies have other routes: istiod has read these, so that whatever
            # it pushes next has them.
            return waited >= BRIEF and all(map(self._may_hide, self._open))
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
        self._differing = {name: when for name, when in self._differing.items() if name in connected}
        self._pushing = self._stale.is_pushing(there, now)
        if self._pushing or self.done(now):
            return
        for proxy in self._some([proxy for proxy in there if self._asks(proxy, now)]):
            self._read(proxy, dump, pods, now)
        self._mend(connected, dump, pods, now)
        nobody = self._first or now - self._start >= BRIEF or not any(map(self._can_show, there))
        if not self._differing and not any(self._seen.values()) and nobody:
            self._look_for_others(there)
        self._conclude(connected, now)

    def _asks(self, proxy: Proxy, now: float) -> bool:
        """Whether to read a proxy's configuration now."""
        if proxy.name in self._overridden or self._may(proxy) is False or not self._can_show(proxy):
            return False
        if proxy.name not in self._differing and any(proxy.name in seen for seen in self._seen.values()):
            return False
        quiet = self._sends.quiet(proxy, now)
        return self._need.earlier or (quiet is not None and quiet >= QUIET) or now - self._start >= BRIEF

    def _can_show(self, proxy: Proxy) -> bool:
        """Whether a proxy's configuration can tell anything: a gateway's has no routes between services, and its page
        costs istiod as much as any other."""
        is_reached = any(resource_class.reaches(proxy) for resource_class in self._classes)
        return is_reached or bool(self._need.deleted) or not self._classes

    def _read(self, proxy: Proxy, dump: Dump, pods: SubsetPods, now: float) -> None:
        page = dump(proxy.name)
        if page is not None:
            self._compare(proxy, page, pods, now)

    def _mend(self, connected: Mapping[str, Proxy], dump: Dump, pods: SubsetPods, now: float) -> None:
        """Finds out whether a proxy lacks the change because istiod's cache has kept what was before it."""
        name = next((name for name in self.differing if self._is_late(connected[name], now)), None)
        if name is not None and self._stale.empty(now):
            self._read(connected[name], dump, pods, now)
            if name not in self._differing:
                self._stale.push(connected.values(), now)
                self._pushing, self._start = True, now
                self._seen = {resource_class: {} for resource_class in self._open}
                self._differing.clear()
            elif self.found:
                self._overridden.add(name)
                del self._differing[name]
        if self._stale.refused and self.found:
            self._differing.clear()

    def _is_late(self, proxy: Proxy, now: float) -> bool:
        """Whether a proxy should have the change: a push has reached it, and its configuration was read after that."""
        quiet = self._sends.quiet(proxy, now)
        if quiet is None:
            return now - self._start >= DEBOUNCE
        return quiet >= STALE and now - self._differing[proxy.name] < quiet

    def _may(self, proxy: Proxy) -> bool | None:
        return concerned(proxy, self._need, self._clusters.watched.get(proxy.name))

    def _look_for_others(self, there: Sequence[Proxy]) -> None:
        """Finds proxies that know the hosts, if those asked do not, and drops the classes that no proxy can have."""
        if unknown := [proxy.name for proxy in there if self._may(proxy) is None]:
            self._clusters.learn(unknown)
        there = [proxy for proxy in there if self._may(proxy) is not False]
        for resource_class in list(self._open):
            if not any(resource_class.reaches(proxy) for proxy in there):
                del self._open[resource_class], self._seen[resource_class], self._classes[resource_class]
        self._unseen = self._shows and not self._open and not self._pushes

    def _likely(self, proxy: Proxy) -> tuple[bool, bool, bool, tuple[Version, ...]]:
        near = {one["metadata"]["namespace"] for one in self._open.values()}
        near |= {one.namespace for one in self._need.deleted}
        versions = [sent.version for short in ("RDS", "CDS") if (sent := proxy.sent.get(short)) and sent.version]
        router = self._need.routers and proxy.kind == "router"
        again = proxy.name in self._differing
        return again, router, proxy.namespace in near, tuple(sorted(versions, reverse=True))

    def _some(self, there: Sequence[Proxy]) -> Sequence[Proxy]:
        """The proxies that are most likely to show the change, and one more that is another one in each look."""
        self._turn += 1
        order = sorted(there, key=self._likely, reverse=True)
        rest = order[ASKED - 1 :]
        return [*order[: ASKED - 1], *([rest[self._turn % len(rest)]] if rest else [])]

    def _compare(self, proxy: Proxy, page: Page, pods: SubsetPods, now: float) -> None:
        version = pushed(page)
        self._moved |= (
            version != self._first.setdefault(proxy.name, version) or self._sends.quiet(proxy, now) is not None
        )
        hosts = set(map(host_of, clusters(page)))
        to_come = bool(hosts & self._need.hosts)  # the proxy has the host, so what it lacks is still to come
        gone = replace(self._need.change, written=())
        differs = backend(self._need.backend).evidence(page, gone) is Evidence.DIFFERS
        for resource_class, manifest in self._classes.items():
            shows = backend(self._need.backend).evidence(
                page, replace(self._need.change, written=(manifest,), deleted=()), pods
            )
            if shows is Evidence.SHOWS and resource_class in self._open:
                self._seen[resource_class][proxy.name] = _Seen(version, now)
            surely = resource_class.surely(proxy) and not self._may_hide(resource_class)
            if shows is Evidence.DIFFERS or (to_come and shows is Evidence.ABSENT and surely):
                differs = True
                if version and resource_class in self._open:
                    self._without[resource_class] = max(self._without.get(resource_class, version), version)
        self._differing.pop(proxy.name, None)
        if differs:
            self._differing[proxy.name] = now

    def _conclude(self, connected: Mapping[str, Proxy], now: float) -> None:
        # Proxies share istiod's cache, so one that istiod has not looked at for the newest push may show it already.
        newest = _newest_push(connected.values())
        for resource_class in list(self._open):
            self._seen[resource_class] = {
                name: seen
                for name, seen in self._seen[resource_class].items()
                if name in connected and not (seen.version and newest and seen.version < newest)
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


def _newest_push(there: Iterable[Proxy]) -> Version | None:
    """The newest push of configuration; one of endpoints alone is none."""
    sent = [one.sent[short].version for one in there for short in CONFIGURATION if short in one.sent]
    return max((version for version in sent if version), default=None)
