"""As many Pods as a state asks for, by Deployments or by their autoscalers' bounds; and whether they still serve."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from meshconfig.cluster.objects import Key, Manifest
from meshconfig.cluster.workloads import live
from meshconfig.rollout import steps
from meshconfig.rollout.actions import Scale
from meshconfig.rollout.events import PodsFailed, PodsReady, Report, Sizes
from meshconfig.rollout.pending_actions import work
from meshconfig.rollout.runner import routing
from meshconfig.rollout.runner.context import DedupLog, RunnerContext
from meshconfig.rollout.runner.routing import Tries
from meshconfig.rollout.state import Stage
from meshconfig.rollout.store import Record
from meshconfig.spec.group import LaneGroup

DEADLINE = 600.0  # seconds; Kubernetes' own default of progressDeadlineSeconds
AILING = 15.0  # seconds without any ready Pod after which a version has failed
EVERY = 3.0  # seconds from one look at its Pods to the next


def sizes(context: RunnerContext, group: LaneGroup, record: Record) -> Sizes:
    """How many Pods each version of the rollout is to have now.

    Raises:
        ClusterError: there is no Deployment of one.
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
    """Scales one rollout's Deployments. What it remembers is only how long it has waited."""

    context: RunnerContext
    dedup_log: DedupLog
    _turn: int = -1
    _since: float = 0.0
    _bounded: bool = False
    _tries: Tries = field(default_factory=Tries)

    def scale(self, record: Record) -> Report | None:
        """One look; None while Pods are waited for."""
        turn = record.state.turn
        if turn != self._turn:
            self._turn, self._since, self._bounded = turn, time.monotonic(), False
        assert record.base is not None
        asked = [one for one in work(record.state) if isinstance(one, Scale)]
        ruled = [one for one in asked if steps.autoscaled(record.base, one)]
        if ruled and not self._bounded:
            answer = routing.attempt(self.context, record, self._tries, PodsReady, self.dedup_log)
            if not isinstance(answer, PodsReady):
                return answer
            self._bounded = True
        looks = [self._look(record, one, ruled=one in ruled) for one in asked]
        missing = [text for text, _ in looks if text]
        if not missing:
            return PodsReady(turn)
        waited = time.monotonic() - self._since
        if any(text and waited >= deadline for text, deadline in looks):
            return PodsFailed(turn, why="; ".join(missing))
        return None

    def _look(self, record: Record, one: Scale, *, ruled: bool) -> tuple[str, float]:
        """What it lacks, empty for nothing, and within how many seconds it should not any more."""
        assert record.base is not None
        name = live.deployment(record.base, one.service, one.version)
        found = live.read(self.context.client, name)
        if found is None:
            gone_back = record.state.stage is Stage.PODS_BACK and one.version != _old(record, one.service)
            return ("", 0.0) if gone_back else (f"there is no {name}", 0.0)
        if not ruled and _wanted(found) != one.replicas and not _has_more(record, one, found):
            self.context.held.check()
            live.scale(self.context.client, name, one.replicas)
            found = live.must(self.context.client, name)
        pods = live.progress(found)
        deadline = found["spec"].get("progressDeadlineSeconds", DEADLINE)
        if pods.ready >= one.replicas:
            return "", deadline
        why = live.reason(self.context.client, found)
        return f"{pods.ready} of {one.replicas} Pods of {name} ready" + (f": {why}" if why else ""), deadline


def _has_more(record: Record, one: Scale, found: Manifest) -> bool:
    """On the way forward somebody may have given the new version more Pods than asked for: it keeps them."""
    new = record.state.stage is Stage.SCALE and one.version != _old(record, one.service)
    return new and _wanted(found) > one.replicas


def _old(record: Record, service: str) -> str:
    return record.state.rollout.spec.services[service].from_


@dataclass(slots=True)
class Watch:
    """Has each new version a ready Pod, while the rollout waits or measures?"""

    context: RunnerContext
    _next: float = 0.0
    _since: dict[Key, float] = field(default_factory=dict)

    def look(self, record: Record) -> Report | None:
        """At most one each few seconds; a version that has had none for a while has failed."""
        now = time.monotonic()
        if now < self._next or record.base is None:
            return None
        self._next = now + EVERY
        ailing = dict(self._ailing(record, record.base))
        self._since = {name: self._since.get(name, now) for name in ailing}
        if late := [why for name, why in ailing.items() if now - self._since[name] >= AILING]:
            return PodsFailed(record.state.turn, why="; ".join(late))
        return None

    def _ailing(self, record: Record, base: LaneGroup) -> Iterator[tuple[Key, str]]:
        for service, move in record.state.rollout.spec.services.items():
            if not record.state.pods.get(service, {}).get(move.to):
                continue
            name = live.deployment(base, service, move.to)
            found = live.read(self.context.client, name)
            if found is None:
                yield name, f"there is no {name} any more"
            elif not (found.get("status") or {}).get("readyReplicas"):
                why = live.reason(self.context.client, found)
                yield name, f"no Pod of {name} is ready" + (f": {why}" if why else "")
