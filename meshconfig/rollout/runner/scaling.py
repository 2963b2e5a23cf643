"""The Pods of versions: scaled by Deployments or by their autoscalers' bounds, and watched while requests come."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from meshconfig.cluster.objects import Key, Manifest
from meshconfig.cluster.workloads import live
from meshconfig.rollout import steps
from meshconfig.rollout.actions import Scale, VersionScale, WatchPods
from meshconfig.rollout.events import PodsFailed, PodsReady, Report, Sizes
from meshconfig.rollout.runner import routing
from meshconfig.rollout.runner.context import DedupLog, RunnerContext
from meshconfig.rollout.runner.routing import Tries
from meshconfig.rollout.store import Record
from meshconfig.spec.group import LaneGroup

DEADLINE = 600.0  # seconds; Kubernetes' own default of progressDeadlineSeconds
AILING = 15.0  # seconds without any ready Pod after which a version has failed
EVERY = 3.0  # seconds from one look at its Pods to the next


def sizes(context: RunnerContext, group: LaneGroup, record: Record) -> Sizes:
    """Reads how many Pods each version of the rollout is to have now.

    Raises:
        ClusterError: a version has no Deployment.
    """
    found: dict[str, dict[str, int]] = {}
    for service, move in record.state.rollout.spec.services.items():
        names = {version: live.deployment(group, service, version) for version in (move.from_, move.to)}
        found[service] = {version: _wanted(live.must(context.client, name)) for version, name in names.items()}
    return found


def _wanted(deployment: Manifest) -> int:
    replicas: int = deployment["spec"].get("replicas", 1)
    return replicas


@dataclass(slots=True)
class Scaler:
    """Scales one rollout's Deployments. It remembers only how long it has waited, and what it has tried."""

    context: RunnerContext
    dedup_log: DedupLog
    _turn: int = -1
    _since: float = 0.0
    _bounded: bool = False
    _tries: Tries = field(default_factory=Tries)

    def scale(self, record: Record, action: Scale) -> Report | None:
        """Scales what is not scaled yet, and looks once whether the Pods are ready.

        Returns:
            The report; None while Pods are not ready and still have time.
        """
        turn = record.state.turn
        if turn != self._turn:
            self._turn, self._since, self._bounded = turn, time.monotonic(), False
        assert record.base is not None
        autoscaled = [one for one in action.versions if steps.autoscaled(record.base, one)]
        if autoscaled and not self._bounded:
            answer = self._set_bounds(record, action)
            if not isinstance(answer, PodsReady):
                return answer
            self._bounded = True
        looks = [self._look(record, one, autoscaled=one in autoscaled) for one in action.versions]
        missing = [text for text, _ in looks if text]
        if not missing:
            return PodsReady(turn)
        waited = time.monotonic() - self._since
        if any(text and waited >= deadline for text, deadline in looks):
            return PodsFailed(turn, why="; ".join(missing))
        return None

    def _set_bounds(self, record: Record, action: Scale) -> Report | None:
        def change() -> None:
            routing.apply(self.context, record, action.change)

        return routing.attempt(self.context, record, self._tries, self.dedup_log, change, PodsReady)

    def _look(self, record: Record, one: VersionScale, *, autoscaled: bool) -> tuple[str, float]:
        """
        Returns:
            What is missing, empty for nothing; and the seconds after which that is a failure.
        """
        assert record.base is not None
        name = live.deployment(record.base, one.service, one.version)
        found = live.read(self.context.client, name)
        if found is None:
            return ("", 0.0) if one.optional else (f"there is no {name}", 0.0)
        if not autoscaled and not _has(one, _wanted(found)):
            self.context.held.check()
            live.scale(self.context.client, name, one.replicas)
            found = live.must(self.context.client, name)
        pods = live.progress(found)
        deadline = found["spec"].get("progressDeadlineSeconds", DEADLINE)
        if pods.ready >= one.replicas:
            return "", deadline
        why = live.reason(self.context.client, found)
        return f"{pods.ready} of {one.replicas} Pods of {name} ready" + (f": {why}" if why else ""), deadline


def _has(one: VersionScale, replicas: int) -> bool:
    return replicas >= one.replicas if one.at_least else replicas == one.replicas


@dataclass(slots=True)
class PodWatch:
    """Watches that each new version has a ready Pod, while the rollout waits or measures."""

    context: RunnerContext
    _next: float = 0.0
    _since: dict[Key, float] = field(default_factory=dict)

    def look(self, record: Record, action: WatchPods) -> Report | None:
        """Looks at most once in a few seconds. A version that has had no ready Pod for a while has failed."""
        now = time.monotonic()
        if now < self._next or record.base is None:
            return None
        self._next = now + EVERY
        ailing = dict(self._ailing(action, record.base))
        self._since = {name: self._since.get(name, now) for name in ailing}
        if late := [why for name, why in ailing.items() if now - self._since[name] >= AILING]:
            return PodsFailed(record.state.turn, why="; ".join(late))
        return None

    def _ailing(self, action: WatchPods, base: LaneGroup) -> Iterator[tuple[Key, str]]:
        for service, version in action.versions.items():
            name = live.deployment(base, service, version)
            found = live.read(self.context.client, name)
            if found is None:
                yield name, f"there is no {name} any more"
            elif not (found.get("status") or {}).get("readyReplicas"):
                why = live.reason(self.context.client, found)
                yield name, f"no Pod of {name} is ready" + (f": {why}" if why else "")
