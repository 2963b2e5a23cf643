"""What the status of a LaneGroup object says to people: how far the controller has come with its spec."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from meshconfig.cluster.custom import ChangeUnderWay
from meshconfig.cluster.following import OBSERVED
from meshconfig.cluster.lanegroups import GroupObject


@dataclass(frozen=True, slots=True)
class StatedCondition:
    """A condition as the object's status has it; `since` is RFC 3339."""

    kind: str
    status: bool
    reason: str
    message: str
    since: str


@dataclass(frozen=True, slots=True)
class ObjectState:
    """A LaneGroup object beside the mesh.

    Parameters:
        generation: of its spec; `observed` is the one that the controller has seen last, 0 for none.
        conditions: those of its status.
        change: the plan under way.
        rollouts: those that lie over the spec.
        unobserved: nobody has seen the newest spec for longer than a controller takes.
        under_way: what the controller does now, in a few words; empty if it is at rest.
        deleting: it is to go.
    """

    generation: int
    observed: int
    conditions: tuple[StatedCondition, ...]
    revision: int | None
    lanes: tuple[str, ...]
    rollouts: tuple[str, ...]
    change: ChangeUnderWay | None
    unobserved: bool
    under_way: str
    deleting: bool

    def condition(self, kind: str) -> StatedCondition | None:
        return next((one for one in self.conditions if one.kind == kind), None)

    def is_true(self, kind: str) -> bool:
        found = self.condition(kind)
        return found is not None and found.status

    @property
    def problems(self) -> tuple[str, ...]:
        """Why it is not well: a line of text each."""
        return tuple(self._problems())

    def _problems(self) -> Iterator[str]:
        name = f"generation {self.generation} of the LaneGroup object"
        if self.unobserved:
            yield f"nobody observes {name}: start graylane controller, or look at its Pods"
        elif self.deleting:
            yield f"the LaneGroup object is being deleted{f': {self.under_way}' if self.under_way else ''}"
        elif self.observed < self.generation:
            yield f"{name} is not observed yet"
        elif stalled := self.condition("Stalled") if self.is_true("Stalled") else None:
            yield f"{name} is stalled ({stalled.reason}): {stalled.message}"
        elif not self.is_true("Ready"):
            yield f"{name} is not ready: {self.under_way or 'the controller says nothing'}"

    def as_json(self) -> dict[str, Any]:
        """{generation, observedGeneration, unobserved, deleting, conditions: [{type, status, reason, message, since}],
        revision, lanes, rollouts, change: null or {steps, step, title, waitingFor}}"""
        change = self.change
        return {
            "generation": self.generation,
            "observedGeneration": self.observed,
            "unobserved": self.unobserved,
            "deleting": self.deleting,
            "conditions": [
                {
                    "type": one.kind,
                    "status": one.status,
                    "reason": one.reason,
                    "message": one.message,
                    "since": one.since,
                }
                for one in self.conditions
            ],
            "revision": self.revision,
            "lanes": list(self.lanes),
            "rollouts": list(self.rollouts),
            "change": change
            and {
                "steps": change.steps,
                "step": change.step,
                "title": change.title,
                "waitingFor": list(change.waiting_for),
            },
        }


def object_state(one: GroupObject, now: datetime) -> ObjectState:
    """What an object says, at a moment.

    Parameters:
        now: with a time zone.
    """
    written = one.written
    late = written is not None and (now - written).total_seconds() > OBSERVED
    at_work = one.is_true("Reconciling") or one.change is not None
    conditions = tuple(
        StatedCondition(
            str(each.get("type", "")),
            each.get("status") == "True",
            str(each.get("reason", "")),
            str(each.get("message", "")),
            str(each.get("lastTransitionTime", "")),
        )
        for each in one.conditions
    )
    return ObjectState(
        generation=one.generation,
        observed=one.observed,
        conditions=conditions,
        revision=one.revision,
        lanes=one.listed("lanes"),
        rollouts=one.listed("rollouts"),
        change=one.change,
        unobserved=one.observed < one.generation and late and not at_work,
        under_way=one.under_way if at_work else "",
        deleting=one.deleting,
    )
