"""The steps of a plan, and how drafts become steps that wait for each other."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from itertools import zip_longest
from typing import NamedTuple

from meshconfig.cluster.objects import Key, Manifest, State, key
from meshconfig.model import Name, RouteTable, Table

Lower = Callable[[Table], Sequence[Manifest]]
Transition = Callable[[Sequence[Manifest], Sequence[Manifest]], Sequence[Sequence[Manifest]]]


def at_once(before: Sequence[Manifest], after: Sequence[Manifest]) -> Sequence[Sequence[Manifest]]:
    """The transition of tables that are one resource each."""
    changed = [one for one in after if one not in before]
    return [changed] if changed else []


@dataclass(frozen=True, slots=True)
class NewSubset:
    """A subset that gets requests for the first time, so it needs a ready endpoint before. `labels` are sorted."""

    host: str
    port: int
    name: str
    labels: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a plan. It is complete before the next step begins.

    A step may have nothing to write. It then waits for its barrier, drain or new subsets, because an interrupted change
    may not have waited for them.

    Parameters:
        title: what the step does, in a few words for people.
        why: the reason, as one clause for people.
        waves: the resources to write. The waves are written one after the other, the resources of a wave in parallel.
        deletes: the resources to delete after the waves.
        barrier: wait until every proxy has acknowledged all that is written.
        new_subsets: wait until each of these has a ready endpoint.
        drain: after the barrier, wait until running requests have ended.
    """

    title: str
    why: str
    waves: tuple[tuple[Manifest, ...], ...] = ()
    deletes: tuple[Key, ...] = ()
    barrier: bool = True
    new_subsets: tuple[NewSubset, ...] = ()
    drain: bool = False

    def after(self, state: State) -> State:
        """The resources in the cluster after the step."""
        written = {key(manifest): manifest for wave in self.waves for manifest in wave}
        return {name: one for name, one in {**state, **written}.items() if name not in self.deletes}


# Bytes of one resource as JSON. etcd takes requests of 1.5 MiB, with what the API server adds to a resource.
LARGEST = 1_500_000


def size(manifest: Manifest) -> int:
    """The bytes of a resource as an API server is sent it."""
    return len(json.dumps(manifest, separators=(",", ":"), ensure_ascii=False).encode())


class TooLarge(NamedTuple):
    """A resource that no API server would store, with its size in bytes."""

    key: Key
    size: int

    def __str__(self) -> str:
        return f"{self.key} of {self.size // 1000} kB, more than the {LARGEST // 1000} kB that the API server takes"


def too_large(steps: Iterable[Step]) -> Iterator[TooLarge]:
    """The resources that no API server would store, each once."""
    sizes: dict[Key, int] = {}
    for manifest in (one for step in steps for wave in step.waves for one in wave):
        sizes[key(manifest)] = max(size(manifest), sizes.get(key(manifest), 0))
    yield from (TooLarge(name, bytes_) for name, bytes_ in sizes.items() if bytes_ > LARGEST)


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps from the live resources to the wanted ones.

    Parameters:
        consistent: the change uses a tag generation, so that no chain of requests meets both old and new routes.
        reasons: why the change does or does not use a generation, for people.
        risks: what can go wrong all the same, for people.
    """

    steps: tuple[Step, ...]
    consistent: bool
    reasons: tuple[str, ...]
    risks: tuple[str, ...]

    def states(self, live: State) -> list[State]:
        """The resources in the cluster after each step."""
        states: list[State] = []
        for step in self.steps:
            states.append(step.after(states[-1] if states else live))
        return states


class Wait(IntEnum):
    """What must have happened before a step may write; a higher value includes the lower ones."""

    NOTHING = 0
    BARRIER = 1  # every proxy has all that was written so far
    DRAIN = 2  # and all requests that came in before the last change of routes have ended


@dataclass(frozen=True, slots=True)
class Draft:
    """A step as a flow asks for it. It may be done already, wholly or in part.

    Parameters:
        title, why: as in `Step`.
        waves: the tables after the step, including unchanged ones.
        deletes: the tables to remove.
        after: what must have happened before the step may write.
        alters: requests that come in after the step get other routes than those that came in before.
        barrier, new_subsets: as in `Step`.
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
    """Turns drafts into steps, one after the other. If a draft has to wait, the step before it gets a barrier or drain.

    Parameters:
        now: the resources in the cluster after the steps so far.
        lower: returns the resources of a table.
        transition: returns the writes that lead from the resources of a table to others, in waves.
        reached: what is known to have happened by now, for the next draft's `after`.
    """

    now: State
    lower: Lower
    transition: Transition
    reached: Wait
    steps: list[Step] = field(default_factory=list)
    _made: dict[tuple[type[Table], Name], frozenset[Key]] = field(default_factory=dict)

    @classmethod
    def start(
        cls, live: Iterable[Table], lower: Lower, *, settled: bool, transition: Transition = at_once
    ) -> "Assembly":
        """An assembly without steps.

        Parameters:
            live: the tables in the cluster.
            settled: the last change is complete, and the requests that were running then have ended.
        """
        one = cls({}, lower, transition, Wait.DRAIN if settled else Wait.NOTHING)
        one.now = {key(manifest): manifest for table in live for manifest in one._lowered(table)}
        return one

    def add(self, draft: Draft) -> None:
        """Appends a step if the draft has something left to do."""
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
            changes: list[Sequence[Sequence[Manifest]]] = []
            for table in wave:
                had = self._made.get((type(table), table.name), frozenset())
                wanted = self._lowered(table)
                before = [self.now[name] for name in sorted(had | {key(one) for one in wanted}) if name in self.now]
                changes.append(writes := self.transition(before, wanted))
                # A table may lower to fewer resources than before; those that it no longer needs are deleted.
                written = {key(one) for several in writes for one in several}
                superfluous += sorted((had | written) - self._made[type(table), table.name])
            made += _together(changes)
        going, ending = self._ending(draft.deletes)
        made += ending
        written = {key(one) for several in made for one in several}
        deletes = tuple(dict.fromkeys(name for name in (*superfluous, *going) if name in self.now or name in written))
        if draft.new_subsets and not (made or deletes):
            return replace(READY, new_subsets=draft.new_subsets)
        return Step(draft.title, draft.why, tuple(made), deletes, draft.barrier, draft.new_subsets)

    def _ending(self, tables: Iterable[Table]) -> tuple[list[Key], list[tuple[Manifest, ...]]]:
        """The resources of tables that go, and what is written before they can be deleted together."""
        going: list[Key] = []
        changes: list[Sequence[Sequence[Manifest]]] = []
        for table in tables:
            # A table that goes may have become more resources on the way than it was lifted from.
            made = sorted(self._made.get((type(table), table.name), ()))
            names = dict.fromkeys((*map(key, self.lower(table)), *made))
            there = [self.now[name] for name in names if name in self.now]
            going += map(key, there)
            if isinstance(table, RouteTable):
                changes.append(writes := self.transition(there, ()))
                going += (key(one) for several in writes for one in several)
        return list(dict.fromkeys(going)), _together(changes)

    def _lowered(self, table: Table) -> Sequence[Manifest]:
        manifests = self.lower(table)
        self._made[type(table), table.name] = frozenset(map(key, manifests))
        return manifests


def _together(changes: Iterable[Sequence[Sequence[Manifest]]]) -> list[tuple[Manifest, ...]]:
    """The waves of several tables side by side."""
    waves = zip_longest(*changes, fillvalue=())
    return [tuple(one for several in wave for one in several) for wave in waves]


def _waiting(steps: Sequence[Step], what: Wait) -> Step:
    last = steps[-1] if steps else WAIT
    return replace(last, barrier=True, drain=last.drain or what is Wait.DRAIN)


def _reached(before: Wait, draft: Draft, step: Step) -> Wait:
    if not (step.waves or step.deletes):
        return max(before, Wait.BARRIER)
    if draft.alters:
        return Wait.BARRIER if step.barrier else Wait.NOTHING
    return max(before, Wait.BARRIER) if step.barrier else Wait.NOTHING
