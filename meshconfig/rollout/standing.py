"""What a Rollout's status shows besides the state itself: conditions, as kstatus reads them, and the state in short."""

from collections.abc import Mapping
from typing import Any

from meshconfig.cluster.conditions import Condition, ready, reconciling, stalled
from meshconfig.rollout.overlay import to_commit
from meshconfig.rollout.state import Phase, Stage, State
from meshconfig.rollout.status import status
from meshconfig.spec.group import LaneGroup

SHOWN = 20  # entries of the log that a status shows; the state has all of them
HELD = (Stage.BAD_METRICS, Stage.BAD_CHANGE)
FIELDS = ("group", "phase", "stage", "step", "steps", "why", "since", "until", "pods")
INVALID, CHANGED = "InvalidSpec", "SpecChanged"  # reasons


def conditions(state: State, base: LaneGroup | None) -> tuple[Condition, ...]:
    """
    Parameters:
        base: the group that it began from, if it has begun.
    """
    if state.phase is Phase.SUCCEEDED:
        return ready("Succeeded", _succeeded(state, base))
    if state.phase.final:
        again = "change its spec to start it again, or delete it"
        return stalled(state.phase.value, _said(str(state.stage), state.why, again))
    if state.obstacle and state.obstacle.stalls:
        return stalled(state.obstacle.reason, state.obstacle.message)
    if state.stage in HELD:
        name = f"{state.name} -n {state.rollout.metadata.namespace}"
        decide = f"to decide: graylane rollout resume, abort or rollback {name}"
        return stalled("Degraded", _said(str(state.stage), state.why, decide))
    if state.obstacle:
        return reconciling(state.obstacle.reason, state.obstacle.message)
    return reconciling("GoingBack" if state.stage.going_back else state.phase.value, _said(str(state.stage), state.why))


def _succeeded(state: State, base: LaneGroup | None) -> str:
    spec = state.rollout.spec
    if state.done and state.lanegroup:
        return f"LaneGroup {spec.group} has gone on from the old versions itself: this rollout is done with"
    if state.done or not state.lanegroup or base is None:
        return "untagged requests get the new versions"
    fields = to_commit(state.rollout, base, retired=state.old_retired)
    return f"it lies over LaneGroup {spec.group} until that has the new versions itself; commit to it: {fields}"


def _said(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def shown(state: State) -> Mapping[str, Any]:
    """The state in short, as `kubectl get` and people read it."""
    values = status(state)
    found = {name: values[name] for name in FIELDS if values[name] is not None}
    metrics = {
        name: {key: one for key, one in reading.items() if one is not None}
        for name, reading in values["metrics"].items()
    }
    return {**found, "weight": state.applied, "metrics": metrics, "log": values["log"][-SHOWN:]}
