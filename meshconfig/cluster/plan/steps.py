"""What a plan consists of, and how steps that wait for each other are put one after the other."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum

from meshconfig.cluster.objects import Key, Manifest, State, key
from meshconfig.model import Name, Table

Lower = Callable[[Table], Sequence[Manifest]]


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
        waves: what the tables shall be, unchanged ones included.
        deletes: tables that go.
        after: what it waits for.
        alters: requests that come in after it meet something else than those before.
    """

    title: str
    why: str
    waves: tuple[tuple[Table, ...], ...] = ()
    deletes: tuple[Table, ...] = ()
    after: Wait = Wait.NOTHING
    alters: bool = False
    barrier: bool = True
    new_subsets: tuple[NewSubset, ...] = ()


WAIT = Step("wait", "an earlier change may have been cut off before every proxy had it")

READY = Step("subsets: their Pods are ready", "routes lead there next")


@dataclass(slots=True)
class Assembly:
    """Drafts lowered to steps, one after the other. Where one has to wait, the step before gets the barrier or drain.

    Parameters:
        now: the resources that are there, as each step leaves them.
        lower: the resources of a table.
        reached: what is known to have happened: nothing, unless nothing is under way from before.
    """

    now: State
    lower: Lower
    reached: Wait
    steps: list[Step] = field(default_factory=list)
    _made: dict[tuple[type[Table], Name], frozenset[Key]] = field(default_factory=dict)

    @classmethod
    def start(cls, live: Iterable[Table], lower: Lower, *, settled: bool) -> "Assembly":
        """Parameters: live: the tables that are there. settled: nothing is known to be under way from before."""
        one = cls({}, lower, Wait.DRAIN if settled else Wait.NOTHING)
        one.now = {key(manifest): manifest for table in live for manifest in one._lowered(table)}
        return one

    def add(self, draft: Draft) -> None:
        """A step, if the draft has something to do."""
        step = self._step(draft)
        if not (step.waves or step.deletes or step.new_subsets):
            return
        if self.reached < draft.after and (step.waves or step.deletes):
            self.steps[-1:] = [_waiting(self.steps, draft.after)]
            self.reached = draft.after
        self.steps.append(step)
        self.now = step.after(self.now)
        self.reached = _reached(self.reached, draft, step)

    def _step(self, draft: Draft) -> Step:
        made: list[tuple[Manifest, ...]] = []
        superfluous: list[Key] = []
        for wave in draft.waves:
            manifests: list[Manifest] = []
            for table in wave:
                before = self._made.get((type(table), table.name), frozenset())
                manifests += (one for one in self._lowered(table) if self.now.get(key(one)) != one)
                # A table may need fewer resources than it did.
                superfluous += sorted(before - self._made[type(table), table.name])
            if manifests:
                made.append(tuple(manifests))
        going = [key(one) for table in draft.deletes for one in self.lower(table)]
        deletes = tuple(name for name in (*superfluous, *going) if name in self.now)
        if draft.new_subsets and not (made or deletes):
            return replace(READY, new_subsets=draft.new_subsets)
        return Step(draft.title, draft.why, tuple(made), deletes, draft.barrier, draft.new_subsets)

    def _lowered(self, table: Table) -> Sequence[Manifest]:
        manifests = self.lower(table)
        self._made[type(table), table.name] = frozenset(map(key, manifests))
        return manifests


def _waiting(steps: Sequence[Step], what: Wait) -> Step:
    last = steps[-1] if steps else WAIT
    return replace(last, barrier=True, drain=last.drain or what is Wait.DRAIN)


def _reached(before: Wait, draft: Draft, step: Step) -> Wait:
    if not (step.waves or step.deletes):
        return max(before, Wait.BARRIER)
    if draft.alters:
        return Wait.BARRIER if step.barrier else Wait.NOTHING
    return max(before, Wait.BARRIER) if step.barrier else Wait.NOTHING
