"""A change before it is made: what becomes of the spec, and the steps that lead there. Pure."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from meshconfig.cluster.change import Prepared
from meshconfig.cluster.lanegroups import GroupObject
from meshconfig.cluster.plan import Step
from meshconfig.cluster.revision import Revision
from meshconfig.console.refs import GroupRef


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step of a plan, as a person reads it."""

    title: str
    why: str
    writes: int
    deletes: int
    barrier: bool
    subsets: Sequence[str]
    drain: bool


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change before it is made.

    Parameters:
        action: what history shows for it.
        diff: lines of a unified diff of the spec; none if it says this already.
        notes: what a person should know, a line each.
        steps: the plan; empty where `unplanned` says why there is none, or nothing is to be written.
        consistent: no chain of requests meets both old and new routes.
        mark: changes whenever somebody else changes the group.
        owner: the tool of GitOps that owns the object: then the diff is to be committed, and nothing is written.
        owned: what other managers own of the object that would change; then too.
        by_controller: the controller carries it out.
    """

    ref: GroupRef
    action: str
    diff: Sequence[str]
    notes: Sequence[str]
    mark: str
    steps: Sequence[PlannedStep] = ()
    reasons: Sequence[str] = ()
    risks: Sequence[str] = ()
    consistent: bool = False
    unplanned: str = ""
    owner: str = ""
    owned: Sequence[str] = ()
    by_controller: bool = False
    resources: Sequence[str] = ()

    @property
    def changes(self) -> bool:
        """Whether anything is to be written."""
        return bool(self.diff or self.steps)


def planned_steps(steps: Iterable[Step]) -> Sequence[PlannedStep]:
    return [
        PlannedStep(
            one.title,
            one.why,
            sum(map(len, one.waves)),
            len(one.deletes),
            one.barrier,
            [f"{subset.host} {subset.name}" for subset in one.new_subsets],
            one.drain,
        )
        for one in steps
    ]


def object_mark(one: GroupObject) -> str:
    """A name for what a group's object says now."""
    return f"object/{one.uid}/{one.generation}"


def revision_mark(last: Revision) -> str:
    """A name for what the newest revision of a group without an object says."""
    return f"revision/{last.number}/{last.hash}"


def mark_of(prepared: Prepared) -> str:
    """A name for what is in the cluster now: the group's revision and its resources.

    The steps are no part of it: they are others while requests from before the last change may still run.
    """
    past = prepared.past
    seen = {
        "revision": [past.number, past.last.hash if past.last else ""],
        "live": [[list(name), one] for name, one in sorted(prepared.live.state.items())],
    }
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()
