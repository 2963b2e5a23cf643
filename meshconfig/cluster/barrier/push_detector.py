"""Finds the push that brought a change, by comparing the configuration of a few proxies with what was written.

`syncz` shows only what was sent last, and right after a write that is the push before. istiod has read the change when
`configz` shows it. It pushes the change some time later (PILOT_DEBOUNCE_AFTER to PILOT_DEBOUNCE_MAX, 0.1 to 10 s).

A configuration that is read between the beginning of a push and its arrival at that proxy may get into istiod's cache
as it was before the push (see `stale_cache.py`). So a proxy's configuration is read when it has been sent something
since the write, when nothing has been sent for a while, or when nothing was written just now. A proxy that was seen
without the change is read again.

Where Pods come, the newest push is seldom the one that is looked for: each push of endpoints has a version of its own,
and a proxy that connects gets everything with the newest. The others have what was sent before, and are sent endpoints
alone. So what counts is a push that surely has the change, if not the first that has it; and that a proxy has been sent
endpoints with a later one (see `sends.py`), or nothing for a while.
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
from meshconfig.cluster.objects import Manifest, key
from meshconfig.istio.cluster_names import host_of

Dump = Callable[[str], Page | None]

QUIET = 0.2  # seconds without another response to a proxy, after which its configuration is read
SENT = 0.5  # seconds within which istiod has sent a proxy the configuration that it made for it
BRIEF = 2.0  # seconds within which an istiod without other changes has pushed
DEBOUNCE = 11.0  # seconds: istiod's longest wait before a push (10 s), and a little
STAYED = 2.5  # seconds within which a push gets to a proxy once another proxy has it
STAYED_UNSENT = 5.0  # the same for a proxy that has been sent nothing since this process looks
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
        self._classes: dict[ResourceClass, Manifest] = newest(need.written, need.change.before)
        self._open = dict(self._classes)
        self._away: dict[ResourceClass, Manifest] = {}  # those of them that no connected proxy can have
        there = {key(one): one for one in need.written}  # some of what is written has what others had
        self._gone = replace(need.change, written=(), before={**need.change.before, **there})
        self._showable = bool(self._open)  # no proxy's configuration shows a deleted resource or a Gateway
        self._seen: dict[ResourceClass, dict[str, _Seen]] = {resource_class: {} for resource_class in self._open}
        self._shown: dict[ResourceClass, float] = {}  # when a page first did, whose push is known
        self._without: dict[ResourceClass, Version] = {}  # the last push that is known not to have the change
        self._pushes: dict[ResourceClass, Version] = {}
        self._judged: set[tuple[ResourceClass, str, Version]] = set()  # what proxies were sent before that, once read
        self._first: dict[str, Version | None] = {}
        self._differing: dict[str, float] = {}  # proxies whose configuration was without the change, last read when
        self._overridden: set[str] = set()  # those of them where something else decides than what was written
        self._idle = not (need.written or need.deleted)  # no push is looked for
        self._newest: Version | None = None  # push of configuration that any proxy was sent, or any page was made with
        self._moved = self._pushing = self._unseen = False
        self._turn = 0

    @property
    def found(self) -> bool:
        """Whether a proxy's configuration showed each class of resources that any proxy can show."""
        return self._idle or (not self._open and self._showable and not self._unseen)

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
        found: dict[str, Version] = {}
        for resource_class, push in self._pushes.items():
            if resource_class.reaches(proxy):
                found[resource_class.short] = max(push, found.get(resource_class.short, push))
        return found

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
        return self._showable or waited >= BRIEF or (self._moved and waited >= SENT)

    def ask(self, there: Sequence[Proxy], dump: Dump, pods: SubsetPods, now: float) -> None:
        """Compares the configuration of a few proxies, first of those that were sent something most recently.

        Parameters:
            there: the connected proxies.
            dump: reads a proxy's configuration; None for a proxy that is not connected any more.
            pods: for subsets whose labels changed, the Pods that have the new labels.
            now: the time in seconds.
        """
        connected = {proxy.name: proxy for proxy in there}
        self._take_up(there)
        self._conclude(connected, now)
        self._differing = {name: when for name, when in self._differing.items() if name in connected}
        self._pushing = self._stale.is_pushing(there, now)
        if self._pushing:
            return
        if self.done(now):
            self._read_earlier(there, dump, pods, now)
            self._conclude(connected, now)
            return
        for proxy in self._some([proxy for proxy in there if self._asks(proxy, now)]):
            self._read(proxy, dump, pods, now)
        self._mend(connected, dump, pods, now)
        nobody = self._first or now - self._start >= BRIEF or not any(map(self._can_show, there))
        if not self._differing and not any(self._seen[one] for one in self._open) and nobody:
            self._look_for_others(there)
        self._conclude(connected, now)

    def _asks(self, proxy: Proxy, now: float) -> bool:
        """Whether to read a proxy's configuration now."""
        if proxy.name in self._overridden or self._may(proxy) is False or not self._can_show(proxy):
            return False
        if proxy.name not in self._differing and any(proxy.name in self._seen[one] for one in self._open):
            return False
        quiet = self._sends.quiet(proxy, now)
        return self._need.earlier or (quiet is not None and quiet >= QUIET) or now - self._start >= BRIEF

    def _can_show(self, proxy: Proxy) -> bool:
        """Whether a proxy's configuration can tell anything: a gateway's has no routes between services, and its page
        costs istiod as much as any other."""
        is_reached = any(resource_class.reaches(proxy) for resource_class in self._classes)
        return is_reached or bool(self._need.deleted) or not (self._classes or self._away)

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
                self._seen = {resource_class: {} for resource_class in self._classes}
                self._shown.clear()
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
        """Finds proxies that know the hosts, if those asked do not, and puts aside the classes that none can have."""
        there = self._candidates(there)
        for resource_class in list(self._open):
            if not any(resource_class.reaches(proxy) for proxy in there):
                self._away[resource_class] = self._classes.pop(resource_class)
                del self._open[resource_class], self._seen[resource_class]
        self._unseen = self._showable and not self._open and not self._pushes

    def _take_up(self, there: Sequence[Proxy]) -> None:
        """Takes classes up again where a proxy has connected that may have them: before the push, perhaps."""
        if not self._away:
            return
        there = self._candidates(there)
        for resource_class in list(self._away):
            if any(resource_class.reaches(proxy) for proxy in there):
                self._classes[resource_class] = self._open[resource_class] = self._away.pop(resource_class)
                self._seen[resource_class] = {}
                self._unseen = False

    def _candidates(self, there: Sequence[Proxy]) -> list[Proxy]:
        """The proxies that the change may concern."""
        if unknown := [proxy.name for proxy in there if self._may(proxy) is None]:
            self._clusters.learn(unknown)
        return [proxy for proxy in there if self._may(proxy) is not False]

    def _read_earlier(self, there: Sequence[Proxy], dump: Dump, pods: SubsetPods, now: float) -> None:
        """Reads a proxy that was sent its configuration before a push that was found: it may have the change as well.

        Of all these it is one that was sent the oldest. What was sent later has the change, too, if that has it.
        """
        earlier = [
            (version, proxy.name, resource_class)
            for resource_class, push in self._pushes.items()
            for proxy in there
            if resource_class.reaches(proxy) and self._may(proxy) is not False
            if (version := self._sent_before(proxy, resource_class, push, now))
        ]
        if not earlier:
            return
        version, name, resource_class = min(earlier, key=lambda one: one[:2])
        self._judged.add((resource_class, name, version))
        page = dump(name)
        if page is None or pushed(page) != version:  # made with another push than what was sent
            return
        match self._shows(page, resource_class, pods):
            case Evidence.SHOWS:
                self._seen[resource_class][name] = _Seen(version, now)
            case Evidence.DIFFERS:
                self._note_without(resource_class, version)

    def _sent_before(self, proxy: Proxy, resource_class: ResourceClass, push: Version, now: float) -> Version | None:
        """The version of what a proxy was sent before a push, and may have the change; None where that is known."""
        sent, quiet = proxy.sent.get(resource_class.short), self._sends.quiet(proxy, now)
        if not (self._need.earlier or (quiet is not None and quiet >= QUIET)):
            return None
        if sent is None or (version := sent.version) is None or version >= push:
            return None
        without = self._without.get(resource_class)
        is_known = (resource_class, proxy.name, version) in self._judged or (without is not None and version <= without)
        return None if is_known else version

    def _note_without(self, resource_class: ResourceClass, version: Version) -> None:
        self._without[resource_class] = max(self._without.get(resource_class, version), version)

    def _shows(self, page: Page, resource_class: ResourceClass, pods: SubsetPods) -> Evidence:
        written = replace(self._need.change, written=(self._classes[resource_class],), deleted=())
        return backend(self._need.backend).evidence(page, written, pods)

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
        self._newest = max((one for one in (self._newest, version) if one), default=None)
        self._moved |= (
            version != self._first.setdefault(proxy.name, version) or self._sends.quiet(proxy, now) is not None
        )
        hosts = set(map(host_of, clusters(page)))
        to_come = bool(hosts & self._need.hosts)  # the proxy has the host, so what it lacks is still to come
        differs = backend(self._need.backend).evidence(page, self._gone) is Evidence.DIFFERS
        for resource_class in self._classes:
            shows = self._shows(page, resource_class, pods)
            if shows is Evidence.SHOWS and resource_class in self._open:
                self._seen[resource_class][proxy.name] = _Seen(version, now)
                if version:
                    self._shown.setdefault(resource_class, now)
            surely = resource_class.surely(proxy) and not self._may_hide(resource_class)
            if shows is Evidence.DIFFERS or (to_come and shows is Evidence.ABSENT and surely):
                differs = True
                if version and resource_class in self._open:
                    self._note_without(resource_class, version)
        self._differing.pop(proxy.name, None)
        if differs:
            self._differing[proxy.name] = now

    def _conclude(self, connected: Mapping[str, Proxy], now: float) -> None:
        # Never falls: who was sent it may leave. What istiod has made for one proxy and not sent yet, others may show.
        newest = self._newest = _newest_push(connected.values(), self._newest)
        for resource_class, witnesses in self._seen.items():
            for name, seen in list(witnesses.items()):
                if not (name in connected and self._counts(connected[name], resource_class, seen, newest)):
                    del witnesses[name]
            sure = {
                name: seen
                for name, seen in witnesses.items()
                if not _before(seen.version, newest) or self._has_stayed(connected[name], seen, now)
            }
            exact = self._sent_exactly(resource_class, connected, sure)
            if resource_class not in self._open:
                self._pushes[resource_class] = min([self._pushes[resource_class], *exact])
            elif push := (
                min(exact, default=self._sent_lately(resource_class, connected, sure, now))
                or self._at_most(resource_class, newest, now)
            ):
                self._pushes[resource_class] = push
                del self._open[resource_class]

    @staticmethod
    def _counts(proxy: Proxy, resource_class: ResourceClass, seen: _Seen, newest: Version | None) -> bool:
        """Whether a proxy is a witness still.

        Proxies share istiod's cache, so one that istiod has not looked at for the newest push may show it already; then
        it is sent that push in a moment.
        """
        sent = proxy.sent.get(resource_class.short)
        return not _before(seen.version, newest) or bool(sent and sent.version == seen.version)

    def _has_stayed(self, proxy: Proxy, seen: _Seen, now: float) -> bool:
        """Whether no later push is on its way to a proxy that shows the change with what it was sent before."""
        if self._sends.is_pushing(now, STAYED):  # a large mesh takes many seconds for one push
            return False
        if self._sends.quiet(proxy, now) is not None:
            return now - seen.when >= STAYED
        return self._need.earlier and now - seen.when >= STAYED_UNSENT

    def _sent_exactly(
        self, resource_class: ResourceClass, connected: Mapping[str, Proxy], seen: Mapping[str, _Seen]
    ) -> list[Version]:
        """The pushes with which witnesses' configuration was made, of those that were sent it."""
        sent = _sent_versions(resource_class, connected, seen)
        return [version for name, version in sent.items() if version == seen[name].version]

    def _sent_lately(
        self, resource_class: ResourceClass, connected: Mapping[str, Proxy], seen: Mapping[str, _Seen], now: float
    ) -> Version | None:
        """The last push that was sent to any witness, after a while.

        A push that has nothing for a proxy is not sent to it. Then an earlier one counts that was, provided that it is
        later than the pushes known to be without the change.
        """
        without = self._without.get(resource_class)
        sent = _sent_versions(resource_class, connected, seen)
        old = [version for name, version in sent.items() if now - seen[name].when >= SENT]
        return max((one for one in old if without is None or one > without), default=None)

    def _at_most(self, resource_class: ResourceClass, newest: Version | None, now: float) -> Version | None:
        """A push that has the change, where a later one always comes before a witness is sure: Pods come.

        What a proxy's configuration shows was made with its own push, or with that of another proxy by istiod's cache,
        which that proxy has been sent by now.
        """
        return newest if now - self._shown.get(resource_class, now) >= SENT else None


def _sent_versions(
    resource_class: ResourceClass, connected: Mapping[str, Proxy], names: Iterable[str]
) -> dict[str, Version]:
    found = {name: connected[name].sent.get(resource_class.short) for name in names}
    return {name: sent.version for name, sent in found.items() if sent and sent.version}


def _before(version: Version | None, newest: Version | None) -> bool:
    return bool(version and newest and version < newest)


def _newest_push(there: Iterable[Proxy], known: Version | None) -> Version | None:
    """The newest push of configuration; one of endpoints alone is none."""
    sent = [one.sent[short].version for one in there for short in CONFIGURATION if short in one.sent]
    return max((version for version in (*sent, known) if version), default=None)
