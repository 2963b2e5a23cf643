"""Waiting for proxies to follow a change."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from meshconfig.backend.evidence import NO_PODS, RelabelledSubset, SubsetPods
from meshconfig.cluster.barrier.change import BarrierTimeout, Progress, StepChange, Verification
from meshconfig.cluster.barrier.endpoints import addresses, lacking
from meshconfig.cluster.barrier.follow import Follower, Look
from meshconfig.cluster.barrier.istiod import Istiods, Reach, Unreadable
from meshconfig.cluster.barrier.need import PushNeed, push_need
from meshconfig.cluster.client import Client
from meshconfig.istio.exports import ROOT_NAMESPACE

FIRST, LONGEST = 0.1, 1.0  # seconds from one look to the next
SETTLE = 0.5  # seconds for which all must stay as it is
BLIND = 2.0  # the same where no proxy's configuration shows the change
ENOUGH = 5.0  # seconds after which it need not stay as it is: others change things, too
SIDECARS = 30.0  # seconds to wait for the sidecar of a Pod that is ready


def _silent(progress: Progress) -> None:
    pass


class Barrier:
    """Holds until every proxy that subscribes has acknowledged a change and new subsets have ready endpoints.

    Parameters:
        client: the API server; None leaves out what is asked of it (Pods of istiod, endpoints of subsets).
        istiod: the address of istiod's debug pages, `http://host:port`; without it they are read through the API
            server, of each istiod Pod.
        timeout: seconds until BarrierTimeout.
        wait: seconds to wait instead where no debug page can be read.
        namespace: where istiod's Pods are.
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

    def reach(self) -> Reach:
        """Which istiod can be read, or why none; writes nothing and waits for nothing."""
        return self._istiods.reach()

    def holds(self, change: StepChange, report: Callable[[Progress], None] = _silent) -> Verification:
        """Wait until proxies follow; UNVERIFIED if an istiod could not be read for `wait` seconds, or goes on making
        something else for the proxies that the change concerns.

        Raises:
            BarrierTimeout: some did not in time.
            ProxyRefused: one never will.
        """
        try:
            return self._holds(change, report)
        finally:
            self._istiods.close()

    def _holds(self, change: StepChange, report: Callable[[Progress], None]) -> Verification:
        need = push_need(change)
        view = _View(self._istiods, need, self._wait, partial(self._pods, need.relabelled))
        settled = _Settled()
        start, pause = time.monotonic(), FIRST
        while True:
            now = time.monotonic()
            looks = view.take(now)
            missing = self._missing(change, looks, now - start)
            progress = _progress(looks, missing)
            report(progress)
            if settled.after(looks, progress, now):
                doubtful = view.given_up or any(one.doubtful for one in looks)
                return Verification.UNVERIFIED if doubtful else Verification.VERIFIED
            if now - start >= self._timeout:
                raise BarrierTimeout(self._timeout, progress.waiting_for or ("nothing: it keeps changing",))
            time.sleep(pause)
            pause = min(pause * 1.5, LONGEST if progress.waiting_for else SETTLE)

    def _pods(self, subsets: Sequence[RelabelledSubset]) -> SubsetPods:
        return addresses(self._client, subsets) if self._client is not None and subsets else NO_PODS

    def _missing(self, change: StepChange, looks: Sequence[Look], waited: float) -> list[str]:
        if self._client is None or not change.new_subsets:
            return []
        listening = frozenset(name for one in looks for name in one.listening)
        return lacking(self._client, change.new_subsets, listening, wait_for_proxies=waited < SIDECARS)


@dataclass(slots=True)
class _View:
    """Looks at all istiods in turn; one that can't be read for `wait` seconds is given up."""

    istiods: Istiods
    need: PushNeed
    wait: float
    pods: Callable[[], SubsetPods]
    given_up: bool = False
    _followers: dict[str, Follower] = field(default_factory=dict)
    _failing: dict[str, float] = field(default_factory=dict)

    def take(self, now: float) -> list[Look]:
        try:
            there = self.istiods.find() if self.need.types else ()
        except Unreadable as error:
            return self._failed("", str(error), now)
        looks = []
        for istiod in there:
            follower = self._followers.setdefault(istiod.name, Follower(istiod.name, istiod.read, self.need, self.pods))
            try:
                looks.append(follower.look(now))
                self._failing.pop(istiod.name, None)
            except Unreadable as error:
                looks += self._failed(istiod.name, str(error), now)
        return looks

    def _failed(self, name: str, why: str, now: float) -> list[Look]:
        since = self._failing.setdefault(name, now)
        if now - since < self.wait:
            return [Look((why,))]
        self.given_up = True
        return []


@dataclass(slots=True)
class _Settled:
    """All is there, and stays: the last thing that Envoy asks for comes a moment after it acknowledged the rest."""

    _since: float | None = None
    _changed: float = 0.0
    _state: object = None

    def after(self, looks: Sequence[Look], progress: Progress, now: float) -> bool:
        state = frozenset().union(*(one.state for one in looks))
        if state != self._state:
            self._state, self._changed = state, now
        if progress.waiting_for:
            self._since = None
            return False
        if self._since is None:
            self._since = now
        if not progress.proxies:
            return True
        needed = SETTLE if all(one.witnessed for one in looks) else BLIND
        return now - self._since >= needed and (now - self._changed >= needed or now - self._since >= ENOUGH)


def _progress(looks: Sequence[Look], missing: Sequence[str]) -> Progress:
    connected = sum(one.proxies for one in looks)
    waiting = tuple(line for one in looks for line in one.waiting)
    return Progress(connected - sum(one.unacknowledged for one in looks), connected, (*waiting, *missing))
