"""Waits until proxies have a change."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from meshconfig.backend import backend
from meshconfig.backend.evidence import NO_PODS, RelabelledSubset, SubsetPods
from meshconfig.cluster.barrier.change import BarrierTimeout, Progress, StepChange, Verification
from meshconfig.cluster.barrier.endpoints import addresses, lacking
from meshconfig.cluster.barrier.follow import Follower, Look
from meshconfig.cluster.barrier.istiod import Istiods, Reach, Unreadable
from meshconfig.cluster.barrier.need import TYPES, PushNeed, push_need
from meshconfig.cluster.barrier.push_context import Before, read_before
from meshconfig.cluster.client import Client
from meshconfig.cluster.objects import Key
from meshconfig.istio.exports import ROOT_NAMESPACE

FIRST, LONGEST = 0.1, 1.0  # seconds from one look to the next, at least and at most
SHARE = 8  # between these, a pause is this part of the wait so far: no barrier gets longer by more than that part of it
# Or as long as the look took: a large proxy's configuration costs an istiod with too little CPU a second, and it needs
# its time for the push that is waited for.
SETTLE = 0.5  # seconds without a push; Envoy asks for new clusters' endpoints a moment after it acknowledged the rest
BLIND = 2.0  # the same where no proxy's configuration shows the change, so that its push may still be to come
ENOUGH = 5.0  # seconds after which pushes no longer matter: on a busy mesh, changes of others never pause
SIDECARS = 30.0  # seconds to wait for the sidecar of a ready Pod; a sidecar gets its listeners last


def _silent(progress: Progress) -> None:
    pass


class Barrier:
    """Waits until every proxy that a change concerns has acknowledged it and new subsets have ready endpoints.

    Parameters:
        client: a client of the API server. None: endpoints of subsets are not checked, and `istiod` must be given.
        istiod: the address of istiod's debug pages, `http://host:port`. None: the barrier reads the pages of each
            istiod Pod through the API server.
        timeout: seconds until BarrierTimeout.
        wait: seconds to wait instead if the debug pages cannot be read.
        namespace: the namespace of istiod's Pods.
    """

    def __init__(
        self,
        client: Client | None,
        *,
        istiod: str | None = None,
        timeout: float = 300,
        wait: float = 10,
        namespace: str = ROOT_NAMESPACE,
    ) -> None:
        self._client, self._timeout, self._wait = client, timeout, wait
        self._istiods = Istiods(client, istiod, namespace)
        self._before: dict[str, Before] = {}
        self._silent = False  # an istiod could not be read before a step

    def reach(self) -> Reach:
        """Which istiods can be read, and why others cannot. Writes nothing and does not wait."""
        return self._istiods.reach()

    def begin(self, names: Iterable[Key]) -> None:
        """Reads what each istiod has pushed so far. Without this, a change that no proxy shows takes longer.

        Parameters:
            names: what the next step writes and deletes.
        """
        self._before = {}
        namespaces = frozenset(one.namespace for one in names if one.kind in TYPES)
        if not namespaces or self._silent:
            return
        try:
            for istiod in self._istiods.find():
                self._before[istiod.name] = read_before(istiod, namespaces)
        except Unreadable:  # that is the barrier's to judge; it waits for it once a step
            self._silent = True

    def holds(self, change: StepChange, report: Callable[[Progress], None] = _silent) -> Verification:
        """Waits until the proxies have the change.

        Parameters:
            change: what a step wrote.
            report: is called with the progress after each look.

        Returns:
            VERIFIED, or UNVERIFIED if an istiod could not be read for `wait` seconds, or if it still makes other
            configuration for a proxy that the change concerns.

        Raises:
            BarrierTimeout: some proxies do not have the change, or some subsets no endpoint, after `timeout` seconds.
            ProxyRefused: a proxy rejected the change.
        """
        try:
            return self._holds(change, report)
        finally:
            self._istiods.close()

    def _holds(self, change: StepChange, report: Callable[[Progress], None]) -> Verification:
        need = push_need(change)
        view = _View(self._istiods, need, self._wait, partial(self._pods, need.relabelled), self._before)
        self._before = {}
        settled = _Settled()
        missing: list[str] | None = None
        start = time.monotonic()
        while True:
            now = time.monotonic()
            looks = view.take(now)
            took = time.monotonic() - now
            # A large namespace has thousands of endpoints. They are read first, while some are missing, and whenever
            # the barrier might end; in between, it waits for proxies whatever they say.
            if missing is None or missing or not any(one.waiting for one in looks):
                missing = self._missing(change, looks, now - start)
            progress = _progress(looks, missing, view.given_up)
            report(progress)
            left = settled.left(looks, progress, now)
            if left == 0:
                return Verification.UNVERIFIED if progress.doubts else Verification.VERIFIED
            if now - start >= self._timeout:
                raise BarrierTimeout(self._timeout, progress.waiting_for or ("nothing: it keeps changing",))
            time.sleep(_pause(left, now - start, took))

    def _pods(self, subsets: Sequence[RelabelledSubset]) -> SubsetPods:
        return addresses(self._client, subsets) if self._client is not None and subsets else NO_PODS

    def _missing(self, change: StepChange, looks: Sequence[Look], waited: float) -> list[str]:
        if self._client is None or not change.new_subsets:
            return []
        listening = frozenset(name for one in looks for name in one.listening)
        made_by = backend(change.backend)
        hosts = {one: made_by.cluster(one.host, one.port, one.name).host for one in change.new_subsets}
        return lacking(self._client, hosts, listening, wait_for_proxies=waited < SIDECARS)


@dataclass(slots=True)
class _View:
    """Looks at all istiods in turn. An istiod that cannot be read for `wait` seconds is given up."""

    istiods: Istiods
    need: PushNeed
    wait: float
    pods: Callable[[], SubsetPods]
    before: Mapping[str, Before]
    given_up: dict[str, str] = field(default_factory=dict)  # why, by the name of an istiod
    _followers: dict[str, Follower] = field(default_factory=dict)
    _failing: dict[str, float] = field(default_factory=dict)
    _serving: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self._serving = frozenset(one.name for each in self.before.values() for one in each.there if one.listens)

    def take(self, now: float) -> list[Look]:
        try:
            there = self.istiods.find() if self.need.types or self.need.clusters else ()
        except Unreadable as error:
            return self._failed("", str(error), now)
        self.given_up.pop("", None)
        looks = []
        for istiod in there:
            follower = self._followers.setdefault(
                istiod.name, Follower(istiod, self.need, self.pods, self.before.get(istiod.name), self._serving)
            )
            try:
                looks.append(follower.look(now))
                self._failing.pop(istiod.name, None)
                self.given_up.pop(istiod.name, None)
            except Unreadable as error:
                looks += self._failed(istiod.name, str(error), now)
        return looks

    def _failed(self, name: str, why: str, now: float) -> list[Look]:
        since = self._failing.setdefault(name, now)
        if now - since < self.wait:
            return [Look((why,))]
        self.given_up[name] = why
        return []


@dataclass(slots=True)
class _Settled:
    """Whether all proxies have the change and nothing has been pushed for a while.

    The while is needed because Envoy asks for the endpoints of new clusters a moment after it acknowledged the rest.
    """

    _since: float | None = None
    _changed: float = 0.0
    _state: object = None

    def left(self, looks: Sequence[Look], progress: Progress, now: float) -> float | None:
        """The seconds after which that is so if nothing happens any more; None while something is waited for."""
        state = frozenset().union(*(one.state for one in looks))
        if state != self._state:
            self._state, self._changed = state, now
        if progress.waiting_for:
            self._since = None
            return None
        if self._since is None:
            self._since = now
        if not progress.proxies:
            return 0
        waited, quiet = now - self._since, now - self._changed
        if all(one.witnessed for one in looks):
            return max(0, min(SETTLE - quiet, ENOUGH - waited))
        return max(0, BLIND - waited, min(BLIND - quiet, ENOUGH - waited))


def _pause(left: float | None, waited: float, took: float) -> float:
    """Seconds until the next look: no longer than until the barrier may end, or than a push should go unnoticed.

    Parameters:
        left: as `_Settled.left` returns it.
        waited, took: the seconds of the wait so far, and of the last look at istiod.
    """
    return min(max(FIRST, waited / SHARE, took), LONGEST) if left is None else min(max(left, FIRST), SETTLE)


def _progress(looks: Sequence[Look], missing: Sequence[str], given_up: Mapping[str, str]) -> Progress:
    connected = sum(one.proxies for one in looks)
    waiting = tuple(line for one in looks for line in one.waiting)
    doubts = (*given_up.values(), *(line for one in looks for line in one.doubts))
    return Progress(connected - sum(one.unacknowledged for one in looks), connected, (*waiting, *missing), doubts)
