"""Carries out a plan: writes each step, waits until proxies acknowledge it, and drains before the next one."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from typing import Protocol

from meshconfig.backend.kinds import PUSHED, kind_of
from meshconfig.cluster.barrier import Barrier, Progress, StepChange, Verification
from meshconfig.cluster.change.phases import Phase, PhaseTimes
from meshconfig.cluster.change.prepare import Prepared
from meshconfig.cluster.client import Client
from meshconfig.cluster.fields import other_managers
from meshconfig.cluster.objects import Key, Manifest, State, key
from meshconfig.cluster.plan import Step
from meshconfig.cluster.plan.move import other, routes_of
from meshconfig.errors import ClusterError

TO_PROXIES = frozenset(kind.name for kind in PUSHED)


class Held(Protocol):
    """A held lock; `check` raises once it is lost."""

    def check(self) -> object: ...


@dataclass(frozen=True, slots=True)
class Settings:
    """Options of a run. `drain` is the seconds to let running requests finish after an entry has changed. `adopt` lists
    the resources whose fields are taken over from other managers."""

    drain: float = 5.0
    adopt: frozenset[Key] = frozenset()


@dataclass(frozen=True, slots=True)
class Events:
    """Callbacks that display the progress of a run; steps count from 0."""

    step: Callable[[int, Step], None] = lambda number, step: None
    wrote: Callable[[int, int], None] = lambda done, total: None
    barrier: Callable[[Progress], None] = lambda progress: None
    drain: Callable[[float], None] = lambda seconds: None
    ended: Callable[[int, Verification | None, float], None] = lambda number, verdict, seconds: None


class Stopped(ClusterError):  # noqa: N818  the message says it whole
    """A change stopped in the middle. What is written stays; the same command continues from there."""


@dataclass(slots=True)
class Run:
    """One run of a plan."""

    client: Client
    prepared: Prepared
    barrier: Barrier
    settings: Settings
    held: Held
    events: Events = field(default_factory=Events)
    times: PhaseTimes = field(default_factory=PhaseTimes)
    _there: dict[Key, Manifest] = field(default_factory=dict, init=False)

    def steps(self) -> Verification:
        """Carry out all steps. Returns VERIFIED if istiod confirmed each barrier.

        Raises:
            Stopped: a step failed; the message names the step and the reason.
        """
        steps = self.prepared.plan.steps
        self._there = dict(self.prepared.live.raw)
        if not steps and self.prepared.settled:
            return Verification.VERIFIED
        if not steps:  # an earlier run wrote everything, but did not wait for the proxies
            with self.times.measure(Phase.BARRIERS):
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
        before = self._there
        if step.barrier:
            self.barrier.begin(_names(step))
        first, beside = _waves(step)
        total = sum(map(len, step.waves))
        with self.times.measure(Phase.WRITES):
            written = self._write_waves(first, total)
            self._delete(step.deletes)
        self._keep(written)
        verdict = None
        if step.barrier:
            change = self._change(step, written, before)
            with self.times.measure(Phase.BARRIERS), self._writing(beside) as writes:
                verdict = self.barrier.holds(change, partial(self._report, writes))
                self._keep(writes.result())
            if beside:
                self.events.wrote(total, total)
        if step.drain:
            self.events.drain(self.settings.drain)
            with self.times.measure(Phase.DRAIN):
                time.sleep(self.settings.drain)
        return verdict

    def _change(self, step: Step, written: Sequence[Manifest], before: State) -> StepChange:
        """What the barrier of a step waits for."""
        model, moves, gone = self.prepared.model, self.prepared.moves, self.prepared.gone
        if not (step.waves or step.deletes):
            there = StepChange(tag=model.tag, backend=model.backend) if self._is_everywhere() else self._all()
            return replace(there, new_subsets=step.new_subsets)
        # Nobody may have waited for the routes that went before a move was cut off.
        deletes = (*step.deletes, *gone) if step.deletes else ()
        given = tuple(written), deletes, step.new_subsets, {**gone, **before}
        return StepChange(*given, model.tag, model.backend, beside=moves)

    def _is_everywhere(self) -> bool:
        """Whether every proxy has what is there: the last change was seen to be, and nobody else has written any of it.

        Then a step that writes nothing waits for Pods alone.
        """
        one = self.prepared
        is_seen = one.past.last is not None and one.past.last.is_verified
        is_complete = one.settled and is_seen and not (one.moves or one.adopts)
        return is_complete and not any(map(other_managers, self._there.values()))

    def _write_waves(self, waves: Sequence[Sequence[Manifest]], total: int) -> list[Manifest]:
        written: list[Manifest] = []
        for wave in waves:
            self.held.check()
            written += self.client.map_concurrently(self._write, wave)
            self.events.wrote(len(written), total)
        return written

    @contextmanager
    def _writing(self, manifests: Sequence[Manifest]) -> "Iterator[Future[list[Manifest]]]":
        """Writes resources in the background; at the end of the `with` block, no write is under way any more."""
        self.held.check()
        with ThreadPoolExecutor(1) as background:
            yield background.submit(self.client.map_concurrently, self._write, manifests)

    def _report(self, writes: "Future[list[Manifest]]", progress: Progress) -> None:
        """Tells the progress of a barrier, and ends the barrier at once where a write beside it has failed."""
        self.events.barrier(progress)
        if writes.done():
            writes.result()

    def _keep(self, written: Sequence[Manifest]) -> None:
        self._there = {**self._there, **{key(manifest): manifest for manifest in written}}

    def _delete(self, names: Sequence[Key]) -> None:
        """Delete in the plan's order of kinds, Gateways after routes bound to them; one kind concurrently."""
        for _, same in groupby(names, lambda name: name.kind):
            self.held.check()
            self.client.map_concurrently(partial(self.client.delete, istio_api=self.prepared.live.istio_api), same)
        self._there = {name: one for name, one in self._there.items() if name not in names}

    def _all(self) -> StepChange:
        """Everything the group has in the cluster, because an interrupted run may not have waited for any of it."""
        model, gone = self.prepared.model, self.prepared.gone
        theirs = self.prepared.moves and bool(routes_of(other(model.backend), self._there))
        return StepChange(
            written=tuple(self._there.values()),
            deleted=() if theirs else tuple(gone),
            before={**gone, **self._there},
            tag=model.tag,
            backend=model.backend,
            earlier=True,
            beside=theirs,
        )

    def _write(self, manifest: Manifest) -> Manifest:
        return self.client.apply(manifest, force=key(manifest) in self.settings.adopt)


def _waves(step: Step) -> tuple[list[list[Manifest]], list[Manifest]]:
    """The waves of a step, and what can be written while its barrier waits.

    A proxy gets nothing of an autoscaler, so no request can meet it before its time, and istiod pushes nothing for it.
    The step is over when both are done. Of a first apply, this is a third of all writes.
    """
    waves = [list(wave) for wave in step.waves]
    if not step.barrier:
        return waves, []
    first = [[one for one in wave if kind_of(one) in TO_PROXIES] for wave in waves]
    return [wave for wave in first if wave], [one for wave in waves for one in wave if kind_of(one) not in TO_PROXIES]


def _names(step: Step) -> list[Key]:
    return [*(key(one) for wave in step.waves for one in wave), *step.deletes]


def _where(number: int, step: Step, total: int, error: ClusterError) -> str:
    return f"stopped in step {number + 1} of {total} ({step.title}): {error}"
