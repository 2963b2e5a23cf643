"""What a plan consists of, and how steps that wait for each other are put one after the other."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from meshconfig.cluster.objects import Key, Manifest, State, key


@dataclass(frozen=True, slots=True)
class NewSubset:
    """A subset that gets its first requests: it must have a ready endpoint before. `labels` are sorted."""

    host: str
    port: int
    name: str
    labels: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One step; it ends before the next one begins.

    A step may have nothing to write: it is there for its barrier, its drain or its new subsets, because a change that
    was cut off may not have waited for them.

    Parameters:
        title, why: for people, a few words and one clause.
        waves: written one wave after the other, those of a wave side by side.
        deletes: after the waves.
        barrier: every proxy acknowledges all that is written before the next step begins.
        new_subsets: each has a ready endpoint before the next step begins.
        drain: after the barrier, what is in flight ends.
    """

    title: str
    why: str
    waves: tuple[tuple[Manifest, ...], ...] = ()
    deletes: tuple[Key, ...] = ()
    barrier: bool = True
    new_subsets: tuple[NewSubset, ...] = ()
    drain: bool = False

    def after(self, state: State) -> State:
        """The state once the step is done."""
        written = {key(manifest): manifest for wave in self.waves for manifest in wave}
        return {name: one for name, one in {**state, **written}.items() if name not in self.deletes}


@dataclass(frozen=True, slots=True)
class Plan:
    """The way from live to wanted.

    Parameters:
        consistent: by tag generation, so that no chain of requests meets both.
        reasons: what decided for or against that, for people.
        risks: what is given up, and limits that hold in any case.
    """

    steps: tuple[Step, ...]
    consistent: bool
    reasons: tuple[str, ...]
    risks: tuple[str, ...]

    def states(self, live: State) -> list[State]:
        """The state after each step."""
        states: list[State] = []
        for step in self.steps:
            states.append(step.after(states[-1] if states else live))
        return states


class Wait(IntEnum):
    """What must have happened before a step may write."""

    NOTHING = 0
    BARRIER = 1  # every proxy has what was written so far
    DRAIN = 2  # and no request is under way that came in before the entries, or what they lead to, changed last


@dataclass(frozen=True, slots=True)
class Draft:
    """A step as a flow would have it, before it is known what of it is there already.

    Parameters:
        waves: what the resources shall be, unchanged ones included.
        after: what it waits for.
        alters: requests that come in after it meet something else than those before.
    """

    title: str
    why: str
    waves: tuple[tuple[Manifest, ...], ...] = ()
    deletes: tuple[Key, ...] = ()
    after: Wait = Wait.NOTHING
    alters: bool = False
    barrier: bool = True
    new_subsets: tuple[NewSubset, ...] = ()


WAIT = Step("wait", "an earlier change may have been cut off before every proxy had it")

READY = Step("subsets: their Pods are ready", "routes lead there next")


def assemble(live: State, drafts: Iterable[Draft], *, settled: bool) -> tuple[Step, ...]:
    """The steps that have something to do. Where one has to wait, the step before it gets the barrier or the drain.

    Parameters:
        settled: nothing is known to be under way from before; else the first that has to wait does so.
    """
    steps: list[Step] = []
    now, reached = live, Wait.DRAIN if settled else Wait.NOTHING
    for draft in drafts:
        step = _step(now, draft)
        if not (step.waves or step.deletes or step.new_subsets):
            continue
        if reached < draft.after and (step.waves or step.deletes):
            steps[-1:] = [_waiting(steps, draft.after)]
            reached = draft.after
        steps.append(step)
        now = step.after(now)
        reached = _reached(reached, draft, step)
    return tuple(steps)


def _step(now: State, draft: Draft) -> Step:
    different = (tuple(one for one in wave if now.get(key(one)) != one) for wave in draft.waves)
    waves = tuple(wave for wave in different if wave)
    deletes = tuple(name for name in draft.deletes if name in now)
    if draft.new_subsets and not (waves or deletes):
        return replace(READY, new_subsets=draft.new_subsets)
    return Step(draft.title, draft.why, waves, deletes, draft.barrier, draft.new_subsets)


def _waiting(steps: Sequence[Step], what: Wait) -> Step:
    last = steps[-1] if steps else WAIT
    return replace(last, barrier=True, drain=last.drain or what is Wait.DRAIN)


def _reached(before: Wait, draft: Draft, step: Step) -> Wait:
    if not (step.waves or step.deletes):
        return max(before, Wait.BARRIER)
    if draft.alters:
        return Wait.BARRIER if step.barrier else Wait.NOTHING
    return max(before, Wait.BARRIER) if step.barrier else Wait.NOTHING
