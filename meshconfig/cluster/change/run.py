"""A plan carried out: each step written, acknowledged and drained before the next one begins."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from typing import Protocol

from meshconfig.cluster.barrier import Barrier, Progress, StepChange, Verification
from meshconfig.cluster.change.prepare import Prepared
from meshconfig.cluster.client import Client
from meshconfig.cluster.objects import Key, Manifest, key
from meshconfig.cluster.plan import Step
from meshconfig.errors import ClusterError


class Held(Protocol):
    """A lock that is held: `check` raises once it no longer is."""

    def check(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Settings:
    """How long to wait, in seconds: `drain` for what is in flight once an entry has changed. `adopt` are the resources
    whose fields are taken over from other managers."""

    drain: float = 5.0
    adopt: frozenset[Key] = frozenset()


@dataclass(frozen=True, slots=True)
class Events:
    """What happens on the way, for whoever shows it; steps count from 0."""

    step: Callable[[int, Step], None] = lambda number, step: None
    wrote: Callable[[int, int], None] = lambda done, total: None
    barrier: Callable[[Progress], None] = lambda progress: None
    drain: Callable[[float], None] = lambda seconds: None
    ended: Callable[[int, Verification | None, float], None] = lambda number, verdict, seconds: None


class Stopped(ClusterError):  # noqa: N818  the message says it whole
    """A change that did not come to its end; what is written stays, and the same command goes on from there."""


@dataclass(slots=True)
class Run:
    """One run of a plan."""

    client: Client
    prepared: Prepared
    barrier: Barrier
    settings: Settings
    held: Held
    events: Events = field(default_factory=Events)
    _there: dict[Key, Manifest] = field(default_factory=dict, init=False)

    def steps(self) -> Verification:
        """Carry out all steps; VERIFIED if each barrier could be read from istiod.

        Raises:
            Stopped: says in which step, and why.
        """
        steps = self.prepared.plan.steps
        self._there = dict(self.prepared.live.raw)
        if not steps and self.prepared.settled:
            return Verification.VERIFIED
        if not steps:  # all is written, but who wrote it did not wait
            return self.barrier.holds(self._all(), self.events.barrier)
        verdicts = []
        for number, step in enumerate(steps):
            began = time.monotonic()
            self.events.step(number, step)
            try:
                verdict = self._step(step)
            except ClusterError as error:
                raise Stopped(_where(number, step, len(steps), error)) from error
            verdicts += [verdict] if verdict else []
            self.events.ended(number, verdict, time.monotonic() - began)
        return Verification.UNVERIFIED if Verification.UNVERIFIED in verdicts else Verification.VERIFIED

    def _step(self, step: Step) -> Verification | None:
        written: list[Manifest] = []
        before = self._there
        for wave in step.waves:
            self.held.check()
            written += self.client.map_concurrently(self._write, wave)
            self.events.wrote(len(written), sum(map(len, step.waves)))
        self._delete(step.deletes)
        self._there = {**self._there, **{key(manifest): manifest for manifest in written}}
        if not step.barrier:
            return None
        tag = self.prepared.model.tag
        change = StepChange(tuple(written), step.deletes, step.new_subsets, before, tag)
        if not (written or step.deletes):
            change = replace(self._all(), new_subsets=step.new_subsets)
        verdict = self.barrier.holds(change, self.events.barrier)
        if step.drain:
            self.events.drain(self.settings.drain)
            time.sleep(self.settings.drain)
        return verdict

    def _delete(self, names: Sequence[Key]) -> None:
        """In the plan's order of kinds: a Gateway after what is bound to it; those of a kind side by side."""
        for _, same in groupby(names, lambda name: name.kind):
            self.held.check()
            self.client.map_concurrently(partial(self.client.delete, istio_api=self.prepared.live.istio_api), same)
        self._there = {name: one for name, one in self._there.items() if name not in names}

    def _all(self) -> StepChange:
        """What is there by now, whoever wrote it: it may not have been waited for."""
        return StepChange(written=tuple(self._there.values()), tag=self.prepared.model.tag)

    def _write(self, manifest: Manifest) -> Manifest:
        return self.client.apply(manifest, force=key(manifest) in self.settings.adopt)


def _where(number: int, step: Step, total: int, error: ClusterError) -> str:
    return f"stopped in step {number + 1} of {total} ({step.title}): {error}"
