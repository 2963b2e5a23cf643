"""What `rollout status` shows: a state as plain values for JSON."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from meshconfig.rollout.pending_actions import until
from meshconfig.rollout.state import Stage, State

TIMED = (Stage.WAIT, Stage.ANALYSE, Stage.KEEP)


def status(state: State) -> dict[str, Any]:
    """`weights` are those last known to be in force, in percent; times are ISO 8601."""
    spec, metadata = state.rollout.spec, state.rollout.metadata
    new = 100 if state.applied_taken else state.applied
    return {
        "name": metadata.name,
        "namespace": metadata.namespace,
        "group": spec.group,
        "generation": state.generation,
        "phase": state.phase.value,
        "stage": state.stage.value,
        "why": state.why,
        "since": _text(state.since),
        "step": state.step,
        "steps": len(spec.steps),
        "weights": {name: {move.from_: 100 - new, move.to: new} for name, move in spec.services.items()},
        "pods": {name: _pods(state, name, counts) for name, counts in state.pods.items()},
        "until": _text(until(state)) if state.stage in TIMED else None,
        "metrics": {name: one.last.model_dump(mode="json") for name, one in state.tallies.items() if one.last},
        "log": [entry.model_dump(mode="json") for entry in state.log],
    }


def _pods(state: State, service: str, counts: Mapping[str, int]) -> dict[str, int]:
    """What is wanted of each version: of one that is retired, none."""
    old = state.rollout.spec.services[service].from_
    gone = state.stage in (Stage.RETIRE, Stage.SUCCEEDED) and state.rollout.spec.keep_old is not None
    return {**counts, old: 0} if gone else dict(counts)


def _text(moment: datetime) -> str:
    """As the log's times are written."""
    return moment.isoformat().replace("+00:00", "Z")
